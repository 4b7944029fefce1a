"""Keys of rows: 64 bits that are equal where contents are, in whatever file, order or column type they come.

A cell counts by its column's name and its value, so the order of columns does not matter, and a zero counts
nothing, so that dense and sparse columns have one key. Fractions count to float32, which is what files of
either precision agree on. Two different rows have one key once in 2**64.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.images import UNREADABLE, Images, Pixels
from manyhot.data.inputs import Inputs, SparseColumns, Texts
from manyhot.data.table import Table
from manyhot.kernels.row_digests import mixed

if TYPE_CHECKING:
    import polars as pl

Keys: TypeAlias = NDArray[np.uint64]
MISSING = np.uint64(0x9E3779B97F4A7C15)
"""Stands for the bits of a missing cell; no number's."""


def row_keys(table: Table, columns: Sequence[str] | None = None) -> Keys:
    """(rows,) keys of inputs and labels together.

    Args:
        table: the rows.
        columns: the input columns that count; all by default.
    """
    return mixed(input_keys(table.inputs, columns)) + label_keys(table)


def input_keys(inputs: Inputs, columns: Sequence[str] | None = None) -> Keys:
    """(rows,) keys of inputs; an image counts by the bytes of its file, and without them as nothing (0)."""
    if isinstance(inputs, Texts):
        return _hashes(inputs.values)
    if isinstance(inputs, SparseColumns):
        return _of_matrix(inputs.matrix, inputs.names)
    if isinstance(inputs, Images):
        return np.fromiter((_of_image(inputs, row) for row in range(len(inputs))), np.uint64, len(inputs))
    frame = inputs.frame if columns is None else inputs.frame.select(columns)
    keys = np.zeros(len(inputs), np.uint64)
    for name, seed in zip(frame.columns, _hashes(frame.columns), strict=True):
        keys += _of_column(frame[name], seed)
    return keys


def label_keys(table: Table) -> Keys:
    """(rows,) keys of the label sets: which labels a row has, and which are unknown."""
    names, targets = table.space.names, table.targets
    keys = _of_matrix(targets.positives, names)
    if targets.unknown is not None:
        keys += _of_matrix(targets.unknown, [f"{name} ?" for name in names])
    return keys


def _of_column(column: "pl.Series", seed: np.uint64) -> Keys:
    if not (column.dtype.is_numeric() or str(column.dtype) in ("Boolean", "Null")):
        texts = column.cast(str)
        bits = np.where(texts.is_null().to_numpy(), MISSING, _hashes(texts.fill_null("").to_list()))
        return mixed(bits ^ seed)
    return _of_numbers(column.cast(float).fill_null(float("nan")).to_numpy(), seed)


def _of_matrix(matrix: sparse.csr_array, names: Sequence[str]) -> Keys:
    cells = _of_numbers(matrix.data.astype(np.float64), _hashes(names)[matrix.indices])
    summed = np.concatenate([np.zeros(1, np.uint64), np.cumsum(cells)])  # wraps around, as the sum does
    return summed[matrix.indptr[1:]] - summed[matrix.indptr[:-1]]


def _of_numbers(values: NDArray[np.float64], seed: Any) -> Keys:
    whole = values == np.rint(values)
    with np.errstate(over="ignore"):
        bits = np.where(whole, values, values.astype(np.float32)).view(np.uint64)
    bits = np.where(np.isnan(values), MISSING, bits)
    return np.where(values == 0, np.uint64(0), mixed(bits ^ seed))


def _of_image(images: Images, row: int) -> int:
    source = images.sources[images.which[row]]
    try:
        data = (
            source.array[images.places[row]].tobytes()
            if isinstance(source, Pixels)
            else source.read(str(images.names[row]))
        )
    except (*UNREADABLE, KeyError):
        return 0
    return _hash(data) if data else 0


def _hashes(texts: Iterable[str]) -> Keys:
    known: dict[str, int] = {}
    for text in (texts := list(texts)):
        if text not in known:
            known[text] = _hash(text.encode("utf-8", "surrogatepass"))
    return np.fromiter((known[text] for text in texts), np.uint64, len(texts))


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
