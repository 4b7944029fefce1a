"""Metrics of rows that come in batches, or on several machines: fixed memory, merged by adding.

Counts are exact, and so are the row-wise metrics and the calibration error: their sums add up. Average
precision and ROC area need all scores at once; here scores in [0, 1] fall into equal bins, and both come with
bounds that hold whatever the order inside a bin: every tie in a bin resolved against the scores, and in their
favour.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyhot._check import at_least
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace
from manyhot.labels.column_names import shared_names
from manyhot.labels.tuned_rows import TunedRowsUse, ids_of
from manyhot.metrics.average import over_labels
from manyhot.metrics.baseline import Training
from manyhot.metrics.calibration import BUCKETS, bucket_error, bucket_sums
from manyhot.metrics.counts import Counts, Numbers, Overlap, column_sums, label_known
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.inputs import (
    NO_RANKING,
    BinaryScores,
    are_binary,
    are_probabilities,
    read_costs,
    read_decisions,
    read_propensity,
    read_scores,
    read_targets,
    read_weight,
    refuse_tuned_decisions,
)
from manyhot.metrics.material import Measured
from manyhot.metrics.recipes import OfBins, OfCosts, OfFirstCounts, OfLabelCounts, OfRowCounts, OfRows
from manyhot.metrics.table import Metric, find_metric
from manyhot.metrics.top_k import USUAL_PROPENSITY, propensities

BINNED = ("ap_macro", "ap_micro", "ap_weighted", "auc_macro", "auc_micro", "auc_weighted")


@dataclass(frozen=True)
class Bounds:
    """A value known up to the order inside bins: low <= exact value <= high; value = ties left as ties."""

    value: float
    low: float
    high: float


class Stream:
    """Collects batches of predictions; `values()` at any time, `+` joins two, also of other processes.

    Memory is (labels x 4) for counts, a number for each row-wise metric, 260 kB for `ece`, and (labels x bins
    x 2) where average precision or ROC area is wanted: never a score. Streams can be pickled.

    Args:
        labels: width of the label space.
        metrics: names of set metrics, of row-wise metrics (lrap, p@5, log_loss...), `f1_macro@k`, `cost`,
            `ece`, and, binned, of ap_ and auc_macro, _micro and _weighted.
        bins: of [0, 1], for the binned ones.
        train: targets (or `Training` counts) of the training rows, for `psp@k` and `psndcg@k`.
        costs: of a false positive and of a false negative, each a number or (labels,), for `cost`.
        propensity, tuned_rows, binary_scores: as in `evaluate`; the scores are judged by all batches
        together,
            when values are asked for.
        space: names the labels, so that batches may come as names and as frames. Without one the first
            DataFrame names them.

    Raises:
        OptionError: a metric that cannot be collected in fixed memory, or lacks train or costs.

    Example:
        >>> import numpy as np
        >>> stream = Stream(2, ["f1_macro"])
        >>> stream.update(np.array([[1, 0]]), decisions=np.array([[1, 0]]))
        >>> stream.update(np.array([[1, 1]]), decisions=np.array([[0, 1]]))
        >>> round(stream.values()["f1_macro"], 4)
        0.8333
    """

    def __init__(
        self,
        labels: int,
        metrics: str | Iterable[str],
        *,
        bins: int = 1024,
        train: Any = None,
        costs: tuple[Any, Any] | None = None,
        propensity: tuple[float, float] = USUAL_PROPENSITY,
        space: LabelSpace | None = None,
        tuned_rows: TunedRowsUse = "refuse",
        binary_scores: BinaryScores = "refuse",
    ) -> None:
        at_least("bins", bins, 2)
        metrics = [metrics] if isinstance(metrics, str) else metrics
        self.labels, self.bins, self.rows, self.space = labels, bins, 0, space
        self.tuned_rows: TunedRowsUse = tuned_rows
        self.binary_scores: BinaryScores = binary_scores
        self._binary: bool | None = None  # whether all scores so far are 0 or 1; None before the first
        self.metrics = tuple(_collectable(name, train, costs) for name in metrics)
        self._costs = None if costs is None else read_costs(costs, labels)
        self._propensities = None
        if train is not None:
            if not isinstance(train, Training):
                train = Training.of(read_targets(train, labels, space))
            self._propensities = propensities(train.positive, train.rows, *read_propensity(propensity))
        nothing = np.zeros(labels)
        self._mass = 0.0
        self._counts = Counts(nothing, nothing, nothing, nothing)
        self._first = dict.fromkeys(_first_k(self.metrics), self._counts)
        self._sums = {metric.name: np.zeros(2) for metric in self.metrics if _is_of_rows(metric)}
        calibrated = any(isinstance(metric.recipe, OfBins) for metric in self.metrics)
        self._buckets = np.zeros((2, BUCKETS if calibrated else 0))
        binned = any(metric.name in BINNED for metric in self.metrics)
        self._positive = np.zeros((labels, bins if binned else 0))
        self._negative = np.zeros((labels, bins if binned else 0))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "metrics": [metric.name for metric in self.metrics]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, metrics=tuple(map(find_metric, state["metrics"])))

    def update(
        self, targets: Any, scores: Any = None, decisions: Any = None, *, row_weight: Any = None
    ) -> None:
        """Add a batch, in the forms that `evaluate` takes.

        Raises:
            InputError: as `evaluate`; scores outside [0, 1] where bins or probabilities are wanted.
            OptionError: a wanted metric needs scores or decisions that are not given.
            ShapeError: another number of labels.
        """
        space = self.space or _named_by(targets, scores, decisions)
        truth = read_targets(targets, self.labels, space)
        weight = read_weight(row_weight, len(truth))
        read = None if scores is None else read_scores(scores, truth.shape, space)
        chosen = None if decisions is None else read_decisions(decisions, truth.shape, space)
        if chosen is not None:
            refuse_tuned_decisions(chosen, ids_of(scores, targets), self.tuned_rows)
        for metric in self.metrics:
            wanted = "decisions" if metric.needs.startswith("decisions") else "scores"
            if (chosen if wanted == "decisions" else read) is None:
                raise OptionError(f"{metric.name} needs {wanted}; pass {wanted}= with every batch")
        bounded = [each.name for each in self.metrics if each.needs == "probabilities" or each.name in BINNED]
        if bounded and not are_probabilities(read):
            raise InputError(f"{bounded[0]} needs scores in [0, 1]; sigmoid makes them of logits")
        batch = Measured(truth, read, chosen, weight, self._propensities)
        self.space = space
        self.rows += len(truth)
        if read is not None and len(truth):
            self._binary = self._binary is not False and are_binary(read)
        self._mass += float(weight.sum())
        if chosen is not None:
            self._counts += Overlap.of(truth, chosen).by_label(weight)
        for k in self._first:
            self._first[k] += batch.first_counts(k)
        for name, sums in self._sums.items():
            sums += _row_sums(find_metric(name), batch)
        if self._buckets.size:
            self._buckets += bucket_sums(truth, read, weight)
        if self._positive.size:
            self._fill(batch)

    def values(self) -> dict[str, float]:
        """Value of every metric so far, NaN where undefined.

        Raises:
            InputError: all scores so far are 0 or 1.
        """
        self._refuse_binary()
        return {metric.name: self._value(metric) for metric in self.metrics}

    def bounds(self, name: str) -> Bounds:
        """What the exact value of a binned metric, such as `ap_macro`, can be.

        Raises:
            OptionError: not one of the binned ones, or not collected.
        """
        if name not in BINNED or not any(metric.name == name for metric in self.metrics):
            raise OptionError(
                f"bounds are known for {', '.join(BINNED)} where they are collected, got {name!r}"
            )
        self._refuse_binary()
        ways = {"value": 0.0, "low": -1.0, "high": 1.0}
        return Bounds(**{key: self._binned(name, order) for key, order in ways.items()})

    def __radd__(self, other: object) -> "Stream":
        """`sum` starts from 0."""
        return self if other == 0 else NotImplemented

    def __add__(self, other: "Stream") -> "Stream":
        """The stream that saw both streams' batches; order plays no part.

        Raises:
            OptionError: they differ in space, costs or train.
            ShapeError: they differ in labels, bins or metrics.
        """
        mine, theirs = ((each.labels, each.bins, [m.name for m in each.metrics]) for each in (self, other))
        if mine != theirs:
            raise ShapeError(f"only streams of one make can be joined, got {mine} and {theirs}")
        given: dict[str, tuple[Any, Any]] = {
            "costs": (self._costs, other._costs),
            "train": (self._propensities, other._propensities),
        }
        named = {each.space for each in (self, other) if each.rows or each.space is not None}
        differing = ["space"] if len(named) > 1 else []
        differing += [option for option, pair in given.items() if not np.array_equal(*pair)]
        if differing:
            raise OptionError(
                f"only streams of one make can be joined, these differ in {', '.join(differing)}"
            )
        joined = copy(self)
        joined.space = next(iter(named), None)
        joined._binary = _both(self._binary, other._binary)
        joined.rows = self.rows + other.rows
        joined._mass = self._mass + other._mass
        joined._counts = self._counts + other._counts
        joined._first = {k: counts + other._first[k] for k, counts in self._first.items()}
        joined._buckets = self._buckets + other._buckets
        joined._sums = {name: sums + other._sums[name] for name, sums in self._sums.items()}
        joined._positive = self._positive + other._positive
        joined._negative = self._negative + other._negative
        return joined

    def _refuse_binary(self) -> None:
        if self._binary and self.binary_scores == "refuse":
            raise InputError(f"of {self.rows} rows so far, {NO_RANKING}, with the stream")

    def _value(self, metric: Metric) -> float:
        if metric.name in self._sums:
            numerator, denominator = self._sums[metric.name]
            return float(numerator / denominator) if denominator > 0 else float("nan")
        recipe = metric.recipe
        if isinstance(recipe, OfLabelCounts):
            return float(recipe.of_counts(self._counts).value)
        if isinstance(recipe, OfFirstCounts):
            return float(over_labels(recipe.formula(self._first[recipe.k])).value)
        if isinstance(recipe, OfCosts):
            assert self._costs is not None, "_collectable lets no cost through without costs"
            paid = self._counts.fp @ self._costs[0] + self._counts.fn @ self._costs[1]
            return float(paid / self._mass) if self._mass else float("nan")
        if isinstance(recipe, OfBins):
            return bucket_error(self._buckets)
        return self._binned(metric.name, 0.0)

    def _fill(self, batch: Measured) -> None:
        """Count cells into bins: all as negatives, then positive and unknown ones put right."""
        from manyhot.kernels.pooled import cell_values

        truth, size = batch.targets, self._negative.shape
        cells = (batch.weight, batch.scores)
        # apart from what is there already: within a batch sums of weights are exact, so nothing is left over
        negative = _histogram(*cells, size)
        negative[:, 0] += label_known(truth.assume_negative(), batch.weight) - _stored_mass(*cells, size[0])
        for pattern, into in ((truth.positives, self._positive), (truth.unknown, None)):
            if pattern is None:
                continue
            values, _ = cell_values(batch.scores, pattern)
            mass = np.repeat(batch.weight, np.diff(pattern.indptr))
            found = _bin(pattern.indices, values, mass, size)
            negative -= found
            if into is not None:
                into += found
        self._negative += negative

    def _binned(self, name: str, order: float) -> float:
        """The metric, its bins' ties resolved: order -1 negatives first, 1 positives first, 0 left tied."""
        quantity, kind = name.split("_")
        positive, negative = self._positive[:, ::-1], self._negative[:, ::-1]
        if kind == "micro":
            positive, negative = positive.sum(axis=0, keepdims=True), negative.sum(axis=0, keepdims=True)
        values = (_binned_ap if quantity == "ap" else _binned_auc)(positive, negative, order)
        return float(over_labels(values, positive.sum(axis=1) if kind == "weighted" else None).value)


