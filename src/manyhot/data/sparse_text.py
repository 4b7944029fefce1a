"""Lines of `labels index:value index:value`, the body of libsvm and extreme-classification files."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.files import Encoding, lines_of
from manyhot.data.frames import short
from manyhot.data.table import BadRow


@dataclass
class SparseRows:
    """Rows of a sparse text file.

    label_rows, label_codes: parallel arrays, one pair a label. starts, indices, values: CSR of the features,
    indices as written. places: line of each row.
    """

    label_rows: NDArray[np.int64]
    label_codes: NDArray[np.int64]
    starts: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float32]
    places: NDArray[np.int64]
    skipped: list[BadRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.places)

    def matrix(self, first: int, width: int) -> sparse.csr_array:
        """Features as CSR float32 (rows, width); `first` is the number of the lowest column."""
        matrix = sparse.csr_array((self.values, self.indices - first, self.starts), shape=(len(self), width))
        matrix.sum_duplicates()
        return matrix


def read_rows(path: Path, *, after: int = 0, blank_is_row: bool = False) -> SparseRows:
    """All rows after line `after`. A line that is malformed is skipped and named.

    Args:
        path: of the file.
        after: number of header lines.
        blank_is_row: a blank line is a row without labels and features (as in label matrices), not nothing.
    """
    blocks = list(_blocks(path, after, blank_is_row))
    if not blocks:
        nothing = np.zeros(0, np.int64)
        return SparseRows(
            nothing, nothing, np.zeros(1, np.int64), nothing, nothing.astype(np.float32), nothing
        )
    heights = np.cumsum([0, *map(len, blocks)])
    lengths = np.concatenate([np.diff(block.starts) for block in blocks])
    return SparseRows(
        np.concatenate(
            [block.label_rows + height for block, height in zip(blocks, heights[:-1], strict=True)]
        ),
        np.concatenate([block.label_codes for block in blocks]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([block.indices for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.places for block in blocks]),
        [row for block in blocks for row in block.skipped],
    )


def _blocks(path: Path, after: int, blank_is_row: bool) -> Iterator[SparseRows]:
    for lines in lines_of(path, Encoding()):
        rows = lines.data.replace(b"\t", b" ").split(b"\n")[:-1]
        places = np.arange(lines.first, lines.first + len(rows))
        if lines.first <= after:
            rows, places = rows[after - lines.first + 1 :], places[after - lines.first + 1 :]
        labels, features, kept = [], [], []
        for row, place in zip(rows, places.tolist(), strict=True):
            if b"#" in row:
                row = row.partition(b"#")[0]
                if not row.strip():
                    continue
            if not row.strip() and not blank_is_row:
                continue
            label, _, rest = row.partition(b" ")
            if b":" in label:
                label, rest = b"", row
            labels.append(label.strip())
            features.append(_without_query(rest) if b"qid:" in rest else rest)
            kept.append(place)
        if kept:
            yield _parse(labels, features, np.asarray(kept, np.int64), path.name)


def _parse(labels: list[bytes], features: list[bytes], places: NDArray[np.int64], name: str) -> SparseRows:
    label_counts = np.fromiter(
        (part.count(b",") + 1 if part else 0 for part in labels), np.int64, len(labels)
    )
    codes = _whole_numbers(b",".join(part for part in labels if part), b",", int(label_counts.sum()))
    lengths = np.fromiter((part.count(b":") for part in features), np.int64, len(features))
    pairs = numbers_in(b" ".join(features).replace(b":", b" "), b" ", 2 * int(lengths.sum()))
    if codes is None or pairs is None or (pairs[::2] != np.floor(pairs[::2])).any() or (pairs[::2] < 0).any():
        return _slowly(labels, features, places, name)
    return SparseRows(
        np.repeat(np.arange(len(labels)), label_counts),
        codes,
        np.concatenate([[0], np.cumsum(lengths)]),
        pairs[::2].astype(np.int64),
        pairs[1::2].astype(np.float32),
        places,
    )


def _slowly(labels: list[bytes], features: list[bytes], places: NDArray[np.int64], name: str) -> SparseRows:
    """Row by row, when something among them is malformed: that row is skipped and named."""
    label_rows: list[int] = []
    codes: list[int] = []
    lengths: list[int] = []
    indices: list[int] = []
    values: list[float] = []
    kept: list[int] = []
    skipped: list[BadRow] = []
    for label, feature, place in zip(labels, features, places.tolist(), strict=True):
        row = _row(label.decode(), feature.decode())
        if isinstance(row, str):
            skipped.append(BadRow(f"{name}:{place}", row))
            continue
        label_rows += [len(kept)] * len(row[0])
        codes += row[0]
        lengths.append(len(row[1]))
        indices += row[1]
        values += row[2]
        kept.append(place)
    return SparseRows(
        np.asarray(label_rows, np.int64),
        np.asarray(codes, np.int64),
        np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]),
        np.asarray(indices, np.int64),
        np.asarray(values, np.float32),
        np.asarray(kept, np.int64),
        skipped,
    )


def _row(label: str, feature: str) -> tuple[list[int], list[int], list[float]] | str:
    """Labels, feature numbers and values of one row, or what is wrong with it."""
    codes, indices, values = [], [], []
    for number in label.split(",") if label else ():
        if not number.strip().isdecimal():
            return f"label {short(number)} is not a whole number"
        codes.append(int(number))
    for pair in feature.split():
        index, colon, value = pair.partition(":")
        if not colon or not index.isdecimal():
            return f"{short(pair)} is not index:value"
        try:
            values.append(float(value))
        except ValueError:
            return f"value {short(value)} of feature {index} is not a number"
        indices.append(int(index))
    return codes, indices, values


def numbers_in(text: bytes, separator: bytes, count: int) -> NDArray[np.float64] | None:
    """All numbers of a text; None when something in it is no number or their count is another."""
    import polars as pl

    if not count:
        return np.zeros(0) if not text.strip() else None
    column = io.BytesIO(text.replace(separator, b"\n"))
    try:  # the number parser of polars is five times as fast as that of NumPy
        numbers = pl.read_csv(column, has_header=False, schema={"number": pl.Float64}, quote_char=None)
    except pl.exceptions.ComputeError:
        return None
    found = numbers.to_series().drop_nulls().to_numpy()
    return found if len(found) == count else None


def _whole_numbers(text: bytes, separator: bytes, count: int) -> NDArray[np.int64] | None:
    numbers = numbers_in(text, separator, count)
    if numbers is None or (numbers != np.floor(numbers)).any() or (numbers < 0).any():
        return None
    return numbers.astype(np.int64)


def _without_query(features: bytes) -> bytes:
    return b" ".join(part for part in features.split() if not part.startswith(b"qid:"))
