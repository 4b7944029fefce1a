"""From the batches of a CSV, JSONL or Parquet file to inputs and labels, by the roles of the columns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manyhot.data import delimited, jsonlines, parquet
from manyhot.data.files import Encoding, bare_name, existing, lines_of
from manyhot.data.frames import Batch, fixed, listed, together
from manyhot.data.images import Archive, Folder, Images
from manyhot.data.index import count
from manyhot.data.inputs import Inputs, in_words
from manyhot.data.label_columns import Wishes
from manyhot.data.marks import read_marks
from manyhot.data.named_inputs import named_inputs
from manyhot.data.piece import Piece
from manyhot.data.roles import Roles, assign, assign_like, part_of
from manyhot.data.table import BadRow, Layout, Schema
from manyhot.errors import InputError, OptionError

if TYPE_CHECKING:
    import polars as pl

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "photos", "pictures", "jpg", "data")


def batches(
    path: Path | None,
    layout: Layout,
    encoding: Encoding,
    *,
    delimiter: str | None = None,
    rows: int | None = None,
) -> Iterator[Batch]:
    """The batches of a file; standard input (JSONL) when `path` is None. CSV cells are strings."""
    if path is None or layout == "jsonl":
        return jsonlines.batches(path, encoding)
    if layout == "parquet":
        return parquet.batches(path, rows)
    return delimited.batches(path, dialect_of(path, delimiter), encoding)


def dialect_of(path: Path, delimiter: str | None = None) -> delimited.Dialect:
    """How the cells of a CSV or TSV file are kept apart."""
    first = next(lines_of(path, Encoding(), 1 << 20), None)
    if first is None:
        raise InputError(f"{path.name} is empty: check that it was written, or name another file")
    return delimited.sniff(first.data, path.name, bare_name(path)[1], delimiter=delimiter)


def read_piece(
    path: Path,
    layout: Layout,
    wishes: Wishes,
    images: str | Path | None,
    like: Roles | Schema | None,
) -> tuple[Piece, Roles]:
    """A whole file.

    Args:
        path: of the file.
        layout: "delimited", "jsonl" or "parquet".
        wishes: what the caller said about columns.
        images: folder or zip that holds the images named in a column; looked for beside the file by default.
        like: the roles found in another part of the same data, to be used again; or the schema of data that
            a model was made of.

    Raises:
        InputError: no row, no label column, no images.
        OptionError: images for a table that names none.
    """
    encoding = Encoding()
    whole = together(batches(path, layout, encoding), path.name)
    if isinstance(like, Roles):
        roles = _of_part(like, whole)
    elif like is not None:
        roles = assign_like(whole.frame, like, wishes, layout, path)
    else:
        roles = assign(whole.frame, wishes, layout, path, images is not None)
    if images is not None and roles.schema.kind != "image":
        raise OptionError(
            f"{path.name} is read as {in_words(roles.schema.kind)}, not as images: leave images= out"
        )
    if like is None and layout == "delimited":
        dialect = dialect_of(path)
        if not dialect.header:
            roles.warnings.append(
                f"{path.name}: no header line; the columns are called {listed(dialect.names, 3)}"
            )
    piece = piece_of(whole, roles, path, images)
    piece.parents, told = _parents_beside(path, piece.marks.names)
    piece.warnings += [warning for warning in [encoding.warning(path.name), told] if warning]
    return piece, like if isinstance(like, Roles) else roles


def _of_part(roles: Roles, batch: Batch) -> Roles:
    """The roles of a file that is one part: it need not say of each row which part or group it is in."""
    import msgspec

    there = {name: getattr(roles.schema, name) for name in ("split", "group")}
    absent = {name: None for name, column in there.items() if column not in batch.frame.columns}
    return replace(roles, schema=msgspec.structs.replace(roles.schema, **absent))


def _parents_beside(path: Path, names: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], str | None]:
    """Parents of the labels from a `hierarchy.csv` (columns child, parent) beside it, and that in words."""
    import polars as pl

    file = path.parent / "hierarchy.csv"
    if not file.is_file() or file == path:
        return {}, None
    unused = f"{file.name} beside the data is not used"
    try:
        frame = pl.read_csv(file, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        return {}, f"{unused}: it cannot be read as CSV ({str(error).splitlines()[0]})"
    if not {"child", "parent"} <= set(frame.columns):
        return {}, f"{unused}: it has {listed(frame.columns, 3)}, wanted child and parent"
    labels, parents = set(names), {}
    for child, parent in frame.select("child", "parent").iter_rows():
        if child in labels and parent in labels:
            parents.setdefault(child, []).append(parent)
    if not parents:
        return {}, f"{unused}: no label of the data has a parent in it"
    return {
        child: tuple(above) for child, above in parents.items()
    }, f"the parents of labels are those of {file.name}"


def piece_of(batch: Batch, roles: Roles, path: Path | None, images: str | Path | None) -> Piece:
    """One batch as inputs and labels."""
    schema = roles.schema
    columns = schema.labels.columns if schema.labels else ()
    missing = [
        name for name in (*columns, schema.split, schema.group) if name and name not in batch.frame.columns
    ]
    if missing:
        raise InputError(
            f"{batch.name} lacks {listed(missing)}, which the rest of the data has; it has "
            f"{listed(batch.frame.columns)}"
        )
    assert schema.labels is not None
    marks = read_marks(batch, schema.labels)
    rows = inputs_of(batch, schema, path, images)
    inputs, ids = rows.inputs, rows.ids
    how = ""
    if schema.kind in ("text", "mixed"):
        how = f"text in {' + '.join(repr(name) for name in schema.text)}"
        if schema.features:
            columns = count(len(schema.features), "column", "columns")
            how += f" and {columns} ({listed(dict(schema.features), 5)})"
    elif schema.kind == "image":
        how = f"images named in '{schema.image}' ({_source_name(inputs)})"
    piece = Piece(
        batch.name,
        inputs,
        marks,
        ids,
        schema,
        how,
        roles.labels_how,
        part=part_of(batch.frame[schema.split], f"{batch.name}, column '{schema.split}'")
        if schema.split
        else None,
        group=_values(batch.frame[schema.group]) if schema.group else None,
        unused=list(roles.unused),
        skipped=list(rows.skipped),
        warnings=[*rows.notes, *roles.warnings],
    )
    bad = rows.bad | {row: BadRow(batch.where(row), why) for row, why in marks.bad.items()}
    return piece.without(bad)


class RowsRead(NamedTuple):
    """Inputs, an id for each row, and what to tell of them.

    bad: the rows that cannot be used, by their number. skipped: rows of the file that are not among them all.
    """

    inputs: Inputs
    ids: NDArray[np.str_]
    bad: dict[int, BadRow]
    skipped: list[BadRow]
    notes: list[str]


def inputs_of(batch: Batch, schema: Schema, path: Path | None, images: str | Path | None = None) -> RowsRead:
    """Inputs of a batch, an id for each row, and which rows cannot be used.

    Raises:
        InputError: columns that the schema names are missing, by name.
    """
    frame = batch.frame
    if schema.kind == "image":
        assert schema.image is not None
        return _images_read(batch, schema.image, path, images)
    inputs, faults, notes = named_inputs(frame, schema, batch.name)
    if schema.id is not None and schema.id in frame.columns:
        ids = np.asarray(frame[schema.id].cast(str).fill_null("").to_list(), np.str_)
    else:
        ids = batch.places.astype(np.str_)
    bad = {row: BadRow(batch.where(row), why) for row, why in faults.items()}
    return RowsRead(inputs, ids, bad, batch.skipped, [*batch.warnings, *notes])


def _images_read(batch: Batch, column: str, path: Path | None, images: str | Path | None) -> RowsRead:
    cells, lists = fixed(batch.frame, {column: "category"}, batch.name)
    names = cells[column].fill_null("").str.strip_chars().to_list()
    inputs = images_of(names, path, images)
    bad = {row: BadRow(names[row], why) for row, why in inputs.faults().items()}
    blank = {row: "the image cell is blank" for row, name in enumerate(names) if not name}
    bad |= {row: BadRow(batch.where(row), why) for row, why in (blank | lists).items()}
    return RowsRead(inputs, np.asarray(names, np.str_), bad, batch.skipped, batch.warnings)


def images_of(names: list[str], path: Path | None, images: str | Path | None) -> Images:
    """The images that a table names, found in `images` or beside the table.

    Raises:
        InputError: they are in none of the places looked at.
    """
    names = [name.replace("\\", "/") for name in names]
    folder = Path.cwd() if path is None else path.parent
    places = [existing(images)] if images is not None else _places(folder, path)
    sample = names[:: max(1, len(names) // 100)][:100]
    best: tuple[int, Path, str] | None = None
    for place in places:
        members = frozenset() if place.is_dir() else frozenset(Archive(place).names())
        for prefix in _prefixes(members, sample):
            held = [
                (place / name).is_file() if place.is_dir() else prefix + name in members for name in sample
            ]
            if sum(held) > (best[0] if best else 0):
                best = (sum(held), place, prefix)
        if best and best[0] == len(sample):
            break
    if best is None:
        looked = ", ".join(place.name + ("/" if place.is_dir() else "") for place in places)
        raise InputError(
            f"{path.name if path else 'standard input'}: the images it names (the first: {names[0]!r}) are "
            "not in "
            f"{looked}: say images= with their folder or zip"
        )
    _, place, prefix = best
    located = [prefix + name for name in names] if prefix else names
    return Images.of_folder(place, located) if place.is_dir() else Images.of_zip(place, located)


def _places(folder: Path, path: Path | None) -> list[Path]:
    stem = bare_name(path)[0] if path else ""
    folders = [
        folder,
        *(folder / name for name in (*IMAGE_FOLDERS, stem) if name and (folder / name).is_dir()),
    ]
    zips = sorted(folder.glob("*.zip"), key=lambda file: (file.stem not in ("images", stem), file.name))
    return [*folders, *zips]


def _prefixes(members: frozenset[str], sample: list[str]) -> list[str]:
    """Folders inside a zip under which the named files lie: usually none."""
    found = [member[: -len(sample[0])] for member in members if sample and member.endswith("/" + sample[0])]
    return ["", *sorted(found)[:3]]


def _source_name(inputs: Inputs) -> str:
    source = inputs.sources[0] if isinstance(inputs, Images) else None
    if isinstance(source, Archive):
        return source.path.name
    return f"folder {source.root.name}" if isinstance(source, Folder) else "memory"


def _values(column: "pl.Series") -> NDArray[Any]:
    """A group column: integers as they are, everything else as strings."""
    if column.dtype.is_integer() and not column.null_count():
        return column.to_numpy()
    return np.asarray(column.cast(str).fill_null("").to_list(), np.str_)
