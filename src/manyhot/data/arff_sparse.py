"""Sparse ARFF rows, `{1 0.5,7 1}`: a cell left out is 0, or the first value of a nominal attribute."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.arff_header import Attribute, Header, unquoted
from manyhot.data.files import Lines
from manyhot.data.frames import short
from manyhot.data.marks import NO, YES
from manyhot.data.sparse_text import numbers_in
from manyhot.data.table import BadRow
from manyhot.errors import InputError

_CELL = re.compile(r"""\s*(\d+)\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,]+)\s*(?:,|$)""")


@dataclass
class SparseRows:
    """Features and labels of sparse rows; a category has one feature for each value beyond its first."""

    matrix: sparse.csr_array
    names: tuple[str, ...]
    positives: sparse.csr_array
    unknown: sparse.csr_array | None
    places: NDArray[np.int64]
    skipped: list[BadRow] = field(default_factory=list)


@dataclass
class _Cells:
    """All cells as written: row, attribute and value; a nominal value is coded by 0 / 1 or its position."""

    starts: NDArray[np.int64]
    attributes: NDArray[np.int64]
    values: NDArray[np.float64]
    places: NDArray[np.int64]


def read_rows(
    name: str, header: Header, features: Sequence[int], blocks: Iterator[Lines], labels: Sequence[int] = ()
) -> SparseRows:
    """All rows of the blocks; a malformed one is skipped and named.

    Args:
        name: of the file.
        header: of the file.
        features: column numbers of the features.
        blocks: the lines after @data.
        labels: column numbers of the labels.

    Raises:
        InputError: no row can be read, or a label has a value outside [0, 1].
    """
    skipped: list[BadRow] = []
    parts = [_block(lines, header, name, skipped) for lines in blocks]
    parts = [part for part in parts if len(part.places)]
    if not parts:
        raise InputError(f"{name}: no row can be read{f'; the first: {skipped[0]}' if skipped else ''}")
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    attributes = np.concatenate([part.attributes for part in parts])
    values = np.concatenate([part.values for part in parts])
    places = np.concatenate([part.places for part in parts])
    matrix, names = _features(header, features, rows, attributes, values, len(lengths))
    positives, unknown = _labels(header, labels, rows, attributes, values, places, name)
    return SparseRows(matrix, names, positives, unknown, places, skipped)


def _block(lines: Lines, header: Header, name: str, skipped: list[BadRow]) -> _Cells:
    bodies: list[bytes] = []
    places: list[int] = []
    for place, line in enumerate(lines.data.split(b"\n"), lines.first):
        row = line.strip()
        if not row:
            continue
        if row[:1] == b"{" and row[-1:] == b"}":
            bodies.append(row[1:-1].strip())
            places.append(place)
        else:
            skipped.append(BadRow(f"{name}:{place}", "not a sparse row {index value, ...}"))
    cells = _fast(bodies, places, header)
    return cells if cells is not None else _slow(bodies, places, header, name, skipped)


def _fast(bodies: list[bytes], places: list[int], header: Header) -> _Cells | None:
    """All cells at once when they are plain numbers; None when one is not."""
    if any(not attribute.is_numeric for attribute in header.attributes):
        return None
    counts = np.fromiter((body.count(b",") + 1 if body else 0 for body in bodies), np.int64, len(bodies))
    text = b" ".join(body for body in bodies if body).replace(b",", b" ")
    pairs = numbers_in(text, b" ", 2 * int(counts.sum()))
    if pairs is None:
        return None
    attributes = pairs[::2]
    if (
        (attributes != np.floor(attributes)).any()
        or (attributes >= len(header.attributes)).any()
        or (attributes < 0).any()
    ):
        return None
    starts = np.concatenate([[0], np.cumsum(counts)])
    return _Cells(starts, attributes.astype(np.int64), pairs[1::2], np.asarray(places, np.int64))


def _slow(bodies: list[bytes], places: list[int], header: Header, name: str, skipped: list[BadRow]) -> _Cells:
    codes = [
        {value: float(_code(attribute, value)) for value in attribute.values}
        for attribute in header.attributes
    ]
    counts: list[int] = []
    attributes: list[int] = []
    values: list[float] = []
    kept: list[int] = []
    for body, place in zip(bodies, places, strict=True):
        cells = _cells(body.decode(), header, codes)
        if isinstance(cells, str):
            skipped.append(BadRow(f"{name}:{place}", cells))
            continue
        counts.append(len(cells))
        attributes += [attribute for attribute, _ in cells]
        values += [value for _, value in cells]
        kept.append(place)
    starts = np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))])
    return _Cells(
        starts, np.asarray(attributes, np.int64), np.asarray(values, np.float64), np.asarray(kept, np.int64)
    )


def _cells(body: str, header: Header, codes: list[dict[str, float]]) -> list[tuple[int, float]] | str:
    """The cells of one row, or what is wrong with it."""
    found: list[tuple[int, float]] = []
    position = 0
    while position < len(body):
        match = _CELL.match(body, position)
        if match is None:
            return f"{short(body[position:])} is not 'index value'"
        position = match.end()
        place, text = int(match[1]), unquoted(match[2])
        if place >= len(codes):
            return f"attribute {place} where {len(codes)} are declared (0 to {len(codes) - 1})"
        attribute = header.attributes[place]
        value = _value(text, attribute, codes[place])
        if value is None:
            return f"{short(text)} is no value of attribute '{attribute.name}'"
        found.append((place, value))
    return found


def _value(text: str, attribute: Attribute, codes: dict[str, float]) -> float | None:
    if text == "?":
        return float("nan")
    if attribute.kind == "nominal":
        return codes.get(text)
    try:
        return float(text)
    except ValueError:
        return None


def _code(attribute: Attribute, value: str) -> float:
    """0 or 1 for binary attributes, else the position of the value."""
    if attribute.is_binary:
        return float(value.lower() in YES)
    return float(attribute.values.index(value))


def _features(
    header: Header,
    features: Sequence[int],
    rows: NDArray[np.int64],
    attributes: NDArray[np.int64],
    values: NDArray[np.float64],
    height: int,
) -> tuple[sparse.csr_array, tuple[str, ...]]:
    """The feature cells; a category of k values becomes k - 1 columns: its first value is the absent one."""
    names: list[str] = []
    first = np.full(len(header.attributes), -1, np.int64)
    category = np.zeros(len(header.attributes), np.bool_)
    for place in features:
        attribute = header.attributes[place]
        first[place] = len(names)
        if attribute.kind == "nominal" and not attribute.is_binary:
            category[place] = True
            names += [f"{attribute.name}={value}" for value in attribute.values[1:]]
        elif attribute.kind == "string":
            raise InputError(
                f"attribute '{attribute.name}' is a string in sparse rows: leave it out, or write dense rows"
            )
        else:
            names.append(attribute.name)
    kept = first[attributes] >= 0
    kept &= ~(category[attributes] & ((values < 1) | np.isnan(values)))
    rows, attributes, values = rows[kept], attributes[kept], values[kept]
    columns = first[attributes] + np.where(category[attributes], values - 1, 0).astype(np.int64)
    data = np.where(category[attributes], 1.0, values).astype(np.float32)
    matrix = sparse.csr_array((data, (rows, columns)), shape=(height, len(names)))
    matrix.eliminate_zeros()
    return matrix, tuple(names)


def _labels(
    header: Header,
    labels: Sequence[int],
    rows: NDArray[np.int64],
    attributes: NDArray[np.int64],
    values: NDArray[np.float64],
    places: NDArray[np.int64],
    name: str,
) -> tuple[sparse.csr_array, sparse.csr_array | None]:
    column = np.full(len(header.attributes), -1, np.int64)
    column[list(labels)] = np.arange(len(labels))
    kept = column[attributes] >= 0
    rows, columns, values = rows[kept], column[attributes[kept]], values[kept]
    outside = (values < 0) | (values > 1)
    if outside.any():
        cell = int(np.flatnonzero(outside)[0])
        label = header.attributes[labels[columns[cell]]].name
        raise InputError(
            f"{name}:{places[rows[cell]]}: label '{label}' holds {values[cell]:g}; wanted 0, 1 or ? for "
            "unknown"
        )
    shape = (len(places), len(labels))
    positive = values > 0
    positives = sparse.csr_array(
        (values[positive].astype(np.float32), (rows[positive], columns[positive])), shape=shape
    )
    hidden = np.isnan(values)
    unknown = None
    if hidden.any():
        unknown = sparse.csr_array(
            (np.ones(hidden.sum(), np.bool_), (rows[hidden], columns[hidden])), shape=shape
        )
    return positives, unknown


__all__ = ["NO", "SparseRows", "read_rows"]
