"""scikit-learn's table of scorer names, opened for `manyhot_<metric>`.

scikit-learn has no public place to add names to. They stand in a private dict, and whatever takes `scoring=`
checks a name against a set that it copied from there when it was imported. Both are replaced here by ones
that know every name with our prefix too, so that any k and any beta has a name; nothing is taken away.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

PREFIX = "manyhot_"

# Where names are checked. RFECV takes every string; what scores models of its own kind alone, such as
# LogisticRegressionCV, RidgeClassifierCV and TunedThresholdClassifierCV, has no use for label sets.
DOORS = {
    "sklearn.metrics": ("check_scoring",),
    "sklearn.model_selection": (
        "GridSearchCV",
        "RandomizedSearchCV",
        "cross_validate",
        "cross_val_score",
        "learning_curve",
        "validation_curve",
        "permutation_test_score",
    ),
    "sklearn.model_selection._search_successive_halving": ("HalvingGridSearchCV", "HalvingRandomSearchCV"),
    "sklearn.feature_selection": ("SequentialFeatureSelector",),
    "sklearn.inspection": ("permutation_importance",),
}


class _Table(dict[str, Any]):
    """Scorers by name; those with our prefix are made when they are asked for."""

    def __init__(self, known: dict[str, Any], make: Callable[[str], Any]) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, name: str) -> Any:
        if not _is_ours(name):
            raise KeyError(name)
        return self._make(name.removeprefix(PREFIX))


class _Names(set[str]):
    """Names of scorers; one with our prefix is let in here, and refused by us if it is none."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or _is_ours(name)


def open_names(make: Callable[[str], Any], listed: Iterable[str]) -> None:
    """Let scikit-learn in this process understand `manyhot_<metric>`; doing so again changes nothing.

    Args:
        make: the scorer of a metric.
        listed: metrics whose names scikit-learn lists.
    """
    from sklearn.metrics import _scorer

    names = {f"{PREFIX}{metric}": make(metric) for metric in listed}
    setattr(_scorer, "_SCORERS", _Table({**_scorer._SCORERS, **names}, make))  # noqa: B010 - a private name
    for module, members in DOORS.items():
        for member in members:
            for constraint in _constraints_of_scoring(getattr(import_module(module), member)):
                if hasattr(constraint, "options"):
                    constraint.options = _Names({*constraint.options, *names})


def _constraints_of_scoring(checked: Any) -> Iterable[Any]:
    for name in ("_parameter_constraints", "_skl_parameter_constraints"):  # of a class, of a function
        yield from getattr(checked, name, {}).get("scoring", ())


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and name.startswith(PREFIX)
