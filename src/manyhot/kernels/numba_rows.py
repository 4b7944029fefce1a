"""The CPU kernel of a loss of row sums: a row's sums, its cost and gradient, while it is in the cache.

The sums are those of `manyhot.kernels.row_sums`. The plain negatives of a row become exponentials, chunk by
chunk: of the logits themselves where none is far from 0, else of the logits less the highest of the chunk.
The same numbers, scaled once the sums of the row are known, are the gradient. What concerns a whole row is
computed in float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyhot.kernels.cells import SparseCells
from manyhot.kernels.memory import room_like
from manyhot.kernels.numba_engine import integers
from manyhot.kernels.numba_source import CHUNK, NEAR, SEEN, SIZE, hide, load
from manyhot.kernels.pool import over_rows
from manyhot.kernels.reduction import scale_of
from manyhot.kernels.row_sums import LINEAR, LOGARITHMIC, ROW_SUMS, WIDE, RowReading
from manyhot.kernels.source import definitions

DIFFERENTIABLE = (*LOGARITHMIC, *LINEAR)
Array = NDArray[Any]


@dataclass(frozen=True)
class RowVariant:
    """What a kernel is written for.

    Args:
        names: arguments of the formula: row sums, or constants.
        soft: positives have values below 1.
        up: labels have weights on their positive side.
        down: labels have weights on their negative side.
    """

    names: tuple[str, ...]
    soft: bool
    up: bool
    down: bool


def total(
    z: Tensor,
    cells: SparseCells,
    reading: RowReading,
    formula: Callable[..., Any],
    constants: tuple[float, ...],
    reduction: str,
    want_slopes: bool,
) -> tuple[Tensor, Tensor | None]:
    """Reduced cost, NaN if a known logit is not finite; its derivative by every logit.

    Args:
        z: (rows, labels) float32 or float64, contiguous.
        cells: the targets, without weights of cells.
        reading: weights and temperatures, without smoothing; one temperature of all sums over negatives.
        formula: gives (cost, slopes) of a row, see `manyhot.losses.Rowwise`.
        constants: of its arguments that are no sums, in their order.
        reduction: mean (over rows of which something is known), batchmean or sum.
        want_slopes: also write the derivative.

    Raises:
        OSError, SyntaxError, NumbaError: the formula cannot be compiled.
    """
    kind: Any = np.float64 if z.dtype == torch.float64 else np.float32
    names = formula.__code__.co_varnames[: formula.__code__.co_argcount]
    up, down = reading.positive_weight, reading.negative_weight
    variant = RowVariant(names, cells.values is not None, up is not None, down is not None)
    kernel = _kernel(formula, variant, np.dtype(kind).name)
    rows, width = z.shape
    starts, labels = integers(cells.starts), integers(cells.labels)
    hidden_starts, hidden_labels = np.zeros(rows + 1, np.int32), np.empty(0, np.int32)
    if cells.unknown_starts is not None:
        hidden_starts, hidden_labels = integers(cells.unknown_starts), integers(cells.unknown_labels)
    weight = np.ones(rows) if cells.row_weight is None else _reals(cells.row_weight, np.float64)
    counted = np.diff(hidden_starts) < width
    scale = float(scale_of(reduction, rows, int(counted.sum())))
    slopes = room_like(z) if want_slopes else None
    logits, costs = z.numpy(), np.zeros(rows)
    written = None if slopes is None else slopes.numpy()
    beside = (
        labels,
        np.empty(0, kind) if cells.values is None else _reals(cells.values, kind),
        hidden_labels,
        np.empty(0, kind) if up is None else _reals(up, kind),
        np.empty(0, kind) if down is None else _reals(down, kind),
        0.0 if down is None else float(down.sum(dtype=torch.float64)),
        reading.temperature_pos,
        reading.temperature,
        next(reading.divisor(name) for name in names if name in WIDE),
        *constants,
    )

    def run(first: int, last: int) -> bool:
        part, ends = slice(first, last), slice(first, last + 1)
        return kernel(
            logits[part],
            np.empty((1, width), kind) if written is None else written[part],
            starts[ends],
            hidden_starts[ends],
            weight[part] * counted[part] * scale,
            costs[part],
            *beside,
        )

    finite = all(over_rows(run, rows, z.numel()))
    cost = float(costs.sum()) if finite else float("nan")
    return torch.tensor(cost, dtype=z.dtype), slopes


def _reals(tensor: Tensor, kind: type) -> Array:
    return np.ascontiguousarray(tensor.detach().numpy(), kind)


@lru_cache(maxsize=64)
def _kernel(formula: Callable[..., Any], variant: RowVariant, kind: str) -> Any:
    # A row's own numbers are few, so they may be doubles: the formula is a module of that precision.
    row = load(definitions({"row": formula}), "float64")
    source = [f"from {row.__name__} import row", SIZE, SEEN, _source(variant)]
    return load("\n\n".join(source), kind).kernel


def _source(variant: RowVariant) -> str:
    names = [name for name in variant.names if name in ROW_SUMS]
    sums = [name for name in names if name in DIFFERENTIABLE]
    mass = "np.float64(values[k])" if variant.soft else "1.0"
    down = "np.float64(down[j])" if variant.down else "1.0"
    blocks = {name: (_PEAK[name], _ADD[name]) for name in sums if name in _PEAK}
    if not variant.soft:
        blocks.pop("lse_neg", None)
    return KERNEL.format(
        given="".join(f", c_{name}" for name in variant.names if name not in ROW_SUMS),
        chunk=CHUNK,
        hide=hide(12),
        weigh="w[j] * " if variant.down else "",
        weights="\n            w = down[c:last]" if variant.down else "",
        weighing=" if w[j] > real(0) else lowest" if variant.down else "",
        below="min(x - shift, real(0))" if variant.down else "(x - shift)",
        near=NEAR,
        positive=f"{mass} * np.float64(up[j])" if variant.up else mass,
        negative=f"(1.0 - {mass}) * {down}" if variant.soft else "0.0",
        peaks="".join(f"\n            {peak}" for peak, _ in blocks.values()),
        adds="".join(f"\n            {add}" for _, add in blocks.values()),
        dots="\n            dot_pos += a * own" if "dot_pos" in names else "",
        entropy="\n            neg_entropy += a * math.log(a) if a > 0.0 else 0.0"
        if "neg_entropy" in names
        else "",
        lost=f"\n            n_neg += b - {down}" if "n_neg" in names else "",
        hidden_lost=HIDDEN_LOST.format(down=down) if "n_neg" in names else "",
        all_mass="all_down" if variant.down else "np.float64(width)",
        logs="".join(f"\n        {name} = {_LOG[name]}" for name in sums if name in _LOG),
        arguments=", ".join(name if name in ROW_SUMS else f"c_{name}" for name in variant.names),
        slopes="".join(f"d_{name}, " for name in sums),
        wide=" + ".join(f"d_{name} * math.exp(peaks[p] - {name})" for name in sums if name in WIDE),
        own=" + ".join(_SLOPE[name] for name in sums),
    )


_PEAK = {
    "lse_pos": "top_pos = max(top_pos, -own / temperature_pos) if a > 0.0 else top_pos",
    "lse_up": "top_up = max(top_up, own / temperature) if a > 0.0 else top_up",
    "lse_neg": "top_wide = max(top_wide, own / temperature_wide) if b > 0.0 else top_wide",
    "lse_all": "top_wide = max(top_wide, own / temperature_wide) if a + b > 0.0 else top_wide",
}
_ADD = {
    "lse_pos": "sum_pos += a * math.exp(min(-own / temperature_pos - top_pos, 0.0))",
    "lse_up": "sum_up += a * math.exp(min(own / temperature - top_up, 0.0))",
    "lse_neg": "sum_neg += b * math.exp(min(own / temperature_wide - top_wide, 0.0))",
    "lse_all": "sum_all += (a + b) * math.exp(min(own / temperature_wide - top_wide, 0.0))",
}
_LOG = {
    "lse_pos": "log_of(top_pos, sum_pos)",
    "lse_up": "log_of(top_up, sum_up)",
    "lse_neg": "log_of(top_wide, plain + sum_neg)",
    "lse_all": "log_of(top_wide, plain + sum_all)",
}
_SLOPE = {
    "lse_pos": "d_lse_pos * share(-a, own, -temperature_pos, lse_pos)",
    "lse_up": "d_lse_up * share(a, own, temperature, lse_up)",
    "lse_neg": "d_lse_neg * share(b, own, temperature_wide, lse_neg)",
    "lse_all": "d_lse_all * share(a + b, own, temperature_wide, lse_all)",
    "dot_pos": "d_dot_pos * a",
}

HIDDEN_LOST = """
        for k in range(hidden_starts[i], hidden_starts[i + 1]):
            j = hidden_labels[k]
            n_neg -= {down}"""

KERNEL = """
import math

