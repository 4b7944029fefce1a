"""The few sums through which most row-wise losses read a row, in differentiable torch.

With a positive mass a = y w+ and a negative mass b = (1 - y) w- in every known cell (w are the weights, 1 if
none), each sum is (rows,):

lse_pos   log of the sum of a exp(-z / temperature_pos)
lse_neg   log of the sum of b exp(+z / temperature_neg)
lse_all   log of the sum of (a + b) exp(z / temperature)
lse_up    log of the sum of a exp(+z / temperature)
dot_pos   sum of a z
n_pos     sum of a
n_neg     sum of b
neg_entropy   sum of a log a

A logarithm of an empty sum is `EMPTY`: so low that its exponential is 0, yet finite, so that no NaN is born.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells, wide
from manyhot.kernels.pointwise import listed, suits_numba, suits_triton
from manyhot.kernels.row_split import Split, log_or_empty, log_sum_exp, plain_split

WIDE = ("lse_neg", "lse_all")  # sums that negatives enter
LOGARITHMIC = ("lse_pos", "lse_neg", "lse_all", "lse_up")
LINEAR = ("dot_pos",)
CONSTANT = ("n_pos", "n_neg", "neg_entropy")
ROW_SUMS = (*LOGARITHMIC, *LINEAR, *CONSTANT)


@dataclass(frozen=True, eq=False)
class RowReading:
    """How a row-wise loss weighs the cells that it sums.

    Args:
        temperature: of lse_all and lse_up, > 0.
        temperature_pos: of lse_pos, > 0.
        temperature_neg: of lse_neg, > 0.
        positive_weight: (labels,), multiplies the positive mass.
        negative_weight: (labels,), multiplies the negative mass.
        smoothing: (share of a positive counted as negative, share of a negative counted as positive).
    """

    temperature: float = 1.0
    temperature_pos: float = 1.0
    temperature_neg: float = 1.0
    positive_weight: Tensor | None = None
    negative_weight: Tensor | None = None
    smoothing: tuple[float, float] = (0.0, 0.0)

    def divisor(self, name: str) -> float:
        """What the logits are divided by in a sum; negative where it falls with the logit."""
        return {"lse_pos": -self.temperature_pos, "lse_neg": self.temperature_neg}.get(name, self.temperature)


def row_sums(z: Tensor, cells: Cells, reading: RowReading, names: Iterable[str]) -> dict[str, Tensor]:
    """The named sums of every row.

    Args:
        z: (rows, labels) logits in float32 or float64, or in half precision where `takes_halves`.
        cells: the targets; dense only where they come dense, or are smoothed.
        reading: weights and temperatures.
        names: of `ROW_SUMS`.
    """
    names, cells = list(names), compacted(z, cells, reading)
    if few_differ(cells, reading) and isinstance(cells, SparseCells):
        temperatures = {reading.divisor(name) for name in names if name in WIDE}
        layout: _Sparse | _Dense = _Sparse(z, cells, reading, temperatures)
    else:
        layout = _Dense(z, cells, reading)
    return {name: layout.sum(name) for name in names}


def compacted(z: Tensor, cells: Cells, reading: RowReading) -> Cells:
    """The cells without their plain negatives, where a compiling engine reads them and most are plain."""
    if isinstance(cells, SparseCells) or not few_differ(cells, reading):
        return cells
    if suits_triton(z):
        from manyhot.kernels import triton_row_split  # Triton is imported when there is work for it

        return triton_row_split.compressed(cells.dense())
    return listed(z, cells)


def takes_halves(logits: Tensor, cells: Cells, reading: RowReading) -> bool:
    """True where `row_sums` needs no copy of half-precision logits in float32."""
    if not isinstance(cells, SparseCells) or not few_differ(cells, reading) or not suits_triton(logits):
        return False
    from manyhot.kernels import triton_engine

    return triton_engine.few_listed(cells)


def few_differ(cells: Cells, reading: RowReading) -> bool:
    """True where negatives are all alike but for weights of labels."""
    return not any(reading.smoothing) and cells.cell_weight is None


def is_split(cells: Cells, reading: RowReading) -> bool:
    """True where a cell is either a positive or a plain negative or unknown."""
    return isinstance(cells, SparseCells) and cells.values is None and few_differ(cells, reading)


def masses(cells: Cells, reading: RowReading, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Positive and negative mass of every cell (rows, labels), both 0 where unknown."""
    dense = cells.dense()
    known, values = dense.known(), dense.mass(dtype)
    of_positives, of_negatives = reading.smoothing
    if of_positives or of_negatives:
        values = values * (1 - of_positives - of_negatives) + of_negatives
    positive, negative = values, 1 - values
    if reading.positive_weight is not None:
        positive = positive * reading.positive_weight.to(dtype)
    if reading.negative_weight is not None:
        negative = negative * reading.negative_weight.to(dtype)
    if dense.cell_weight is not None:
        positive, negative = (mass * dense.cell_weight.to(dtype) for mass in (positive, negative))
    if known is not None:
        positive, negative = (torch.where(known, mass, 0.0) for mass in (positive, negative))
    return positive, negative


