"""The legal label set with the highest total margin, row by row, exactly.

Labels that no constraint links are decided alone. Linked ones form components: trees are solved by dynamic
programming, small components by their list of legal sets, other ones, and rows that break a count, by branch
and bound.
"""

from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyhot.errors import InputError
from manyhot.labels import LabelSpace

LISTED = 14  # labels of a component whose legal sets are listed, of 2^14 sets at most
STEPS = 200_000  # of the branch and bound of one row


@dataclass(frozen=True)
class Limits:
    """How many labels a row must and may have."""

    at_least_one: bool = False
    at_most: int | None = None

    def broken(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The rows with these label counts that break a limit."""
        too_many = np.zeros(len(counts), bool) if self.at_most is None else counts > self.at_most
        return too_many | ((counts == 0) & self.at_least_one)


@dataclass(frozen=True)
class Links:
    """A space's constraints by column.

    Attributes:
        implies: (label, other) pairs, parents included.
        excludes: (label, other) pairs.
        groups: columns of each exclusive group, and whether one of them must apply.
    """

    implies: tuple[tuple[int, int], ...]
    excludes: tuple[tuple[int, int], ...]
    groups: tuple[tuple[tuple[int, ...], bool], ...]

    @classmethod
    def of(cls, space: LabelSpace) -> "Links":
        """Read them off a space."""
        column = space.column
        implies = [
            (column(child), column(parent)) for child, above in space.parents.items() for parent in above
        ]
        implies += [
            (column(rule.label), column(rule.other)) for rule in space.rules if rule.kind == "implies"
        ]
        excludes = [
            (column(rule.label), column(rule.other)) for rule in space.rules if rule.kind == "excludes"
        ]
        groups = tuple(
            (tuple(int(c) for c in space.columns(group.labels)), not group.allow_none)
            for group in space.groups
        )
        return cls(tuple(implies), tuple(excludes), groups)

    def components(self, width: int) -> list[NDArray[np.int64]]:
        """Columns that are linked, directly or not, each set ascending; lone labels are left out."""
        pairs = [*self.implies, *self.excludes]
        pairs += [(columns[0], other) for columns, _ in self.groups for other in columns[1:]]
        if not pairs:
            return []
        first, second = np.array(pairs).T
        graph = coo_array((np.ones(len(pairs)), (first, second)), shape=(width, width))
        _, member = connected_components(graph, directed=False)
        found = [np.flatnonzero(member == number) for number in np.unique(member[first])]
        return [columns for columns in found if len(columns) > 1]

    def is_forest(self) -> bool:
        """Every label has one parent at most, and nothing else is asked."""
        children = [label for label, _ in self.implies]
        return not self.excludes and not self.groups and len(set(children)) == len(children)

    def legal(self, sets: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of these rows of decisions (rows, labels) obey everything."""
        good = np.ones(len(sets), bool)
        for label, other in self.implies:
            good &= ~sets[:, label] | sets[:, other]
        for label, other in self.excludes:
            good &= ~(sets[:, label] & sets[:, other])
        for columns, needed in self.groups:
            count = sets[:, columns].sum(axis=1)
            good &= (count <= 1) & ((count == 1) | (not needed))
        return good


def best_legal_sets(margins: NDArray[np.float64], space: LabelSpace, limits: Limits) -> NDArray[np.bool_]:
    """The legal set of each row with the highest sum of margins, (rows, labels).

    Raises:
        InputError: no legal set exists, or a row could not be solved in reasonable time.
    """
    links = Links.of(space)
    chosen = margins >= 0
    for columns in links.components(margins.shape[1]):
        part = _within(links, columns)
        bad = np.flatnonzero(~part.legal(chosen[:, columns]))
        if not len(bad):
            continue
        wanted = margins[np.ix_(bad, columns)]
        if part.is_forest():
            solved = _best_forest(wanted, part)
        elif len(columns) <= LISTED:
            solved = _best_listed(wanted, part)
        else:
            solved = np.array([_branch(row, part, Limits(), space) for row in wanted])
        chosen[np.ix_(bad, columns)] = solved
    for row in np.flatnonzero(limits.broken(chosen.sum(axis=1))):
        chosen[row] = _branch(margins[row], links, limits, space)
    return chosen


def _within(links: Links, columns: NDArray[np.int64]) -> Links:
    """The constraints of one component, renumbered."""
    place = {int(column): number for number, column in enumerate(columns)}
    inside = lambda pairs: tuple((place[a], place[b]) for a, b in pairs if a in place)  # noqa: E731
    groups = tuple(
        (tuple(place[c] for c in group), needed) for group, needed in links.groups if group[0] in place
    )
    return Links(inside(links.implies), inside(links.excludes), groups)


def _best_forest(margins: NDArray[np.float64], links: Links) -> NDArray[np.bool_]:
    """A label brings its margin and its worthy children, taken if that is >= 0 and the parent is taken."""
    parent = dict(links.implies)
    order = list(TopologicalSorter({label: [above] for label, above in parent.items()}).static_order())
    worth = margins.copy()
    for label in reversed(order):
        if label in parent:
            worth[:, parent[label]] += np.maximum(worth[:, label], 0.0)
    chosen = worth >= 0
    for label in order:
        if label in parent:
            chosen[:, label] &= chosen[:, parent[label]]
    return chosen


def _best_listed(margins: NDArray[np.float64], links: Links) -> NDArray[np.bool_]:
    width = margins.shape[1]
    sets = (np.arange(2**width)[:, None] >> np.arange(width)) & 1 == 1
    sets = sets[links.legal(sets)]
    return sets[np.argmax(margins @ sets.T.astype(np.float64), axis=1)]


def _branch(
    margins: NDArray[np.float64], links: Links, limits: Limits, space: LabelSpace
) -> NDArray[np.bool_]:
    """The best legal set of one row by branch and bound, the label with the most at stake first."""
    order = [int(label) for label in np.argsort(-np.abs(margins), kind="stable")]
    search = _Search(margins, links, limits)
    search.descend(order, np.full(len(margins), -1, np.int8))
    if search.best is None:
        raise InputError(
            f"no legal set of the {len(space)} labels keeps the limits (at least one: {limits.at_least_one}, "
            f"at most: {limits.at_most}); raise at_most, or change the rules"
        )
    return search.best


class _Search:
    def __init__(self, margins: NDArray[np.float64], links: Links, limits: Limits) -> None:
        self.margins, self.limits = margins, limits
        self.best: NDArray[np.bool_] | None = None
        self.value = -np.inf
        self.steps = 0
        self.needs: dict[int, list[int]] = {}
        self.brings: dict[int, list[int]] = {}
        self.bars: dict[int, list[int]] = {}
        for label, other in links.implies:
            self.brings.setdefault(label, []).append(other)
            self.needs.setdefault(other, []).append(label)
        group_pairs = [(a, b) for columns, _ in links.groups for a in columns for b in columns if a < b]
        for label, other in [*links.excludes, *group_pairs]:
            self.bars.setdefault(label, []).append(other)
            self.bars.setdefault(other, []).append(label)
        self.musts = [columns for columns, needed in links.groups if needed]

    def descend(self, order: list[int], state: NDArray[np.int8]) -> None:
        """Decide the labels in this order; state is 1 in, 0 out, -1 open."""
        stack = [(0, state)]
        while stack:
            place, state = stack.pop()
            self.steps += 1
            if self.steps > STEPS:
                raise InputError(
                    f"a legal set among {len(self.margins)} linked labels was not found in {STEPS} steps; "
                    "make the rules fewer, or the groups smaller"
                )
            if self._bound(state) <= self.value:
                continue
            while place < len(order) and state[order[place]] >= 0:
                place += 1
            if place == len(order):
                self.best, self.value = state == 1, float(self.margins[state == 1].sum())
                continue
            label = order[place]
            likely = 1 if self.margins[label] >= 0 else 0
            for choice in (1 - likely, likely):  # the likely one is popped first
                reached = self._set(state.copy(), label, choice)
                if reached is not None:
                    stack.append((place + 1, reached))

    def _bound(self, state: NDArray[np.int8]) -> float:
        """No completion of the state is worth more."""
        inside = float(self.margins[state == 1].sum())
        open_margins = self.margins[state == -1]
        hopes = open_margins[open_margins > 0]
        count = int((state == 1).sum())
        if self.limits.at_most is not None:
            room = self.limits.at_most - count
            if room < 0:
                return -np.inf
            hopes = np.sort(hopes)[::-1][:room]
        if self.limits.at_least_one and count == 0 and not len(hopes):
            return float(open_margins.max()) if len(open_margins) else -np.inf
        return inside + float(hopes.sum())

    def _set(self, state: NDArray[np.int8], label: int, choice: int) -> NDArray[np.int8] | None:
        """The state with this label decided and all that follows from it, or None on a contradiction."""
        waiting = [(label, choice)]
        while waiting:
            label, choice = waiting.pop()
            if state[label] >= 0:
                if state[label] != choice:
                    return None
                continue
            state[label] = choice
            if choice:
                waiting += [(other, 1) for other in self.brings.get(label, ())]
                waiting += [(other, 0) for other in self.bars.get(label, ())]
            else:
                waiting += [(other, 0) for other in self.needs.get(label, ())]
            if not waiting:
                for columns in self.musts:
                    states = state[list(columns)]
                    if (states == 1).any():
                        continue
                    left = np.flatnonzero(states == -1)
                    if not len(left):
                        return None
                    if len(left) == 1:
                        waiting.append((columns[int(left[0])], 1))
        return state
