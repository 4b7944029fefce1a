"""Whatever `fit` is given, made a `Table`: a path, an embedded data set, a table, or values in memory."""

from pathlib import Path
from typing import Any

import numpy as np

from manyhot.bundle import inputs_of
from manyhot.bundle.rows import frame_of
from manyhot.data import Schema, Table, read
from manyhot.data.frames import listed
from manyhot.data.reading import read_frame
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, Targets, as_targets


def open_data(
    data: Any, labels: Any = None, *, space: Any = None, like: Schema | None = None, **options: Any
) -> Table:
    """The table that `data` means.

    Args:
        data: a path; the name of an embedded data set when no such file is there; a `Table`; or rows in
            memory, any form of `inputs_of`.
        labels: with a path or a DataFrame, the label column or columns. With rows in memory, their labels: a
            list of names for each row, a DataFrame with one 0/1 column a label, or any form of `as_targets`.
        space: the label space, or the path of its file; None discovers the labels.
        like: the schema of data that a model was made of, whose inputs are wanted.
        options: of `manyhot.read`, with a path, or a DataFrame whose columns are its labels.

    Raises:
        InputError: no such file, or rows and labels that do not fit together.
        OptionError: an option that does not belong to this form of data.
    """
    if isinstance(data, Table):
        _refuse("a Table has its labels and its label space already", labels=labels, space=space, **options)
        return data
    if isinstance(data, (str, Path)):
        if is_embedded(data):
            from manyhot.datasets import load

            _refuse(f"the embedded data set {data} has its own labels", labels=labels, space=space, **options)
            return load(str(data))
        return read(data, labels=labels, space=space, like=like, **options)
    names = _label_columns(data, labels)
    if names:
        return read_frame(frame_of(data), labels=names, space=space, like=like, **options)
    _refuse("rows in memory take no options of files", **options)
    space = LabelSpace.read(space) if isinstance(space, (str, Path)) else space
    return _in_memory(data, labels, space, like)


def is_embedded(data: Any) -> bool:
    """Whether `data` names a data set that manyhot makes or fetches, and no file of that name is there."""
    if not isinstance(data, str) or Path(data).exists():
        return False
    from manyhot.datasets import DATASETS

    return data in DATASETS or data.startswith("openml:")


def require_learnable(table: Table) -> None:
    """Raise `InputError` where no row has a label, or there is nothing to learn from."""
    if table.inputs.kind == "sparse" and not table.inputs.names:
        raise InputError(
            "there are no features, only labels: of the extreme-classification repository lay the features "
            "(*_X_Xf.txt) beside the labels (*_X_Y.txt)"
        )
    if not table.targets.label_counts().any():
        raise InputError(
            f"none of the {len(table):,} rows has a label: name the column that holds them with labels=..."
        )


def _refuse(why: str, **options: Any) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise OptionError(f"{why}: leave out {', '.join(given)}")


def _label_columns(data: Any, labels: Any) -> list[str]:
    """The columns of a DataFrame that are named as its labels; none where the labels are something else."""
    if not hasattr(data, "columns") or callable(data.columns):
        return []
    names = [labels] if isinstance(labels, str) else labels
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return []
    absent = [name for name in names if name not in data.columns]
    if absent and len(names) == len(data):  # a label for each row, which is told below
        return []
    if absent:
        raise InputError(f"no label column {absent[0]!r}; the DataFrame has {listed(list(data.columns))}")
    return list(names)


def _in_memory(data: Any, labels: Any, space: LabelSpace | None, like: Schema | None) -> Table:
    if labels is None:
        raise InputError(
            "rows in memory need their labels: fit(rows, labels) with one list of names for each row"
        )
    inputs = inputs_of(data, None if like is None else like.kind, like)
    targets, space = _targets_of(labels, space)
    if len(inputs) != len(targets):
        raise InputError(
            f"expected labels for each row, got {len(inputs):,} rows and {len(targets):,} sets of labels"
        )
    sentence = f"{len(inputs):,} rows in memory, {len(space):,} labels"
    return Table.of(inputs, targets, space, sentence=sentence)


def _targets_of(labels: Any, space: LabelSpace | None) -> tuple[Targets, LabelSpace]:
    if hasattr(labels, "columns") and not callable(labels.columns):  # a DataFrame
        space = space or LabelSpace(tuple(str(name) for name in labels.columns))
        return space.from_columns(labels), space
    labels = labels.to_list() if hasattr(labels, "to_list") else labels  # a Series
    if _are_names(labels):
        space = space or LabelSpace.of(labels)
        return space.encode(labels), space
    targets = as_targets(labels, space=space)
    return targets, space or LabelSpace(tuple(str(column) for column in range(targets.width)))


def _are_names(labels: Any) -> bool:
    """Whether the rows hold names; rows that are all empty, or bare strings, go the same way."""
    if not isinstance(labels, (list, tuple)) and not (
        isinstance(labels, np.ndarray) and labels.dtype == object
    ):
        return False
    first = next((row for row in labels if isinstance(row, str) or len(row)), None)
    return first is None or isinstance(first, str) or isinstance(next(iter(first)), str)
