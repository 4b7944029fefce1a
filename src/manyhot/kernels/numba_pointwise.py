"""The CPU kernel of a pointwise loss: value and slope of every cell in one pass, written for its formulas.

Rows lie one behind the other, so a run of them is one line of cells. Every cell of it is first costed as a
negative, with a mask that reads 0 in place of the positives and unknown cells so that nothing of them can
reach the sum. Then those few are costed as what they are, while they are still in the cache, and the cost of
the 0 in their place is taken out again. So the targets are never dense, and no long loop has a branch.
"""

from collections.abc import Mapping
from types import ModuleType

from manyhot.kernels.formula import Formula
from manyhot.kernels.numba_source import CHUNK, SIZE, load
from manyhot.kernels.pointwise_source import Kind, Variant, cell_functions
from manyhot.kernels.pool import ROW_GROUP
from manyhot.kernels.source import definitions

RUN = 8192  # cells of a run of rows; its last chunk is a small part of it


def rows_of_run(width: int) -> int:
    """How many rows of so many labels the kernel costs as one line: 1, or a multiple of `ROW_GROUP`."""
    return 1 if 2 * width >= RUN else -(-RUN // (width * ROW_GROUP)) * ROW_GROUP


def kernel_module(formulas: Mapping[str, Formula], variant: Variant, kind: str) -> ModuleType:
    """The compiled module; its function `kernel` costs rows (see `KERNEL` for the arguments).

    Args:
        formulas: "positive", "negative" and, if the variant has it, "unknown".
        variant: what it is written for.
        kind: "float32" or "float64".
    """
    known = "globals().update(words(real, known_exponents=True))\n" if variant.fixed else ""
    source = [
        known + definitions(dict(formulas)),
        SIZE,
        cell_functions(formulas, variant),
        _replace(variant),
        _kernel(variant),
    ]
    return load("\n\n".join(source), kind)


def constants(variant: Variant) -> list[tuple[str, Kind]]:
    """Name and kind of the kernel's last arguments: those of the variant, and the weights of rows."""
    return [*variant.constants(), ("w_row", "row")] if variant.row_weighted else variant.constants()


def _replace(variant: Variant) -> str:
    """Re-costing of the listed cells of one side."""
    place = {"label": "j", "row": "i"}
    listed = [(name, place[kind]) for name, kind in constants(variant) if kind != "scalar"]
    given = "".join(
        f", {name}" if kind == "scalar" else f", b_{name}[k]" for name, kind in variant.constants()
    )
    value = "values[k + begin] if positive else real(1)" if variant.soft else "real(1)"
    cost = f"special(own[k], {value}, low, high{given})"
    if variant.unknown:
        cost = f"{cost} if positive else hidden(own[k]{given})"
    weights = ["b_w_row[k]"] * variant.row_weighted + ["b_cell[k]"] * variant.cell_weighted
    if variant.cell_weighted:
        listed.append(("cell", "i * width + j"))
    return REPLACE.format(
        given="".join(f", {name}" for name, _ in constants(variant)),
        live="True" if variant.unknown else "positive",
        buffers="".join(f"\n    b_{name} = buffers[{2 + place}]" for place, (name, _) in enumerate(listed)),
        gathered="".join(f"\n            b_{name}[k] = {name}[{at}]" for name, at in listed),
        weight=" * ".join(weights) or "real(1)",
        cost=cost,
        before=f"background(real(0), low, high{given})",
    )


def _kernel(variant: Variant) -> str:
    own = constants(variant)
    per_label = [name for name, kind in own if kind == "label"]
    per_row = [name for name, kind in own if kind == "row"]
    weights = ["w_row_c[j]"] * variant.row_weighted + ["cell_c[j]"] * variant.cell_weighted
    spread = "".join(f"\n                    {name}_c[j] = {name}[r]" for name in per_row)
    cut = "".join(f"\n            {name}_c = {name}[c - first : d - first]" for name in per_label)
    return KERNEL.format(
        given="".join(f", {name}" for name, _ in own),
        passed="".join(f", {name}" for name, _ in own),
        buffers="".join(f"\n    {name}_c = np.empty({CHUNK}, real)" for name in per_row),
        hide=HIDE.format(i="i", k="k", starts="starts", labels="labels")
        + HIDE.format(i="g", k="h", starts="hidden_starts", labels="hidden_labels"),
        spread=SPREAD + spread if per_row else "",
        cut=cut + ("\n            cell_c = cell[c:d]" if variant.cell_weighted else ""),
        constants="".join(
            f", {name}" if kind == "scalar" else f", {name}_c[j]" for name, kind in variant.constants()
        ),
        weighted="".join(f"\n                v, s = v * {weight}, s * {weight}" for weight in weights),
        listed_buffers=2 + variant.cell_weighted + sum(kind != "scalar" for _, kind in own),
        chunk=CHUNK,
    )


REPLACE = """
@whole
def replace(positive, a, b, cells, slopes, wanted, buffers, width, starts, labels, values, cell,
            sums, low, high, scale{given}):
    wide_vectors()
    largest, live = sign_bit, {live}
    begin, count = starts[a], starts[b] - starts[a]
    if count == 0:
        return largest
    own, cost = buffers[0], buffers[1]{buffers}
    for i in range(a, b):
        for k in range(starts[i] - begin, starts[i + 1] - begin):
            j = labels[k + begin]
            own[k] = cells[i * width + j] if live else real(0){gathered}
    share = real(1) if live else real(0)
    for k in range(count):
        largest = max(largest, size(own[k]))
        v, s = {cost}
        before, _ = {before}
        weight = {weight}
        cost[k] = weight * (share * v - before)
        own[k] = share * weight * s * scale
    extra = 0.0
    for i in range(a, b):
        for k in range(starts[i] - begin, starts[i + 1] - begin):
            extra += cost[k]
            if wanted:
                slopes[i * width + labels[k + begin]] = own[k]
    sums[a] += extra
    return largest
"""

SPREAD = """
            for r in range(c // width, (d - 1) // width + 1):
                for j in range(max(c, r * width) - c, min(d, (r + 1) * width) - c):"""

# Written out where it is needed: as a function it costs more than the chunk, because Numba counts the
# references to its arrays.
HIDE = """
            while {k} < {starts}[b]:
                while {k} >= {starts}[{i} + 1]:
                    {i} += 1
                place = {i} * width + {labels}[{k}] - c
                if place >= out.shape[0]:
                    break
                mask[place], hiding = 0, True
                {k} += 1"""

KERNEL = """
@whole
def kernel(cells, slopes, run, width, starts, labels, values, hidden_starts, hidden_labels, cell,
           sums, low, high, scale{given}):
    wide_vectors()
    rows, largest, wanted = sums.shape[0], sign_bit, slopes.shape[0] == cells.shape[0]
    mask, hiding = np.empty({chunk}, size_of), True{buffers}
    listed = 0
    for a in range(0, rows, run):
        b = min(a + run, rows)
        listed = max(listed, starts[b] - starts[a], hidden_starts[b] - hidden_starts[a])
    buffers = np.empty(({listed_buffers}, listed), real)
    for a in range(0, rows, run):
        b = min(a + run, rows)
        first, last, total = a * width, b * width, 0.0
        i, k, g, h = a, starts[a], a, hidden_starts[a]
        for c in range(first, last, {chunk}):
            d = min(c + {chunk}, last)
            at = c if wanted else 0
            given, out = cells[c:d], slopes[at : at + d - c]{cut}
            if hiding:
                for j in range({chunk}):  # Numba takes seconds to compile mask[:] = -1
                    mask[j] = -1
                hiding = False{hide}{spread}
            summed = real(0)
            for j in range(out.shape[0]):
                x = of_bits(bits(given[j]) & mask[j])
                largest = max(largest, size(x))
                v, s = background(x, low, high{constants}){weighted}
                summed += v
                out[j] = s * scale
            total += summed
        sums[a] = total
        of_positives = replace(True, a, b, cells, slopes, wanted, buffers, width, starts, labels, values,
                               cell, sums, low, high, scale{passed})
        of_unknown = replace(False, a, b, cells, slopes, wanted, buffers, width, hidden_starts,
                             hidden_labels, values, cell, sums, low, high, scale{passed})
        largest = max(largest, of_positives, of_unknown)
    return largest < infinite
"""
