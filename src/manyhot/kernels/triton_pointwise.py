"""The GPU kernels of a pointwise loss: value and slope of every cell in one pass, written for its formulas.

`wide` costs every cell as a negative, but for the listed ones, which it leaves out; `listed` then costs those
few as what they are. `dense` is for targets that come as a full matrix. All cells of the batch are one line,
cut into blocks without regard to rows, so that loads are aligned whatever the number of labels. A block's sum
is written to its own place: no answer depends on which block came first.
"""

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from manyhot.kernels.formula import Formula
from manyhot.kernels.pointwise_source import Variant, cell_functions
from manyhot.kernels.source import definitions
from manyhot.kernels.triton_source import load

# 1024 cells by 4 warps of 32 threads are 8 cells a thread: one load of 16 bytes in half precision, two in
# float32. By Little's law an H200 has to have 4.8 TB/s x 600 ns / 132 = 22 KB on the way to each of its 132
# processors; 1536 threads of 16 bytes are 24 KB. A larger block would meet more listed cells (see `wide`).
BLOCK = 1024
WARPS = 4


def kernel_module(formulas: Mapping[str, Formula], variant: Variant, kind: str) -> ModuleType:
    """The compiled module with the kernels `wide`, `listed` and `dense`.

    Args:
        formulas: "positive", "negative" and, if the variant has it, "unknown".
        variant: what it is written for.
        kind: "float32" or "float64", in which costs are computed.
    """
    source = [definitions(dict(formulas)), cell_functions(formulas, variant), _kernels(variant)]
    return load("\n\n".join(source), kind)


@cache
def multiply_kernel() -> Any:
    """The kernel that multiplies slopes by a number on the GPU."""
    return load(MULTIPLY, "float32").multiply


def _kernels(variant: Variant) -> str:
    places = {"label": "label", "row": "row"}
    constants, given, read = "", "", ""
    for name, kind in variant.constants():
        constants += f", {name}_here"
        given += f', {name}: "fp64"' if kind == "scalar" else f", {name}"
        value = (
            f"tl.load({name} + {places[kind]}, mask=there, other=0.0)" if kind in places else f"real({name})"
        )
        read += f"\n    {name}_here = {value}"
    as_target = f"special(kept, y, real(low), real(high){constants})"
    if not variant.soft:
        as_target = f"chosen(y, *{as_target}, *background(kept, real(low), real(high){constants}))"
    return KERNELS.format(given=given, read=read, constants=constants, as_target=as_target)


