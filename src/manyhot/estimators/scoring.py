"""scikit-learn scorers for every metric of `manyhot.metrics`, as objects and by name.

`scorer("p@7")` is the object, which pickles and so works in other processes; after `register_scorers()` the
string "manyhot_p@7" works wherever scikit-learn takes `scoring=`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.errors import InputError, OptionError
from manyhot.estimators.forms import LabelForm, read_labels, widened
from manyhot.estimators.label_scores import label_scores, last_step
from manyhot.estimators.scorer_names import PREFIX, open_names
from manyhot.labels import Targets
from manyhot.metrics import METRICS, Training, evaluate, find_metric

NEGATED = "neg_"  # scikit-learn's mark of a loss whose sign is turned
PLAIN = ("decisions", "scores", "probabilities")  # what an estimator can give by itself


@dataclass(frozen=True)
class LabelCounts:
    """Of training rows: their number, and how many have each label; `names` where labels have names."""

    rows: int
    positive: tuple[int, ...]
    names: tuple[str, ...] | None

    @classmethod
    def of(cls, y: Any) -> "LabelCounts":
        """Counts of label sets in any form."""
        targets, form = read_labels(y)
        names = form.space.names if form.named else None
        return cls(len(targets), tuple(targets.label_counts().tolist()), names)

    def training(self, form: LabelForm, width: int) -> Training:
        """The same in the label order of an estimator, 0 for labels that the training rows do not have."""
        positive = np.zeros(width)
        if self.names is not None and form.named:
            known = dict(zip(self.names, self.positive, strict=True))
            positive[: len(form.classes)] = [known.get(name, 0) for name in form.space.names]
        elif len(self.positive) == len(form.classes):
            positive[: len(form.classes)] = self.positive
        else:
            raise InputError(
                f"train has {len(self.positive)} labels, the estimator {len(form.classes)}; pass train as "
                "name lists or a DataFrame, and fit the estimator to such, so that labels are found by name"
            )
        return Training(positive, np.full(width, float(self.rows)), self.rows)


@dataclass
class Scorer:
    """Callable as scorer(estimator, X, y, sample_weight=None) -> float, greater is better.

    Losses are negated, and `name` says so, as scikit-learn does with its own.

    Attributes:
        metric: a name that `manyhot.metrics.find_metric` knows, such as "p@5" or "jaccard_samples".
        train: label counts of the training rows, which the psp metrics need.
        costs: of a false positive and of a false negative, which "cost" needs; each a number, or numbers by
            label with "*" for the rest.
    """

    metric: str
    train: LabelCounts | None = None
    costs: tuple[Any, Any] | None = None
    _weight_request: bool | str | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        needs = find_metric(self.metric).needs
        if needs == "scores and train" and self.train is None:
            raise InputError(
                f"{self.metric} needs the label counts of the training rows, which a name cannot carry; "
                f"pass the object scorer({self.metric!r}, train=y_train)"
            )
        if needs == "decisions and costs" and self.costs is None:
            raise InputError(
                f"{self.metric} needs costs, which a name cannot carry; pass the object "
                f"scorer({self.metric!r}, costs=(false positive, false negative))"
            )

    @property
    def sign(self) -> int:
        """-1 for losses."""
        return 1 if find_metric(self.metric).higher_is_better else -1

    @property
    def name(self) -> str:
        """The metric's, with "neg_" where the value is negated."""
        return self.metric if self.sign > 0 else f"{NEGATED}{self.metric}"

    def __call__(self, estimator: Any, X: Any, y_true: Any, sample_weight: Any = None) -> float:
        """The metric of an estimator's predictions for X, or of its scores where the metric needs them.

        A label of y that the estimator was not fitted on counts as one that it never finds.

        Raises:
            InputError: the estimator does not score, or y cannot be read.
        """
        needs = find_metric(self.metric).needs
        truth, form = _truth(estimator, y_true)
        given: dict[str, Any] = {}
        if needs.startswith("decisions"):
            given["decisions"] = widened(form.read(estimator.predict(X)), truth.width)
        else:
            method = "predict_proba" if needs == "probabilities" else None
            scores = label_scores(estimator, X, len(form.classes), method)
            given["scores"] = _with_unseen(scores, truth.width)
        if self.train is not None:
            given["train"] = self.train.training(form, truth.width)
        if self.costs is not None:
            given["costs"] = tuple(_costs_of(side, form, truth.width) for side in self.costs)
        result = evaluate(
            truth, metrics=[self.metric], baseline=False, slices=False, row_weight=sample_weight, **given
        )
        return self.sign * result[self.metric]

    def __repr__(self) -> str:
        return f"scorer({self.name!r})"

    def set_score_request(self, *, sample_weight: bool | str | None) -> "Scorer":
        """Whether, or under which name, metadata routing hands weights to this scorer; as scikit-learn's."""
        self._weight_request = sample_weight
        return self

    def get_metadata_routing(self) -> Any:
        """What `set_score_request` asked for."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=repr(self))
        request.score.add_request(param="sample_weight", alias=self._weight_request)
        return request

    def _accept_sample_weight(self) -> bool:
        """Asked by scikit-learn's searches from 1.7 on, where several metrics are given."""
        return True


