"""The legal label set with the highest total margin, row by row, exactly.

Linked labels are decided in an order in which each depends on few others (see `elimination`), all rows by one
plan; labels whose links allow no such order, by branch and bound. How many labels a row has is asked only of
the rows that break a limit.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.branch_and_bound import Limits, best_set
from manyhot.decide.elimination import Plan, TooWideError
from manyhot.decide.links import Links
from manyhot.errors import InputError
from manyhot.labels import LabelSpace

__all__ = ["Limits", "best_legal_sets"]


@dataclass(frozen=True)
class _Plans:
    """How the labels of a space are decided.

    Attributes:
        linked: of all linked labels but the wide ones.
        wide: columns of components that no plan has room for.
    """

    links: Links
    width: int
    linked: tuple[Plan, ...]
    wide: tuple[NDArray[np.int64], ...]

    @cached_property
    def counted(self) -> Plan | None:
        """Of all labels, lone ones too; None where some are wide."""
        return None if self.wide else _plan(self.links, np.arange(self.width))


@lru_cache(maxsize=8)
def _plans(space: LabelSpace) -> _Plans:
    links, width = Links.of(space), len(space)
    components = links.components(width)
    if not components:
        return _Plans(links, width, (), ())
    whole = _plan(links, np.concatenate(components))
    if whole is not None:
        return _Plans(links, width, (whole,), ())
    found = [_plan(links, columns) for columns in components]
    wide = tuple(columns for columns, plan in zip(components, found, strict=True) if plan is None)
    return _Plans(links, width, tuple(plan for plan in found if plan is not None), wide)


def _plan(links: Links, columns: NDArray[np.int64]) -> Plan | None:
    """The plan of these labels, None where there is no room for it."""
    try:
        return Plan.of(links, columns)
    except TooWideError:
        return None


def best_legal_sets(margins: NDArray[np.float64], space: LabelSpace, limits: Limits) -> NDArray[np.bool_]:
    """The legal set of each row with the highest sum of margins, (rows, labels).

    Raises:
        InputError: no legal set exists, or a row could not be solved in reasonable time.
    """
    from manyhot.kernels.elimination import best_choices, best_counted_choices

    plans = _plans(space)
    chosen = margins >= 0
    for plan in plans.linked:
        if best_choices(margins, chosen, *plan.arguments()):
            raise InputError(_nothing_legal(space, Limits()))
    for columns in plans.wide:
        part = plans.links.within(columns)
        for row in np.flatnonzero(~part.legal(chosen[:, columns])):
            chosen[row, columns] = _found(best_set(margins[row, columns], part, Limits()), space, Limits())
    broken = np.flatnonzero(limits.broken(chosen.sum(axis=1)))
    if not len(broken):
        return chosen
    if plans.counted is None:
        for row in broken:
            chosen[row] = _found(best_set(margins[row], plans.links, limits), space, limits)
        return chosen
    least, whole = int(limits.at_least_one), limits.at_most is None
    most = 1 if limits.at_most is None else min(limits.at_most, len(space))
    found = np.zeros((len(broken), len(space)), bool)
    counted = plans.counted.arguments()
    if best_counted_choices(margins[broken], found, least, most, whole, *counted):
        raise InputError(_nothing_legal(space, limits))
    chosen[broken] = found
    return chosen


def _found(best: NDArray[np.bool_] | None, space: LabelSpace, limits: Limits) -> NDArray[np.bool_]:
    if best is None:
        raise InputError(_nothing_legal(space, limits))
    return best


def _nothing_legal(space: LabelSpace, limits: Limits) -> str:
    return (
        f"no legal set of the {len(space)} labels keeps the limits (at least one: {limits.at_least_one}, "
        f"at most: {limits.at_most}); raise at_most, or change the rules"
    )
