"""A predictor that has learned nothing: it assigns no label, and scores every row by the labels' shares.

Its metrics follow from label counts alone, in closed form where one exists; no score matrix is ever made.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from manyhot.labels import Targets
from manyhot.metrics.calibration import shared_gaps, shared_label_losses, shared_losses
from manyhot.metrics.counts import Counts, Numbers, column_sums, label_known
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.material import Material
from manyhot.metrics.threshold_free import Sweep


@dataclass(frozen=True)
class Training:
    """What the training rows tell of the labels.

    Attributes:
        positive: (labels,), rows with the label.
        known: (labels,), rows where it is positive or negative.
        rows: number of rows.
    """

    positive: Numbers
    known: Numbers
    rows: int

    @classmethod
    def of(cls, targets: Targets, weight: Numbers | None = None) -> "Training":
        """Count training targets, rows weighted (rows,) if asked."""
        weight = np.ones(len(targets)) if weight is None else weight
        known = label_known(targets, weight)
        return cls(column_sums(targets.positives, weight), known, len(targets))

    @property
    def shares(self) -> Numbers:
        """Share of the known rows that have each label; 0 where nothing is known."""
        return np.nan_to_num(ratio(self.positive, self.known))


@final
class LearnedNothing(Material):
    """`Material` of all-zero decisions and of scores that are each label's share of positives.

    Args:
        targets: hard, of the evaluated rows.
        shares: (labels,), in [0, 1].
        weight: (rows,).
    """

    def __init__(
        self,
        targets: Targets,
        shares: Numbers,
        weight: Numbers,
        propensities: Numbers | None = None,
        undefined: float | None = None,
    ) -> None:
        self.targets, self.shares, self.weight = targets, shares, weight
        self.propensities, self.undefined = propensities, undefined

    def rows(self, index: NDArray[np.int64]) -> "LearnedNothing":
        """The same predictor on some rows only."""
        kept = self.targets.rows(index), self.shares, self.weight[index]
        part = LearnedNothing(*kept, self.propensities, self.undefined)
        part.costs = self.costs
        return part

    @cached_property
    def label_counts(self) -> Counts:
        """Counts of all-zero decisions: every positive is missed."""
        return _all_zero(self.label_positive, self.label_known)

    @cached_property
    def row_counts(self) -> Counts:
        """The same for rows, unweighted."""
        return _all_zero(self.targets.row_counts().astype(np.float64), self.row_known)

    @cached_property
    def row_ranks(self) -> Any:
        """Ranks by the shares, the same for all rows but for unknown cells."""
        from manyhot.kernels import ranks

        return ranks.rank_shared(self.shares, self.targets.positives, self.targets.unknown)

    @cached_property
    def label_sweep(self) -> Sweep:
        """One tie: average precision is the share of positives here, ROC area one half."""
        counts = self.label_counts
        auc = np.where((counts.fn > 0) & (counts.tn > 0), 0.5, np.nan)
        return Sweep(np.where(counts.fn > 0, ratio(counts.fn, counts.known), np.nan), auc)

    @cached_property
    def pooled_sweep(self) -> Sweep:
        """Labels of one share tie in one block."""
        from manyhot.kernels.sweeps import sweep_blocks

        _, block = np.unique(-self.shares, return_inverse=True)
        mass = (
            np.bincount(block, part).astype(np.float64)
            for part in (self.label_counts.fn, self.label_counts.tn)
        )
        return Sweep(*sweep_blocks(*mass))

    @cached_property
    def cell_losses(self) -> Numbers:
        """(2, rows): log loss and squared error of the shares."""
        return shared_losses(self.targets, self.shares)

    @cached_property
    def bin_gaps(self) -> Numbers:
        """(rows, bins): see `calibration.bin_gaps`."""
        return shared_gaps(self.targets, self.shares, self.label_known)

    @cached_property
    def label_calibration(self) -> Numbers:
        """One bin: the share claimed against the share found."""
        return np.abs(self.shares - ratio(self.label_positive, self.label_known))

    @cached_property
    def label_losses(self) -> Numbers:
        """(2, labels): log loss and squared error of the shares."""
        return shared_label_losses(self.shares, self.label_positive, self.label_known)

    def under_floor(self, kind: str, floor: float) -> Numbers:
        """One tie: all cells are assigned, or none."""
        from manyhot.kernels.floors import one_tie_under_floor

        return one_tie_under_floor(kind, floor, self.label_positive, self.label_known)

    def first_counts(self, k: int) -> Counts:
        """Counts when each row gets the k labels with the largest shares, unknown ones passed over."""
        order = np.argsort(-self.shares, kind="stable")
        decided = np.zeros(self.targets.width)
        decided[order[:k]] = self.weight.sum()
        hits = np.zeros(self.targets.width)
        hits[order[:k]] = self.label_positive[order[:k]]
        if self.targets.unknown is not None:
            self._pass_over_unknown(order, k, decided, hits)
        return Counts.from_sums(hits, decided, self.label_positive, self.label_known)

    def _pass_over_unknown(self, order: NDArray[np.intp], k: int, decided: Numbers, hits: Numbers) -> None:
        """Correct the counts of `first_counts` in rows where one of the first k labels is unknown."""
        hidden, positives = self.targets.unknown, self.targets.positives
        assert hidden is not None, "called where there are unknown cells"
        for row in np.flatnonzero(np.diff(hidden.indptr)):
            gone = hidden.indices[hidden.indptr[row] : hidden.indptr[row + 1]]
            own = positives.indices[positives.indptr[row] : positives.indptr[row + 1]]
            candidates = order[: k + len(gone)]
            kept = candidates[~np.isin(candidates, gone)][:k]
            for labels, mass in ((order[:k], -self.weight[row]), (kept, self.weight[row])):
                decided[labels] += mass
                hits[labels[np.isin(labels, own)]] += mass


def _all_zero(positive: Numbers, known: Numbers) -> Counts:
    nothing = np.zeros_like(positive)
    return Counts(nothing, nothing, positive, known - positive)
