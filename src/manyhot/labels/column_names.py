"""Label names that DataFrames and decided sets bring along, so that columns meet by name, not by position."""

from collections.abc import Mapping
from typing import Any

from manyhot.errors import InputError
from manyhot.labels import formats
from manyhot.labels.targets import Targets

SHOWN = 5


def shared_names(**given: Any) -> tuple[str, ...] | None:
    """Names by column that all DataFrames with names, and all decided sets of named labels, agree on.

    Args:
        given: what is to be laid over one another, by what it is called; of several orders the first holds.

    Returns:
        The names, or None where nothing brings any.

    Raises:
        InputError: two of them name other labels, or order the same ones differently beside a matrix without
            names, which could be in either order.
    """
    named = {what: found for what, value in given.items() if (found := _names(value)) is not None}
    if not named:
        return None
    first, *others = named
    for other in others:
        if set(named[first]) != set(named[other]):
            raise InputError(difference({first: named[first], other: named[other]}))
        if named[first] != named[other]:
            _refuse_nameless(given, named, first, other)
    return named[first]


def numbered(width: int) -> tuple[str, ...]:
    """What labels are called where nothing names them: their column numbers."""
    return tuple(str(column) for column in range(width))


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, Targets):
        return None if value.provenance is None else value.provenance.names
    if formats.is_frame(value) and formats.has_names(value):
        return tuple(value.columns)
    return None


def _refuse_nameless(
    given: Mapping[str, Any], named: Mapping[str, tuple[str, ...]], first: str, other: str
) -> None:
    for what, value in given.items():
        if what not in named and len(getattr(value, "shape", ())) == 2:
            raise InputError(
                f"{first} and {other} have their columns in different orders, and {what} has no names to say "
                f"which is its own; pass {what} as a DataFrame too, or put all columns in one order"
            )


def difference(pair: Mapping[str, tuple[str, ...]]) -> str:
    """The message for two sets of names that should be one."""
    (first, own), (second, theirs) = pair.items()
    only = [f"{what} alone: {_listed(names)}" for what, names in
            ((first, _without(own, theirs)), (second, _without(theirs, own))) if names]  # fmt: skip
    return (
        f"{first} and {second} have columns of other names, {'; '.join(only)}; rename or drop columns, or "
        "pass to_numpy() of both where they stand in one order"
    )


def _without(names: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in set(others)]


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN]))
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
