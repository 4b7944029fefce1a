"""One point of each label, of the greatest value that a budget pays: the multiple-choice knapsack, exactly.

Priced at what the last unit of the budget buys, every label has a best point, and every other point a loss.
The value of the best points and of what is left over bounds all choices from above; a greedy choice bounds
the best one from below. Points whose loss alone exceeds the distance of the two are out, which leaves few,
and these are searched by dynamic programming.

Source:
    Dyer, Kayal, Walker, "A branch and bound algorithm for solving the multiple-choice knapsack problem", J.
    Comp. Appl. Math. 11, 1984, for the bounds; Pisinger, European Journal of Operational Research 83, 1995.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_STATES = 100_000  # that are kept beside each other; the choice is then still one of the best found
SLACK = 1e-9


@dataclass(frozen=True)
class Offers:
    """What each label offers: label j owns starts[j]:starts[j + 1]; the first costs and brings nothing.

    Attributes:
        cost, value: (points,) >= 0, rising within each label.
        starts: (labels + 1,).
    """

    cost: NDArray[np.float64]
    value: NDArray[np.float64]
    starts: NDArray[np.int64]

    @property
    def label(self) -> NDArray[np.int64]:
        """(points,) the label of each point."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def best_within(offers: Offers, budget: float) -> NDArray[np.int64]:
    """Index of each label's point, (labels,), together of the greatest value that the budget pays."""
    budget = budget * (1 + SLACK)
    price, chosen = _relaxed(offers, budget)
    chosen = _filled(offers, chosen, budget)
    reduced = offers.value - price * offers.cost
    best = np.maximum.reduceat(reduced, offers.starts[:-1])
    highest = best.sum() + price * budget
    reached = float(offers.value[chosen].sum())
    if (offers.value == np.rint(offers.value)).all():  # nothing lies between two whole numbers
        highest = np.floor(highest + SLACK)
    if reached >= highest - SLACK * max(highest, 1.0):
        return chosen
    return _search(offers, budget, price, chosen, reached + SLACK * max(reached, 1.0))


def _relaxed(offers: Offers, budget: float) -> tuple[float, NDArray[np.int64]]:
    """The price at which the budget runs out when points may be mixed, and what is bought in full before."""
    steps = []
    for first, last in zip(offers.starts[:-1], offers.starts[1:], strict=True):
        payable = slice(first, first + np.searchsorted(offers.cost[first:last], budget, side="right"))
        corners = first + np.array(_corners(offers.cost[payable].tolist(), offers.value[payable].tolist()))
        steps.append(np.stack([corners[:-1], corners[1:]]))
    start, end = np.concatenate(steps, axis=1) if steps else np.zeros((2, 0), np.int64)
    cost = offers.cost[end] - offers.cost[start]
    rate = (offers.value[end] - offers.value[start]) / cost
    order = np.argsort(-rate, kind="stable")
    fits = int(np.searchsorted(np.cumsum(cost[order]), budget, side="right"))
    chosen, label = offers.starts[:-1].copy(), offers.label
    for step in order[:fits]:
        chosen[label[end[step]]] = end[step]
    return (float(rate[order[fits]]) if fits < len(order) else 0.0), chosen


def _corners(cost: list[float], value: list[float]) -> list[int]:
    """Places of the corners of the concave hull of one label's points."""
    corners: list[int] = []
    for three in range(len(cost)):
        while len(corners) > 1:
            one, two = corners[-2:]
            before = (value[two] - value[one]) * (cost[three] - cost[two])
            if before > (value[three] - value[two]) * (cost[two] - cost[one]):
                break
            corners.pop()
        corners.append(three)
    return corners


def _filled(offers: Offers, chosen: NDArray[np.int64], budget: float) -> NDArray[np.int64]:
    """What is left spent on single steps, the one of most value first, as long as any fits."""
    label, chosen = offers.label, chosen.copy()
    left = budget - offers.cost[chosen].sum()
    while True:
        more = offers.value - offers.value[chosen][label]
        more[offers.cost - offers.cost[chosen][label] > left] = 0.0
        point = int(np.argmax(more))
        if more[point] <= 0:
            return chosen
        left -= offers.cost[point] - offers.cost[chosen[label[point]]]
        chosen[label[point]] = point


def _search(
    offers: Offers, budget: float, price: float, chosen: NDArray[np.int64], wanted: float
) -> NDArray[np.int64]:
    """The best choice of more value than `wanted`, or `chosen` where there is none."""
    reduced = offers.value - price * offers.cost
    best = np.maximum.reduceat(reduced, offers.starts[:-1])
    loss = best[offers.label] - reduced
    open_points = np.flatnonzero(loss <= best.sum() + price * budget - wanted)
    of_label = offers.label[open_points]
    labels, first = np.unique(of_label, return_index=True)
    hope = best.sum()  # of the labels still to come, at their price
    cost, value = np.zeros(1), np.zeros(1)
    trail: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for own in np.split(open_points, first[1:]):
        hope -= best[offers.label[own[0]]]
        cost, value, before, point = _extended(offers, own, cost, value, budget)
        bound = value + price * (budget - cost) + hope
        kept = np.flatnonzero(bound >= wanted)
        if len(kept) > MOST_STATES:
            kept = np.sort(kept[np.argsort(-bound[kept], kind="stable")[:MOST_STATES]])
        if not len(kept):
            return chosen
        cost, value = cost[kept], value[kept]
        trail.append((before[kept], point[kept]))
    state = len(value) - 1  # values rise
    if value[state] < wanted:
        return chosen
    found = np.empty(len(labels), np.int64)
    for place in range(len(trail) - 1, -1, -1):
        before, point = trail[place]
        found[place], state = point[state], before[state]
    return found


def _extended(
    offers: Offers,
    own: NDArray[np.int64],
    cost: NDArray[np.float64],
    value: NDArray[np.float64],
    budget: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """All states with one more label: rising cost and value, the state before each, and the label's point."""
    spent = (cost + offers.cost[own][:, None]).ravel()
    worth = (value + offers.value[own][:, None]).ravel()
    order = np.lexsort((-worth, spent))
    order = order[spent[order] <= budget]
    better = np.empty(len(order), bool)
    better[:1] = True
    better[1:] = worth[order][1:] > np.maximum.accumulate(worth[order])[:-1]
    order = order[better]
    point, before = np.divmod(order, len(cost))
    return spent[order], worth[order], before, own[point]
