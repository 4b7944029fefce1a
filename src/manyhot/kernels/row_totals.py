"""The reduced cost of a loss of row sums, with its gradient in one pass where an engine writes whole rows."""

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.pointwise import suits_numba
from manyhot.kernels.row_sums import ROW_SUMS, WIDE, RowReading, few_differ
from manyhot.kernels.written import Written

LOG = logging.getLogger("manyhot.kernels")

RowFormula: TypeAlias = Callable[..., Any]  # named sums and constants -> (cost, slopes); losses.Rowwise


def row_constants(formula: RowFormula) -> tuple[str, ...]:
    """Names of the arguments of a row formula that are no row sums."""
    code = formula.__code__
    return tuple(name for name in code.co_varnames[: code.co_argcount] if name not in ROW_SUMS)


def writes_rows(logits: Tensor, cells: Cells, reading: RowReading, formula: RowFormula) -> bool:
    """True where `row_total` can cost this batch: sparse targets, sums that share one exponential."""
    if formula in _REFUSED or not isinstance(cells, SparseCells) or not few_differ(cells, reading):
        return False
    code = formula.__code__
    names = code.co_varnames[: code.co_argcount]
    return len({reading.divisor(name) for name in names if name in WIDE}) == 1 and suits_numba(logits)


def row_total(
    z: Tensor,
    cells: Cells,
    reading: RowReading,
    formula: RowFormula,
    constants: tuple[float, ...],
    reduction: str,
    plain: Callable[[Tensor, Cells], Tensor],
) -> Tensor:
    """Reduced cost of a batch of which `writes_rows` holds.

    Args:
        z: (rows, labels) logits in float32 or float64.
        cells: the targets.
        reading: weights and temperatures.
        formula: cost and slopes of a row.
        constants: values of `row_constants`.
        reduction: mean, batchmean or sum.
        plain: the same cost in differentiable torch, for what the engine leaves to it.
    """
    from manyhot.kernels import numba_rows  # Numba is imported when there is work for it
    from manyhot.kernels.numba_engine import CANNOT_COMPILE

    assert isinstance(cells, SparseCells)

    def write(logits: Tensor, want_slopes: bool) -> tuple[Tensor, Tensor | None]:
        return numba_rows.total(logits, cells, reading, formula, constants, reduction, want_slopes)

    try:
        cost: Any = Written.apply(z, write, lambda logits: plain(logits, cells))
    except CANNOT_COMPILE as error:
        _REFUSED.add(formula)
        LOG.warning("%s runs on torch, numba_rows cannot compile it: %s", formula.__qualname__, error)
        return plain(z, cells)
    return cost


_REFUSED: set[RowFormula] = set()  # formulas that could not be compiled
