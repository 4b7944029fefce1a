"""What the Keras losses read of `y_true` and `sample_weight`: the torch losses' `Cells`, in keras.ops."""

from dataclasses import dataclass
from typing import Any

from manyhot.errors import ShapeError
from manyhot.keras.words import ops


@dataclass(frozen=True, eq=False)
class Cells:
    """Targets of a batch, dense.

    Args:
        values: (rows, labels) in [0, 1], 0 where unknown.
        known: (rows, labels), 1 or 0.
        row_weight: (rows,), or None.
        cell_weight: (rows, labels), or None.
    """

    values: Any
    known: Any
    row_weight: Any = None
    cell_weight: Any = None


def read_cells(y_true: Any, sample_weight: Any, unknown: str) -> Cells:
    """Values and mask of a batch.

    Args:
        y_true: (rows, labels), 0/1 or soft; NaN or -1 for unknown.
        sample_weight: (rows,) or (rows, 1), multiplies the cost of a row; (rows, labels), that of a cell.
        unknown: "ignore" or "negative".

    Raises:
        ShapeError: a weight of another shape.
    """
    known = ops.cast(y_true >= 0, y_true.dtype)  # false for -1 and for NaN
    values = ops.where(y_true >= 0, y_true, ops.zeros_like(y_true))
    if unknown == "negative":
        known = ops.ones_like(known)
    if sample_weight is None:
        return Cells(values, known)
    weight = ops.cast(ops.convert_to_tensor(sample_weight), y_true.dtype)
    if len(weight.shape) == 1 or tuple(weight.shape[1:]) == (1,):
        return Cells(values, known, row_weight=ops.reshape(weight, (-1,)))
    if tuple(weight.shape[1:]) != tuple(y_true.shape[1:]):
        raise ShapeError(
            f"sample_weight must be (rows,) or (rows, labels) = {tuple(y_true.shape)}, "
            f"got {tuple(weight.shape)}"
        )
    return Cells(values, known, cell_weight=weight)
