"""ARFF of multi-label data: dense and sparse rows, nominal and numeric attributes, hierarchical classes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyhot.data import arff_sparse, delimited
from manyhot.data.arff_header import Attribute, Header, Labels, labels_of, parse_header
from manyhot.data.files import Encoding, Lines, lines_of
from manyhot.data.frames import Batch, fixed, short, together
from manyhot.data.inputs import Columns, Inputs, SparseColumns, Texts, in_words, joined_text
from manyhot.data.label_columns import Wishes
from manyhot.data.marks import Marks, of_lists, read_marks
from manyhot.data.piece import Piece
from manyhot.data.table import BadRow, LabelColumns, Schema
from manyhot.data.tabular import RowsRead, inputs_of
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_DATA = re.compile(rb"(?im)^[ \t]*@data[^\n]*\n")


def read_piece(path: Path, wishes: Wishes, xml: Path | None, like: Schema | None = None) -> Piece:
    """A whole file. The labels keep the order of the attributes.

    Args:
        path: of the file.
        wishes: what the caller said about attributes.
        xml: the file that names the labels.
        like: the schema of data that a model was made of; its inputs are taken.

    Raises:
        InputError: the header is malformed, the labels are not said, or no row can be read.
    """
    encoding = Encoding()
    header, blocks = _opened(path, encoding)
    labels = labels_of(header, path, wishes, xml)
    first = next(blocks, None)
    if first is None:
        raise InputError(f"{path.name} has no rows after @data: the file is cut short")
    blocks = _with_first(first, blocks)
    if _is_sparse(first.data):
        piece = _sparse_piece(path, header, labels, blocks, like)
    else:
        piece = _dense_piece(path, header, labels, wishes, blocks, like)
    piece.parents = labels.parents or piece.parents
    warning = encoding.warning(path.name)
    piece.warnings += [warning] if warning else []
    return piece


def read_inputs(path: Path, schema: Schema) -> RowsRead:
    """The inputs of a file for prediction: attributes are found by name, labels may be there or not.

    Raises:
        InputError: an attribute that the model reads is missing.
    """
    header, blocks = _opened(path, Encoding())
    first = next(blocks, None)
    if first is None:
        raise InputError(f"{path.name} has no rows after @data: the file is cut short")
    blocks = _with_first(first, blocks)
    if _is_sparse(first.data):
        rows = arff_sparse.read_rows(path.name, header, list(range(len(header.attributes))), blocks)
        inputs = _as_read(SparseColumns(rows.matrix, rows.names), schema, path)
        return RowsRead(inputs, rows.places.astype(np.str_), {}, rows.skipped, [])
    return inputs_of(_dense(path, header, blocks), schema, None)


def _as_read(inputs: SparseColumns, schema: Schema, path: Path) -> Inputs:
    """Sparse rows as the schema reads them.

    Raises:
        InputError: the schema reads neither sparse rows nor columns.
    """
    import polars as pl

    if schema.kind == "sparse":
        return inputs.with_names(schema.column_names)
    if schema.kind != "columns":
        raise InputError(
            f"{path.name} holds sparse rows, the model reads {in_words(schema.kind)}: name a file of that "
            "kind"
        )
    dense = inputs.matrix.toarray()
    frame = pl.DataFrame({name: dense[:, place] for place, name in enumerate(inputs.names)})
    return Columns(fixed(frame, dict(schema.features), path.name)[0])


def _opened(path: Path, encoding: Encoding) -> tuple[Header, Iterator[Lines]]:
    """The header, and blocks of the lines below it."""
    blocks = lines_of(path, encoding)
    head = b""
    for lines in blocks:
        head += lines.data
        match = _DATA.search(head)
        if match:
            header = parse_header(head[: match.end()].decode(), path.name)
            rest = Lines(head[match.end() :], header.data_line + 1)
            return header, _rows_only(_with_first(rest, blocks))
    return parse_header(head.decode(), path.name), blocks  # raises: there is no @data


def _with_first(first: Lines, rest: Iterator[Lines]) -> Iterator[Lines]:
    yield first
    yield from rest


def _rows_only(blocks: Iterator[Lines]) -> Iterator[Lines]:
    """Blocks in which comment lines are blank, so that line numbers stay right."""
    for lines in blocks:
        data = lines.data
        if b"%" in data:
            data = re.sub(rb"(?m)^[ \t]*%[^\n]*$", b"", data)
        if data.strip():
            yield Lines(data, lines.first)


def _is_sparse(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{"


def _dense_piece(
    path: Path,
    header: Header,
    labels: Labels,
    wishes: Wishes,
    blocks: Iterator[Lines],
    like: Schema | None,
) -> Piece:
    batch = _dense(path, header, blocks)
    attributes = [a for place, a in enumerate(header.attributes) if place not in set(labels.columns)]
    hierarchy = header.attributes[labels.columns[0]]
    parents: dict[str, tuple[str, ...]] = {}
    how = labels.how
    if hierarchy.kind == "hierarchical":
        marks, parents, written = _hierarchical(batch.frame[hierarchy.name], hierarchy)
        how += f" (a hierarchy; {written:.2f} a row as written, the others are their ancestors)"
    else:
        names = tuple(header.attributes[place].name for place in labels.columns)
        marks = read_marks(batch, LabelColumns(form="columns", columns=names, unknown=wishes.unknown))
    bad: dict[int, BadRow] = {}
    if like is None:
        inputs, schema, inputs_how = _inputs(batch.frame, attributes, path, wishes)
    else:
        rows = inputs_of(batch, like, None)
        inputs, bad, schema, inputs_how = rows.inputs, rows.bad, like, ""
    piece = Piece(
        path.name,
        inputs,
        marks,
        batch.places.astype(np.str_),
        schema,
        inputs_how,
        how,
        parents=parents,
        skipped=batch.skipped,
        warnings=batch.warnings,
    )
    return piece.without(bad | {row: BadRow(batch.where(row), why) for row, why in marks.bad.items()})


def _inputs(
    frame: "pl.DataFrame", attributes: list[Attribute], path: Path, wishes: Wishes
) -> tuple[Inputs, Schema, str]:
    if not attributes:
        raise InputError(f"{path.name}: all attributes are labels, nothing is left to learn from")
    strings = [a.name for a in attributes if a.kind == "string"]
    wished = [wishes.text] if isinstance(wishes.text, str) else wishes.text or ()
    text = tuple(wished or (strings if len(strings) == len(attributes) == 1 else ()))
    if text:
        known = {attribute.name for attribute in attributes}
        absent = next((name for name in text if name not in known), None)
        if absent in frame.columns:
            raise InputError(f"{path.name}: '{absent}' is both a label and a text: leave it out of text=")
        if absent is not None:
            raise InputError(f"{path.name} has no attribute '{absent}' (asked for as text)")
        schema = Schema(layout="arff", kind="text", text=text)
        return Texts(joined_text(frame.select(text))), schema, f"text in {' + '.join(map(repr, text))}"
    features = tuple((a.name, "number" if a.is_numeric else "category") for a in attributes)
    # the two roles are literals, which a conditional expression does not keep
    schema = Schema(layout="arff", kind="columns", features=features)  # type: ignore[arg-type]
    return Columns(frame.select(name for name, _ in features)), schema, ""


def _sparse_piece(
    path: Path, header: Header, labels: Labels, blocks: Iterator[Lines], like: Schema | None
) -> Piece:
    for place in labels.columns:
        attribute = header.attributes[place]
        if (
            attribute.kind == "nominal"
            and attribute.values
            and attribute.values[0].lower() not in arff_sparse.NO
        ):
            raise InputError(
                f"{path.name}: label '{attribute.name}' is declared {{{', '.join(attribute.values)}}}; in "
                "sparse rows a label "
                f"that is left out has the first value, {attribute.values[0]!r}: declare {{0,1}}"
            )
    inside = set(labels.columns)
    features = [place for place in range(len(header.attributes)) if place not in inside]
    rows = arff_sparse.read_rows(path.name, header, features, blocks, list(labels.columns))
    names = tuple(header.attributes[place].name for place in labels.columns)
    marks = Marks(names, rows.positives, rows.unknown, fixed=True)
    schema = like or Schema(layout="arff", kind="sparse", names=rows.names, width=len(rows.names))
    return Piece(
        path.name,
        _as_read(SparseColumns(rows.matrix, rows.names), schema, path),
        marks,
        rows.places.astype(np.str_),
        schema,
        "",
        labels.how,
        skipped=rows.skipped,
    )


def _dense(path: Path, header: Header, blocks: Iterator[Lines]) -> Batch:
    """Dense rows as a frame: numbers where the header says numeric, strings elsewhere, null for `?`."""
    whole = together(_parsed(path.name, header, blocks), path.name)
    columns, bad = [], {}
    for attribute in header.attributes:
        column = whole.frame[attribute.name]
        if attribute.is_numeric:
            column, failed = _as_numbers(column)
            for row in failed:
                cell = short(whole.frame[attribute.name][row])
                bad[row] = f"attribute '{attribute.name}' is numeric, the cell is {cell}"
        else:
            column = _as_strings(column)
        columns.append(column)
    import polars as pl

    batch = replace(whole, frame=pl.DataFrame(columns))
    if not bad:
        return batch
    kept = np.array([row for row in range(batch.frame.height) if row not in bad], np.int64)
    skipped = [*batch.skipped, *(BadRow(batch.where(row), bad[row]) for row in sorted(bad))]
    if not len(kept):
        raise InputError(f"{path.name}: none of the {len(bad):,} rows can be used; the first: {skipped[0]}")
    return Batch(batch.frame[kept], batch.places[kept], batch.name, skipped, batch.warnings)


def _parsed(name: str, header: Header, blocks: Iterator[Lines]) -> Iterator[Batch]:
    dialect = None
    for lines in blocks:
        if dialect is None:
            delimiter = "\t" if b"," not in lines.data and b"\t" in lines.data else ","
            quote = '"' if b'"' in lines.data and b"'" not in lines.data else "'"
            names = tuple(header.names)
            dialect = delimited.Dialect(delimiter, quote, False, names, escape="\\", spaced=True)
        yield delimited.parse(lines, dialect, name)


def _as_numbers(column: "pl.Series") -> "tuple[pl.Series, list[int]]":
    import polars as pl

    cells = column.str.strip_chars()
    cells = cells.set(cells == "?", None)
    values = cells.cast(pl.Float64, strict=False)
    failed = np.flatnonzero((values.is_null() & cells.is_not_null()).to_numpy()).tolist()
    whole = cells.cast(pl.Int64, strict=False)
    return (whole if whole.null_count() == cells.null_count() else values), failed


def _as_strings(column: "pl.Series") -> "pl.Series":
    cells = column.str.strip_chars()
    cells = cells.set(cells == "?", None).str.strip_chars("'")
    return cells.str.replace_all(r"\\(.)", "$1") if cells.str.contains("\\", literal=True).any() else cells


def _hierarchical(
    column: "pl.Series", attribute: Attribute
) -> tuple[Marks, dict[str, tuple[str, ...]], float]:
    """Classes such as `01/01@14/04`, with all their ancestors; a row with an unknown class is a bad one."""
    names = list(dict.fromkeys(ancestor for value in attribute.values for ancestor in _ancestors(value)))
    place = {name: number for number, name in enumerate(names)}
    above = [[place[ancestor] for ancestor in _ancestors(name)] for name in names]
    rows: list[int] = []
    codes: list[int] = []
    bad: dict[int, str] = {}
    blank: list[int] = []
    written = 0
    for row, cell in enumerate(column.to_list()):
        if cell is None:
            blank.append(row)
            continue
        found = [name for name in cell.split("@") if name]
        strange = next((name for name in found if name not in place), None)
        if strange is not None:
            bad[row] = f"class {short(strange)} is not declared in attribute '{attribute.name}'"
            continue
        written += len(found)
        closed = {code for name in found for code in above[place[name]]}
        rows += [row] * len(closed)
        codes += closed
    marks = of_lists(names, np.asarray(rows, np.int64), np.asarray(codes, np.int64), len(column), fixed=True)
    marks.bad, marks.blank_rows = bad, np.asarray(blank, np.int64)
    parents: dict[str, Any] = {name: (name.rpartition("/")[0],) for name in names if "/" in name}
    return marks, parents, written / max(1, len(column) - len(bad))


def _ancestors(name: str) -> list[str]:
    """01/02/03 -> 01, 01/02, 01/02/03."""
    steps = name.split("/")
    return ["/".join(steps[: depth + 1]) for depth in range(len(steps))]
