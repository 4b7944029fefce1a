"""Which rows train, which tune the cuts, which judge: parts that the data names are kept, others are made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhot.data import Table, stratify
from manyhot.data.table import PARTS
from manyhot.errors import InputError, OptionError

FRACTIONS = (0.8, 0.1, 0.1)
"""Share of the rows that train, validate and test when the data does not say."""


LEAST_ROWS = 5
"""Training rows that a fit can do with: held-out scores take as many folds."""


@dataclass(frozen=True)
class Parts:
    """Row numbers of a table by part, each ascending, no row in two.

    Attributes:
        train, valid, test: (rows of the part,) int64.
        how: where the parts come from, in words.
        impossible: labels that cannot be in every part, too few rows having them.
    """

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]
    how: str
    impossible: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of rows by part."""
        return {name: len(getattr(self, name)) for name in PARTS}

    @property
    def sentence(self) -> str:
        """One line: sizes, and where the parts come from."""
        sizes = " | ".join(f"{name} {size:,}" for name, size in self.sizes.items() if size)
        return f"{sizes} ({self.how})"

    def names(self, rows: int) -> NDArray[np.str_]:
        """Part of each row of the table, "" where a row is in none."""
        named = np.full(rows, "", dtype="<U5")
        for name in PARTS:
            named[getattr(self, name)] = name
        return named

    def digest(self, row_ids: NDArray[np.str_]) -> str:
        """SHA-256 of which row is in which part."""
        total = hashlib.sha256()
        for row_id, part in zip(row_ids, self.names(len(row_ids)), strict=True):
            total.update(f"{row_id}\x1f{part}\x1e".encode("utf-8", "surrogatepass"))
        return total.hexdigest()


def parts_of(
    table: Table, fractions: Sequence[float] = FRACTIONS, seed: int = 0, *, cut_valid: bool = True
) -> Parts:
    """The parts of a table: as its split column or files say, the missing ones cut from the training rows.

    Rows are parted so that each label has its share in each part, groups stay whole, and the same seed gives
    the same parts.

    Args:
        table: the data.
        fractions: share of train, valid and test; where the data names some parts, a missing one takes its
            share of the training rows.
        seed: of ties.
        cut_valid: cut validation rows where the data names other parts only; else they stay with the training
            rows. Of data that names no part they are always cut.

    Raises:
        InputError: no training rows, or too few rows to part.
        OptionError: see `shares_of`.
    """
    shares = shares_of(fractions)
    given = {name: table.where(name) for name in PARTS}
    missing = [name for name in PARTS if not len(given[name])]
    if len(missing) == len(PARTS):
        given["train"], cut_valid = np.arange(len(table)), True
    elif "train" in missing:
        raise InputError(
            f"the data has rows to {' and '.join(sorted(set(PARTS) - set(missing)))} but none to train"
        )
    wanted = [name for name in missing if name == "test" or (name == "valid" and cut_valid)]
    if not wanted:
        return Parts(**given, how="as given")
    if "valid" in missing and not cut_valid:
        shares = np.array([shares[0] + shares[1], 0.0, shares[2]])
    rows, impossible = _parted(table, given["train"], wanted, shares, seed)
    how = f"stratified, seed {seed}"
    if "train" not in missing:
        how = f"{' and '.join(wanted)} taken from train, {how}"
    return Parts(**(given | rows), how=how, impossible=impossible)


def require_rows(parts: Parts) -> None:
    """Raise `InputError` where there are fewer training rows than any fit can do with."""
    if len(parts.train) < LEAST_ROWS:
        raise InputError(
            f"rows to train: {len(parts.train)}, wanted {LEAST_ROWS} at least: {parts.sentence}; give more"
        )


def shares_of(fractions: Sequence[float]) -> NDArray[np.float64]:
    """Shares of train, valid and test rows, together 1.

    Raises:
        OptionError: these are not three positive numbers.
    """
    if len(fractions) != 3 or min(fractions) <= 0:
        raise OptionError(
            f"fractions must be three positive shares, train, valid and test, got {tuple(fractions)}"
        )
    return np.asarray(fractions, np.float64) / sum(fractions)


def _parted(
    table: Table, rows: NDArray[np.int64], wanted: list[str], shares: NDArray[np.float64], seed: int
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Some of these rows moved to the wanted parts, the rest left to train."""
    names = ["train", *wanted]
    own = shares[[PARTS.index(name) for name in names]]
    groups = None if table.group is None else table.group[rows]
    split = stratify(
        table.targets.rows(rows),
        tuple(own / own.sum()),
        groups=groups,
        names=names,
        space=table.space,
        seed=seed,
    )
    parted = {name: rows[split.rows(name)] for name in names}
    empty = [name for name, chosen in parted.items() if not len(chosen)]
    if empty:
        what = "rows" if groups is None else f"rows in {len(np.unique(groups))} groups"
        raise InputError(
            f"{len(rows)} {what} are too few to part into {', '.join(names)}: {empty[0]} would be empty; "
            "give more rows, or files of your own with --valid and --test"
        )
    return parted, split.impossible
