"""Which columns of a table are its labels: as the caller said, by `meta.json`, by name, or by their cells."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from manyhot.data.frames import listed
from manyhot.data.marks import NO, YES, sniff_form
from manyhot.data.table import LabelColumns
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
AnyInput: TypeAlias = Callable[[list[str]], bool]


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

    def __post_init__(self) -> None:
        for name in ("labels", "text", "features"):  # any iterable of names, and it is read more than once
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                object.__setattr__(self, name, tuple(map(str, value)))


def find_labels(
    frame: "pl.DataFrame", free: list[str], wishes: Wishes, path: Path, has_input: bool, any_input: AnyInput
) -> tuple[LabelColumns, str]:
    """The label columns, and how that is known, for the sentence.

    Args:
        frame: the rows, or the first many of them.
        free: columns that have no other role yet.
        wishes: what the caller said.
        path: of the file; `meta.json` beside it may name the columns.
        has_input: text or image columns were named, so a 0/1 column need not be an input.
        any_input: whether some of these columns look like text or image names.

    Raises:
        InputError: no label column is found.
    """
    if wishes.labels is not None:
        return _wished_labels(frame, wishes, path)
    if wishes.space is not None and sum(name in free for name in wishes.space.names) > len(wishes.space) / 2:
        names = [name for name in wishes.space.names if name in free]
        return _one_column_each(names, wishes), "(one column each, named by the label space)"
    meta = path.parent / "meta.json"
    if meta.is_file():
        names = _names_of_meta(meta)
        if names and all(name in free for name in names):
            return _one_column_each(names, wishes), "(one column each, named in meta.json)"
    for candidates in (LABEL_NAMES, LABEL_NAMES_IF_NO_OTHER):
        name = first_of(free, candidates)
        if (
            name is not None
            and not is_binary(frame[name], wishes.unknown)
            and not _all_lists_elsewhere(frame, free, name)
        ):
            return in_one(frame, name, wishes)
    prefixed = [
        name
        for name in free
        if name.lower().startswith(LABEL_PREFIXES) and is_binary(frame[name], wishes.unknown)
    ]
    if len(prefixed) > 1:
        return _one_column_each(prefixed, wishes), f"(one column each, {span(prefixed)})"
    lists = [name for name in free if is_list(frame, name)]
    if len(lists) == 1:
        return in_one(frame, lists[0], wishes)
    return _binary_columns(frame, free, wishes, path, has_input, any_input)


def _binary_columns(
    frame: "pl.DataFrame", free: list[str], wishes: Wishes, path: Path, has_input: bool, any_input: AnyInput
) -> tuple[LabelColumns, str]:
    binary = [name for name in free if is_binary(frame[name], wishes.unknown)]
    others = [name for name in free if name not in binary and name.lower() not in ID_NAMES]
    has_input = has_input or any_input(others)
    if (
        not has_input
    ):  # binary columns may be features too: only those after the last other column can be labels
        last = max((free.index(name) for name in others), default=-1)
        binary = [name for name in free[last + 1 :] if name in binary]
    ways = "say labels='column' for one column of label sets, or labels=[...] for one 0/1 column a label"
    coded = minus_one_columns(frame, free)
    if coded and wishes.unknown is None:
        ways += f"; where -1 in {listed(coded, 3)} stands for not annotated, say unknown='-1' too"
    if not binary or (len(binary) == 1 and not has_input):
        raise InputError(f"{path.name}: no label column found among {listed(frame.columns)}: {ways}")
    if not others and not has_input:
        raise InputError(
            f"{path.name}: all {len(binary):,} columns hold only 0 and 1, so labels and features look "
            f"alike: {ways}"
        )
    how = f"(one 0/1 column each, {span(binary)}: a guess, labels=[...] says it)"
    return _one_column_each(binary, wishes), how


def _wished_labels(frame: "pl.DataFrame", wishes: Wishes, path: Path) -> tuple[LabelColumns, str]:
    wish = wishes.labels
    if isinstance(wish, str) and wish not in frame.columns and Path(wish).suffix and Path(wish).is_file():
        names = label_names_in(Path(wish))
        wished_columns(frame, names, "labels", path)
        return _one_column_each(names, wishes), f"(one column each, named in {Path(wish).name})"
    names = wished_columns(frame, wish, "labels", path)
    if len(names) == 1 and not is_binary(frame[names[0]], wishes.unknown):
        return in_one(frame, names[0], wishes)
    return _one_column_each(names, wishes), f"(one column each, {span(names)})"


def _one_column_each(names: Sequence[str], wishes: Wishes) -> LabelColumns:
    return LabelColumns(form="columns", columns=tuple(names), unknown=wishes.unknown)


def in_one(frame: "pl.DataFrame", name: str, wishes: Wishes) -> tuple[LabelColumns, str]:
    """How labels stand in one column, and that in words."""
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


def wished_columns(
    frame: "pl.DataFrame", wish: "str | Sequence[str] | None", role: str, path: Path
) -> list[str]:
    """`columns_named` of a frame; none for no wish."""
    return [] if wish is None else columns_named(frame.columns, wish, role, path)


def first_of(free: list[str], names: Sequence[str]) -> str | None:
    """The first of some names that a column has, whatever its case."""
    return next((column for name in names for column in free if column.lower() == name), None)


def is_binary(column: "pl.Series", unknown: str | None = None) -> bool:
    """Whether all cells are 0 or 1 (or yes / no, true / false), missing or the code, and some are there."""
    import polars as pl

    if column.dtype == pl.Boolean:
        return True
    if column.dtype.is_numeric():
        cells = column.drop_nulls()
        cells = cells.drop_nans() if column.dtype.is_float() else cells
        cells = cells.filter(cells != _number(unknown))
        return bool(len(cells)) and bool(((cells == 0) | (cells == 1)).all())
    if column.dtype != pl.String:
        return False
    code = [] if unknown is None else [unknown.strip().lower()]
    allowed = [*YES, *NO, *code]
    if (first := column.head(1).drop_nulls().str.strip_chars().str.to_lowercase()).len() and first[0] not in [
        *allowed,
        "",
    ]:
        return False
    cells = column.drop_nulls().str.strip_chars().str.to_lowercase()
    cells = cells.filter(~cells.is_in(["", "nan", "na", "null", *code]))
    return bool(len(cells)) and bool(cells.is_in(allowed).all())


def minus_one_columns(frame: "pl.DataFrame", names: Sequence[str]) -> list[str]:
    """Columns that would hold labels if -1 stood for not annotated: of -1, 0 and 1."""
    return [name for name in names if is_binary(frame[name], "-1") and not is_binary(frame[name])]


def _number(code: str | None) -> float:
    """The number that a code is; NaN, which no cell equals, where it is none."""
    try:
        return float("nan" if code is None else code)
    except ValueError:
        return float("nan")


def is_list(frame: "pl.DataFrame", name: str) -> bool:
    """Whether a column holds lists."""
    import polars as pl

    return frame[name].dtype in (pl.List, pl.Array)


def _all_lists_elsewhere(frame: "pl.DataFrame", free: list[str], name: str) -> bool:
    """Whether a column has the name of labels by chance: it holds fractions, and another column lists."""
    return frame[name].dtype.is_float() and any(is_list(frame, other) for other in free)


def _names_of_meta(meta: Path) -> list[str]:
    try:
        record = json.loads(meta.read_text(encoding="utf-8"))
    except ValueError:  # somebody else's meta.json: it only ever was a hint
        return []
    names = record.get("label_names") if isinstance(record, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def span(names: Sequence[str]) -> str:
    """Column names for the sentence: all of a few, else the first and the last."""
    if len(names) <= 3:
        return listed(names)
    return f"'{names[0]}' … '{names[-1]}'"
