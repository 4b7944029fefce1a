"""The order in which linked labels are decided, so that each depends on few others: variable elimination.

An exclusive group is one choice among its labels, any other label a choice of yes or no. The choice with the
fewest states around it goes first: for every legal state of its neighbours, the best way to make it is kept,
and the neighbours, now bound to each other, go on without it. Chains and trees of any length have two states
a step.

Source:
    Dechter, "Bucket elimination: a unifying framework for reasoning", Artificial Intelligence 113, 1999.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.links import Links
from manyhot.errors import InputError

ENTRIES = 1_000_000  # of a plan: some seconds to make
CODES = 2**62  # states of a choice's neighbours are told apart by one int64


class TooWideError(InputError):
    """Some label depends on more others together than a plan has room for."""


@dataclass(frozen=True)
class Plan:
    """States and entries of all choices in their order, as `kernels.elimination` walks them.

    Attributes:
        entry_starts, labels, child_starts, children, state_starts: see `best_choices`.
    """

    entry_starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    child_starts: NDArray[np.int64]
    children: NDArray[np.int64]
    state_starts: NDArray[np.int64]

    @classmethod
    def of(cls, links: Links, columns: NDArray[np.int64]) -> "Plan":
        """The plan of some labels that no constraint links to others.

        Raises:
            TooWideError: it would have more than `ENTRIES` entries.
        """
        choices = _Choices.of(links, columns)
        order = list(choices.order())
        place = {choice: number for number, (choice, _) in enumerate(order)}
        waiting: dict[int, list[_Step]] = {}
        steps: list[_Step] = []
        room = ENTRIES
        for choice, around in order:
            step = _Step.of(choices, choice, around, waiting.pop(choice, []), room)
            room -= len(step.labels)
            steps.append(step)
            if around:
                waiting.setdefault(min(around, key=place.__getitem__), []).append(step)
        return cls._joined(steps)

    @classmethod
    def _joined(cls, steps: "Sequence[_Step]") -> "Plan":
        """The steps one after the other, and a last state whose one entry has the last steps below it."""
        first = np.concatenate([[0], np.cumsum([len(step.sizes) for step in steps])])
        first_of = {id(step): int(start) for step, start in zip(steps, first[:-1], strict=True)}
        roots = [first_of[id(step)] for step in steps if not step.around]
        children = [
            (step.below_states + np.array([first_of[id(each)] for each in step.below], np.int64)).ravel()
            for step in steps
        ]
        counts = [np.full(len(step.labels), len(step.below)) for step in steps]
        sizes = np.concatenate([*(step.sizes for step in steps), [1]])
        return cls(
            _starts(sizes),
            np.concatenate([*(step.labels for step in steps), [-1]]).astype(np.int64),
            _starts(np.concatenate([*counts, [len(roots)]])),
            np.concatenate([*children, roots]).astype(np.int64),
            np.append(first, first[-1] + 1),
        )

    def arguments(self) -> Any:
        """What the kernels take, in their order."""
        return self.entry_starts, self.labels, self.child_starts, self.children, self.state_starts


@dataclass(frozen=True)
class _Choices:
    """What is to be chosen, and which pairs of values are legal.

    Attributes:
        values: of each choice the labels that it can take, -1 for none of them last.
        legal: (choice, other) -> (values, values) bool, only of linked pairs, both ways round.
    """

    values: list[NDArray[np.int64]]
    legal: dict[tuple[int, int], NDArray[np.bool_]]

    @classmethod
    def of(cls, links: Links, columns: NDArray[np.int64]) -> "_Choices":
        inside = set(columns.tolist())
        groups = [(group, needed) for group, needed in links.groups if group[0] in inside]
        values = [np.array(group if needed else (*group, -1)) for group, needed in groups]
        grouped = {label for group, _ in groups for label in group}
        values += [np.array([label, -1]) for label in columns.tolist() if label not in grouped]
        found = cls(values, {})
        where = {
            label: (choice, value)
            for choice, own in enumerate(values)
            for value, label in enumerate(own.tolist())
            if label >= 0
        }
        for label, other in links.excludes:
            if label in where:
                (one, value), (two, barred) = where[label], where[other]
                if one != two:
                    found._pair(one, two)[value, barred] = False
        for label, other in links.implies:
            if label in where:
                (one, value), (two, brought) = where[label], where[other]
                if one != two:
                    found._pair(one, two)[value, np.arange(len(values[two])) != brought] = False
        return found

    def _pair(self, one: int, two: int) -> NDArray[np.bool_]:
        if (one, two) not in self.legal:
            table = np.ones((len(self.values[one]), len(self.values[two])), bool)
            self.legal[one, two], self.legal[two, one] = table, table.T
        return self.legal[one, two]

    def order(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Each choice with those around it when it goes, the one with the fewest states around it first."""
        around: dict[int, set[int]] = {choice: set() for choice in range(len(self.values))}
        for one, two in self.legal:
            around[one].add(two)
        size = np.log([len(own) for own in self.values]).tolist()
        weight = {choice: sum(size[each] for each in others) for choice, others in around.items()}
        heap = [(value, choice) for choice, value in weight.items()]
        heapify(heap)
        while heap:
            value, choice = heappop(heap)
            if choice not in around or value != weight[choice]:
                continue
            if value > np.log(CODES):
                raise TooWideError(f"every label depends on {len(around[choice])} others together")
            others = around.pop(choice)
            yield choice, tuple(sorted(others))
            for one, two in combinations(others, 2):
                around[one].add(two)
                around[two].add(one)
            for other in others:
                around[other].discard(choice)
                weight[other] = sum(size[each] for each in around[other])
                heappush(heap, (weight[other], other))

    def states(self, around: Sequence[int]) -> NDArray[np.int32]:
        """All legal states of some choices, (states, choices) places of values, in lexicographic order."""
        found = np.zeros((1, 0), np.int32)
        for choice in around:
            found = self.extended(found, around[: found.shape[1]], choice)
        return found

    def extended(self, states: NDArray[np.int32], around: Sequence[int], choice: int) -> NDArray[np.int32]:
        """The states with every value of one more choice that is legal in them."""
        size = len(self.values[choice])
        if len(states) * size > ENTRIES:
            raise TooWideError(f"{len(around) + 1} labels depend on each other in {len(states) * size} ways")
        added = np.tile(np.arange(size, dtype=np.int32), len(states))
        states = np.repeat(states, size, axis=0)
        kept = np.ones(len(states), bool)
        for place, other in enumerate(around):
            if (other, choice) in self.legal:
                kept &= self.legal[other, choice][states[:, place], added]
        return np.column_stack([states, added])[kept]

    def codes(self, around: Sequence[int], states: NDArray[np.int32]) -> NDArray[np.int64]:
        """One number for each state, rising in lexicographic order."""
        code = np.zeros(len(states), np.int64)
        for place, choice in enumerate(around):
            code = code * len(self.values[choice]) + states[:, place]
        return code


