"""What each column of a table is for: labels, text, image, features, split, group, row id."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhot.data.frames import is_blank, listed, short, single, typed
from manyhot.data.images import SUFFIXES
from manyhot.data.label_columns import (
    ID_NAMES,
    Wishes,
    find_labels,
    first_of,
    in_one,
    is_binary,
    is_list,
    minus_one_columns,
    span,
    wished_columns,
)
from manyhot.data.table import TABULAR, LabelColumns, Layout, Schema
from manyhot.errors import InputError, OptionError

if TYPE_CHECKING:
    import polars as pl

TEXT_NAMES = ("text", "document", "body", "content", "sentence", "comment", "comment_text", "message",
              "tweet", "review", "question", "abstract", "description", "summary", "title")  # fmt: skip
SPLIT_NAMES = ("split", "part", "subset", "partition", "set", "fold")
NO_SPLIT = ""
"""As the name of the split column: the caller said that there is none, whatever the columns are called."""

GROUP_NAMES = ("group", "groups", "group_id")
PART_WORDS = {
    "train": "train", "training": "train", "trn": "train", "tr": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "vld": "valid",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_ROLE_WORDS = {
    "labels": "a label", "text": "an input (text)", "features": "an input", "image": "an input (image)",
    "group": "the group", "split": "the split column",
}  # fmt: skip


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
        InputError: a column that was asked for is absent or has a role already, no label column is found,
            nothing is left as input.
    """
    frame = _with_texts_as_strings(frame, wishes)
    free = list(frame.columns)
    warnings: list[str] = []
    split = _take(free, _split(frame, free, wishes, path))
    group = _take(free, _one(frame, wishes.group, "group", path) or _sniff_group(frame, free))
    if wishes.split and split:
        part_of(frame[split], f"{path.name}, column '{split}'")
    image = _take(free, _one(frame, wishes.image, "image", path))
    text = tuple(wished_columns(frame, wishes.text, "text", path))
    features = wished_columns(frame, wishes.features, "features", path)
    for name in (*text, *features):
        _take(free, name)

    def any_input(names: list[str]) -> bool:
        return bool(_sniff_text(frame, names) or _sniff_image(frame, names, path, False))

    labels, how = find_labels(frame, free, wishes, path, bool(text or image), any_input)
    _refuse_separator(labels, how, wishes, path)
    _refuse_two_roles(
        path, labels=labels.columns, text=text, features=features, image=image, group=group, split=split
    )
    for name in labels.columns:
        _take(free, name)
    if labels.form == "columns" and wishes.labels is None and wishes.unknown is None:
        warnings += _doubts(minus_one_columns(frame, free))
    identity = _take(free, _sniff_id(frame, free))
    if not (image or text or features):
        image = _take(free, _sniff_image(frame, free, path, images_given))
    if not (image or text or features):
        text = _sniff_texts(frame, free)
        for name in text:
            _take(free, name)
        features = _beside_text(frame, free, layout) if text else []
    if image:  # its file names a row
        free = [name for name in frame.columns if name in (*free, identity)]
        schema = Schema(layout=layout, kind="image", image=image)
    elif text and not features:
        schema = Schema(layout=layout, kind="text", text=text, id=identity)
    elif text:
        free = [name for name in free if name not in features]
        found, _ = _features(frame, free, features, identity, layout, path, warnings)
        schema = Schema(layout=layout, kind="mixed", text=text, features=found, id=identity)
    else:
        found, identity = _features(frame, free, features, identity, layout, path, warnings)
        free = [name for name in free if name not in dict(found) and name != identity]
        schema = Schema(layout=layout, kind="columns", features=found, id=identity)
    schema = _with(schema, labels=labels, split=NO_SPLIT if wishes.split == NO_SPLIT else split, group=group)
    return Roles(schema, how, free, warnings)


