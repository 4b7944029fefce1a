"""Metrics of rows that come in batches, or on several machines: fixed memory, merged by adding.

Counts are exact, and so are the row-wise metrics: their sums add up. Average precision and ROC area need all
scores at once; here scores in [0, 1] fall into equal bins, and both come with bounds that hold whatever the
order inside a bin: every tie in a bin resolved against the scores, and in their favour.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyhot._check import at_least
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.metrics.average import over_labels
from manyhot.metrics.counts import Counts, Numbers, Overlap, column_sums, label_known
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.inputs import are_probabilities, read_decisions, read_scores, read_targets, read_weight
from manyhot.metrics.material import Measured
from manyhot.metrics.recipes import OfLabelCounts, OfRowCounts, OfRows
from manyhot.metrics.table import Metric, find_metric

BINNED = ("ap_macro", "auc_macro")


@dataclass(frozen=True)
class Bounds:
    """A value known up to the order inside bins: low <= exact value <= high; value = ties left as ties."""

    value: float
    low: float
    high: float


class Stream:
    """Collects batches of predictions; `values()` at any time, `+` joins two.

    Memory is (labels x 4) for counts, a number for each row-wise metric, and (labels x bins x 2) where
    `ap_macro` or `auc_macro` is wanted: never a score.

    Args:
        labels: width of the label space.
        metrics: names of set metrics, of row-wise metrics (lrap, p@5, log_loss...), `ap_macro`, `auc_macro`.
        bins: of [0, 1], for the two binned ones.

    Raises:
        OptionError: a metric that cannot be collected in fixed memory.

    Example:
        >>> import numpy as np
        >>> stream = Stream(2, ["f1_macro"])
        >>> stream.update(np.array([[1, 0]]), decisions=np.array([[1, 0]]))
        >>> stream.update(np.array([[1, 1]]), decisions=np.array([[0, 1]]))
        >>> round(stream.values()["f1_macro"], 4)
        0.8333
    """

    def __init__(self, labels: int, metrics: str | Iterable[str], *, bins: int = 1024) -> None:
        at_least("bins", bins, 2)
        metrics = [metrics] if isinstance(metrics, str) else metrics
        self.labels, self.bins, self.rows = labels, bins, 0
        self.metrics = tuple(map(_collectable, metrics))
        nothing = np.zeros(labels)
        self._counts = Counts(nothing, nothing, nothing, nothing)
        self._sums = {metric.name: np.zeros(2) for metric in self.metrics if _is_of_rows(metric)}
        binned = any(metric.name in BINNED for metric in self.metrics)
        self._positive = np.zeros((labels, bins if binned else 0))
        self._negative = np.zeros((labels, bins if binned else 0))

    def update(
        self, targets: Any, scores: Any = None, decisions: Any = None, *, row_weight: Any = None
    ) -> None:
        """Add a batch, in the forms that `evaluate` takes.

        Raises:
            InputError: as `evaluate`; scores outside [0, 1] where bins are wanted.
            OptionError: a wanted metric needs scores or decisions that are not given.
            ShapeError: another number of labels.
        """
        truth = read_targets(targets, self.labels)
        weight = read_weight(row_weight, len(truth))
        read = None if scores is None else read_scores(scores, truth.shape)
        chosen = None if decisions is None else read_decisions(decisions, truth.shape)
        for metric in self.metrics:
            if (chosen if metric.needs == "decisions" else read) is None:
                raise OptionError(
                    f"{metric.name} needs {metric.needs}; pass {metric.needs}= with every batch"
                )
        batch = Measured(truth, read, chosen, weight)
        self.rows += len(truth)
        if chosen is not None:
            self._counts += Overlap.of(truth, chosen).by_label(weight)
        for name, sums in self._sums.items():
            sums += _row_sums(find_metric(name), batch)
        if self._positive.size:
            self._fill(batch)

    def values(self) -> dict[str, float]:
        """Value of every metric so far, NaN where undefined."""
        return {metric.name: self._value(metric) for metric in self.metrics}

    def bounds(self, name: str) -> Bounds:
        """What the exact `ap_macro` or `auc_macro` can be, given the bins.

        Raises:
            OptionError: not one of the two, or not collected.
        """
        if name not in BINNED or not any(metric.name == name for metric in self.metrics):
            raise OptionError(
                f"bounds are known for {' and '.join(BINNED)} where they are collected, got {name!r}"
            )
        ways = {"value": 0.0, "low": -1.0, "high": 1.0}
        return Bounds(**{key: self._binned(name, order) for key, order in ways.items()})

    def __add__(self, other: "Stream") -> "Stream":
        """The stream that saw both streams' batches; order plays no part."""
        mine = (self.labels, self.bins, [metric.name for metric in self.metrics])
        theirs = (other.labels, other.bins, [metric.name for metric in other.metrics])
        if mine != theirs:
            raise ShapeError(f"only streams of one make can be joined, got {mine} and {theirs}")
        joined = Stream(self.labels, mine[2], bins=self.bins)
        joined.rows = self.rows + other.rows
        joined._counts = self._counts + other._counts
        joined._sums = {name: sums + other._sums[name] for name, sums in self._sums.items()}
        joined._positive = self._positive + other._positive
        joined._negative = self._negative + other._negative
        return joined

    def _value(self, metric: Metric) -> float:
        if metric.name in self._sums:
            numerator, denominator = self._sums[metric.name]
            return float(numerator / denominator) if denominator > 0 else float("nan")
        if isinstance(metric.recipe, OfLabelCounts):
            return float(metric.recipe.of_counts(self._counts).value)
        return self._binned(metric.name, 0.0)

    def _fill(self, batch: Measured) -> None:
        """Count cells into bins: all as negatives, then positive and unknown ones put right."""
        from manyhot.kernels.pooled import cell_values

        if not are_probabilities(batch.scores):
            raise InputError("binned metrics need scores in [0, 1]; sigmoid makes them of logits")
        truth, size = batch.targets, self._negative.shape
        cells = (batch.weight, batch.scores)
        self._negative += _histogram(*cells, size)
        self._negative[:, 0] += label_known(truth.assume_negative(), batch.weight) - _stored_mass(
            *cells, size[0]
        )
        for pattern, into in ((truth.positives, self._positive), (truth.unknown, None)):
            if pattern is None:
                continue
            values, _ = cell_values(batch.scores, pattern)
            mass = np.repeat(batch.weight, np.diff(pattern.indptr))
            found = _bin(pattern.indices, values, mass, size)
            self._negative -= found
            if into is not None:
                into += found

    def _binned(self, name: str, order: float) -> float:
        """The macro average; order -1: negatives first inside a bin, 1: positives first, 0: tied."""
        positive, negative = self._positive[:, ::-1], self._negative[:, ::-1]
        return float(
            over_labels((_binned_ap if name == "ap_macro" else _binned_auc)(positive, negative, order)).value
        )


