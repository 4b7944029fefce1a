"""Cuts that send few rows to review: a row is read once, whichever and however many labels ask for it.

What a label's next cells cost depends on the rows that others ask for already, so nothing short of trying all
cuts is sure to be best. Here a review has a price, the same for all labels, and the lowest one that the
budget bears is sought; what is left is spent label by label, and then pairs of labels change places as long
as that finds more. The same is done from the best cut for all labels, and the better of the two ways is
taken.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.ladders import Ladder

HALVINGS = 40  # of the price, between nothing and one positive for every review
PASSES = 10  # over all labels at one price
FEW = 30  # labels whose pairs are tried against each other
NEAR = 8  # ends that a label may step back to for the other of a pair
ROUNDS = 5
GAIN = 1e-9


def best_reviews(
    ladders: Sequence[Ladder], mass: NDArray[np.float64], budget: float, start: Sequence[int]
) -> list[int]:
    """How many cells of each ladder to take, such that the rows together weigh no more than the budget.

    Never finds less than `start` does, and no label can take more with the others held.

    Args:
        ladders: of all labels.
        mass: (rows,).
        budget: of mass.
        start: cells of each ladder within the budget.
    """
    reviews = _Reviews(ladders, mass, budget)
    best, most = list(start), -1.0
    for taken, price in (*_lowest_prices(reviews), (start, 0.0)):
        reviews.move_to(taken)
        reviews.settle(price)
        reviews.settle(0.0)
        reviews.exchange()
        if reviews.found > most:
            best, most = list(reviews.taken), reviews.found
    return best


def _lowest_prices(reviews: "_Reviews") -> Iterator[tuple[list[int], float]]:
    """What labels take at the lowest price that the budget bears, and a price just below it.

    The price is that of each cell; of few labels also that of each row, which others may have paid.
    """
    ways = [reviews.take_by_cell]
    if len(reviews.ladders) <= FEW:
        ways.append(reviews.take_by_row)
    for take in ways:
        kept, low, high = [0] * len(reviews.ladders), 0.0, 1.0
        for _ in range(HALVINGS):
            reviews.move_to(kept)
            price = (low + high) / 2
            take(price)
            if reviews.spent <= reviews.budget:
                kept, high = list(reviews.taken), price
            else:
                low = price
        yield kept, low


class _Reviews:
    """The rows that the labels ask for with the cells they have taken."""

    def __init__(self, ladders: Sequence[Ladder], mass: NDArray[np.float64], budget: float) -> None:
        self.ladders, self.mass, self.budget = ladders, mass, budget
        self.hits = [
            np.concatenate([[0.0], np.cumsum(mass[ladder.rows] * ladder.hits)])[ladder.ends]
            for ladder in ladders
        ]
        self.cells = [
            np.concatenate([[0.0], np.cumsum(mass[ladder.rows])])[ladder.ends] for ladder in ladders
        ]
        self.taken = [0] * len(ladders)
        self.asked = np.zeros(len(mass), np.int64)  # by how many labels
        self.found = self.spent = 0.0

    def take(self, label: int, count: int) -> None:
        """Have a label take so many of its cells."""
        ladder, present = self.ladders[label], self.taken[label]
        if count == present:
            return
        rows, sign = ladder.rows[min(present, count) : max(present, count)], 1 if count > present else -1
        self.asked[rows] += sign
        alone = self.asked[rows] == (1 if sign > 0 else 0)
        self.spent += sign * float(self.mass[rows[alone]].sum())
        before, after = self.hits[label][np.searchsorted(ladder.ends, (present, count))]
        self.found += float(after - before)
        self.taken[label] = count

    def move_to(self, taken: Sequence[int]) -> None:
        """Have all labels take so many of their cells."""
        for label, count in enumerate(taken):
            self.take(label, count)

    def take_by_cell(self, price: float) -> None:
        """Have every label take what is worth the price of its cells, whatever the budget."""
        for label, ladder in enumerate(self.ladders):
            self.take(label, int(ladder.ends[np.argmax(self.hits[label] - price * self.cells[label])]))

    def take_by_row(self, price: float) -> None:
        """Have every label take what is worth the price of its rows, whatever the budget."""
        self.settle(price, np.inf)

    def settle(self, price: float, budget: float | None = None) -> None:
        """Let every label take what is worth the price of its rows, until none takes more or less."""
        budget = self.budget if budget is None else budget
        for _ in range(PASSES):
            if not sum([self._choose(label, price, budget) for label in range(len(self.ladders))]):
                return

    def exchange(self) -> None:
        """Let pairs of labels give and take, as long as more is found."""
        if len(self.ladders) > FEW:
            return
        pairs = list(permutations(range(len(self.ladders)), 2))
        for _ in range(ROUNDS):
            if not sum([self._exchanged(*pair) for pair in pairs]):
                return
            self.settle(0.0)

    def _choose(self, label: int, price: float, budget: float) -> bool:
        """Take the end within the budget that gains most at the price; whether that is another one."""
        fresh, room = self._costs(label, budget)
        gain = np.where(fresh <= room, self.hits[label] - price * fresh, -np.inf)
        count = int(self.ladders[label].ends[np.argmax(gain)])
        present = self.taken[label]
        self.take(label, count)
        return count != present

    def _exchanged(self, giver: int, taker: int) -> bool:
        """Move to the best pair of ends of two labels, others held; whether more is found there."""
        best = present = self.taken[giver], self.taken[taker]
        most, ends = self.found + GAIN, self.ladders[giver].ends
        for count in ends[ends < present[0]][-NEAR:].tolist():
            self.take(giver, count)
            self._choose(taker, 0.0, self.budget)
            if self.found > most:
                best, most = (count, self.taken[taker]), self.found
            self.take(taker, present[1])
        self.take(giver, best[0])
        self.take(taker, best[1])
        return best != present

    def _costs(self, label: int, budget: float) -> tuple[NDArray[np.float64], float]:
        """Mass of the rows that only this label would ask for at each of its ends, and what others leave."""
        ladder, count = self.ladders[label], self.taken[label]
        others = self.asked[ladder.rows]
        others[:count] -= 1
        fresh = np.concatenate([[0.0], np.cumsum(self.mass[ladder.rows] * (others == 0))])
        return fresh[ladder.ends], budget - self.spent + fresh[count] + GAIN
