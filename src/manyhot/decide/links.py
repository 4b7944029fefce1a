"""The constraints of a label space by column: which labels bring, bar or replace which others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyhot.labels import LabelSpace


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

    def within(self, columns: NDArray[np.int64]) -> "Links":
        """The constraints of one component, renumbered."""
        place = {int(column): number for number, column in enumerate(columns)}
        inside = lambda pairs: tuple((place[a], place[b]) for a, b in pairs if a in place)  # noqa: E731
        groups = tuple(
            (tuple(place[c] for c in group), needed) for group, needed in self.groups if group[0] in place
        )
        return Links(inside(self.implies), inside(self.excludes), groups)