last_bit = size_of(31 if real is np.float32 else 63)
lowest = sign_bit


@part
def rank(x):
    # An integer that orders as x does: LLVM takes the maximum of integers sixteen at a time, of floats not.
    pattern = bits(x)
    return size_of(pattern ^ ((pattern >> last_bit) & ~sign_bit))


@part
def unranked(pattern):
    return size_of(pattern ^ ((pattern >> last_bit) & ~sign_bit))


@part
def log_of(top, summed):
    return top + math.log(summed) if summed > 0.0 else -1e30


@part
def share(mass, own, divisor, lse):
    # Derivative by `own` of a sum lse that holds mass exp(own / divisor).
    return mass / abs(divisor) * math.exp(min(own / divisor - lse, 700.0))


@whole
def kernel(z, slopes, starts, hidden_starts, factors, costs, labels, values, hidden_labels, up, down,
           all_down, temperature_pos, temperature, temperature_wide{given}):
    wide_vectors()
    rows, width = z.shape
    largest, wanted = sign_bit, slopes.shape[0] == rows
    sharp, near = real(1.0 / temperature_wide), size(real(min({near} * temperature_wide, 1e30)))
    chunks = (width + {chunk} - 1) // {chunk}
    peaks, parts = np.empty(chunks), np.empty(chunks)
    mask, hiding = np.empty({chunk}, size_of), True
    for i in range(rows):
        line, out_line = z[i], slopes[i if wanted else 0]
        k, h, top_wide = starts[i], hidden_starts[i], -1e30
        for p in range(chunks):
            c = p * {chunk}
            out = out_line[c : c + {chunk}]
            last = c + out.shape[0]
            given = line[c:last]{weights}{hide}
            size_here, summed, shift = sign_bit, real(0), real(0)
            for j in range(out.shape[0]):
                size_here = max(size_here, size(of_bits(bits(given[j]) & mask[j])))
                e = {weigh}exp(seen(given[j], mask[j]) * sharp)
                summed += e
                out[j] = e
            if near < size_here < infinite:
                top = lowest
                for j in range(out.shape[0]):
                    top = max(top, rank(seen(given[j], mask[j])){weighing})
                shift, summed = of_bits(unranked(top)), real(0)
                for j in range(out.shape[0]):
                    x = seen(given[j], mask[j])
                    e = {weigh}exp({below} * sharp)
                    summed += e
                    out[j] = e
                summed = summed if shift > never else real(0)
            largest = max(largest, size_here)
            parts[p] = summed
            peaks[p] = np.float64(shift) / temperature_wide
            top_wide = max(top_wide, peaks[p]) if summed > real(0) else top_wide
        top_pos, top_up = -1e30, -1e30
        for k in range(starts[i], starts[i + 1]):
            j = labels[k]
            largest = max(largest, size(line[j]))
            own, a, b = np.float64(line[j]), {positive}, {negative}{peaks}
        plain = 0.0
        for p in range(chunks):
            plain += parts[p] * math.exp(max(peaks[p] - top_wide, -745.0)) if parts[p] > 0.0 else 0.0
        sum_pos, sum_up, sum_neg, sum_all = 0.0, 0.0, 0.0, 0.0
        n_pos, dot_pos, neg_entropy, n_neg = 0.0, 0.0, 0.0, {all_mass}
        for k in range(starts[i], starts[i + 1]):
            j = labels[k]
            own, a, b = np.float64(line[j]), {positive}, {negative}
            n_pos += a{adds}{dots}{entropy}{lost}{hidden_lost}{logs}
        value, found = row({arguments})
        {slopes}= found
        costs[i] = value * factors[i]
        if not wanted:
            continue
        for p in range(chunks):
            c = p * {chunk}
            factor = real(factors[i] / temperature_wide * ({wide})) if parts[p] > 0.0 else real(0)
            out = out_line[c : c + {chunk}]
            for j in range(out.shape[0]):
                out[j] *= factor
        for k in range(hidden_starts[i], hidden_starts[i + 1]):
            out_line[hidden_labels[k]] = real(0)
        for k in range(starts[i], starts[i + 1]):
            j = labels[k]
            own, a, b = np.float64(line[j]), {positive}, {negative}
            out_line[j] = real(factors[i] * ({own}))
    return largest < infinite
"""
