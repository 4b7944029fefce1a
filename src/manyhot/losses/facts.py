"""`describe`: everything that is known of a loss, from its class: its docstring and `traits`."""

import inspect
import re
from dataclasses import dataclass
from typing import Any

from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.make import TRAINING_COUNTS, short_name
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.rowwise import RowCosts, Rowwise
from manyhot.losses.table import LOSSES

CALLS = {
    "row_ids": "call it with row_ids=",
    "set_epoch": "call set_epoch(epoch)",
    "parameters": "optimise its parameters() too",
}
SYMBOLS = (
    "p = sigmoid(z), y the target value, P and N the positives and negatives of a row (or label, if that is "
    "the unit), LSE the log-sum-exp, sp(x) = log(1 + exp(x)), k = |P|."
)
"""What the letters of the formulas stand for."""


SPARSE = {
    "kept": "costed as they are",
    "kept on the CPU": "costed as they are by the compiling CPU engine, made dense elsewhere",
    "made dense": "made dense",
}


@dataclass(frozen=True)
class Parameter:
    """One argument of a loss.

    Args:
        name: as in Python.
        default: as written in Python; None when it must be given.
        meaning: from the docstring, with range.
    """

    name: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class LossFacts:
    """A loss on one page.

    Args:
        name: short name, as `loss=` takes it.
        kind: the class.
        family: what the losses of its file have in common.
        unit: what "mean" averages over: "cell", "row" or "own" (its docstring says it).
        summary: one line.
        details: the rest of the docstring before the arguments.
        formula: cost of a unit; empty where the docstring has none.
        use: when to take it; else the summary.
        trap: what goes wrong most easily; empty when nothing stands out.
        parameters: its own, without those that every loss has.
        needs: of the training set, what the constructor takes; train gives it by itself.
        calls: what a training loop has to do beside calling it.
        unknown: "left out" or "learned from".
        soft: what a target between 0 and 1 means.
        sparse: what becomes of sparse targets, see `Traits`.
        bounded: no gradient grows with the logit.
        batch: the cost of a row depends on the others.
        source: paper and deviations.
    """

    name: str
    kind: type[MultiLabelLoss]
    family: str
    unit: str
    summary: str
    details: str
    formula: str
    use: str
    trap: str
    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    calls: tuple[str, ...]
    unknown: str
    soft: str
    sparse: str
    bounded: bool
    batch: bool
    source: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; the class by its name."""
        parameters = [{"name": p.name, "default": p.default, "meaning": p.meaning} for p in self.parameters]
        return {**vars(self), "kind": self.kind.__name__, "parameters": parameters}

    def properties(self) -> dict[str, str]:
        """What a page says of the loss beside its texts: property -> words."""
        averaged = {"cell": "known cells", "row": "rows", "own": "units of its own, as said above"}
        return {
            "mean over": averaged[self.unit],
            "unknown cells": self.unknown,
            "soft targets": self.soft,
            "sparse targets": SPARSE[self.sparse],
            "gradient": "bounded" if self.bounded else "grows with the logit",
            "a row's cost": "depends on the batch" if self.batch else "its own",
            "needs": ", ".join(self.needs) or "nothing",
            "in a loop": ", ".join(CALLS[call] for call in self.calls) or "just call it",
        }


def describe(loss: str | type[MultiLabelLoss]) -> LossFacts:
    """The facts of a loss that `LOSSES` lists.

    Args:
        loss: short name, or class.

    Raises:
        OptionError: no such loss; the nearest names are listed.
    """
    loss = short_name(loss if isinstance(loss, str) else loss.__name__)
    kind = LOSSES[loss]
    traits, (text, sections) = kind.traits, docstring_parts(kind)
    summary, _, details = text.partition("\n\n")
    module = inspect.getmodule(kind)
    family = (module.__doc__ or "" if module else "").partition("\n\n")[0]
    meanings = _entries(sections.get("Args", ""))
    parameters = tuple(
        Parameter(p.name, None if p.default is p.empty else repr(p.default), meanings.get(p.name, ""))
        for p in inspect.signature(kind.__init__).parameters.values()
        if p.name not in ("self", "options")
    )
    return LossFacts(
        name=loss,
        kind=kind,
        family=_flat(family).rstrip("."),
        unit="cell" if issubclass(kind, Pointwise) else "row" if issubclass(kind, RowCosts) else "own",
        summary=_flat(summary),
        details=details.strip(),
        formula=sections.get("Formula", ""),
        use=sections.get("Use", _flat(summary)),
        trap=sections.get("Trap", ""),
        parameters=parameters,
        needs=tuple(p.name for p in parameters if p.name in TRAINING_COUNTS),
        calls=traits.calls,
        unknown="left out" if kind.ignores_unknown else "learned from",
        soft=traits.soft or _soft(kind),
        sparse=traits.sparse,
        bounded=traits.bounded,
        batch=traits.batch,
        source=_flat(sections.get("Source", "")),
    )


def docstring_parts(kind: type[MultiLabelLoss]) -> tuple[str, dict[str, str]]:
    """The text of a class docstring before its sections, and these by name; "Use: ..." is one as well."""
    pieces = re.split(r"^(Args|Source|Raises):\n", inspect.getdoc(kind) or "", flags=re.MULTILINE)
    sections = {
        name: inspect.cleandoc("\n" + body) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    text, *said = re.split(r"^(Formula|Use|Trap): ", pieces[0], flags=re.MULTILINE)
    sections |= {name: _flat(body) for name, body in zip(said[::2], said[1::2], strict=True)}
    return text.strip(), sections


def _entries(section: str) -> dict[str, str]:
    """Name and meaning of each argument in a section."""
    found = re.split(r"^(\w+): ", section, flags=re.MULTILINE)
    return {name: _flat(meaning) for name, meaning in zip(found[1::2], found[2::2], strict=True)}


def _soft(kind: type[MultiLabelLoss]) -> str:
    if issubclass(kind, Pointwise):
        return "the expected cost" if kind.soft is None else "inside the formula"
    return (
        "counts on both sides by its share" if issubclass(kind, (Rowwise, RowCosts)) else "a share of a hit"
    )


def _flat(text: str) -> str:
    return " ".join(text.split())
