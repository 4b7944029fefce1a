"""The CPU kernel of a pointwise loss: value and slope of every cell in one pass, written for its formulas.

Every cell of a row is first costed as a negative, in chunks that stay in the first-level cache, with the
positives and unknown cells set to 0 so that nothing of them can reach the sum. Then those few are costed as
what they are, together for all rows, and the cost of the 0 in their place is taken out again. So the targets
are never dense, and no wide loop has a branch.
"""

from collections.abc import Mapping
from types import ModuleType

from manyhot.kernels.formula import Formula
from manyhot.kernels.numba_source import load
from manyhot.kernels.pointwise_source import Variant, cell_functions
from manyhot.kernels.pool import ROW_GROUP
from manyhot.kernels.source import definitions

CHUNK = (
    2048  # cells whose float32 sum is added to the row's float64 sum; with their slopes 16 KB, half a cache
)


def kernel_module(formulas: Mapping[str, Formula], variant: Variant, kind: str) -> ModuleType:
    """The compiled module; its function `kernel` costs a run of rows (see `KERNEL` for the arguments).

    Args:
        formulas: "positive", "negative" and, if the variant has it, "unknown".
        variant: what it is written for.
        kind: "float32" or "float64".
    """
    source = "\n\n".join(
        [
            definitions(dict(formulas)),
            SIZE,
            cell_functions(formulas, variant),
            _replace(variant),
            _kernel(variant),
        ]
    )
    return load(source, kind)


def _replace(variant: Variant) -> str:
    """Re-costing of the listed cells of one side."""
    own = [name for name, kind in variant.constants() if kind != "scalar"]
    places = {"label": "j", "row": "i"}
    gathered = [
        f"b_{name}[k] = {name}[{places[kind]}]" for name, kind in variant.constants() if kind != "scalar"
    ]
    given = "".join(
        f", {name}" if kind == "scalar" else f", b_{name}[k]" for name, kind in variant.constants()
    )
    value = "values[k + begin] if positive else real(1)" if variant.soft else "real(1)"
    cost = f"special(own[k], {value}, low, high{given})"
    if variant.unknown:
        cost = f"{cost} if positive else hidden(own[k]{given})"
    return REPLACE.format(
        given="".join(f", {name}" for name, _ in variant.constants()),
        live="True" if variant.unknown else "positive",
        buffers="".join(f"\n    b_{name} = np.empty(count, real)" for name in own),
        gathered="".join(f"\n            {line}" for line in gathered),
        cell_weight=" * cell_weight[i, j]" if variant.cell_weighted else "",
        cost=cost,
        before=f"background(real(0), low, high{given})",
    )


def _kernel(variant: Variant) -> str:
    shown = {"scalar": "{}", "label": "{}_c[j]", "row": "{}_i"}
    constants = variant.constants()
    return KERNEL.format(
        given="".join(f", {name}" for name, _ in constants),
        in_row="".join(f"\n        {name}_i = {name}[i]" for name, kind in constants if kind == "row"),
        cut="".join(
            f"\n            {name}_c = {name}[c : c + {CHUNK}]" for name, kind in constants if kind == "label"
        )
        + (f"\n            cell_c = cell_weight[i, c : c + {CHUNK}]" if variant.cell_weighted else ""),
        constants="".join(", " + shown[kind].format(name) for name, kind in constants),
        cell_weight="\n                v, s = v * cell_c[j], s * cell_c[j]" if variant.cell_weighted else "",
        chunk=CHUNK,
        group=ROW_GROUP,
        cut_rows="".join(f"\n        {name}_r = {name}[a:b]" for name, kind in constants if kind == "row"),
        given_rows="".join(f", {name}_r" if kind == "row" else f", {name}" for name, kind in constants),
    )


SIZE = """
size_of = np.int32 if real is np.float32 else np.int64
without_sign = size_of(2**31 - 1 if real is np.float32 else 2**63 - 1)


@part
def size(x):
    return size_of(bits(x) & without_sign)  # as an integer: fast floating point does not know NaN
"""

REPLACE = """
@whole
def replace(positive, z, slopes, starts, labels, values,
            row_weight, cell_weight, sums, low, high, scale{given}):
    rows, largest, live = z.shape[0], size_of(0), {live}
    begin, count = starts[0], starts[rows] - starts[0]
    if count == 0:
        return largest
    own, weight, cost = np.empty(count, real), np.empty(count, real), np.empty(count, real){buffers}
    for i in range(rows):
        for k in range(starts[i] - begin, starts[i + 1] - begin):
            j = labels[k + begin]
            own[k] = z[i, j] if live else real(0)
            weight[k] = row_weight[i]{cell_weight}{gathered}
    share = real(1) if live else real(0)
    for k in range(count):
        largest = max(largest, size(own[k]))
        v, s = {cost}
        before, _ = {before}
        cost[k] = weight[k] * (share * v - before)
        own[k] = share * weight[k] * s * scale
    for i in range(rows):
        extra = 0.0
        for k in range(starts[i] - begin, starts[i + 1] - begin):
            extra += cost[k]
            if slopes.shape[0] == rows:
                slopes[i, labels[k + begin]] = own[k]
        sums[i] += extra
    return largest
"""

KERNEL = """
@whole
def kernel(z, slopes, starts, labels, values, hidden_starts, hidden_labels, row_weight, cell_weight,
           sums, low, high, scale{given}):
    rows, width = z.shape
    largest = size_of(0)
    for i in range(rows):
        row = slopes[i if slopes.shape[0] == rows else 0]
        total, k, h, factor = 0.0, starts[i], hidden_starts[i], row_weight[i] * scale{in_row}
        for c in range(0, width, {chunk}):
            given, out = z[i, c : c + {chunk}], row[c : c + {chunk}]{cut}
            for j in range(out.shape[0]):  # Numba takes seconds to compile out[:] = given
                out[j] = given[j]
            while k < starts[i + 1] and labels[k] < c + {chunk}:
                out[labels[k] - c] = real(0)
                k += 1
            while h < hidden_starts[i + 1] and hidden_labels[h] < c + {chunk}:
                out[hidden_labels[h] - c] = real(0)
                h += 1
            summed = real(0)
            for j in range(out.shape[0]):
                largest = max(largest, size(out[j]))
                v, s = background(out[j], low, high{constants}){cell_weight}
                summed += v
                out[j] = s * factor
            total += summed
        sums[i] = total * row_weight[i]
    for a in range(0, rows, {group}):
        b = min(a + {group}, rows)
        out = slopes[a:b] if slopes.shape[0] == rows else slopes[:0]{cut_rows}
        of_positives = replace(True, z[a:b], out, starts[a : b + 1], labels, values,
                               row_weight[a:b], cell_weight[a:b], sums[a:b], low, high, scale{given_rows})
        of_unknown = replace(False, z[a:b], out, hidden_starts[a : b + 1], hidden_labels, values,
                             row_weight[a:b], cell_weight[a:b], sums[a:b], low, high, scale{given_rows})
        largest = max(largest, of_positives, of_unknown)
    return largest
"""
