"""The text format of the extreme-classification repository, and what lies beside it there.

A header `rows features labels`, then lines `77,91 60:1.0 248:1.0`, all numbers from 0. A header of two
numbers is a bare matrix: `*_X_Y.txt` are labels, `*_X_Xf.txt` features, and the two belong together.
"""

from pathlib import Path

import numpy as np
from scipy import sparse

from manyhot.data.files import bare_name, head_of
from manyhot.data.index import shape_of
from manyhot.data.inputs import SparseColumns
from manyhot.data.label_columns import Wishes
from manyhot.data.libsvm import named
from manyhot.data.marks import Marks, of_lists
from manyhot.data.piece import Piece
from manyhot.data.sparse_text import SparseRows, read_rows
from manyhot.data.table import BadRow, Schema
from manyhot.errors import InputError


def read_piece(path: Path, wishes: Wishes) -> Piece:
    """A whole file, with the feature or label matrix beside it when it is only the other one.

    Raises:
        InputError: the header promises other rows than follow, or the file is a split or weight file.
    """
    header = header_of(path)
    if len(header) == 3:
        rows, features, labels = header
        body = _counted(path, rows)
        matrix, outside = _within(body, features, "feature")
        marks, more = _marks(body, labels, wishes, path)
        return _piece(path, matrix, marks, body, {**outside, **more}, "by number")
    label_file, feature_file = _pair(path)
    rows, labels = header_of(label_file)
    body = _counted(label_file, rows)
    matrix, outside = _within(body, labels, "label")
    marks = Marks(tuple(named(list(range(labels)), wishes, label_file)), _positive(matrix), fixed=True)
    columns = sparse.csr_array((rows, 0), dtype=np.float32)
    if feature_file is not None:
        columns = read_matrix(feature_file)
        if shape_of(columns)[0] != rows:
            raise InputError(
                f"{feature_file.name} has {shape_of(columns)[0]:,} rows, {label_file.name} {rows:,}: they do "
                "not belong together"
            )
    return _piece(label_file, columns, marks, body, outside, "by number (a bare label matrix)")


def read_matrix(path: Path) -> sparse.csr_array:
    """A bare matrix (a header of two numbers) as CSR float32.

    Raises:
        InputError: the header promises other rows than follow.
    """
    rows, width = header_of(path)
    body = _counted(path, rows)
    matrix, outside = _within(body, width, "column")
    if outside:
        raise InputError(
            f"{path.name}:{body.places[min(outside)]}: {outside[min(outside)]}: the file or its header is "
            "damaged"
        )
    return matrix


def read_features(path: Path) -> tuple[SparseColumns, SparseRows]:
    """The features of a file of either form, for prediction."""
    header = header_of(path)
    if len(header) == 2:
        _, feature_file = _pair(path)
        path = feature_file or path
        matrix = read_matrix(path)
        return SparseColumns(matrix, tuple(map(str, range(shape_of(matrix)[1])))), read_rows(
            path, after=1, blank_is_row=True
        )
    body = _counted(path, header[0])
    matrix, _ = _within(body, header[1], "feature")
    return SparseColumns(matrix, tuple(map(str, range(header[1])))), body


def header_of(path: Path) -> tuple[int, ...]:
    """The two or three numbers of line 1.

    Raises:
        InputError: the file is another one of that repository, which is said.
    """
    lines = [line.split() for line in head_of(path).split(b"\n")[:-1] or [head_of(path)]]
    first, second = lines[0], lines[1] if len(lines) > 1 else []
    plain = [line for line in lines[:100] if line and not any(b":" in cell for cell in line)]
    if len(plain) == len([line for line in lines[:100] if line]) and (len(first) != 3 or len(second) == 3):
        if len(first) == 1:
            raise InputError(
                f"{path.name} holds one number a line, such as the inverse propensity of each label, and "
                "no rows: "
                "name the data file that it belongs to"
            )
        raise InputError(
            f"{path.name} is a split file of the extreme-classification repository: each of its "
            f"{len(first)} columns lists "
            "row numbers (from 1) of one split, no data: name the data file itself, and this one with "
            "test=..."
        )
    if len(first) not in (2, 3) or not all(cell.isdigit() for cell in first):
        raise InputError(
            f"{path.name}:1: wanted a header of rows, features and labels, got "
            f"{b' '.join(first)[:60].decode(errors='replace')!r}: "
            "add the header, or say layout='libsvm' for a file without one"
        )
    return tuple(int(cell) for cell in first)


