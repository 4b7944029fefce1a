"""Missing positives found by the model itself: what it is surest of, against the targets, is taken for one.

Cells that nobody has observed are taken for negatives, then corrected. By default these are all but the
positives; with zeros="negative" zeros are trusted and only unknown cells are corrected. "mean" is over all
cells of the batch.
"""

import math
from typing import Literal, Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manyhot import _check
from manyhot.errors import InputError, OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.losses.base import Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.focal import focused_negative, focused_positive
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.unobserved import ZEROS, EveryCell, likeliest, marked, unobserved


class SPLC(EveryCell):
    """Self-paced loss correction: from the second epoch on, an unobserved cell with p > tau is a positive.

    Costs are focal: positives read z - margin, (1 - p)^gamma times -log p; negatives -p^gamma log(1 - p);
    corrected cells cost what positives cost, without the margin. Needs `set_epoch`.

    Formula: focal costs with a margin; unobserved cells with p > tau are positives from epoch 1 on
    Use: Missing positives that the model can find.
    Trap: Without set_epoch it never corrects. Confirms what the model already believes.

    Args:
        tau: probability above which a cell is taken for a positive, in (0, 1).
        margin: taken from the logit of positives.
        gamma: focus, >= 0.
        start_epoch: first epoch, counted from 0, that corrects.
        zeros: "unknown" (default) or "negative".

    Source:
        Zhang et al., "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels", 2021,
        arXiv:2112.07368. That corrected cells get no margin is as in the authors' code.
    """

    traits = Traits(calls=("set_epoch",))

    def __init__(
        self,
        tau: float = 0.6,
        margin: float = 1.0,
        gamma: float = 2.0,
        start_epoch: int = 1,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.between("tau", tau, 1e-9, 1.0 - 1e-9)
        _check.at_least("gamma", gamma, 0.0)
        _check.finite("margin", margin)
        _check.finite("start_epoch", start_epoch)
        self.tau, self.margin, self.gamma, self.start_epoch = tau, margin, gamma, start_epoch
        self.zeros = _check.one_of("zeros", zeros, ZEROS)
        self.logit = math.log(tau) - math.log1p(-tau)

    @staticmethod
    def positive(z: Scalar, margin: Scalar, gamma: Scalar) -> Curve:
        """Focal cost of z - margin."""
        return focused_positive(z - margin, gamma, 1.0)

    @staticmethod
    def negative(z: Scalar, gamma: Scalar) -> Curve:
        """Focal cost."""
        return focused_negative(z, gamma, 1.0)

    @staticmethod
    def unknown_cell(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, gamma: Scalar
    ) -> Curve:
        """Focal cost of a corrected cell; uncorrected ones have become negatives."""
        return focused_positive(z, gamma, 1.0)

    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """The corrected cells."""
        if self.epoch < self.start_epoch:
            hidden = cells.known()
            return cells if hidden is None else marked(cells, torch.zeros_like(hidden))
        return marked(cells, unobserved(cells, self.zeros) & (logits > self.logit))


class LargeLoss(EveryCell):
    """BCE that rejects or corrects the unobserved cells with the largest losses, more in every epoch.

    In epoch e, counted from 0, these are the ceil(e rate cells) likeliest of the batch, and what ties with
    the last of them. Needs `set_epoch`.

    Formula: BCE; the ceil(epoch rate cells) likeliest unobserved cells are left out, or positives
    Use: Missing or wrong positives, any model.
    Trap: Without set_epoch it is BCE with unknown as negative.

    Args:
        rate: added in every epoch, share of the cells of a batch, in [0, 1].
        mode: "reject" (default, LL-R) leaves them out; "correct" (LL-Ct) takes them for positives in this
            step; "permanent" (LL-Cp) takes ceil(rate cells) a step for positives for good, from epoch 1 on.
        num_rows: rows of the training set, for "permanent", which remembers each cell of it and needs
            `row_ids` in every call; in evaluation (`loss.eval()`) nothing is corrected.
        label_counts: (labels,), for "permanent"; here for the number of labels.
        zeros: "unknown" (default) or "negative".

    Source:
        Kim et al., "Large Loss Matters in Weakly Supervised Multi-Label Classification", CVPR 2022,
        arXiv:2206.03740. In their code "permanent" is never reached, and positives can be flipped when too
        few cells are unobserved.
    """

    traits = Traits(batch=True, calls=("set_epoch",))

    corrected: Tensor

    def __init__(
        self,
        rate: float = 0.002,
        mode: Literal["reject", "correct", "permanent"] = "reject",
        num_rows: int | None = None,
        label_counts: ArrayLike | None = None,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.between("rate", rate, 0.0, 1.0)
        _check.at_least("num_rows", 1 if num_rows is None else num_rows, 1)
        self.rate, self.mode = rate, _check.one_of("mode", mode, ("reject", "correct", "permanent"))
        self.zeros = _check.one_of("zeros", zeros, ZEROS)
        if mode == "permanent":
            if num_rows is None or label_counts is None:
                raise OptionError("mode='permanent' remembers cells; give num_rows and label_counts")
            size = (num_rows, len(checked_counts(label_counts)))
            self.register_buffer("corrected", torch.zeros(size, dtype=torch.bool))

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """A rejected cell costs nothing."""
        return type(self).positive, type(self).negative, None

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """Rejected cells unknown, corrected ones positive."""
        among, epochs = unobserved(cells, self.zeros), 1 if self.mode == "permanent" else self.epoch
        number = math.ceil(min(self.rate * epochs, 1.0) * logits.numel()) if self.epoch else 0
        if self.mode == "permanent":
            return self._flipped(cells, self._remembered(logits, cells, among, number))
        chosen = likeliest(logits, among, number)
        return marked(cells, chosen) if self.mode == "reject" else self._flipped(cells, chosen)

    def _remembered(self, logits: Tensor, cells: Cells, among: Tensor, number: int) -> Tensor:
        """All cells of these rows that were corrected up to now."""
        if not self.training:
            return torch.zeros_like(among)
        if cells.row_ids is None:
            raise InputError("mode='permanent' remembers rows: call the loss with row_ids=")
        before = self.corrected[cells.row_ids] & among
        now = before | likeliest(logits, among & ~before, number)
        self.corrected[cells.row_ids] = now
        return now

    def _flipped(self, cells: Cells, chosen: Tensor) -> Cells:
        if not chosen.any():
            return marked(cells, chosen)
        values = cells.dense().mass()
        return cells.with_values(torch.where(chosen, 1.0, values))

    def training_state(self) -> bool:
        """True where corrections are for good."""
        return self.mode == "permanent"
