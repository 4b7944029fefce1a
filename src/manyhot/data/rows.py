"""New rows for prediction, read the way a schema says, without labels: at once, or in batches."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from inspect import currentframe
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from manyhot._check import at_least
from manyhot.data import arff, fasttext, tabular, trees, xmc
from manyhot.data.even_batches import even
from manyhot.data.files import Encoding, bare_name, existing, head_of, layout_of, lines_of, shown
from manyhot.data.frames import together
from manyhot.data.images import SUFFIXES, Images
from manyhot.data.index import count
from manyhot.data.inputs import Inputs, Texts, in_words
from manyhot.data.libsvm import columns_of
from manyhot.data.reading import parts_of
from manyhot.data.sparse_text import read_rows
from manyhot.data.table import TABULAR, BadRow, Layout, Schema
from manyhot.data.tabular import RowsRead
from manyhot.errors import InputError, ManyhotWarning

Ids = NDArray[np.str_]


def read_inputs(
    path: str | Path | Sequence[str | Path], schema: Schema, *, images: str | Path | None = None
) -> tuple[Inputs, Ids]:
    """New rows and a name for each.

    Reads every layout that `read` does and, when the model reads images, single image files, folders and zips
    of images; when it reads text, plain text files with one text a line. Columns are found by their names.
    Rows that cannot be used are left out, and a `ManyhotWarning` names them.

    Args:
        path: a file, a folder, "-" for JSON lines on standard input, or several of these.
        schema: how the training data was understood.
        images: folder or zip with the images that a table names; by default looked for beside it.

    Raises:
        InputError: a path is missing, a column that the model reads is missing, or no row can be used. Of
            several image files, one that cannot be read is left out instead.
    """
    paths = [path] if isinstance(path, (str, Path)) else list(path)
    if not paths:
        raise InputError("no input named: name a file, a folder, or - for JSON lines on standard input")
    found = list(_each(paths, schema, images))
    inputs: Any = found[0][0]
    if len(found) > 1:
        inputs = inputs.joined([each[0] for each in found[1:]])
        if schema.kind != "image":  # the name of an image is enough to tell it by
            ids = [
                np.char.add(f"{Path(name).name}:", each[1]) for name, each in zip(paths, found, strict=True)
            ]
            return inputs, np.concatenate(ids)
    return inputs, np.concatenate([each[1] for each in found])


def stream_inputs(
    path: str | Path, schema: Schema, batch_rows: int = 50_000, *, images: str | Path | None = None
) -> Iterator[tuple[Inputs, Ids]]:
    """`read_inputs` of one path, as batches of `batch_rows` rows (the last one shorter).

    CSV, JSONL and Parquet files and standard input are read in bounded memory; other layouts are one batch.
    A batch none of whose rows can be used is left out.

    Raises:
        InputError: as `read_inputs`; a column that is missing is noticed when its batch is read.
    """
    at_least("batch_rows", batch_rows, 1)
    layout = _layout_of_table(path, schema)
    if layout is None:
        yield read_inputs(path, schema, images=images)
        return
    file, encoding, used = None if str(path) == "-" else Path(path), Encoding(), False
    first: list[BadRow] = []
    told: set[str] = set()
    for batch in even(tabular.batches(file, layout, encoding, rows=batch_rows), batch_rows, layout):
        rows = tabular.inputs_of(batch, schema, file, images)
        inputs, ids, bad = _usable(rows._replace(notes=[note for note in rows.notes if note not in told]))
        told.update(rows.notes)
        first = first or bad
        if len(inputs):
            used = True
            yield inputs, ids
    _tell([], [encoding.warning(_name(file))])
    if not used:
        raise _none_usable(_name(file), first)


def _layout_of_table(path: str | Path, schema: Schema) -> Layout | None:
    """The layout of a file that can be read in batches; None of any other path."""
    if str(path) == "-":
        return "jsonl"
    if not Path(path).is_file():
        return None
    layout, warning = layout_of(Path(path), head_of(Path(path)))
    if layout not in TABULAR or _is_lines(Path(path), layout, schema):
        return None
    if warning:
        _warn(warning)
    return cast("Layout", layout)


def _each(
    paths: Sequence[str | Path], schema: Schema, images: str | Path | None
) -> Iterator[tuple[Inputs, Ids]]:
    """The rows of each path; for a model of images one of several that is none is left out and told."""
    bad: list[BadRow] = []
    for path in paths:
        try:
            yield _one(path, schema, images)
        except InputError as error:
            if schema.kind != "image" or len(paths) == 1 or not Path(path).exists():
                raise
            bad.append(BadRow(str(path), str(error).removeprefix(Path(path).name).removeprefix(":").strip()))
    if len(bad) == len(paths):
        raise InputError(f"none of the {len(bad)} images can be read:{_all(bad)}")
    _tell(bad, [])


def _one(path: str | Path, schema: Schema, images: str | Path | None) -> tuple[Inputs, Ids]:
    if str(path) == "-":
        return _from_table(None, "jsonl", schema, images)
    path = existing(path)
    if path.is_dir():
        if schema.kind == "image":
            return _from_tree(path)
        files, _ = parts_of(path)
        if len(files) != 1 or files[0][0] == path:
            raise InputError(
                f"{path.name} is a folder with {len(files)} data files: name one file to predict"
            )
        path = files[0][0]
    layout, warning = layout_of(path, head_of(path))
    if warning:
        _warn(warning)
    if schema.kind == "image":
        if layout == "image":
            return _single_image(path)
        if layout == "zip":
            return _from_tree(path)
    if layout in TABULAR:
        if _is_lines(path, layout, schema):
            return _from_lines(path, schema)
        return _from_table(path, layout, schema, images)
    if schema.kind == "text" and layout in ("text", "fasttext", "xmc", "libsvm"):
        return _from_lines(path, schema)
    if schema.kind in ("columns", "sparse", "text") and layout == "arff":
        return _some_usable(arff.read_inputs(path, schema), path.name)
    if schema.kind == "sparse" and layout in ("libsvm", "xmc"):
        return _from_sparse_text(path, layout, schema)
    raise InputError(
        f"{path.name} holds {layout}, the model reads {in_words(schema.kind)}: name a file of that kind"
    )


def _is_lines(path: Path, layout: Any, schema: Schema) -> bool:
    """Whether a file that looks like a table holds one text a line."""
    return schema.kind == "text" and bare_name(path)[1] == ".txt" and layout == "delimited"


def _from_table(
    path: Path | None, layout: Any, schema: Schema, images: str | Path | None
) -> tuple[Inputs, Ids]:
    encoding = Encoding()
    batch = together(tabular.batches(path, layout, encoding), _name(path))
    found = _some_usable(tabular.inputs_of(batch, schema, path, images), _name(path))
    _tell([], [encoding.warning(_name(path))])
    return found


def _some_usable(rows: RowsRead, name: str) -> tuple[Inputs, Ids]:
    inputs, ids, bad = _usable(rows)
    if not len(inputs):
        raise _none_usable(name, bad)
    return inputs, ids


def _usable(rows: RowsRead) -> tuple[Inputs, Ids, list[BadRow]]:
    """The rows that can be used, their ids, and the others, which are told."""
    bad = [*rows.skipped, *(rows.bad[row] for row in sorted(rows.bad))]
    _tell(bad, rows.notes)
    return *_without(rows.inputs, rows.ids, rows.bad), bad


def _name(path: Path | None) -> str:
    return "standard input" if path is None else path.name


def _from_lines(path: Path, schema: Schema) -> tuple[Inputs, Ids]:
    encoding = Encoding()
    texts: list[str] = []
    places: list[int] = []
    for lines in lines_of(path, encoding):
        for place, line in enumerate(lines.data.decode().split("\n"), lines.first):
            if line.strip():
                texts.append(fasttext.split_line(line)[1] if schema.layout == "fasttext" else line.strip())
                places.append(place)
    _tell([], [encoding.warning(path.name)])
    return Texts(texts), np.asarray(places).astype(np.str_)


def _from_sparse_text(path: Path, layout: str, schema: Schema) -> tuple[Inputs, Ids]:
    if layout == "xmc":
        columns, rows = xmc.read_features(path)
    else:
        rows = read_rows(path)
        columns = columns_of(rows, schema)
    _tell(rows.skipped, [])
    if not len(rows):
        raise InputError(f"{path.name} holds no row of index:value pairs")
    return columns.with_names(schema.column_names), rows.places.astype(np.str_)


def _from_tree(path: Path) -> tuple[Inputs, Ids]:
    names = trees.members_of(path)
    images = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not images:
        raise InputError(
            f"{path.name} holds no image ({shown([PurePosixPath(name).name for name in names])})"
        )
    inputs = Images.of_folder(path, images) if path.is_dir() else Images.of_zip(path, images)
    faults = inputs.faults()
    bad = [BadRow(images[row], why) for row, why in faults.items()]
    _tell(bad, [])
    if len(faults) == len(inputs):
        raise _none_usable(path.name, bad)
    return _without(inputs, inputs.names, faults)


def _single_image(path: Path) -> tuple[Inputs, Ids]:
    inputs = Images.of_paths([path.absolute()])
    fault = inputs.fault(0)
    if fault:
        raise InputError(f"{path.name}: {fault}")
    return inputs, np.asarray([str(path)], np.str_)


def _without(inputs: Inputs, ids: Ids, faults: Mapping[int, object]) -> tuple[Inputs, Ids]:
    if not faults:
        return inputs, ids
    kept = np.setdiff1d(np.arange(len(inputs)), list(faults))
    return inputs.take(kept), ids[kept]


def _none_usable(name: str, bad: Sequence[BadRow]) -> InputError:
    return InputError(f"{name}: no row can be used; the first: {bad[0]}")


def _tell(bad: Sequence[BadRow], notes: Sequence[str | None]) -> None:
    if bad:
        _warn(f"{count(len(bad), 'row', 'rows')} left out:{_all(bad)}")
    for note in filter(None, notes):
        _warn(note)


def _all(bad: Sequence[BadRow]) -> str:
    """Every row, since who predicts has to know which rows have no answer; many of them in lines."""
    return " " + "; ".join(map(str, bad)) if len(bad) <= 3 else "".join(f"\n  {row}" for row in bad)


def _warn(text: str) -> None:
    """Warn at the line that called this module, however deep in it we are."""
    level, frame = 1, currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, ManyhotWarning, stacklevel=level)