def _counted(path: Path, promised: int) -> SparseRows:
    body = read_rows(path, after=1, blank_is_row=True)
    found = len(body) + len(body.skipped)
    if found != promised:
        fewer = found < promised
        raise InputError(
            f"{path.name}:1: the header promises {promised:,} rows, {found:,} follow"
            + (f" (the last is line {int(body.places[-1]):,})" if fewer and len(body) else "")
            + ": "
            + ("the file is cut short, fetch it again" if fewer else "the header belongs to another file")
            + f"; or write {found} as the first number of line 1 to take the rows that are there"
        )
    return body


def _within(body: SparseRows, width: int, what: str) -> tuple[sparse.csr_array, dict[int, str]]:
    """The matrix without entries beyond `width`, and the rows that had such."""
    beyond = np.flatnonzero(body.indices >= width)
    rows = np.searchsorted(body.starts, beyond, side="right") - 1
    outside = {
        int(
            row
        ): f"{what} {int(body.indices[place])} where the header promises {width:,} (0 to {width - 1:,})"
        for row, place in zip(rows, beyond, strict=True)
    }
    highest = int(body.indices.max(initial=width - 1)) + 1
    return body.matrix(0, max(width, highest))[:, :width], outside


def _marks(body: SparseRows, labels: int, wishes: Wishes, path: Path) -> tuple[Marks, dict[int, str]]:
    beyond = body.label_codes >= labels
    outside = {
        int(row): f"label {int(code)} where the header promises {labels:,} (0 to {labels - 1:,})"
        for row, code in zip(body.label_rows[beyond], body.label_codes[beyond], strict=True)
    }
    names = named(list(range(labels)), wishes, path)
    marks = of_lists(names, body.label_rows[~beyond], body.label_codes[~beyond], len(body), fixed=True)
    return marks, outside


def _positive(matrix: sparse.csr_array) -> sparse.csr_array:
    matrix = matrix.copy()
    matrix.data = (matrix.data > 0).astype(np.float32)
    matrix.eliminate_zeros()
    return matrix


def _piece(
    path: Path, matrix: sparse.csr_array, marks: Marks, body: SparseRows, outside: dict[int, str], how: str
) -> Piece:
    width = shape_of(matrix)[1]
    piece = Piece(
        path.name,
        SparseColumns(matrix, tuple(map(str, range(width)))),
        marks,
        body.places.astype(np.str_),
        Schema(layout="xmc", kind="sparse", width=width),
        "" if width else "no features",
        how,
        skipped=body.skipped,
    )
    return piece.without(
        {row: BadRow(f"{path.name}:{body.places[row]}", why) for row, why in outside.items()}
    )


def _pair(path: Path) -> tuple[Path, Path | None]:
    """The label matrix and the feature matrix of which `path` is one.

    Raises:
        InputError: `path` holds features and its labels are not there.
    """
    stem, _ = bare_name(path)
    if stem.endswith("X_Xf"):
        labels = path.with_name(path.name.replace("X_Xf", "X_Y"))
        if not labels.exists():
            raise InputError(
                f"{path.name} holds features only, and there is no {labels.name} with their labels beside it"
            )
        return labels, path
    features = path.with_name(path.name.replace("X_Y", "X_Xf"))
    return path, features if features != path and features.exists() else None