def assign_like(frame: "pl.DataFrame", schema: Schema, wishes: Wishes, layout: Layout, path: Path) -> Roles:
    """The roles of a schema, for a file of new rows with labels; what the caller says goes first.

    The inputs are those of the schema, since a model reads them. Labels are where they were, or are looked
    for anew where the file has no such column.

    Args:
        frame: the rows, or the first many of them.
        schema: how the rows were understood that a model was made of.
        wishes: what the caller said.
        layout: of the file.
        path: of the file.

    Raises:
        InputError: a column that was asked for is absent or has a role already, or no label column is found.
    """
    text = tuple(wished_columns(frame, wishes.text, "text", path)) or schema.text
    image = _one(frame, wishes.image, "image", path) or schema.image
    inputs = {*text, image, schema.id, *dict(schema.features)}
    free = [name for name in frame.columns if name not in inputs]
    if schema.layout not in TABULAR and not inputs & set(frame.columns):  # names that no table gave it
        text = tuple(filter(None, [_sniff_text(frame, free)])) or text if text else ()
        image = _sniff_image(frame, free, path, False) or image if image else None
        free = [name for name in free if name not in (*text, image)]
    if wishes.split is None and schema.split == NO_SPLIT:
        wishes = replace(wishes, split=NO_SPLIT)
    split = _split(frame, free, wishes, path)
    labels, how = _labels_like(frame, [name for name in free if name != split], schema, wishes, path)
    _refuse_separator(labels, how, wishes, path)
    _refuse_two_roles(
        path, labels=labels.columns, text=text, features=dict(schema.features), image=image, split=split
    )
    used = {*labels.columns, split}
    split = NO_SPLIT if wishes.split == NO_SPLIT else split
    schema = _with(schema, layout=layout, text=text, image=image, labels=labels, split=split, group=None)
    return Roles(schema, how, [name for name in free if name not in used])


def _labels_like(
    frame: "pl.DataFrame", free: list[str], schema: Schema, wishes: Wishes, path: Path
) -> tuple[LabelColumns, str]:
    known = schema.labels
    if wishes.labels is not None or known is None or not set(known.columns) & set(frame.columns):
        return find_labels(frame, free, wishes, path, True, lambda _: True)
    unknown = known.unknown if wishes.unknown is None else wishes.unknown
    if known.form == "columns":
        names = wished_columns(frame, known.columns, "labels", path)
        return _with(known, unknown=unknown), f"(one column each, {span(names)})"
    separator = known.separator if known.form == "delimited" else None
    separator = separator if wishes.separator is None else wishes.separator
    return in_one(frame, known.columns[0], replace(wishes, separator=separator, unknown=unknown))


def _refuse_separator(labels: LabelColumns, how: str, wishes: Wishes, path: Path) -> None:
    if wishes.separator is not None and labels.form != "delimited":
        raise OptionError(
            f"{path.name}: separator= parts the labels of one column of strings, and they are read {how}: "
            "leave it out, or say labels='column'"
        )


def _doubts(coded: list[str]) -> list[str]:
    """What to tell of columns of -1, 0 and 1 that were taken for inputs."""
    return [
        f"'{name}' looks like a label with unknown cells, and is read as an input: say unknown='-1' if -1 "
        "stands for not annotated, or labels=[...]"
        for name in coded[:3]
    ]


def _refuse_two_roles(path: Path, **roles: "Iterable[str] | str | None") -> None:
    """Raise `InputError` where a column has two roles: a model that reads a label learns nothing else."""
    taken: dict[str, str] = {}
    for role, names in roles.items():
        for name in [names] if isinstance(names, str) else names or ():
            if name in taken:
                end = ", or say split='' if it does not say which rows train" if role == "split" else ""
                raise InputError(
                    f"{path.name}: column '{name}' is both {_ROLE_WORDS[taken[name]]} and "
                    f"{_ROLE_WORDS[role]}: leave it out of {taken[name]}= or of {role}={end}"
                )
            taken[name] = role


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
            f"{where} says which rows train, and holds {_cell(column[row])} in row {row + 1} (and "
            f"{known.null_count() - 1:,} more like it); wanted train, valid or test (or dev, val, ...) in "
            "every row: mend the cells, or say split='' if it is no such column"
        )
    return np.asarray(known.to_list(), dtype=np.str_)


def _cell(value: Any) -> str:
    return "nothing" if value is None or not str(value).strip() else short(value)


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
        if is_blank(column):
            warnings.append(f"'{name}' holds no value in any row: it is left out")
            continue
        number = column.dtype.is_numeric() or column.dtype == pl.Boolean
        named = not number and not wished and len(column) > 20 and column.head(21).n_unique() == 21
        if named and column.n_unique() == len(column):
            warnings.append(f"'{name}' differs in every row: taken as the name of the row, not as a feature")
            identity = identity or name
            continue
        found.append((name, "number" if number else "category"))
    if not found:
        raise InputError(
            f"{path.name}: nothing is left to learn from beside the labels; the columns are "
            f"{listed(frame.columns)}: say text=, image= or features="
        )
    return tuple(found), identity


def _beside_text(frame: "pl.DataFrame", free: list[str], layout: Layout) -> list[str]:
    """Columns that may help a text that was found: numbers and categories, no names of rows, no texts."""
    names = [name for name in free if _usable(frame[name].dtype)]
    table = typed(frame.select(names)) if layout == "delimited" else frame.select(names)
    return [column.name for column in table.iter_columns() if _may_help(column)]


