"""What metrics are made of: counts, ranks and sweeps, each computed once and shared by all that need it."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot.labels import Targets
from manyhot.metrics.calibration import (
    bin_gaps,
    cell_losses,
    label_bin_gaps,
    label_calibration,
    label_losses,
)
from manyhot.metrics.counts import Counts, Numbers, Overlap, column_sums, label_known, row_known
from manyhot.metrics.threshold_free import Sweep, sweep_labels, sweep_pooled


class Material(ABC):
    """What the metrics see: real predictions, those of a baseline, or bootstrap replicates of either.

    Arrays over labels are (labels,), arrays over rows (rows,); replicates add a trailing axis to whatever
    depends on the row weights.

    Attributes:
        targets: hard. weight: (rows,), or (rows, replicates).
        propensities: (labels,), None where no training counts were given.
        costs: (2, labels), of a false positive and of a false negative; None where not given.
        undefined: value with which undefined labels and rows enter averages, None = they are left out.
    """

    targets: Targets
    weight: Numbers
    propensities: Numbers | None
    undefined: float | None
    costs: Numbers | None = None

    @cached_property
    def label_positive(self) -> Numbers:
        """Positive mass of every label."""
        return column_sums(self.targets.positives, self.weight)

    @cached_property
    def label_known(self) -> Numbers:
        """Known mass of every label."""
        return label_known(self.targets, self.weight)

    @cached_property
    def row_known(self) -> Numbers:
        """Known cells of every row."""
        return row_known(self.targets)

    @cached_property
    def row_figures(self) -> Numbers:
        """(4, rows): see `kernels.ranks.row_figures`."""
        from manyhot.kernels import ranks

        return ranks.row_figures(self.row_ranks)

    @cached_property
    @abstractmethod
    def label_counts(self) -> Counts:
        """Counts of every label."""

    @cached_property
    @abstractmethod
    def row_counts(self) -> Counts:
        """Counts of every row, unweighted."""

    @cached_property
    @abstractmethod
    def row_ranks(self) -> Any:
        """`RowRanks` of the positives."""

    @cached_property
    @abstractmethod
    def label_sweep(self) -> Sweep:
        """Average precision and ROC area of every label."""

    @cached_property
    @abstractmethod
    def pooled_sweep(self) -> Sweep:
        """The same of all cells as one population."""

    @cached_property
    @abstractmethod
    def cell_losses(self) -> Numbers:
        """(2, rows): sums over known cells of log loss and squared error, scores read as probabilities."""

    @cached_property
    @abstractmethod
    def bin_gaps(self) -> Numbers:
        """(rows, bins): see `calibration.bin_gaps`."""

    @cached_property
    @abstractmethod
    def label_calibration(self) -> Numbers:
        """Expected calibration error of every label; no replicates."""

    @cached_property
    @abstractmethod
    def label_losses(self) -> Numbers:
        """(2, labels): see `calibration.label_losses`."""

    @abstractmethod
    def first_counts(self, k: int) -> Counts:
        """Counts of every label when the k first labels of each row are decided."""

    @abstractmethod
    def under_floor(self, kind: str, floor: float) -> Numbers:
        """The best of one rate of every label while another holds: see `kernels.floors.best_under_floor`."""


@final
class Measured(Material):
    """Real predictions: scores, decisions or both."""

    def __init__(
        self,
        targets: Targets,
        scores: Any,
        decisions: Targets | None,
        weight: Numbers,
        propensities: Numbers | None = None,
        undefined: float | None = None,
    ) -> None:
        self.targets, self.scores, self.decisions, self.weight = targets, scores, decisions, weight
        self.propensities, self.undefined = propensities, undefined
        self._first: dict[int, Overlap] = {}
        self._floors: dict[tuple[str, float], Numbers] = {}

    def rows(self, index: NDArray[np.int64]) -> "Measured":
        """The same predictions of some rows only."""
        part = Measured(
            self.targets.rows(index),
            None if self.scores is None else self.scores[index],
            None if self.decisions is None else self.decisions.rows(index),
            self.weight[index],
            self.propensities,
            self.undefined,
        )
        part.costs = self.costs
        return part

    @cached_property
    def overlap(self) -> Overlap:
        """Decisions laid over targets."""
        assert self.decisions is not None, "the table of metrics lets no set metric through without decisions"
        return Overlap.of(self.targets, self.decisions)

    @cached_property
    def label_counts(self) -> Counts:
        """Counts of every label."""
        return self.overlap.by_label(self.weight)

    @cached_property
    def row_counts(self) -> Counts:
        """Counts of every row, unweighted."""
        return self.overlap.by_row()

    @cached_property
    def row_ranks(self) -> Any:
        """`RowRanks` of the positives."""
        from manyhot.kernels import ranks

        rank = ranks.rank_sparse if issparse(self.scores) else ranks.rank_dense
        return rank(self.scores, self.targets.positives, self.targets.unknown)

    @cached_property
    def label_sweep(self) -> Sweep:
        """Average precision and ROC area of every label."""
        return sweep_labels(self.targets, self.scores, self.weight, self.label_positive, self.label_known)

    @cached_property
    def pooled_sweep(self) -> Sweep:
        """The same of all cells as one population."""
        return sweep_pooled(self.targets, self.scores, self.weight)

    @cached_property
    def cell_losses(self) -> Numbers:
        """(2, rows): sums over known cells of log loss and squared error, scores read as probabilities."""
        return cell_losses(self.targets, self.scores)

    @cached_property
    def bin_gaps(self) -> Numbers:
        """(rows, bins): see `calibration.bin_gaps`."""
        return bin_gaps(self.targets, self.scores, self.weight)

    @cached_property
    def label_calibration(self) -> Numbers:
        """Expected calibration error of every label."""
        return label_calibration(self.targets, self.scores, self.weight)

    @cached_property
    def label_bin_gaps(self) -> Any:
        """CSR (labels * bins, rows): see `calibration.label_bin_gaps`."""
        return label_bin_gaps(self.targets, self.scores, self.weight)

    @cached_property
    def label_losses(self) -> Numbers:
        """(2, labels): see `calibration.label_losses`."""
        return label_losses(self.targets, self.scores, self.weight)

    @cached_property
    def label_ways(self) -> Any:
        """`Descents` of every label, for what walks down them more than once."""
        from manyhot.kernels import descents

        return descents.descents(
            descents.Columns.of(self.scores, self.targets.positives, self.targets.unknown)
        )

    def under_floor(self, kind: str, floor: float) -> Numbers:
        """The best of one rate of every label while another holds."""
        from manyhot.kernels.floors import best_under_floor

        if (kind, floor) not in self._floors:
            masses = self.label_positive[:, None], self.label_known[:, None]
            found = best_under_floor(kind, floor, self.label_ways, self.weight[:, None], *masses)
            self._floors[kind, floor] = found[:, 0]
        return self._floors[kind, floor]

    def first_overlap(self, k: int) -> Overlap:
        """The k first labels of each row laid over the targets."""
        from manyhot.kernels.first_labels import first_labels

        if k not in self._first:
            chosen = Targets(first_labels(self.scores, self.targets.unknown, k))
            self._first[k] = Overlap.of(self.targets, chosen)
        return self._first[k]

    def first_counts(self, k: int) -> Counts:
        """Counts of every label when the k first labels of each row are decided."""
        return self.first_overlap(k).by_label(self.weight)
