"""Iterative stratification on sparse targets: units (rows or whole groups) go to parts, the rarest first."""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from manyhot.data.exchange import exchange
from manyhot.labels import Targets

# Pairs of a row grow with the square of its labels; beyond this many, the pairs of the rarest tell enough.
LABELS_PAIRED = 12


def assign(
    targets: Targets,
    unit: NDArray[np.intp],
    weights: NDArray[np.int64],
    shares: NDArray[np.float64],
    *,
    held: NDArray[np.bool_],
    order: int,
    cover: bool,
    seed: int,
) -> NDArray[np.int8]:
    """Part of every unit.

    Args:
        targets: (rows, labels).
        unit: (rows,), the unit of each row.
        weights: (units,), rows of each unit.
        shares: (parts,), wished share of rows, adding up to 1.
        held: (units,), units that must go to the last part.
        order: 1 for labels, 2 for pairs of labels too.
        cover: bring each label into every part, where it has units enough.
        seed: of the order among equals.
    """
    random = np.random.default_rng(seed)
    # larger units first: what does not fit later is small
    turn = np.lexsort((random.permutation(len(weights)), -weights))
    place = np.empty(len(turn), np.intp)
    place[turn] = np.arange(len(turn))
    evidence = _per_unit(_evidence(targets, order, 1 / shares.min()), place[unit], len(turn))
    sizes = _sizes(shares, int(weights.sum()), int(weights[held].sum()))
    state = _State.start(evidence, weights[turn], sizes, targets.width if cover else 0, random)
    for number in np.flatnonzero(held[turn]).tolist():
        state.put(number, len(shares) - 1)
    _place_by_evidence(state, evidence)
    for number in np.flatnonzero(state.part < 0).tolist():
        state.put(number, state.choose(number, None))
    # all pairs together weigh as much as all labels, else a few labels with many pairs decide
    importance = np.ones(len(state.left))
    importance[targets.width :] = targets.width / max(1, len(importance) - targets.width, targets.width)
    part = exchange(evidence, state.part, weights[turn], importance, fixed=held[turn], covered=state.covered)
    return part[place]


def _place_by_evidence(state: "_State", evidence: csr_array) -> None:
    """Sechidis et al.: take what has the fewest units left, place all its units, take the next."""
    columns = evidence.tocsc()
    columns.sort_indices()
    width = _width(evidence)
    # (units left, evidence) as one number, since comparing tuples would take most of the time
    waiting = (state.left * width + np.arange(width))[state.left > 0].tolist()
    heapq.heapify(waiting)
    while waiting:
        count, which = divmod(heapq.heappop(waiting), width)
        if count != state.left[which]:
            continue  # it was pushed again with fewer units since
        units = columns.indices[columns.indptr[which] : columns.indptr[which + 1]]
        units = units[state.part[units] < 0]
        for number in units.tolist():
            state.put(number, state.choose(number, which))
        touched = np.unique(np.concatenate([state.cells(number) for number in units.tolist()]))
        touched = touched[state.left[touched] > 0]
        for entry in (state.left[touched] * width + touched).tolist():
            heapq.heappush(waiting, entry)


@dataclass
class _State:
    """What is placed so far, and what every part still wants."""

    starts: list[int]  # of the units' cells
    columns: NDArray[Any]  # evidence of each cell, ascending within a unit
    values: NDArray[Any]  # amount of evidence in each cell
    weights: list[int]
    part: NDArray[np.int8]  # -1 = not placed yet
    unplaced: int
    empty: set[int]  # parts without a unit
    room: list[float]  # rows that each part still takes
    wanted: NDArray[np.float64]  # (evidence, parts)
    left: NDArray[np.int64]  # (evidence,), units not placed yet
    covered: int  # the first so many evidences are labels to be brought into every part
    lacking: NDArray[np.bool_]  # (covered, parts), parts that do not have the label yet
    ties: NDArray[np.float64]  # (units, parts)

    @classmethod
    def start(
        cls,
        evidence: csr_array,
        weights: NDArray[np.int64],
        sizes: NDArray[np.int64],
        covered: int,
        random: np.random.Generator,
    ) -> "_State":
        totals = np.bincount(evidence.indices, evidence.data, minlength=_width(evidence))
        return cls(
            starts=np.asarray(evidence.indptr).tolist(),
            columns=evidence.indices,
            values=evidence.data,
            weights=weights.tolist(),
            part=np.full(len(weights), -1, np.int8),
            unplaced=len(weights),
            empty=set(range(len(sizes))),
            room=sizes.astype(float).tolist(),
            wanted=totals[:, None] * (sizes / max(sizes.sum(), 1)),
            left=np.bincount(evidence.indices, minlength=_width(evidence)),
            covered=covered,
            lacking=np.ones((covered, len(sizes)), bool),
            ties=random.random((len(weights), len(sizes))),
        )

    def cells(self, unit: int) -> NDArray[Any]:
        """Evidence that a unit has, ascending."""
        return self.columns[self.starts[unit] : self.starts[unit + 1]]

    def choose(self, unit: int, which: int | None) -> int:
        """The part for a unit: one with room, that a label needs, that wants `which` most, with most room."""
        weight, room = self.weights[unit], self.room
        open_parts = [number for number, free in enumerate(room) if free >= weight]
        if self.unplaced <= len(self.empty):  # only large groups get here: no part may stay empty
            open_parts = sorted(self.empty)
        if not open_parts:
            return max(range(len(room)), key=room.__getitem__)
        needed = self._needed(unit)
        # rounded, because equal wishes differ in the last bits after many subtractions
        wanted = [0.0] * len(room) if which is None else self.wanted[which].round(9).tolist()
        ties = self.ties[unit].tolist()
        return max(
            open_parts, key=lambda number: (needed[number], wanted[number], room[number], ties[number])
        )

    def put(self, unit: int, part: int) -> None:
        """Place a unit."""
        cells = self.cells(unit)
        self.part[unit] = part
        self.unplaced -= 1
        self.empty.discard(part)
        self.room[part] -= self.weights[unit]
        self.wanted[cells, part] -= self.values[self.starts[unit] : self.starts[unit + 1]]
        self.left[cells] -= 1
        self.lacking[cells[: np.searchsorted(cells, self.covered)], part] = False

    def _needed(self, unit: int) -> list[int]:
        """For each part, how many labels of the unit it lacks that have no unit to spare any more."""
        cells = self.cells(unit)
        labels = cells[: np.searchsorted(cells, self.covered)]
        lacking = self.lacking[labels]
        scarce = self.left[labels] <= lacking.sum(axis=1)
        return lacking[scarce].sum(axis=0).tolist()