def _named_by(targets: Any, scores: Any, decisions: Any) -> LabelSpace | None:
    names = shared_names(targets=targets, scores=scores, decisions=decisions)
    return None if names is None else LabelSpace(names)


def _both(one: bool | None, two: bool | None) -> bool | None:
    """Whether all scores of both sides are 0 or 1; None where neither has any."""
    return one if two is None else two if one is None else one and two


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


def _collectable(name: str, train: Any, costs: Any) -> Metric:
    metric = find_metric(name)
    additive = isinstance(metric.recipe, (OfLabelCounts, OfFirstCounts, OfCosts, OfBins))
    if not additive and not _is_of_rows(metric) and name not in BINNED:
        raise OptionError(
            f"{name} needs all rows at once; evaluate() gives it. Streams collect set metrics, "
            f"row-wise ones, ece, and {', '.join(BINNED)}"
        )
    for option, given in (("train", train), ("costs", costs)):
        if metric.needs.endswith(f"and {option}") and given is None:
            raise OptionError(f"{name} needs {option}; pass {option}= to the stream")
    return metric


def _first_k(metrics: Iterable[Metric]) -> set[int]:
    """The k of all metrics of the first k labels."""
    return {metric.recipe.k for metric in metrics if isinstance(metric.recipe, OfFirstCounts)}


def _is_of_rows(metric: Metric) -> bool:
    return isinstance(metric.recipe, (OfRowCounts, OfRows))


def _row_sums(metric: Metric, batch: Measured) -> Numbers:
    assert isinstance(metric.recipe, (OfRowCounts, OfRows)), "chosen by _is_of_rows"
    numerator, denominator = metric.recipe.parts_of(batch)
    used = denominator > 0
    return np.array([(numerator * batch.weight)[used].sum(), (denominator * batch.weight)[used].sum()])
