"""`Pointwise`: a loss that looks at one cell at a time is two curves over the logit."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, wide
from manyhot.kernels.curves import Curves
from manyhot.kernels.formula import Formula, constant_names
from manyhot.kernels.pointwise import listed, pointwise
from manyhot.losses.base import MultiLabelLoss


class Pointwise(MultiLabelLoss):
    """Sum over cells of y positive(z) + (1 - y) negative(z), weighted.

    A subclass gives two static formulas that return (value, slope), written with the words of
    `manyhot.kernels.words`. Each argument after the logit is filled in from the attribute of that name: a
    number, or a buffer (labels,). A third formula `unknown_cell` costs the unknown cells, which are else left
    out. A target y between 0 and 1 mixes the two curves: the expected cost under a label that applies with
    that probability. Where that is not what the loss means, a fourth formula `soft(z, y, ...)` says what is;
    at 0 and 1 it has to be equal to the curves.
    """

    shows_nan = True
    by_triton = True

    positive: ClassVar[Formula]
    negative: ClassVar[Formula]
    unknown_cell: ClassVar[Formula | None] = None
    soft: ClassVar[Formula | None] = None

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """The curves of this instance: positive, negative, unknown or None."""
        return type(self).positive, type(self).negative, type(self).unknown_cell

    def soft_formula(self) -> Formula | None:
        """The curve of targets between 0 and 1 of this instance; None mixes the two sides."""
        return type(self).soft

    def row_constants(self, cells: Cells) -> dict[str, Tensor]:  # noqa: ARG002
        """Arguments of the formulas that differ from row to row, each (rows,)."""
        return {}

    def curves(self, cells: Cells) -> Curves:
        """This loss as the engines take it."""
        formulas, soft = self.formulas(), self.soft_formula()
        by_row = {name: value[:, None] for name, value in self.row_constants(cells).items()}
        constants: dict[str, Any] = dict(by_row)
        for formula in (*formulas, soft):
            for name in constant_names(formula) if formula else ():
                constants.setdefault(name, getattr(self, name, None))
        positive_weight, negative_weight = side_weights(self, cells)
        return Curves(
            *formulas,
            constants=constants,
            positive_weight=positive_weight,
            negative_weight=negative_weight,
            smoothing=self.smoothing,
            soft=soft,
        )

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell."""
        if self.reduction != "none":
            cells = listed(logits, cells)
        return pointwise(logits, cells, self.curves(cells), self.reduction)


def side_weights(loss: MultiLabelLoss, cells: Cells) -> tuple[Tensor | None, Tensor | None]:
    """Weights (labels,) of the positive and the negative side; None where all are 1."""
    if loss.label_weight is None and loss.pos_weight is None:
        return None, None
    ones = torch.ones(cells.shape[1], dtype=wide(cells.device), device=cells.device)
    both = None if loss.label_weight is None else ones * loss.label_weight
    if loss.pos_weight is None:
        return both, both
    return (ones if both is None else both) * loss.pos_weight, both
