"""What each column of a table is for: labels, text, image, features, split, group, row id."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhot.data.frames import listed, short, typed
from manyhot.data.images import SUFFIXES
from manyhot.data.marks import NO, YES, sniff_form
from manyhot.data.table import LabelColumns, Layout, Schema
from manyhot.errors import InputError
from manyhot.labels import LabelSpace

if TYPE_CHECKING:
    import polars as pl

LABEL_NAMES = (
    "labels",
    "label",
    "tags",
    "tag",
    "genres",
    "genre",
    "categories",
    "topics",
    "classes",
    "targets",
)
LABEL_NAMES_IF_NO_OTHER = ("category", "topic", "class", "target", "keywords", "subjects", "codes")
LABEL_PREFIXES = ("label_", "label:", "label.", "labels_", "labels.", "tag_", "target_", "y_")
TEXT_NAMES = ("text", "document", "body", "content", "sentence", "comment", "comment_text", "message",
              "tweet", "review", "question", "abstract", "description", "summary", "title")  # fmt: skip
SPLIT_NAMES = ("split", "part", "subset", "partition", "set", "fold")
GROUP_NAMES = ("group", "groups", "group_id")
ID_NAMES = (
    "id",
    "row_id",
    "rowid",
    "index",
    "idx",
    "uid",
    "uuid",
    "guid",
    "_id",
    "doc_id",
    "docid",
    "key",
    "",
)
PART_WORDS = {
    "train": "train", "training": "train", "trn": "train", "tr": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "vld": "valid",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Wishes:
    """What the caller said about the columns; None where it is to be sniffed."""

    labels: str | Sequence[str] | None = None
    text: str | Sequence[str] | None = None
    image: str | None = None
    features: str | Sequence[str] | None = None
    separator: str | None = None
    unknown: str | None = None
    split: str | None = None
    group: str | None = None
    space: LabelSpace | None = None


@dataclass
class Roles:
    """The schema of a table, and what to tell about how it was found."""

    schema: Schema
    labels_how: str
    unused: list[str]
    warnings: list[str] = field(default_factory=list)


def assign(
    frame: "pl.DataFrame", wishes: Wishes, layout: Layout, path: Path, images_given: bool = False
) -> Roles:
    """A role for every column.

    Args:
        frame: the rows, or the first many of them; CSV cells still strings.
        wishes: what the caller said.
        layout: of the file, for the schema.
        path: of the file: `meta.json` beside it may name the label columns.
        images_given: the caller named a folder or zip of images, so one column must name them.

    Raises:
        InputError: a column that was asked for is absent, no label column is found, nothing is left as input.
    """
    free = list(frame.columns)
    warnings: list[str] = []
    split = _take(free, _one(frame, wishes.split, "split", path) or _sniff_split(frame, free))
    group = _take(free, _one(frame, wishes.group, "group", path) or _sniff_group(frame, free))
    if wishes.split and split:
        part_of(frame[split], f"{path.name}, column '{split}'")
    image = _take(free, _one(frame, wishes.image, "image", path))
    text = tuple(_several(frame, wishes.text, "text", path))
    features = _several(frame, wishes.features, "features", path)
    for name in (*text, *features):
        _take(free, name)
    labels, how = _labels(frame, free, wishes, path, has_input=bool(text or image))
    for name in labels.columns:
        _take(free, name)
    identity = _take(free, _sniff_id(frame, free))
    if not (image or text or features):
        image = _take(free, _sniff_image(frame, free, path, images_given))
    if not (image or text or features):
        text = tuple(filter(None, [_take(free, _sniff_text(frame, free))]))
    if image:
        schema = Schema(layout=layout, kind="image", image=image, id=identity)
    elif text:
        schema = Schema(layout=layout, kind="text", text=text, id=identity)
    else:
        found, identity = _features(frame, free, features, identity, layout, path, warnings)
        free = [name for name in free if name not in dict(found) and name != identity]
        schema = Schema(layout=layout, kind="columns", features=found, id=identity)
    schema = _with(schema, labels=labels, split=split, group=group)
    return Roles(schema, how, free, warnings)


def part_of(column: "pl.Series", where: str) -> Any:
    """A split column as "train", "valid", "test".

    Raises:
        InputError: another word, or none, with its place.
    """
    import numpy as np

    words = column.cast(str).str.strip_chars().str.to_lowercase()
    known = words.replace_strict(list(PART_WORDS), list(PART_WORDS.values()), default=None)
    if known.null_count():
        row = int(known.is_null().arg_true()[0])
        raise InputError(
            f"{where} holds {short(column[row])} in row {row + 1}; wanted train, valid or test (or dev, "
            "val, ...) in every row"
        )
    return np.asarray(known.to_list(), dtype=np.str_)


def label_names_in(path: Path) -> list[str]:
    """Label names in a file: JSON (a list, or an object with `label_names` or `labels`), or one name a line.

    Raises:
        InputError: the file holds no names.
    """
    if path.suffix.lower() == ".json":
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{path.name} is not JSON ({error}): mend it, or give the names one a line in a .txt"
            ) from error
        names = record.get("label_names", record.get("labels")) if isinstance(record, dict) else record
    elif path.suffix.lower() in (".yaml", ".yml"):
        names = list(LabelSpace.read(path).names)
    else:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path.name} holds no label names; wanted a list of strings, or one name a line")
    return names


def _labels(
    frame: "pl.DataFrame", free: list[str], wishes: Wishes, path: Path, has_input: bool
) -> tuple[LabelColumns, str]:
    if wishes.labels is not None:
        return _wished_labels(frame, wishes, path)
    if wishes.space is not None and sum(name in free for name in wishes.space.names) > len(wishes.space) / 2:
        names = [name for name in wishes.space.names if name in free]
        return _one_column_each(names, wishes), "one column each, named by the label space"
    meta = path.parent / "meta.json"
    if meta.is_file():
        names = _names_of_meta(meta)
        if names and all(name in free for name in names):
            return _one_column_each(names, wishes), "one column each, named in meta.json"
    for candidates in (LABEL_NAMES, LABEL_NAMES_IF_NO_OTHER):
        name = _first(free, candidates)
        if name is not None and not _binary(frame[name]) and not _all_lists_elsewhere(frame, free, name):
            return _in_one(frame, name, wishes)
    prefixed = [name for name in free if name.lower().startswith(LABEL_PREFIXES) and _binary(frame[name])]
    if len(prefixed) > 1:
        return _one_column_each(prefixed, wishes), f"one column each, {_span(prefixed)}"
    lists = [name for name in free if _is_list(frame, name)]
    if len(lists) == 1:
        return _in_one(frame, lists[0], wishes)
    return _binary_columns(frame, free, wishes, path, has_input)


def _binary_columns(
    frame: "pl.DataFrame", free: list[str], wishes: Wishes, path: Path, has_input: bool
) -> tuple[LabelColumns, str]:
    binary = [name for name in free if _binary(frame[name])]
    others = [name for name in free if name not in binary and name.lower() not in ID_NAMES]
    has_input = has_input or bool(_sniff_text(frame, others) or _sniff_image(frame, others, path, False))
    if (
        not has_input
    ):  # binary columns may be features too: only those after the last other column can be labels
        last = max((free.index(name) for name in others), default=-1)
        binary = [name for name in free[last + 1 :] if name in binary]
    ways = "say labels='column' for one column of label sets, or labels=[...] for one 0/1 column a label"
    if not binary or (len(binary) == 1 and not has_input):
        raise InputError(f"{path.name}: no label column found among {listed(frame.columns)}: {ways}")
    if not others and not has_input:
        raise InputError(
            f"{path.name}: all {len(binary):,} columns hold only 0 and 1, so labels and features look "
            f"alike: {ways}"
        )
    how = f"one 0/1 column each, {_span(binary)} (a guess: labels=[...] says it)"
    return _one_column_each(binary, wishes), how


def _wished_labels(frame: "pl.DataFrame", wishes: Wishes, path: Path) -> tuple[LabelColumns, str]:
    wish = wishes.labels
    if isinstance(wish, str) and wish not in frame.columns and Path(wish).suffix and Path(wish).is_file():
        names = label_names_in(Path(wish))
        _several(frame, names, "labels", path)
        return _one_column_each(names, wishes), f"one column each, named in {Path(wish).name}"
    names = _several(frame, wish, "labels", path)
    if len(names) == 1 and not _binary(frame[names[0]]):
        return _in_one(frame, names[0], wishes)
    return _one_column_each(names, wishes), f"one column each, {_span(names)}"


def _one_column_each(names: Sequence[str], wishes: Wishes) -> LabelColumns:
    return LabelColumns(form="columns", columns=tuple(names), unknown=wishes.unknown)


def _in_one(frame: "pl.DataFrame", name: str, wishes: Wishes) -> tuple[LabelColumns, str]:
    labels = sniff_form(frame[name], wishes.separator, wishes.unknown)
    if labels.form == "list":
        return labels, f"in '{name}' (lists)"
    if labels.form == "json":
        return labels, f"in '{name}' (JSON lists)"
    if not labels.separator:
        return labels, f"in '{name}' (one label a row)"
    return (
        labels,
        f"in '{name}' (separated by {'space' if labels.separator == ' ' else repr(labels.separator)})",
    )


def _features(
    frame: "pl.DataFrame",
    free: list[str],
    wished: list[str],
    identity: str | None,
    layout: Layout,
    path: Path,
    warnings: list[str],
) -> tuple[tuple[tuple[str, Any], ...], str | None]:
    import polars as pl

    names = wished or [name for name in free if _usable(frame[name].dtype)]
    table = typed(frame.select(names)) if layout == "delimited" else frame.select(names)
    found: list[tuple[str, str]] = []
    for name in names:
        column = table[name]
        number = column.dtype.is_numeric() or column.dtype == pl.Boolean
        if not number and not wished and len(column) > 20 and column.n_unique() == len(column):
            warnings.append(f"'{name}' differs in every row: taken as the name of the row, not as a feature")
            identity = identity or name
            continue
        found.append((name, "number" if number else "category"))
    if not found:
        raise InputError(
            f"{path.name}: nothing is left to learn from beside the labels; the columns are "
            f"{listed(frame.columns)}: "
            "say text=, image= or features="
        )
    return tuple(found), identity


def _sniff_split(frame: "pl.DataFrame", free: list[str]) -> str | None:
    import polars as pl

    name = _first(free, SPLIT_NAMES)
    if name is None or frame[name].dtype != pl.String or not frame.height:
        return None
    words = frame[name].str.strip_chars().str.to_lowercase()
    return name if words.is_in(list(PART_WORDS)).fill_null(False).mean() > 0.9 else None  # type: ignore[operator]


def _sniff_group(frame: "pl.DataFrame", free: list[str]) -> str | None:
    name = _first(free, GROUP_NAMES)
    return None if name is None or _binary(frame[name]) or _is_list(frame, name) else name


def _sniff_id(frame: "pl.DataFrame", free: list[str]) -> str | None:
    name = _first(free, ID_NAMES)
    return None if name is None or _is_list(frame, name) or frame[name].n_unique() < frame.height else name


def _sniff_image(frame: "pl.DataFrame", free: list[str], path: Path, images_given: bool) -> str | None:
    for name in free:
        if not _is_string(frame, name):
            continue
        cells = frame[name].head(200).drop_nulls().to_list()
        if cells and sum(Path(cell.strip()).suffix.lower() in SUFFIXES for cell in cells) >= 0.9 * len(cells):
            return name
    if images_given:
        raise InputError(
            f"{path.name}: no column names image files among {listed(frame.columns)}: say image='column'"
        )
    return None


def _sniff_text(frame: "pl.DataFrame", free: list[str]) -> str | None:
    strings = [name for name in free if _is_string(frame, name)]
    named = [name for word in TEXT_NAMES for name in strings if name.lower() == word]
    best = max(strings, key=lambda name: _mean_length(frame[name]), default=None)
    if named and (named[0].lower() != "title" or named[0] == best):
        return named[0]
    return best if best is not None and _like_text(frame[best]) else None


def _like_text(column: "pl.Series") -> bool:
    cells = column.head(1000).drop_nulls().to_list()
    if not cells or len(set(cells)) < 0.5 * len(cells):
        return False
    return sum(len(cell.split()) for cell in cells) / len(cells) >= 3 and _mean_length(column) >= 15


def _mean_length(column: "pl.Series") -> float:
    return float(column.head(1000).str.len_chars().mean() or 0)  # type: ignore[arg-type]


def _binary(column: "pl.Series") -> bool:
    """Whether all cells are 0 or 1 (or yes / no, true / false) or missing, and some are there."""
    import polars as pl

    if column.dtype == pl.Boolean:
        return True
    if column.dtype.is_numeric():
        cells = column.drop_nulls()
        cells = cells.drop_nans() if column.dtype.is_float() else cells
        return bool(len(cells)) and bool(((cells == 0) | (cells == 1)).all())
    if column.dtype != pl.String:
        return False
    allowed = [*YES, *NO]
    if (first := column.head(1).drop_nulls().str.strip_chars().str.to_lowercase()).len() and first[0] not in [
        *allowed,
        "",
    ]:
        return False
    cells = column.drop_nulls().str.strip_chars().str.to_lowercase()
    cells = cells.filter(~cells.is_in(["", "nan", "na", "null"]))
    return bool(len(cells)) and bool(cells.is_in(allowed).all())


def _all_lists_elsewhere(frame: "pl.DataFrame", free: list[str], name: str) -> bool:
    """Whether a column has the name of labels by chance: it holds fractions, and another column lists."""
    return frame[name].dtype.is_float() and any(_is_list(frame, other) for other in free)


def _names_of_meta(meta: Path) -> list[str]:
    try:
        record = json.loads(meta.read_text(encoding="utf-8"))
    except ValueError:  # somebody else's meta.json: it only ever was a hint
        return []
    names = record.get("label_names") if isinstance(record, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _several(frame: "pl.DataFrame", wish: "str | Sequence[str] | None", role: str, path: Path) -> list[str]:
    return [] if wish is None else columns_named(frame.columns, wish, role, path)


def columns_named(columns: Sequence[str], wish: "str | Sequence[str]", role: str, path: Path) -> list[str]:
    """Column names of a wish: a name, a list, a pattern with * or ?, or names joined by commas.

    Raises:
        InputError: a column is not there, or named twice.
    """
    if isinstance(wish, str):
        if wish in columns:
            return [wish]
        if "*" in wish or "?" in wish:
            found = [name for name in columns if fnmatchcase(name, wish)]
            if not found:
                raise InputError(f"{path.name}: {role}={wish!r} matches no column among {listed(columns)}")
            return found
        wish = [name.strip() for name in wish.split(",")] if "," in wish else [wish]
    names, there = list(wish), set(columns)
    missing = [name for name in names if name not in there]
    if missing:
        near = get_close_matches(str(missing[0]), columns, n=2)
        hint = f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "check the spelling"
        raise InputError(
            f"{path.name} has no column {listed(missing)} (asked for as {role}); it has {listed(columns)}: "
            f"{hint}"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{role} names {listed(twice)} more than once")
    return names


def _one(frame: "pl.DataFrame", wish: str | None, role: str, path: Path) -> str | None:
    return _several(frame, [wish], role, path)[0] if wish is not None else None


def _first(free: list[str], names: Sequence[str]) -> str | None:
    return next((column for name in names for column in free if column.lower() == name), None)


def _take(free: list[str], name: str | None) -> str | None:
    if name in free:
        free.remove(name)
    return name


def _span(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return listed(names)
    return f"'{names[0]}' … '{names[-1]}'"


def _is_string(frame: "pl.DataFrame", name: str) -> bool:
    import polars as pl

    return frame[name].dtype == pl.String


def _is_list(frame: "pl.DataFrame", name: str) -> bool:
    import polars as pl

    return frame[name].dtype in (pl.List, pl.Array)


def _usable(dtype: Any) -> bool:
    import polars as pl

    return dtype.is_numeric() or dtype in (pl.Boolean, pl.String, pl.Null)


def _with(schema: Schema, **changes: Any) -> Schema:
    from msgspec.structs import replace

    return replace(schema, **changes)