def scorer(metric: str, *, train: Any = None, costs: tuple[Any, Any] | None = None) -> Scorer:
    """The scorer of a metric.

    Args:
        metric: a name of `manyhot.metrics.METRICS`, or one like "p@7" and "f0.5_macro"; before the name of a
            loss "neg_" may stand.
        train: label sets of the training rows, for propensity-scored metrics. Labels are found by name where
            both these and the estimator's have names.
        costs: of a false positive and of a false negative, for "cost"; each a number, or a mapping from label
            to number, with "*" for the rest.

    Raises:
        OptionError: no such metric; the nearest are listed.
        InputError: the metric needs `train` or `costs`.

    Example:
        >>> scorer("p@7"), scorer("log_loss"), scorer("cost", costs=(1, 5)).sign
        (scorer('p@7'), scorer('neg_log_loss'), -1)
    """
    plain = metric.removeprefix(NEGATED)
    if plain != metric and find_metric(plain).higher_is_better:
        raise OptionError(f"{plain} is not negated, as more of it is better; ask for {plain!r}")
    return Scorer(plain, None if train is None else LabelCounts.of(train), costs)


def scorers(*metrics: str) -> dict[str, Scorer]:
    """Scorers by name, for `scoring=` of `cross_validate`; losses stand under "neg_" and their name.

    Args:
        metrics: as `scorer` takes them; without any, all that need nothing but an estimator.
    """
    usable = [name for name, metric in METRICS.items() if metric.needs in PLAIN]
    return {each.name: each for each in map(scorer, metrics or usable)}


def register_scorers() -> tuple[str, ...]:
    """Make `scoring="manyhot_p@5"` and the like work in this process; returns the names that are listed.

    Names with another k or beta work too, such as "manyhot_p@7" and "manyhot_f0.5_macro"; losses are negated
    and named so: "manyhot_neg_log_loss". A search that runs inside a process of another search has its own
    scikit-learn: give it the object.
    """
    listed = tuple(scorers())
    open_names(_named, listed)
    return tuple(f"{PREFIX}{name}" for name in listed)


def _named(name: str) -> Scorer:
    """The scorer that a name means, in which a loss is called negated."""
    found = scorer(name)
    if found.name != name:
        raise OptionError(f"{name} is a loss, whose scorer is negated: ask for {PREFIX}{found.name}")
    return found


def _truth(estimator: Any, y: Any) -> tuple[Targets, LabelForm]:
    """Targets of y in the label order of the estimator, unseen labels last, and its form."""
    form = getattr(last_step(estimator), "form_", None)
    return (form.read(y), form) if isinstance(form, LabelForm) else read_labels(y)


def _with_unseen(scores: NDArray[Any], width: int) -> Any:
    """Scores of unseen labels are absent, which is below all others and 0 as probability."""
    rows, known = scores.shape
    if known == width:
        return scores
    columns = np.tile(np.arange(known), rows)
    return csr_array((scores.ravel(), columns, np.arange(rows + 1) * known), shape=(rows, width))


def _costs_of(side: Any, form: LabelForm, width: int) -> Any:
    """A number, or (labels,) of numbers by name; labels that the estimator has not seen cost as the rest."""
    if not isinstance(side, Mapping):
        return side
    names = (*form.space.names, *["*"] * (width - len(form.classes)))
    missing = [name for name in names if name not in side and "*" not in side]
    if missing:
        raise InputError(f"no cost for label {missing[0]!r}; add it, or '*' for the rest")
    return np.array([side.get(name, side.get("*")) for name in names], np.float64)


SCORERS: Mapping[str, Scorer] = scorers()
