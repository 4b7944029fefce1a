"""The best legal set of one row by branch and bound, for labels linked too widely for a plan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.links import Links
from manyhot.errors import InputError

STEPS = 200_000  # of one row


@dataclass(frozen=True)
class Limits:
    """How many labels a row must and may have."""

    at_least_one: bool = False
    at_most: int | None = None

    def broken(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The rows with these label counts that break a limit."""
        too_many = np.zeros(len(counts), bool) if self.at_most is None else counts > self.at_most
        return too_many | ((counts == 0) & self.at_least_one)


def best_set(margins: NDArray[np.float64], links: Links, limits: Limits) -> NDArray[np.bool_] | None:
    """The best legal set of one row, the label with the most at stake decided first; None if none is legal.

    Raises:
        InputError: it was not found in `STEPS` steps.
    """
    order = [int(label) for label in np.argsort(-np.abs(margins), kind="stable")]
    search = _Search(margins, links, limits)
    search.descend(order, np.full(len(margins), -1, np.int8))
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