def log_sum(exponents: Tensor, mass: Tensor) -> Tensor:
    """(rows,) log of the sum of mass times exp(exponents), over cells with any mass."""
    member = mass > 0
    logs = torch.log(torch.where(member, mass, 1.0))
    kept = torch.where(member, exponents + logs, -torch.inf)
    return log_sum_exp(kept)


class _Dense:
    def __init__(self, z: Tensor, cells: Cells, reading: RowReading) -> None:
        self.positive, self.negative = masses(cells, reading, z.dtype)
        # A hidden cell may hold NaN; nothing of it may pass, not even its gradient.
        self.z = torch.where(self.positive + self.negative > 0, z, 0.0)
        self.reading = reading

    def sum(self, name: str) -> Tensor:
        if name == "n_pos":
            return self.positive.sum(1)
        if name == "n_neg":
            return self.negative.sum(1)
        if name == "dot_pos":
            return (self.positive * self.z).sum(1)
        if name == "neg_entropy":
            return torch.special.xlogy(self.positive, self.positive).sum(1)
        mass = {"lse_neg": self.negative, "lse_all": self.positive + self.negative}.get(name, self.positive)
        return log_sum(self.z / self.reading.divisor(name), mass)


def _split_for(z: Tensor, cells: SparseCells) -> Callable[..., Any]:
    """The engine's way to split plain negatives from the rest."""
    if suits_triton(z):
        from manyhot.kernels import triton_engine, triton_row_split

        return triton_row_split.Split.apply if triton_engine.few_listed(cells) else plain_split
    return Split.apply if suits_numba(z) else plain_split


class _Sparse:
    def __init__(self, z: Tensor, cells: SparseCells, reading: RowReading, temperatures: set[float]) -> None:
        self.z, self.cells, self.reading = z, cells, reading
        self.dtype = torch.promote_types(z.dtype, torch.float32)
        self.rows, labels = cells.positive_index
        split = _split_for(z, cells)
        self.backgrounds: dict[float, Tensor] = {}  # of every temperature: log-sum-exp of the plain negatives
        self.own = z.new_zeros(0) if temperatures else z[cells.positive_index].to(self.dtype)
        for temperature in temperatures:
            self.backgrounds[temperature], self.own = split(z, cells, temperature, reading.negative_weight)
        ones = torch.ones_like(self.own)
        self.values = ones if cells.values is None else cells.values.to(self.dtype)
        up, down = reading.positive_weight, reading.negative_weight
        self.up = ones if up is None else up.to(self.dtype)[labels]
        self.down = ones if down is None else down.to(self.dtype)[labels]

    def sum(self, name: str) -> Tensor:
        mass = self.values * self.up
        if name == "n_pos":
            return self._added(mass)
        if name == "n_neg":
            return self._background_mass() + self._added((1 - self.values) * self.down)
        if name == "dot_pos":
            return self._added(mass * self.own)
        if name == "neg_entropy":
            return self._added(torch.special.xlogy(mass, mass))
        exponents = self.own / self.reading.divisor(name)
        if name in ("lse_pos", "lse_up"):
            return self._log_added(exponents + torch.log(mass))
        background = self.backgrounds[self.reading.divisor(name)]
        if name == "lse_neg" and self.cells.values is None:
            return background
        negative = (1 - self.values) * self.down
        joining = self._log_added(exponents + torch.log(negative if name == "lse_neg" else negative + mass))
        return torch.logaddexp(background, joining)

    def _background_mass(self) -> Tensor:
        """(rows,) summed negative weight of the cells that are neither positive nor unknown."""
        weight = self.reading.negative_weight
        whole = self.z.shape[1] if weight is None else float(weight.sum())
        counted = torch.full((self.z.shape[0],), float(whole), dtype=self.dtype, device=self.z.device)
        counted = counted - self._added(self.down)
        hidden = self.cells.unknown_index
        if hidden is None:
            return counted
        lost = torch.ones_like(counted[:1]) if weight is None else weight.to(self.dtype)
        return counted.index_add(0, hidden[0], -lost.expand(self.z.shape[1])[hidden[1]])

    def _added(self, per_positive: Tensor) -> Tensor:
        precise = wide(self.z.device)  # index_add adds one after the other, which loses digits of long rows
        empty = self.z.new_zeros(self.z.shape[0], dtype=precise)
        return empty.index_add(0, self.rows, per_positive.to(precise)).to(self.dtype)

    def _log_added(self, exponents: Tensor) -> Tensor:
        highest = exponents.new_full((self.z.shape[0],), -torch.inf)
        highest = highest.scatter_reduce(0, self.rows, exponents.detach(), "amax")
        shift = torch.where(highest.isinf(), 0.0, highest)
        summed = self._added(torch.exp(exponents - shift[self.rows]))
        return log_or_empty(summed, shift)