def _may_help(column: "pl.Series") -> bool:
    import polars as pl

    distinct, rows = column.n_unique(), len(column)
    if distinct < 2 or (distinct == rows and not column.dtype.is_float()):
        return False
    return column.dtype != pl.String or (distinct <= max(50, rows // 2) and not _like_text(column))


def _split(frame: "pl.DataFrame", free: list[str], wishes: Wishes, path: Path) -> str | None:
    """The column that parts the rows, as wished or found; a wish of "" is for none."""
    if wishes.split is None:
        return _sniff_split(frame, free)
    return _one(frame, wishes.split, "split", path) if wishes.split else None


def _sniff_split(frame: "pl.DataFrame", free: list[str]) -> str | None:
    """A column that parts the rows: it names two parts at least, or a part in most of its cells.

    What its other cells hold is for `part_of` to refuse: an input it cannot be.
    """
    import polars as pl

    name = first_of(free, SPLIT_NAMES)
    if name is None or frame[name].dtype != pl.String or not frame.height:
        return None
    words = frame[name].drop_nulls().str.strip_chars().str.to_lowercase()
    words = words.filter(words != "")
    known = words.filter(words.is_in(list(PART_WORDS)))
    parts = {PART_WORDS[word] for word in known.unique()}
    return name if len(parts) > 1 or len(known) > len(words) / 2 else None


def _sniff_group(frame: "pl.DataFrame", free: list[str]) -> str | None:
    name = first_of(free, GROUP_NAMES)
    return None if name is None or is_binary(frame[name]) or is_list(frame, name) else name


def _sniff_id(frame: "pl.DataFrame", free: list[str]) -> str | None:
    name = first_of(free, ID_NAMES)
    return None if name is None or is_list(frame, name) or frame[name].n_unique() < frame.height else name


def _sniff_image(frame: "pl.DataFrame", free: list[str], path: Path, images_given: bool) -> str | None:
    for name in free:
        if not _is_string(frame, name):
            continue
        cells = frame[name].head(200).drop_nulls().to_list()
        images = sum(cell.strip().lower().endswith(tuple(SUFFIXES)) for cell in cells)
        if cells and images >= 0.9 * len(cells):
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


def _sniff_texts(frame: "pl.DataFrame", free: list[str]) -> tuple[str, ...]:
    """The text column, and those beside it whose name and cells say that they are texts too.

    The name has to say it as well: another long column may be the same text once more, or tell the labels.
    """
    found = _sniff_text(frame, free)
    if found is None:
        return ()
    texts = [name for name in free if name.lower() in TEXT_NAMES and _is_string(frame, name)]
    return tuple(name for name in free if name == found or (name in texts and _like_text(frame[name])))


def _with_texts_as_strings(frame: "pl.DataFrame", wishes: Wishes) -> "pl.DataFrame":
    """A text, by its name, that is a list of texts in a few rows is a text: these rows are bad ones."""
    labels = [wishes.labels] if isinstance(wishes.labels, str) else wishes.labels or ()
    lists = [name for name in frame.columns if is_list(frame, name)]
    named = [name for name in lists if name.lower() in TEXT_NAMES and name not in labels]
    texts = [single(frame[name]) for name in named]
    alone = wishes.labels is None and len(lists) == 1  # they may be the labels, and do not look like texts
    return frame.with_columns(
        column
        for column, several in texts
        if len(several) < frame.height / 10 and not (alone and not _like_text(column))
    )


def _like_text(column: "pl.Series") -> bool:
    cells = column.head(1000).drop_nulls().to_list()
    if not cells or len(set(cells)) < 0.5 * len(cells):
        return False
    return sum(len(cell.split()) for cell in cells) / len(cells) >= 3 and _mean_length(column) >= 15


def text_columns(frame: "pl.DataFrame") -> tuple[str, ...]:
    """Columns of a frame in memory that hold texts: strings of several words that seldom repeat."""
    return tuple(name for name in frame.columns if _is_string(frame, name) and _like_text(frame[name]))


def _mean_length(column: "pl.Series") -> float:
    # polars types a mean as that of any column, dates among them
    return float(column.head(1000).str.len_chars().mean() or 0)  # type: ignore[arg-type]


def _one(frame: "pl.DataFrame", wish: str | None, role: str, path: Path) -> str | None:
    return wished_columns(frame, [wish], role, path)[0] if wish is not None else None


def _take(free: list[str], name: str | None) -> str | None:
    if name in free:
        free.remove(name)
    return name


def _is_string(frame: "pl.DataFrame", name: str) -> bool:
    import polars as pl

    return frame[name].dtype == pl.String


def _usable(dtype: Any) -> bool:
    import polars as pl

    return dtype.is_numeric() or dtype in (pl.Boolean, pl.String, pl.Null)


def _with(record: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(record, **changes)
