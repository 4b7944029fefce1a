"""Search for exclusive groups: sets of labels of which every row has exactly one, or at most one."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.data.doctor.pairs import Cooccurrence, never_together
from manyhot.labels import Targets

MOST_WORK = 200_000_000  # cells that the search may look at: a few seconds
SMALLEST_LOOSE = 3  # an "at most one" of two labels is no more than a pair that never meets
LEAST_COVER = 0.5  # share of rows with one of the group; rare topics that never met are no group


@dataclass(frozen=True)
class FoundGroup:
    """Labels that exclude each other in these rows.

    Attributes:
        labels: names, in column order.
        allow_none: some rows have none of them; otherwise every row has exactly one.
    """

    labels: tuple[str, ...]
    allow_none: bool


def exactly_one(targets: Targets, names: tuple[str, ...]) -> tuple[list[FoundGroup], bool]:
    """Disjoint groups of at least two labels of which every row has exactly one.

    An exact cover of the distinct label sets, searched depth first with forced moves; rows with unknown cells
    are left out. Where several partitions are possible, frequent labels choose first.

    Returns:
        The groups, and whether the search was finished within its limit of work.
    """
    sets = _distinct_sets(targets)
    sizes = np.diff(sets.indptr)
    if not len(sizes) or not sizes.min():
        return [], True
    search = _Search(sets, targets.label_counts())
    fewest = int(np.argmin(sizes))
    groups, free = [], np.ones(targets.width, bool)
    for start in search.by_frequency(sets.indices[sets.indptr[fewest] : sets.indptr[fewest + 1]]):
        chosen = search.cover(int(start), free) if free[start] else None
        if chosen is not None:
            free[chosen] = False
            if len(chosen) > 1:
                groups.append(FoundGroup(tuple(names[label] for label in sorted(chosen)), allow_none=False))
    return groups, search.work < MOST_WORK


def at_most_one(
    targets: Targets, pairs: Cooccurrence, names: tuple[str, ...], taken: set[str]
) -> list[FoundGroup]:
    """Disjoint sets of at least three labels: one on half of the rows or more, two never though chance would.

    Grown greedily from the labels with most such pairs; `taken` labels are left alone.
    """
    apart: dict[str, set[str]] = {}
    for pair in never_together(pairs, names):
        if not {pair.label, pair.other} & taken:
            apart.setdefault(pair.label, set()).add(pair.other)
            apart.setdefault(pair.other, set()).add(pair.label)
    place = {name: position for position, name in enumerate(names)}
    groups = []
    while apart:
        group = _clique(apart)
        group.sort(key=place.__getitem__)
        covered = targets.label_counts()[[place[name] for name in group]].sum()
        if len(group) >= SMALLEST_LOOSE and covered >= LEAST_COVER * len(targets):
            groups.append(FoundGroup(tuple(group), allow_none=True))
        for name in group:
            for other in apart.pop(name):
                apart.get(other, set()).discard(name)
        apart = {name: others for name, others in apart.items() if others}
    return groups


def _clique(apart: dict[str, set[str]]) -> list[str]:
    group: list[str] = []
    candidates = set(apart)
    while candidates:
        name = max(sorted(candidates), key=lambda one: len(apart[one] & candidates))
        group.append(name)
        candidates &= apart[name]
    return group


def _distinct_sets(targets: Targets) -> csr_array:
    """(sets, labels): the different label sets of the rows whose cells are all known."""
    positives = targets.positives
    if targets.unknown is not None:
        positives = positives[np.flatnonzero(np.diff(targets.unknown.indptr) == 0)]
    starts = positives.indptr
    rows = {
        positives.indices[start:stop].tobytes(): row for row, (start, stop) in enumerate(pairwise(starts))
    }
    sets = positives[sorted(rows.values())]
    return csr_array((np.ones(sets.nnz, np.int32), sets.indices, sets.indptr), shape=sets.shape)


class _Search:
    """Depth-first search for sets of labels that cover each label set exactly once."""

    def __init__(self, sets: csr_array, counts: NDArray[np.int64]) -> None:
        self.sets, self.counts = sets, counts
        self.members = csr_array(sets.T)
        self.sizes = np.diff(self.members.indptr)
        self.work = 0

    def by_frequency(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        return labels[np.argsort(-self.counts[labels], kind="stable")]

    def cover(self, start: int, free: NDArray[np.bool_]) -> NDArray[np.intp] | None:
        """Labels of one exact cover that contains `start`, else free ones only; None when there is none."""
        first = self._choose([start], np.zeros_like(free), free)
        if not first[1].any() and self.sizes[start] < len(self.sets.indptr) - 1:
            return None  # it meets every other label
        states: list[Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]] = [iter([first])]
        while states and self.work < MOST_WORK:
            state = next(states[-1], None)
            if state is None:
                states.pop()
                continue
            settled = self._settle(*state)
            if settled is None:
                continue
            chosen, allowed, options = settled
            if options is None:
                return np.flatnonzero(chosen)
            states.append(self._branches(options, chosen, allowed))
        return None

    def _branches(
        self, options: NDArray[np.integer], chosen: NDArray[np.bool_], allowed: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        allowed = allowed.copy()
        for label in self.by_frequency(options):
            yield self._choose([int(label)], chosen, allowed)
            allowed[label] = False  # its covers have all been tried

    def _choose(
        self, labels: list[int], chosen: NDArray[np.bool_], allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """With these labels chosen, no label of the sets that they cover is allowed any more."""
        chosen, allowed = chosen.copy(), allowed.copy()
        chosen[labels] = True
        covered = np.unique(self.members[labels].indices)
        allowed[self.sets[covered].indices] = False
        return chosen, allowed

    def _settle(
        self, chosen: NDArray[np.bool_], allowed: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.integer] | None] | None:
        """Take every forced label. None at a dead end; else options of the hardest open set, None if done."""
        while True:
            self.work += self.sets.nnz
            times = self.sets @ chosen.astype(np.int32)
            if (times > 1).any():
                return None
            open_sets = np.flatnonzero(times == 0)
            if not len(open_sets):
                return chosen, allowed, None
            ways = (self.sets @ allowed.astype(np.int32))[open_sets]
            if not ways.min():
                return None
            if ways.min() > 1:
                return chosen, allowed, self._options(int(open_sets[ways.argmin()]), allowed)
            forced = self.sets[open_sets[ways == 1]].indices
            labels = np.unique(forced[allowed[forced]])
            chosen, allowed = self._choose(labels.tolist(), chosen, allowed)

    def _options(self, row: int, allowed: NDArray[np.bool_]) -> NDArray[np.integer]:
        labels = self.sets.indices[self.sets.indptr[row] : self.sets.indptr[row + 1]]
        return labels[allowed[labels]]
