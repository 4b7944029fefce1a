"""What losses for incompletely observed labels share: cells that nobody knows are cells too."""

from dataclasses import replace

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.pointwise import pointwise
from manyhot.losses.pointwise import Pointwise

ZEROS = ("negative", "unknown")


class EveryCell(Pointwise):
    """A pointwise loss that has a use for unknown cells, so that "mean" is over all cells of the batch."""

    ignores_unknown = False

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell."""
        curves = self.curves(cells)
        if self.reduction != "mean":
            return pointwise(logits, cells, curves, self.reduction)
        return pointwise(logits, cells, curves, "sum") / max(logits.numel(), 1)


def zeros_unknown(cells: Cells) -> Cells:
    """The same cells with nothing known but the positives."""
    values = cells.dense().mass()
    return cells.with_values(values, values <= 0)


def unobserved(cells: Cells, zeros: str) -> Tensor:
    """(rows, labels) bool: cells without a trusted value.

    Args:
        cells: the targets.
        zeros: "unknown" counts zeros among them, "negative" does not.
    """
    if zeros == "unknown" and isinstance(cells, SparseCells):
        mask = torch.ones(cells.shape, dtype=torch.bool, device=cells.device)
        return mask.index_put_(cells.positive_index, mask.new_zeros(()))
    if zeros == "unknown":
        return cells.dense().mass() <= 0
    known = cells.known()
    return torch.zeros(cells.shape, dtype=torch.bool, device=cells.device) if known is None else ~known


def marked(cells: Cells, mask: Tensor) -> Cells:
    """The cells of the mask (rows, labels) unknown and all others known, unknown ones as negatives."""
    if isinstance(cells, SparseCells):
        return replace(
            cells,
            unknown_starts=torch.cat([mask.new_zeros(1, dtype=torch.int64), mask.sum(1).cumsum(0)]),
            unknown_labels=torch.nonzero(mask)[:, 1],
        )
    return cells.with_values(cells.dense().mass(), mask)


def hidden(cells: Cells, mask: Tensor) -> Cells:
    """The same cells with those of the mask (rows, labels), whatever their values, unknown."""
    if not isinstance(cells, SparseCells):
        return cells.with_values(cells.dense().mass(), mask)
    seen = ~mask[cells.positive_index]
    rows = cells.positive_index[0][seen]
    kept = replace(
        cells,
        starts=torch.cat([rows.new_zeros(1), torch.bincount(rows, minlength=len(mask)).cumsum(0)]),
        labels=cells.labels[seen],
        values=None if cells.values is None else cells.values[seen],
    )
    return marked(kept, mask)


def row_scaled(cells: Cells, factor: Tensor) -> Cells:
    """The same with another factor (rows,) on the cost of every row."""
    return replace(cells, row_weight=factor if cells.row_weight is None else cells.row_weight * factor)


def likeliest(logits: Tensor, among: Tensor, number: int) -> Tensor:
    """(rows, labels) bool: the `number` cells with the highest logits, and what ties with the last of them.

    Args:
        logits: (rows, labels).
        among: (rows, labels) bool, the candidates; there are at most as many as these.
        number: >= 0.
    """
    number = min(number, logits.numel())
    if not number:
        return torch.zeros_like(among)
    candidates = torch.where(among, logits, -torch.inf).flatten()
    return among & (logits >= candidates.topk(number).values[-1])
