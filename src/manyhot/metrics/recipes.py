"""How a metric's value is made of shared material: a few recipes, and every metric is one of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from manyhot.metrics.average import Average, Counted, of_cells, over_labels, over_rows
from manyhot.metrics.counts import Counts, Numbers
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.material import Material

LabelAverage = Literal["micro", "macro", "weighted"]


class Recipe(ABC):
    """Makes one metric's average; on replicated material it makes one for each replicate.

    Attributes:
        of_each: whether a label has a value of its own.
    """

    of_each: ClassVar[bool] = False

    @abstractmethod
    def average(self, material: Material) -> Average:
        """The metric's value, NaN when undefined, and what it is an average of."""

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average | None:  # noqa: ARG002
        """The average over some labels only (indices or mask); None where rows cannot be cut so."""
        return None

    def per_label(self, material: Material) -> Numbers | None:  # noqa: ARG002
        """The values of the labels, (labels,), NaN where undefined; None where a label has none."""
        return None


@final
@dataclass(frozen=True)
class OfLabelCounts(Recipe):
    """A ratio of counts, per label and averaged, or of pooled counts."""

    formula: Callable[[Counts], Numbers]
    kind: LabelAverage

    of_each: ClassVar[bool] = True

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return self.of_counts(material.label_counts, material.undefined)

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average:
        """See `Recipe`."""
        return self.of_counts(material.label_counts.columns(labels), material.undefined)

    def of_counts(self, counts: Counts, undefined: float | None = None) -> Average:
        """The average from counts (labels,) alone, wherever they were counted."""
        if self.kind == "micro":
            return of_cells(self.formula(counts.pooled()), _first(counts.known), undefined)
        weights = counts.positive if self.kind == "weighted" else None
        return over_labels(self.formula(counts), weights, undefined)

    def per_label(self, material: Material) -> Numbers:
        """See `Recipe`."""
        return self.formula(material.label_counts)


@final
@dataclass(frozen=True)
class OfRowCounts(Recipe):
    """A ratio of each row's counts, averaged over rows."""

    formula: Callable[[Counts], Numbers]

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return over_rows(*self.parts_of(material), material.weight, material.undefined)

    def parts_of(self, material: Material) -> tuple[Numbers, Numbers]:
        """Numerators and denominators of the rows, 0 where undefined."""
        values = self.formula(material.row_counts)
        return np.nan_to_num(values), (~np.isnan(values)).astype(np.float64)


@final
@dataclass(frozen=True)
class OfRows(Recipe):
    """A ratio of sums over rows; a plain mean has denominators of 1."""

    parts: Callable[[Material], tuple[Numbers, Numbers]]

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return over_rows(*self.parts(material), material.weight, material.undefined)

    def parts_of(self, material: Material) -> tuple[Numbers, Numbers]:
        """Numerators and denominators of the rows, 0 where undefined."""
        return self.parts(material)


@final
@dataclass(frozen=True)
class OfSweep(Recipe):
    """Average precision or ROC area, per label and averaged, or of all cells pooled."""

    quantity: Literal["ap", "auc"]
    kind: LabelAverage

    of_each: ClassVar[bool] = True

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        if self.kind == "micro":
            value = getattr(material.pooled_sweep, self.quantity)
            return of_cells(value, _first(material.label_known), material.undefined)
        return self._average(material, slice(None))

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average | None:
        """See `Recipe`."""
        return None if self.kind == "micro" else self._average(material, labels)

    def _average(self, material: Material, labels: Any) -> Average:
        weights = material.label_positive[labels] if self.kind == "weighted" else None
        return over_labels(getattr(material.label_sweep, self.quantity)[labels], weights, material.undefined)

    def per_label(self, material: Material) -> Numbers:
        """See `Recipe`."""
        return getattr(material.label_sweep, self.quantity)


@final
@dataclass(frozen=True)
class OfCosts(Recipe):
    """What the wrong cells cost, mean over rows."""

    of_each: ClassVar[bool] = True

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return self.of_labels(material, np.arange(material.targets.width))

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average:
        """See `Recipe`."""
        counts = material.label_counts.columns(labels)
        false_positive, false_negative = _costs(material)[:, labels]
        total = counts.fp.T @ false_positive + counts.fn.T @ false_negative
        rows = len(material.targets)
        return Average(ratio(total, material.weight.sum(0)), Counted(rows, rows, "rows"))

    def per_label(self, material: Material) -> Numbers:
        """See `Recipe`."""
        false_positive, false_negative = _costs(material)
        counts = material.label_counts
        paid = counts.fp.T * false_positive + counts.fn.T * false_negative  # labels last: replicates lead
        return ratio(paid.T, material.weight.sum(0))


@final
@dataclass(frozen=True)
class OfBins(Recipe):
    """Distance of confidence and share of positives, over bins of the pooled cells."""

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        gaps = np.abs(material.bin_gaps.T @ material.weight).sum(0)
        cells = int(material.row_known.sum())
        known = material.row_known @ material.weight
        return Average(ratio(gaps, known), Counted(cells, cells, "cells"))


@final
@dataclass(frozen=True)
class OfLabels(Recipe):
    """A value of each label by itself, (labels,) or (labels, replicates), mean over labels."""

    values: Callable[[Material], Numbers]

    of_each: ClassVar[bool] = True

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return over_labels(self.values(material), None, material.undefined)

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average:
        """See `Recipe`."""
        return over_labels(self.values(material)[labels], None, material.undefined)

    def per_label(self, material: Material) -> Numbers:
        """See `Recipe`."""
        return self.values(material)


@final
@dataclass(frozen=True)
class OfFirstCounts(Recipe):
    """A ratio of each label's counts when the k first labels of every row are decided, mean over labels."""

    formula: Callable[[Counts], Numbers]
    k: int

    of_each: ClassVar[bool] = True

    def average(self, material: Material) -> Average:
        """See `Recipe`."""
        return over_labels(self.formula(material.first_counts(self.k)), None, material.undefined)

    def of_labels(self, material: Material, labels: NDArray[Any]) -> Average:
        """See `Recipe`."""
        counts = material.first_counts(self.k).columns(labels)
        return over_labels(self.formula(counts), None, material.undefined)

    def per_label(self, material: Material) -> Numbers:
        """See `Recipe`."""
        return self.formula(material.first_counts(self.k))


def _first(values: Numbers) -> Numbers:
    """The values of the first replicate, or of the only one there is."""
    return values if values.ndim == 1 else values[:, 0]


def _costs(material: Material) -> Numbers:
    """(2, labels): what a false positive and a false negative cost."""
    assert material.costs is not None, "the table of metrics lets no cost through without costs"
    return material.costs
