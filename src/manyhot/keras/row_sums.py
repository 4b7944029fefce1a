"""The sums through which row-wise losses read a row (`manyhot.kernels.row_sums`), in keras.ops."""

from collections.abc import Iterable
from typing import Any

from manyhot.keras.cells import Cells
from manyhot.keras.words import ops
from manyhot.kernels.row_sums import RowReading

EMPTY = -1e30  # logarithm of a sum over no cell: its exponential is 0, yet it is finite


def row_sums(z: Any, cells: Cells, reading: RowReading, names: Iterable[str]) -> dict[str, Any]:
    """The named sums of every row, each (rows,); what they mean is said in `manyhot.kernels.row_sums`."""
    positive, negative = masses(cells, reading, z)
    z = ops.where(positive + negative > 0, z, ops.zeros_like(z))
    of = {"lse_neg": negative, "lse_all": positive + negative}
    linear = {
        "n_pos": lambda: positive,
        "n_neg": lambda: negative,
        "dot_pos": lambda: positive * z,
        "neg_entropy": lambda: positive * ops.log(ops.where(positive > 0, positive, ops.ones_like(positive))),
    }
    return {
        name: ops.sum(linear[name](), axis=1)
        if name in linear
        else log_sum(z / reading.divisor(name), of.get(name, positive))
        for name in names
    }


def masses(cells: Cells, reading: RowReading, z: Any) -> tuple[Any, Any]:
    """Positive and negative mass of every cell (rows, labels), both 0 where unknown."""
    of_positives, of_negatives = reading.smoothing
    values = cells.values * (1 - of_positives - of_negatives) + of_negatives
    known = cells.known if cells.cell_weight is None else cells.known * cells.cell_weight
    positive, negative = values * known, (1 - values) * known
    if reading.positive_weight is not None:
        positive = positive * as_vector(reading.positive_weight, z)
    if reading.negative_weight is not None:
        negative = negative * as_vector(reading.negative_weight, z)
    return positive, negative


def log_sum(exponents: Any, mass: Any) -> Any:
    """(rows,) log of the sum of mass times exp(exponents); `EMPTY` where there is no mass."""
    member = mass > 0
    logs = ops.log(ops.where(member, mass, ops.ones_like(mass)))
    kept = ops.where(member, exponents + logs, ops.full_like(mass, EMPTY))
    shift = ops.stop_gradient(ops.max(kept, axis=1, keepdims=True))
    inside = ops.where(member, ops.exp(kept - shift), ops.zeros_like(kept))
    summed, some = ops.sum(inside, axis=1), ops.any(member, axis=1)
    logarithm = ops.squeeze(shift, axis=1) + ops.log(ops.where(some, summed, ops.ones_like(summed)))
    return ops.where(some, logarithm, ops.full_like(summed, EMPTY))


def as_vector(numbers: Any, z: Any) -> Any:
    """A torch tensor (labels,) as a tensor of Keras's backend, in the dtype of the logits."""
    return ops.convert_to_tensor(numbers.detach().cpu().numpy(), dtype=z.dtype)
