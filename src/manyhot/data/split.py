"""Stratified splits: every label in its share in every part, groups kept whole, the same for the same seed.

`stratify` makes the parts, `folds` the folds of a cross-validation, and `Split` is the record of what came
out: the part of every row, and how far each label is from its share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.data.index import count
from manyhot.data.stratification import assign
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets, as_targets

PART_NAMES = {2: ("train", "test"), 3: ("train", "valid", "test")}


@dataclass(frozen=True, repr=False)
class Split:
    """Which part every row is in, and what that does to each label. Made by `stratify` or `Split.of`.

    Attributes:
        part: (rows,) int8, the number of each row's part.
        names: of the parts, such as ("train", "valid", "test").
        labels: names of the labels, or their column numbers as text.
        counts: (parts, labels), known positive cells.
        known: (parts, labels), known cells.
        bearers: (labels,), rows, or groups where there are groups, with the label.
    """

    part: NDArray[np.int8]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    known: NDArray[np.int64]
    bearers: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        part: Any,
        targets: Any,
        *,
        names: Sequence[str] | None = None,
        groups: Any = None,
        space: LabelSpace | None = None,
    ) -> "Split":
        """The record of any split, also one that came with the data.

        Args:
            part: (rows,) numbers of parts from 0, or names of parts.
            targets: of the same rows, in any form of `as_targets`.
            names: of the parts, in order; needed where `part` holds names, by default train, valid, test.
            groups: (rows,) of values; rows of one group count as one when labels are counted.
            space: gives the labels their names.

        Raises:
            InputError: a row is in no part that has a name.
            ShapeError: rows or labels do not agree.
        """
        targets = as_targets(targets, space=space)
        numbers, names = _numbered(np.asarray(part), names)
        if len(numbers) != len(targets):
            raise ShapeError(f"expected a part for each of {len(targets)} rows, got {len(numbers)}")
        inside = [targets.rows(numbers == number) for number in range(len(names))]
        labels = tuple(map(str, range(targets.width))) if space is None else space.names
        unit, _ = _units(groups, len(targets))
        return cls(
            part=numbers,
            names=names,
            labels=labels,
            counts=np.array([rows.label_counts() for rows in inside]),
            known=np.array([rows.known_counts() for rows in inside]),
            bearers=_bearers(targets, unit),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {rows:,}" for name, rows in self.sizes.items())
        worst = np.abs(self.deviation).max(initial=0)
        labels = count(len(self.labels), "label", "labels")
        return f"Split({sizes}; {labels}, at most {worst:.1f} positives off the share)"

    @property
    def sizes(self) -> dict[str, int]:
        """Rows in every part, by name."""
        counted = np.bincount(self.part, minlength=len(self.names))
        return dict(zip(self.names, counted.tolist(), strict=True))

    def rows(self, name: str) -> NDArray[np.intp]:
        """Ascending row numbers of a part."""
        _check.one_of("part", name, self.names)
        return np.flatnonzero(self.part == self.names.index(name))

    def by_name(self) -> NDArray[np.str_]:
        """(rows,), the name of each row's part."""
        return np.array(self.names)[self.part]

    @property
    def expected(self) -> NDArray[np.float64]:
        """(parts, labels), the positives that each part would have of each label if shares were equal."""
        return self.known * (self.counts.sum(0) / np.maximum(self.known.sum(0), 1))

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(parts, labels), positives more (or, below 0, fewer) than expected; within 1 is at its best."""
        return self.counts - self.expected

    @property
    def impossible(self) -> tuple[str, ...]:
        """Labels that cannot be in every part: fewer rows (or groups) have them than there are parts."""
        return self._named(self.bearers < len(self.names))

    @property
    def absent(self) -> dict[str, tuple[str, ...]]:
        """Part -> labels that are not in it although they could be; only parts that lack one."""
        could = self.bearers >= len(self.names)
        lacking = {
            name: self._named(could & (counts == 0))
            for name, counts in zip(self.names, self.counts, strict=True)
        }
        return {name: labels for name, labels in lacking.items() if labels}

    def table(self) -> list[dict[str, Any]]:
        """One record a label, the furthest from its share first: label, positives, a count a part, deviation.

        `deviation` is the largest distance from the expected positives over the parts, in cells.
        """
        worst = np.abs(self.deviation).max(axis=0, initial=0)
        return [
            {
                "label": self.labels[column],
                "positives": int(self.counts[:, column].sum()),
                **dict(zip(self.names, self.counts[:, column].tolist(), strict=True)),
                "deviation": round(float(worst[column]), 3),
            }
            for column in np.argsort(-worst, kind="stable")
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able summary without the rows: sizes, the table, the labels that a part must or does lack."""
        return {
            "sizes": self.sizes,
            "labels": self.table(),
            "impossible": list(self.impossible),
            "absent": {name: list(labels) for name, labels in self.absent.items()},
        }

    def _named(self, mask: NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(self.labels[column] for column in np.flatnonzero(mask))


def stratify(
    targets: Any,
    fractions: Sequence[float] | Mapping[str, float] = (0.8, 0.1, 0.1),
    *,
    groups: Any = None,
    order: int = 2,
    cover: bool = True,
    held_out: Any = None,
    names: Sequence[str] | None = None,
    space: LabelSpace | None = None,
    seed: int = 0,
) -> Split:
    """Split rows into parts in which every label, and every pair of labels, has its share.

    Parts have the wished sizes to the row; with groups, to within the largest group. Unknown cells count as
    nothing, and where a label has unknown cells these are spread evenly too.

    Args:
        targets: in any form of `as_targets`.
        fractions: share of rows of each part, in (0, 1), together 1; a mapping names the parts too, as in
            {"train": 0.8, "test": 0.2}.
        groups: (rows,) of values such as patient or image; rows of one group stay together. A missing group
            (None or NaN) is an error.
        order: 1 keeps the shares of labels, 2 also those of pairs of labels that occur together.
        cover: a label with as many rows (groups) as there are parts, or more, comes into every part where
            that is possible, even if it is so rare that its share of a small part is less than half a row.
        held_out: (rows,) mask of rows (with their groups) that go to the last part, as `holding` gives.
        names: of the parts; "train", "valid", "test" and "train", "test" by default.
        space: gives the labels their names in the record.
        seed: of the order in which rows are looked at and ties are broken.

    Raises:
        OptionError: fractions that are not shares of 1, or name the parts beside names; an order that is not
            1 or 2; a seed outside its range.
        InputError: fewer rows (or groups) than parts, a missing group.
        ShapeError: groups or held_out of another length.

    Source:
        Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", 2011 (order 1);
        Szymanski, Kajdanowicz, "A network perspective on stratification of multi-label data", 2017 (order 2).
        Unlike both, sizes are exact, and `cover` goes before shares.
    """
    targets = as_targets(targets, space=space)
    if isinstance(fractions, Mapping):
        if names is not None:
            raise OptionError(f"the mapping of fractions names the parts already: leave out names={names!r}")
        names, fractions = tuple(fractions), tuple(fractions.values())
    shares = _shares(fractions)
    _check.one_of("order", str(order), ("1", "2"))
    _check.seed(seed)
    unit, weights = _units(groups, len(targets))
    if len(weights) < len(shares):
        kind = "rows" if groups is None else "groups"
        raise InputError(
            f"expected at least {len(shares)} {kind} for {len(shares)} parts, got {len(weights)}"
        )
    held = np.zeros(len(weights), bool)
    if held_out is not None:
        held[unit[_mask(held_out, len(targets))]] = True
        if (~held).sum() < len(shares) - 1:
            raise InputError(
                f"held_out leaves too little for {len(shares) - 1} other parts; hold out fewer rows"
            )
    part = assign(targets, unit, weights, shares, held=held, order=order, cover=cover, seed=seed)[unit]
    return Split.of(part, targets, names=_part_names(names, len(shares)), groups=groups, space=space)


def folds(
    targets: Any, k: int = 5, *, groups: Any = None, order: int = 2, seed: int = 0
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(training rows, test rows) of each of k stratified folds; every row is tested once.

    Arguments as in `stratify`.

    Raises:
        OptionError: k < 2.
        InputError: fewer rows (or groups) than folds.
    """
    _check.at_least("k", k, 2)
    names = [f"fold {number}" for number in range(k)]
    part = stratify(targets, [1 / k] * k, groups=groups, order=order, names=names, seed=seed).part
    return ((np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(k))


def holding(targets: Any, combinations: Sequence[Sequence[str]], space: LabelSpace) -> NDArray[np.bool_]:
    """(rows,) mask of rows that have all labels of at least one combination.

    With `stratify(held_out=...)` the last part then tests combinations that training has never seen.
    """
    targets = as_targets(targets, space=space)
    mask = np.zeros(len(targets), bool)
    for combination in combinations:
        columns = space.columns(combination)
        if not len(columns):
            raise InputError("a combination without labels holds every row; name its labels")
        mask |= targets.columns(columns).row_counts() == len(columns)
    return mask


def _shares(fractions: Sequence[float]) -> NDArray[np.float64]:
    shares = np.asarray(fractions, np.float64)
    if shares.ndim != 1 or not 2 <= len(shares) <= 127:
        raise OptionError(f"expected 2 to 127 fractions, got {fractions!r:.80}")
    if not ((shares > 0) & (shares < 1)).all() or abs(shares.sum() - 1) > 1e-6:
        raise OptionError(f"fractions must be in (0, 1) and add up to 1, got {tuple(shares.tolist())}")
    return shares / shares.sum()


def _units(groups: Any, rows: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """(unit of every row, rows of every unit): rows themselves, or groups in order of first appearance."""
    if groups is None:
        return np.arange(rows), np.ones(rows, np.int64)
    values = groups.to_numpy() if hasattr(groups, "to_numpy") else np.asarray(groups)
    if values.shape != (rows,):
        raise ShapeError(f"expected a group for each of {rows} rows, got shape {values.shape}")
    number: dict[Any, int] = {}
    unit = np.empty(rows, np.intp)
    for row, value in enumerate(values.tolist()):
        if value is None or value != value:
            raise InputError(f"row {row} has no group; give every row a group, its own if it stands alone")
        unit[row] = number.setdefault(value, len(number))
    return unit, np.bincount(unit, minlength=len(number))


def _bearers(targets: Targets, unit: NDArray[np.intp]) -> NDArray[np.int64]:
    cells = targets.positives
    rows = np.repeat(np.arange(len(targets)), targets.row_counts())
    distinct = np.unique(unit[rows] * np.int64(targets.width) + cells.indices)
    return np.bincount(distinct % max(targets.width, 1), minlength=targets.width)


def _mask(held_out: Any, rows: int) -> NDArray[np.bool_]:
    mask = np.asarray(held_out)
    if mask.dtype != bool or mask.shape != (rows,):
        raise ShapeError(f"expected held_out as a mask of shape ({rows},), got {mask.dtype} of {mask.shape}")
    return mask


def _part_names(names: Sequence[str] | None, parts: int) -> tuple[str, ...]:
    if names is None:
        return PART_NAMES.get(parts, tuple(f"part {number}" for number in range(parts)))
    if len(names) != parts or len(set(names)) != parts:
        raise OptionError(f"expected {parts} different names of parts, got {list(names)}")
    return tuple(names)


def _numbered(part: NDArray[Any], names: Sequence[str] | None) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """Numbers of parts, and the names of the parts."""
    if part.dtype.kind in "iu":
        names = _part_names(names, max(2, int(part.max(initial=0)) + 1) if names is None else len(names))
        if ((part < 0) | (part >= len(names))).any():
            raise InputError(
                f"expected numbers of parts in [0, {len(names)}), got {sorted(set(part.tolist()))}"
            )
        return part.astype(np.int8), names
    found = sorted(set(map(str, chain(part.tolist()))))
    names = tuple(name for name in PART_NAMES[3] if name in found) if names is None else tuple(names)
    strange = [name for name in found if name not in names]
    if strange:
        raise InputError(f"part {strange[0]!r} has no place; pass names=[...], here {found}")
    return np.array([names.index(str(value)) for value in part.tolist()], np.int8), names
