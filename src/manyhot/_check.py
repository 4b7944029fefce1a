"""Argument checks shared by all floors: one wording each. Each returns its value's use or raises."""

import math
import operator
from collections.abc import Iterable
from difflib import get_close_matches

from manyhot.errors import OptionError, ShapeError

FEW = 10
"""So many names are listed in any case; of more, only those near to what was given, if there are such."""

LARGEST_SEED = 2**63 - 1
"""What every generator takes, and a file holds."""


def same_shape(**shapes: tuple[int, ...]) -> None:
    """Raise `ShapeError` unless all named shapes are equal."""
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
        raise ShapeError(f"expected equal shapes (rows, labels), got {listed}")


def at_least(name: str, value: float, low: float) -> None:
    """Raise `OptionError` unless value is a number >= low."""
    if not _number(name, value) >= low:  # written so that NaN fails too
        raise OptionError(f"{name} must be >= {low}, got {value}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Raise `OptionError` unless value is a number, low <= value <= high."""
    if not low <= _number(name, value) <= high:
        raise OptionError(f"{name} must be in [{low}, {high}], got {value}")


def finite(name: str, value: float) -> None:
    """Raise `OptionError` unless value is a finite number."""
    if not math.isfinite(_number(name, value)):
        raise OptionError(f"{name} must be a finite number, got {value}")


def seed(value: int) -> int:
    """Return value, or raise `OptionError` unless it is a whole number in [0, LARGEST_SEED]."""
    try:
        whole = operator.index(value)
    except TypeError:
        raise OptionError(f"seed must be a whole number, got {value!r}") from None
    if not 0 <= whole <= LARGEST_SEED:
        raise OptionError(f"seed must be in [0, {LARGEST_SEED}], got {value}")
    return whole


def _number(name: str, value: float) -> float:
    try:
        return float(value + 0)  # float() alone would read text too
    except (TypeError, ValueError):
        raise OptionError(f"{name} must be a number, got {value!r}") from None


def one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return value, or raise `OptionError` with the nearest of the allowed ones, and all where they help."""
    allowed = list(allowed)
    if value in allowed:
        return value
    near = get_close_matches(str(value), allowed, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    listed = ", ".join(allowed)
    if len(allowed) <= FEW:
        raise OptionError(f"{name} must be one of {listed}, got {value!r}{hint}")
    raise OptionError(f"{name} {value!r} is none of the {len(allowed)} known{hint or f': {listed}'}")
