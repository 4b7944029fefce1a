"""Rows that repeat: equal inputs, inputs with contradictory labels, and what parts of the data share."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.data.images import UNREADABLE, Images, Pixels
from manyhot.data.inputs import Columns, Inputs, Mixed, SparseColumns, Texts
from manyhot.data.table import Table


@dataclass(frozen=True)
class Repeats:
    """Rows whose inputs are equal to the last bit.

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
    keys = _numbered(_contents(table.inputs))
    rows = np.flatnonzero(keys >= 0)
    _, equal, sizes = np.unique(keys[rows], return_inverse=True, return_counts=True)
    labels = _numbered(_label_sets(table))[rows]
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


def _numbered(contents: Iterable[Any]) -> NDArray[np.int64]:
    """A number for each different content, -1 for None."""
    seen: dict[Any, int] = {}
    return np.array([-1 if one is None else seen.setdefault(one, len(seen)) for one in contents], np.int64)


def _contents(inputs: Inputs) -> Iterable[Any]:
    """Something hashable for each row that is equal where the inputs are; None where there is no input."""
    if isinstance(inputs, Texts):
        return (value or None for value in inputs.values)
    if isinstance(inputs, (Columns, Mixed)):
        return inputs.frame.hash_rows(seed=0).to_list()
    if isinstance(inputs, SparseColumns):
        return _sparse_contents(inputs)
    return (_image_content(inputs, row) for row in range(len(inputs)))


def _sparse_contents(inputs: SparseColumns) -> Iterable[bytes]:
    matrix = inputs.matrix.copy()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    for start, stop in pairwise(matrix.indptr):
        yield matrix.indices[start:stop].tobytes() + matrix.data[start:stop].tobytes()


def _image_content(images: Images, row: int) -> bytes | None:
    source = images.sources[images.which[row]]
    try:
        data = (
            source.array[images.places[row]].tobytes()
            if isinstance(source, Pixels)
            else source.read(images.names[row])
        )
    except (*UNREADABLE, KeyError):
        return None
    return hashlib.blake2b(data, digest_size=16).digest() if data else None


def _label_sets(table: Table) -> Iterable[bytes]:
    matrix = table.targets.positives
    for start, stop in pairwise(matrix.indptr):
        yield matrix.indices[start:stop].tobytes()
