"""Rows that repeat: equal inputs, inputs with contradictory labels, and what parts of the data share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhot.data.images import Images
from manyhot.data.inputs import Inputs, SparseColumns, Texts
from manyhot.data.keys import Keys, input_keys, label_keys
from manyhot.data.table import Table


@dataclass(frozen=True)
class Repeats:
    """Rows whose inputs are equal, numbers to float32.

    Attributes:
        rows: rows that repeat an earlier one.
        contradictory: rows whose equals have other labels.
        across: valid or test rows that equal a training row; 0 where the data names no parts.
        empty: rows without text, or of unreadable images; they are not compared.
    """

    rows: int
    contradictory: int
    across: int
    empty: int


@dataclass(frozen=True)
class Leaks:
    """Groups of which rows lie in more than one part."""

    groups: int
    rows: int
    examples: tuple[str, ...]


def repeats(table: Table) -> Repeats:
    """Compare all rows by their inputs; images by the bytes of their files. Without inputs none is equal."""
    if isinstance(table.inputs, SparseColumns) and not table.inputs.names:
        return Repeats(0, 0, 0, 0)
    keys = input_keys(table.inputs)
    rows = np.flatnonzero(~_without_input(table.inputs, keys))
    _, equal, sizes = np.unique(keys[rows], return_inverse=True, return_counts=True)
    _, labels = np.unique(label_keys(table)[rows], return_inverse=True)
    variants = np.unique(np.column_stack([equal, labels]), axis=0)[:, 0]
    contradictory = np.bincount(variants, minlength=len(sizes)) > 1
    across = 0
    if table.part is not None:
        train = table.part[rows] == "train"
        across = int(np.isin(equal[~train], equal[train]).sum())
    return Repeats(
        rows=int((sizes - 1).sum()),
        contradictory=int(sizes[contradictory].sum()),
        across=across,
        empty=len(table) - len(rows),
    )


def group_leaks(table: Table) -> Leaks:
    """Groups that the parts of the data separate; none where the data names no groups or no parts."""
    if table.group is None or table.part is None:
        return Leaks(0, 0, ())
    names, group = np.unique(table.group, return_inverse=True)
    _, part = np.unique(table.part, return_inverse=True)
    parts = np.bincount(np.unique(np.column_stack([group, part]), axis=0)[:, 0], minlength=len(names))
    leaking = np.flatnonzero(parts > 1)
    return Leaks(
        len(leaking), int(np.isin(group, leaking).sum()), tuple(str(names[one]) for one in leaking[:3])
    )


def _without_input(inputs: Inputs, keys: Keys) -> NDArray[np.bool_]:
    """Rows of no text, and of unreadable images."""
    if isinstance(inputs, Texts):
        return np.array([not value for value in inputs.values], np.bool_)
    return keys == 0 if isinstance(inputs, Images) else np.zeros(len(inputs), np.bool_)