def _binned_auc(positive: Numbers, negative: Numbers, order: float) -> Numbers:
    above = np.cumsum(negative, axis=1) - negative
    wrong = (positive * (above + 0.5 * (1.0 - order) * negative)).sum(1)
    return 1.0 - ratio(wrong, positive.sum(1) * negative.sum(1))


def _binned_ap(positive: Numbers, negative: Numbers, order: float) -> Numbers:
    seen, above = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    if order == 0:
        gained = positive * np.nan_to_num(ratio(seen, seen + above))
    else:
        # One positive after the other, each of mass one at most: precision rises along them, and the sum lies
        # between the first and the last; the bound takes the end that is on its side.
        first = np.nan_to_num(ratio(seen - positive, seen - positive + above))
        last = np.nan_to_num(ratio(seen, seen + above - negative))
        gained = positive * (first if order < 0 else last)
    return ratio(gained.sum(1), positive.sum(1))


def _histogram(weight: Numbers, scores: Any, size: tuple[int, int]) -> Numbers:
    if hasattr(scores, "indptr"):
        return _bin(scores.indices, scores.data, np.repeat(weight, np.diff(scores.indptr)), size)
    labels = np.tile(np.arange(scores.shape[1]), len(scores))
    return _bin(labels, scores.reshape(-1), np.repeat(weight, scores.shape[1]), size)


def _stored_mass(weight: Numbers, scores: Any, labels: int) -> Numbers:
    if hasattr(scores, "indptr"):
        return column_sums(scores, weight)
    return np.full(labels, weight.sum())


def _bin(labels: Any, values: Any, mass: Numbers, size: tuple[int, int]) -> Numbers:
    width, bins = size
    places = labels.astype(np.int64) * bins + np.minimum((values * bins).astype(np.int64), bins - 1)
    return np.bincount(places, mass, minlength=width * bins).reshape(size).astype(np.float64)


def _collectable(name: str) -> Metric:
    metric = find_metric(name)
    fixed = isinstance(metric.recipe, OfLabelCounts) or _is_of_rows(metric) or name in BINNED
    if not fixed or metric.needs == "scores and train":
        raise OptionError(
            f"{name} needs all rows at once; evaluate() gives it. Streams collect set metrics, "
            f"row-wise ones, and {' and '.join(BINNED)}"
        )
    return metric


def _is_of_rows(metric: Metric) -> bool:
    return isinstance(metric.recipe, (OfRowCounts, OfRows))


def _row_sums(metric: Metric, batch: Measured) -> Numbers:
    assert isinstance(metric.recipe, (OfRowCounts, OfRows)), "chosen by _is_of_rows"
    numerator, denominator = metric.recipe.parts_of(batch)
    used = denominator > 0
    return np.array([(numerator * batch.weight)[used].sum(), (denominator * batch.weight)[used].sum()])
