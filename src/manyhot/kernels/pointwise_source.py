"""What the kernels of all engines share: the variant of a pointwise loss, and the cost of one cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from manyhot.kernels.curves import Curves
from manyhot.kernels.formula import Formula, constant_names

Kind = Literal["scalar", "label", "row"]
FIXED = (0.0, 1.0, 2.0, 3.0, 4.0)  # constants that may be part of the code


@dataclass(frozen=True)
class Variant:
    """What a kernel is written for.

    Args:
        kinds: name and kind of each constant, in the order in which the kernel takes them.
        fixed: name and value of the constants that are part of the code.
        soft: positives have values below 1.
        weighted: labels have weights on their sides.
        smoothed: targets are smoothed.
        row_weighted: rows have weights.
        cell_weighted: cells have weights.
        unknown: unknown cells have a cost.
    """

    kinds: tuple[tuple[str, Kind], ...]
    fixed: tuple[tuple[str, float], ...] = ()
    soft: bool = False
    weighted: bool = False
    smoothed: bool = False
    row_weighted: bool = False
    cell_weighted: bool = False
    unknown: bool = False

    def constants(self) -> list[tuple[str, Kind]]:
        """All that varies with the loss, under the names it has in the kernel."""
        own: list[tuple[str, Kind]] = [(f"c_{name}", kind) for name, kind in self.kinds]
        return [*own, ("w_pos", "label"), ("w_neg", "label")] if self.weighted else own


def variant_of(
    curves: Curves,
    *,
    soft: bool,
    cell_weighted: bool,
    row_weighted: bool = False,
    fixing: bool = False,
) -> Variant:
    """The variant that costs these curves.

    Args:
        curves: the loss.
        soft: positives have values below 1.
        cell_weighted: cells have weights.
        row_weighted: rows have weights, which are an argument of the kernel.
        fixing: put small whole constants into the code, which then has x * x for a power, and nothing for
            what is multiplied by 0. Not those between, lest a schedule compiles at every step.
    """
    values = {name: curves.constants[name] for name in _all_constants(curves.all_formulas())}
    numbers = {name: float(value) for name, value in values.items() if not isinstance(value, Tensor)}
    fixed = {name: value for name, value in numbers.items() if fixing and value in FIXED}
    return Variant(
        kinds=tuple((name, _kind(value)) for name, value in values.items() if name not in fixed),
        fixed=tuple(fixed.items()),
        soft=soft,
        weighted=curves.positive_weight is not None or curves.negative_weight is not None,
        smoothed=any(curves.smoothing),
        row_weighted=row_weighted,
        cell_weighted=cell_weighted,
        unknown=curves.unknown is not None,
    )


def constants_of(curves: Curves, variant: Variant) -> list[float | Tensor]:
    """Values of `variant.constants()`: numbers, (labels,) and (rows,)."""
    values = [curves.constants[name] for name, _ in variant.kinds]
    found: list[float | Tensor] = [v[:, 0] if isinstance(v, Tensor) and v.ndim == 2 else v for v in values]
    up, down = curves.positive_weight, curves.negative_weight
    if up is not None:
        return [*found, up, torch.ones_like(up) if down is None else down]
    return found if down is None else [*found, torch.ones_like(down), down]


def named_formulas(curves: Curves) -> dict[str, Formula]:
    """The formulas under the names that kernels call them by."""
    beside = {"unknown": curves.unknown, "soft": curves.soft}
    named = {name: formula for name, formula in beside.items() if formula is not None}
    return {"positive": curves.positive, "negative": curves.negative, **named}


def cell_functions(formulas: Mapping[str, Formula], variant: Variant) -> str:
    """Source of the cost of one cell: `background` for a negative, `special` for a target y, `hidden`."""

    def side(name: str, weight: str, value: str, slope: str) -> str:
        given = ", ".join(["z", *(f"c_{constant}" for constant in _constants(formulas[name]))])
        line = f"    {value}, {slope} = {name}({given})\n"
        return line + (
            f"    {value}, {slope} = {weight} * {value}, {weight} * {slope}\n" if variant.weighted else ""
        )

    positive, negative = side("positive", "w_pos", "vp", "sp"), side("negative", "w_neg", "vn", "sn")
    mixed = _by_soft_formula(formulas["soft"], variant) if "soft" in formulas else positive + negative + MIXED
    if variant.smoothed:
        background, special = f"    share = low\n{mixed}", f"    share = low + y * (high - low)\n{mixed}"
    else:
        background = f"{negative}    return vn, sn"
        special = f"    share = y\n{mixed}" if variant.soft else f"{positive}    return vp, sp"
    unknown = (
        side("unknown", "real(1)", "v", "s") + "    return v, s"
        if variant.unknown
        else "    return real(0), real(0)"
    )
    given = "".join(f", {name}" for name, _ in variant.constants())
    fixed = "".join(f"c_{name} = real({value})\n" for name, value in variant.fixed)
    return fixed + CELLS.format(given=given, background=background, special=special, unknown=unknown)


def _by_soft_formula(formula: Formula, variant: Variant) -> str:
    given = ", ".join(["z", "share", *(f"c_{constant}" for constant in _constants(formula))])
    cost = f"    v, s = soft({given})\n"
    if not variant.weighted:
        return f"{cost}    return v, s"
    weight = "    weight = share * w_pos + (real(1) - share) * w_neg\n"
    return f"{cost}{weight}    return weight * v, weight * s"


def _constants(formula: Formula) -> list[str]:
    return [name for name in constant_names(formula) if name != "y"]  # y is the target of a soft formula


@cache
def _all_constants(formulas: tuple[Formula | None, ...]) -> list[str]:
    return list(dict.fromkeys(name for formula in formulas if formula for name in _constants(formula)))


def _kind(value: float | Tensor) -> Kind:
    if not isinstance(value, Tensor):
        return "scalar"
    return "row" if value.ndim == 2 else "label"


MIXED = """\
    rest = real(1) - share
    return share * vp + rest * vn, share * sp + rest * sn"""

CELLS = """
@part
def background(z, low, high{given}):
{background}


@part
def special(z, y, low, high{given}):
{special}


@part
def hidden(z{given}):
{unknown}
"""
