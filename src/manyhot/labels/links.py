"""What ties labels to each other: parents, and rules in which one label implies or excludes another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from manyhot import _check
from manyhot.errors import InputError


@dataclass(frozen=True)
class Constraint:
    """`label` implies, or excludes, `other`; written "jeans -> denim" or "jeans -> not dress"."""

    kind: Literal["implies", "excludes"]
    label: str
    other: str

    def __post_init__(self) -> None:
        _check.one_of("kind of a rule", self.kind, ("implies", "excludes"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rule that "label -> other" or "label -> not other" means."""
        label, arrow, other = text.partition("->")
        label, other = label.strip(), other.strip()
        if not (label and arrow and other):
            raise InputError(f"expected a rule 'label -> other' or 'label -> not other', got {text!r}")
        if other.startswith("not "):
            return cls("excludes", label, other[4:].strip())
        return cls("implies", label, other)

    def __str__(self) -> str:
        return f"{self.label} -> {'not ' if self.kind == 'excludes' else ''}{self.other}"

    @property
    def meaning(self) -> tuple[str, str, str]:
        """(label, kind, other), the same for "a -> not b" and "b -> not a"."""
        label, other = (
            sorted((self.label, self.other)) if self.kind == "excludes" else (self.label, self.other)
        )
        return label, self.kind, other


def rules_of(rules: Iterable[Any]) -> tuple[Constraint, ...]:
    """Rules as `Constraint`s, sorted; of those that mean the same the first.

    Raises:
        InputError: one is neither a `Constraint` nor the text of one.
    """
    read = sorted(map(_rule_of, rules), key=lambda rule: (rule.label, rule.kind, rule.other))
    first: dict[tuple[str, str, str], Constraint] = {}
    for rule in read:
        first.setdefault(rule.meaning, rule)
    return tuple(first.values())


def parents_of(parents: Any) -> dict[str, tuple[str, ...]]:
    """Parents by label, each once; labels without any are left out.

    Raises:
        InputError: not a mapping of a label to its parent or parents.
    """
    if not isinstance(parents, Mapping):
        raise InputError(
            f"expected parents as a mapping of a label to its parent or parents, got {parents!r:.60}; "
            "write {'label': 'parent'}"
        )
    listed = {label: (above,) if isinstance(above, str) else above for label, above in parents.items()}
    for label, above in listed.items():
        if not isinstance(above, Iterable):
            raise InputError(f"parents of {label!r}: expected a name or a list of names, got {above!r:.60}")
    named = {label: tuple(dict.fromkeys(above)) for label, above in listed.items()}
    return {label: above for label, above in named.items() if above}


def _rule_of(rule: Any) -> Constraint:
    if isinstance(rule, Constraint):
        return rule
    if isinstance(rule, str):
        return Constraint.parse(rule)
    raise InputError(
        f"expected a rule 'label -> other' or 'label -> not other', got {rule!r:.60}; write it so, or as "
        "Constraint('implies', label, other)"
    )