KERNELS = """
@part
def place(first, inside, width, LONG: tl.constexpr):
    row = first // width
    label = (first - row * width).to(tl.int32) + inside
    if LONG:  # a block is no longer than a row, and has cells of two at most
        past = label >= width
        row += past.to(tl.int64)
        label = tl.where(past, label - width, label)
    else:
        row += label // width
        label = label % width
    return row, label


@part
def chosen(y, vp, sp, vn, sn):
    return tl.where(y > 0, vp, vn), tl.where(y > 0, sp, sn)


@part
def weighed(v, s, counted, cell, row, cell_weight, row_weight):
    v, s = tl.where(counted, v, 0.0), tl.where(counted, s, 0.0)
    if cell_weight is not None:
        weight = tl.load(cell_weight + cell, mask=counted, other=0.0).to(KIND)
        v, s = v * weight, s * weight
    if row_weight is not None:
        weight = tl.load(row_weight + row, mask=counted, other=0.0).to(KIND)
        v, s = v * weight, s * weight
    return v, s


@part
def scaled(s, scale, factor):
    s = s * real(scale)
    if factor is not None:
        s = s * tl.load(factor).to(KIND)
    return s


@whole
def wide(z, slopes, sums, size, width, positives, positive_edges, unknown, unknown_edges,
         row_weight, cell_weight, low: "fp64", high: "fp64", scale: "fp64", factor{given},
         BLOCK: tl.constexpr, LONG: tl.constexpr):
    block = tl.program_id(0)
    first = block.to(tl.int64) * BLOCK
    inside = tl.arange(0, BLOCK)
    cell, there = first + inside, inside < size - first
    x = tl.load(z + cell, mask=there, other=0.0).to(KIND)
    plain = there
    for k in range(tl.load(positive_edges + block), tl.load(positive_edges + block + 1)):
        plain = plain & (inside != (tl.load(positives + k) - first).to(tl.int32))
    if unknown is not None:
        for k in range(tl.load(unknown_edges + block), tl.load(unknown_edges + block + 1)):
            plain = plain & (inside != (tl.load(unknown + k) - first).to(tl.int32))
    x = tl.where(plain, x, 0.0)  # no NaN of a listed cell may reach the sum
    row, label = place(first, inside, width, LONG){read}
    v, s = background(x, real(low), real(high){constants})
    v, s = weighed(v, s, plain, cell, row, cell_weight, row_weight)
    tl.store(sums + block, tl.sum(v, 0))
    if slopes is not None:
        tl.store(slopes + cell, scaled(s, scale, factor), mask=there)


@whole
def listed(z, slopes, sums, count, width, places, values, row_weight, cell_weight,
           low: "fp64", high: "fp64", scale: "fp64", factor{given},
           BLOCK: tl.constexpr, UNKNOWN: tl.constexpr):
    block = tl.program_id(0)
    k = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = k < count
    cell = tl.load(places + k, mask=there, other=0)
    x = tl.load(z + cell, mask=there, other=0.0).to(KIND)
    row, label = cell // width, cell % width{read}
    if UNKNOWN:
        v, s = hidden(x{constants})
    else:
        y = tl.full((BLOCK,), 1.0, KIND)
        if values is not None:
            y = tl.load(values + k, mask=there, other=1.0).to(KIND)
        v, s = special(x, y, real(low), real(high){constants})
    v, s = weighed(v, s, there, cell, row, cell_weight, row_weight)
    tl.store(sums + block, tl.sum(v, 0))
    if slopes is not None:
        tl.store(slopes + cell, scaled(s, scale, factor), mask=there)


@whole
def dense(z, slopes, sums, size, width, targets, unknown, row_weight, cell_weight,
          low: "fp64", high: "fp64", scale: "fp64", factor{given},
          BLOCK: tl.constexpr, LONG: tl.constexpr, CODED: tl.constexpr, COSTLY: tl.constexpr):
    block = tl.program_id(0)
    first = block.to(tl.int64) * BLOCK
    inside = tl.arange(0, BLOCK)
    cell, there = first + inside, inside < size - first
    x = tl.load(z + cell, mask=there, other=0.0).to(KIND)
    y = tl.load(targets + cell, mask=there, other=0).to(KIND)
    known = there
    if CODED:
        known = known & (y >= 0)  # not for NaN
    if unknown is not None:
        known = known & (tl.load(unknown + cell, mask=there, other=1) == 0)
    kept, y = tl.where(known, x, 0.0), tl.where(known, y, 0.0)
    row, label = place(first, inside, width, LONG){read}
    v, s = {as_target}
    if COSTLY:
        vu, su = hidden(x{constants})
        v, s = tl.where(known, v, vu), tl.where(known, s, su)
        known = there
    v, s = weighed(v, s, known, cell, row, cell_weight, row_weight)
    tl.store(sums + block, tl.sum(v, 0))
    if slopes is not None:
        tl.store(slopes + cell, scaled(s, scale, factor), mask=there)
"""

MULTIPLY = """
@whole
def multiply(slopes, factor, size, BLOCK: tl.constexpr):
    number = tl.load(factor)
    if number != 1:  # nearly always it is, and no memory is touched
        first = tl.program_id(0).to(tl.int64) * BLOCK
        inside = tl.arange(0, BLOCK)
        there = inside < size - first
        s = tl.load(slopes + first + inside, mask=there)
        tl.store(slopes + first + inside, s * number, mask=there)
"""