def _sizes(shares: NDArray[np.float64], rows: int, held: int) -> NDArray[np.int64]:
    """Rows of every part: shares by largest remainder, at least one row each, held rows in the last."""
    if held > shares[-1] * rows:
        others = _sizes(shares[:-1] / shares[:-1].sum(), rows - held, 0)
        return np.append(others, held)
    sizes = np.floor(shares * rows + 1e-9).astype(np.int64)
    missing = rows - sizes.sum()
    sizes[np.argsort(sizes - shares * rows, kind="stable")[:missing]] += 1
    for empty in np.flatnonzero(sizes == 0):
        if sizes.max() > 1:
            sizes[np.argmax(sizes)] -= 1
            sizes[empty] += 1
    return sizes


def _evidence(targets: Targets, order: int, fewest: float) -> csr_array:
    """(rows, evidence): positives, then unknown cells where a label has known negatives, then pairs."""
    blocks = [targets.positives]
    if targets.unknown is not None:
        negatives = targets.known_counts() - targets.label_counts()
        hidden = np.bincount(targets.unknown.indices, minlength=targets.width)
        blocks.append(targets.unknown[:, np.flatnonzero((negatives > 0) & (hidden > 0))])
    if order == 2:
        blocks.append(_pairs(targets, fewest))
    return csr_array(hstack(blocks, format="csr", dtype=np.float64))


def _pairs(targets: Targets, fewest: float) -> csr_array:
    """(rows, pairs) of the pairs of labels that occur together in `fewest` rows or more.

    A rarer pair cannot have its share of the smallest part; it would only pull its rows into the largest.
    """
    hard = targets.harden()
    counts = hard.label_counts()
    starts = hard.positives.indptr
    sizes = hard.row_counts()
    rows, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes > 1]):
        of_size = np.flatnonzero(sizes == size)
        labels = hard.positives.indices[starts[of_size][:, None] + np.arange(size)].astype(np.int64)
        if size > LABELS_PAIRED:
            rarest = np.argsort(counts[labels], axis=1, kind="stable")[:, :LABELS_PAIRED]
            labels = np.sort(np.take_along_axis(labels, rarest, axis=1), axis=1)
        first, second = np.triu_indices(labels.shape[1], 1)
        keys.append((labels[:, first] * targets.width + labels[:, second]).ravel())
        rows.append(np.repeat(of_size, len(first)))
    _, column, together = np.unique(np.concatenate(keys), return_inverse=True, return_counts=True)
    shared = together >= fewest
    number = np.cumsum(shared) - 1
    keep = shared[column]
    cells = (np.ones(keep.sum(), np.float32), (np.concatenate(rows)[keep], number[column[keep]]))
    return csr_array(cells, shape=(len(targets), int(shared.sum())))


def _per_unit(evidence: csr_array, unit: NDArray[np.intp], units: int) -> csr_array:
    """(units, evidence): the sum over the rows of each unit."""
    rows = len(unit)
    members = csr_array((np.ones(rows), (unit, np.arange(rows))), shape=(units, rows))
    summed = csr_array(members @ evidence)
    summed.sort_indices()
    return summed


def _width(matrix: Any) -> int:
    return matrix.shape[1]
