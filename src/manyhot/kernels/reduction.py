"""The reductions, one meaning each everywhere.

A unit is what a loss costs separately: a cell of a pointwise loss, a row of a row-wise one, a label of a
label-wise one. Weights multiply costs and do not enter any denominator. "positives" is a sum here, which the
loss divides by the positives of the whole batch.
"""

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from manyhot.kernels.cells import wide

Reduction: TypeAlias = Literal["mean", "batchmean", "sum", "positives", "none"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)


def scale_of(reduction: str, rows: int, known_units: Tensor | float) -> Tensor | float:
    """What a sum of costs is multiplied with; an empty batch has the scale of one unit, not a NaN.

    Args:
        reduction: mean (over known units), batchmean (sum over units, mean over rows), sum or positives.
        rows: rows of the batch.
        known_units: units of which something is known.
    """
    if reduction in ("sum", "positives"):
        return 1.0
    if reduction == "batchmean":
        return 1.0 / max(rows, 1)
    if isinstance(known_units, Tensor):
        return known_units.to(wide(known_units.device)).clamp(min=1).reciprocal()
    return 1.0 / max(known_units, 1)


def reduce_units(values: Tensor, reduction: str, rows: int, known_units: Tensor | float) -> Tensor:
    """Costs of all units, reduced; those of unknown units must be 0."""
    if reduction == "none":
        return values
    summed = values.sum(dtype=torch.promote_types(values.dtype, torch.float32))
    scale = scale_of(reduction, rows, known_units)
    return summed * (scale.to(summed.dtype) if isinstance(scale, Tensor) else scale)