@dataclass(frozen=True, eq=False)
class _Step:
    """One choice in its order.

    Attributes:
        around: the choices that its states are of.
        codes: (states,) rising.
        sizes: (states,) number of entries.
        labels: (entries,) the label that is taken, -1 for none.
        below: earlier steps whose state follows from an entry.
        below_states: (entries, below) which state that is.
    """

    around: tuple[int, ...]
    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    labels: NDArray[np.int64]
    below: "tuple[_Step, ...]"
    below_states: NDArray[np.int64]

    @classmethod
    def of(
        cls, choices: _Choices, choice: int, around: tuple[int, ...], below: "list[_Step]", room: int
    ) -> "_Step":
        states = choices.states(around)
        codes = choices.codes(around, states)
        entries = choices.extended(states, around, choice)
        if len(entries) > room:
            raise TooWideError(f"the plan has more than {ENTRIES} entries")
        sizes = np.bincount(
            np.searchsorted(codes, choices.codes(around, entries[:, :-1])), minlength=len(states)
        )
        place = {other: number for number, other in enumerate((*around, choice))}
        found = [
            np.searchsorted(
                step.codes, choices.codes(step.around, entries[:, [place[other] for other in step.around]])
            )
            for step in below
        ]
        labels = choices.values[choice][entries[:, -1]]
        shape = len(entries), len(below)
        return cls(around, codes, sizes, labels, tuple(below), np.array(found, np.int64).T.reshape(shape))


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
