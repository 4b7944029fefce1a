"""Data sets that are made on the user's machine, without a download; and those of openml.org."""

from collections.abc import Callable
from typing import Any

import numpy as np

from manyhot import _check
from manyhot.data.table import Table
from manyhot.datasets.glyphs import glyphs
from manyhot.datasets.imports import imports
from manyhot.datasets.openml import openml
from manyhot.datasets.synthetic import movies16, sparse1000, toy
from manyhot.errors import OptionError

# name -> maker; each makes the same table for the same options
DATASETS: dict[str, Callable[..., Table]] = {
    "glyphs": glyphs,
    "imports": imports,
    "movies16": movies16,
    "sparse1000": sparse1000,
    "toy": toy,
}

__all__ = ["DATASETS", "glyphs", "imports", "load", "movies16", "openml", "sparse1000", "toy"]


def load(name: str, *, limit: int | None = None, seed: int = 0, **options: Any) -> Table:
    """An embedded data set by name, or `openml:<name>`.

    Args:
        name: one of `DATASETS`, or "openml:yeast".
        limit: at most so many rows, drawn at random; groups stay whole (all faces of a character, all
            functions of a module). Labels that lose all their rows stay in the label space.
        seed: of that draw, and of the made-up sets.
        options: of the maker.

    Raises:
        OptionError: an unknown name, a limit that no group fits in, or a seed outside its range.
    """
    _check.seed(seed)
    if name.startswith("openml:"):
        table = openml(name.removeprefix("openml:"), **options)
    else:
        maker = DATASETS[_check.one_of("data set", name, [*DATASETS, "openml:<name>"])]
        table = maker(seed=seed, **options) if maker in (movies16, sparse1000, toy) else maker(**options)
    return table if limit is None else _at_most(table, limit, seed)


def _at_most(table: Table, limit: int, seed: int) -> Table:
    _check.at_least("limit", limit, 1)
    keys = table.row_ids if table.group is None else table.group
    _, group = np.unique(keys, return_inverse=True)
    sizes = np.bincount(group)
    chosen, room = [], limit
    for number in np.random.default_rng(seed).permutation(len(sizes)):
        if sizes[number] <= room:
            chosen.append(number)
            room -= sizes[number]
    if not chosen:
        raise OptionError(
            f"limit must be at least {sizes.min()}, the smallest group of the data set, got {limit}"
        )
    return table.take(np.flatnonzero(np.isin(group, chosen)))
