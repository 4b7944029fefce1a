"""scikit-learn scorers for every metric of `manyhot.metrics`, as objects and by name.

scikit-learn has no public place to add names to; after `register_scorers()` the strings work wherever it
takes `scoring=`. Without it, `scorer("f1_macro@5")` is the object, which pickles and so works in other
processes whatever was registered there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyhot.errors import InputError, OptionError
from manyhot.estimators.adapter import label_scores
from manyhot.estimators.forms import LabelForm, read_labels
from manyhot.labels import Targets
from manyhot.metrics import METRICS, Training, evaluate, find_metric

PREFIX = "manyhot_"
PLAIN = ("decisions", "scores", "probabilities")  # what an estimator can give by itself


@dataclass(frozen=True)
class Scorer:
    """Callable as scorer(estimator, X, y, sample_weight=None) -> float, greater is better.

    Losses are negated, as scikit-learn does with its own.

    Attributes:
        metric: a name that `manyhot.metrics.find_metric` knows, such as "p@5" or "jaccard_samples".
        train: number of training rows, and of those with each label; needed by the psp metrics.
    """

    metric: str
    train: tuple[int, tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        found = find_metric(self.metric)
        if found.needs not in (*PLAIN, "scores and train"):
            raise OptionError(f"{self.metric} needs {found.needs}, which no estimator gives; use evaluate()")
        if found.needs == "scores and train" and self.train is None:
            raise InputError(
                f"{self.metric} needs the label counts of the training rows: scorer(name, train=y_train)"
            )

    @property
    def sign(self) -> int:
        """-1 for losses."""
        return 1 if find_metric(self.metric).higher_is_better else -1

    def __call__(self, estimator: Any, X: Any, y_true: Any, sample_weight: Any = None) -> float:
        """The metric of an estimator's predictions for X, or of its scores where the metric needs them.

        Raises:
            InputError: the estimator does not score, or y has other labels than it was fitted on.
        """
        needs = find_metric(self.metric).needs
        truth, form = _truth(estimator, y_true)
        given: dict[str, Any] = {}
        if needs == "decisions":
            given["decisions"] = form.read(estimator.predict(X))
        else:
            method = _scoring_method(estimator, probabilities=needs == "probabilities")
            given["scores"] = label_scores(estimator, X, truth.width, method)
        if self.train is not None:
            rows, positive = self.train
            counts = np.array(positive, np.float64)
            given["train"] = Training(counts, np.full(len(counts), float(rows)), rows)
        result = evaluate(
            truth, metrics=[self.metric], baseline=False, slices=False, row_weight=sample_weight, **given
        )
        return self.sign * result[self.metric]

    def __repr__(self) -> str:
        return f"scorer({self.metric!r})"


def scorer(metric: str, *, train: Any = None) -> Scorer:
    """The scorer of a metric.

    Args:
        metric: a name of `manyhot.metrics.METRICS`, or one like "p@7" and "f0.5_macro".
        train: label sets of the training rows, for propensity-scored metrics.

    Raises:
        OptionError: no such metric; the nearest are listed.
    """
    if train is None:
        return Scorer(metric)
    targets, _ = read_labels(train)
    return Scorer(metric, (len(targets), tuple(targets.label_counts().tolist())))


def scorers(*metrics: str) -> dict[str, Scorer]:
    """Scorers by the metrics' names, for `scoring=` of `cross_validate`; without names, all there are."""
    usable = [name for name, metric in METRICS.items() if metric.needs in PLAIN]
    return {name: scorer(name) for name in metrics or usable}


def register_scorers() -> tuple[str, ...]:
    """Make `scoring="manyhot_p@5"` and the like work in this process; returns the names.

    scikit-learn keeps its names in a private table, to which these are added; calling it again changes
    nothing.
    """
    from sklearn.metrics import _scorer

    table: dict[str, Any] = _scorer._SCORERS
    added = {f"{PREFIX}{name}": each for name, each in scorers().items()}
    table.update(added)
    return tuple(added)


def _truth(estimator: Any, y: Any) -> tuple[Targets, LabelForm]:
    """Targets of y in the label order of the estimator, and the form in which it predicts."""
    form = getattr(_last_step(estimator), "form_", None)
    if isinstance(form, LabelForm):
        return form.read(y), form
    return read_labels(y)


def _last_step(estimator: Any) -> Any:
    """The estimator inside of pipelines and searches that knows the labels."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _scoring_method(estimator: Any, probabilities: bool) -> str | None:
    if not probabilities:
        return None
    if not hasattr(estimator, "predict_proba"):
        raise InputError(f"{type(estimator).__name__} has no predict_proba, which this metric needs")
    return "predict_proba"


SCORERS: Mapping[str, Scorer] = scorers()
