"""LabelSpace: the ordered label names, their exclusive groups, parents and rules; frozen, keyed by name."""

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import _sparse, consistency, files
from manyhot.labels.dispatch import as_targets
from manyhot.labels.links import Constraint, parents_of, rules_of
from manyhot.labels.targets import Targets
from manyhot.labels.unicode_forms import twin

Unknown = Literal["error", "ignore", "collect"]


@dataclass(frozen=True)
class Group:
    """Labels of which exactly one applies to a row, or at most one when `allow_none`.

    Args:
        name: of the group, such as "colour".
        labels: two or more label names.
        allow_none: a row may have none of them.
    """

    name: str
    labels: tuple[str, ...]
    allow_none: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.labels, (str, bytes)):
            raise InputError(
                f"group {self.name!r}: expected a list of labels, got the string {self.labels!r}"
            )
        object.__setattr__(self, "labels", tuple(self.labels))


@dataclass(frozen=True, eq=False)
class LabelSpace:
    """The description of all labels that losses, splits, metrics, decisions and bundles share.

    Args:
        names: of the labels in column order, unique; there may be none.
        groups: exclusive groups; a label is in one group at most. Others are independent.
        parents: label -> its parent or parents, without cycles. A row with the label has its parents too.
        rules: `Constraint`s or their texts, such as "jeans -> denim" and "jeans -> not dress".

    Raises:
        InputError: a name twice, empty or not a string; a label that the space does not have; a label in two
            groups; a cycle of parents; parents or rules of another form; rules under which a label could
            never apply.

    Example:
        >>> space = LabelSpace(["red", "blue", "striped"], groups=[Group("colour", ("red", "blue"))])
        >>> space.encode([["blue", "striped"], ["red"]]).to_index_lists()
        [[1, 2], [0]]
    """

    names: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.names, (str, bytes)):
            raise InputError(f"expected a list of label names, got the string {self.names!r}")
        if not isinstance(self.names, Iterable):
            raise InputError(f"expected a list of label names, got {self.names!r:.60}")
        set_ = object.__setattr__  # the dataclass is frozen; this is its own construction
        set_(self, "names", tuple(self.names))
        set_(self, "groups", tuple(self.groups))
        set_(self, "parents", MappingProxyType(parents_of(self.parents)))
        set_(self, "rules", rules_of(self.rules))
        consistency.check_space(self)

    @classmethod
    def of(cls, rows: Iterable[Iterable[str]]) -> Self:
        """The independent labels that occur in rows of names, sorted."""
        return cls(
            tuple(sorted({name for number, row in enumerate(rows) for name in _names_of(row, number)}))
        )

    # ---------------------------------------------------------------- what it holds

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._position

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, LabelSpace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelSpace, (self.names, self.groups, dict(self.parents), self.rules)

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:4]) + (", ..." if len(self) > 4 else "")
        return f"LabelSpace({len(self)} labels: {shown}; {len(self.groups)} groups, {len(self.rules)} rules)"

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: column for column, name in enumerate(self.names)}

    @cached_property
    def digest(self) -> str:
        """64 hex digits that depend on names, their order, groups, parents and rules, and on nothing else.

        Not on the order of a label's parents, nor on which of two labels is said to exclude the other.
        """
        content = json.dumps(files.canonical(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def independent(self) -> tuple[str, ...]:
        """Labels that are in no exclusive group, in column order."""
        grouped = {label for group in self.groups for label in group.labels}
        return tuple(name for name in self.names if name not in grouped)

    def column(self, name: str) -> int:
        """Column of a label.

        Raises:
            InputError: the space has no such label; the message offers the nearest.
        """
        if name not in self._position:
            raise InputError(f"{name!r} is not one of the {len(self)} labels{self._nearest(name)}")
        return self._position[name]

    def columns(self, names: Iterable[str]) -> NDArray[np.intp]:
        """Columns of several labels, in the order given."""
        if isinstance(names, (str, bytes)):
            raise InputError(f"expected a list of label names, got the string {names!r}; write [{names!r}]")
        return np.array([self.column(name) for name in names], np.intp)

    # ---------------------------------------------------------------- rows of names

    def encode(
        self,
        rows: Iterable[Iterable[str]],
        *,
        unknown: Unknown = "error",
        seen: Counter[str] | None = None,
    ) -> Targets:
        """Targets of rows of label names.

        Args:
            rows: the names that apply to each row; a repeated name counts once, [] is a row without labels.
            unknown: what to do with a name that the space does not have: "error", "ignore" (drop it), or
                "collect" (drop it and count it in `seen`).
            seen: counter of unknown names, filled in place also when "ignore".

        Raises:
            InputError: a row is a string or not a list of strings; with "error", an unknown name.
        """
        _check.one_of("unknown", unknown, ("error", "ignore", "collect"))
        if unknown == "collect" and seen is None:
            raise OptionError("unknown='collect' counts into a counter; pass seen=Counter()")
        strange: Counter[str] = Counter()
        first_row: dict[str, int] = {}
        columns, sizes = array("i"), array("i")
        position = self._position
        for number, row in enumerate(_rows_of(rows)):
            found = set()
            for name in _names_of(row, number):
                if name in position:
                    found.add(position[name])
                else:
                    strange[name] += 1
                    first_row.setdefault(name, number)
            columns.extend(sorted(found))
            sizes.append(len(found))
        if strange and unknown == "error":
            self._raise_unknown(strange, first_row)
        if seen is not None:
            seen.update(strange)
        starts = _sparse.starts_of(np.frombuffer(sizes, np.int32))
        return Targets._of((_sparse.compressed(np.array(columns, np.int32), starts, len(self)), None))

    def decode(self, targets: Any, *, cut: float = 0.5) -> list[list[str]]:
        """Names of the positive labels of every row, in column order; soft values count from `cut` on.

        Targets come in any form of `as_targets`. Unknown cells give no name.
        """
        targets = targets if isinstance(targets, Targets) else as_targets(targets, len(self))
        self.require_width(targets)
        plain = targets.harden(cut).assume_negative()
        return [[self.names[column] for column in row] for row in plain.to_index_lists()]

    def from_columns(self, frame: Any, unknown_code: float | None = None) -> Targets:
        """Targets of a DataFrame (or mapping of columns) that has one column a label, found by name.

        Args:
            frame: pandas or polars DataFrame, or a mapping; further columns are left alone.
            unknown_code: a value that means unknown beside NaN and null.

        Raises:
            InputError: a label has no column, or two, or a column is not 0/1, bool or in [0, 1].
        """
        present = list(frame.columns if hasattr(frame, "columns") else frame)
        missing = [name for name in self.names if name not in set(present)]
        if missing:
            raise InputError(
                f"no column for {len(missing)} of {len(self)} labels: {', '.join(map(repr, missing[:5]))}"
                f"{self._nearest(missing[0], present)}"
            )
        twice = [name for name, count in Counter(present).items() if count > 1 and name in self]
        if twice:
            raise InputError(f"{twice[0]!r} is the name of two columns; rename or drop one of them")
        if hasattr(frame, "to_numpy"):
            return Targets.from_dense(frame[list(self.names)], unknown_code)
        return Targets.from_dense(
            np.column_stack([np.asarray(frame[name]) for name in self.names]), unknown_code
        )

    def to_columns(self, targets: Targets) -> dict[str, NDArray[np.float32]]:
        """One dense column a label, NaN where unknown: what the DataFrame of pandas and of polars takes."""
        self.require_width(targets)
        dense = targets.to_dense()
        return {name: dense[:, column] for column, name in enumerate(self.names)}

    # ---------------------------------------------------------------- what groups, parents and rules say

    def close_upward(self, targets: Targets) -> Targets:
        """Targets in which every positive label has its ancestors too.

        An ancestor's value becomes the largest of its own and its descendants'; a negative ancestor of an
        unknown label becomes unknown (the OR of three-valued logic).
        """
        self.require_width(targets)
        return consistency.close_upward(self, targets)

    def violations(self, targets: Targets) -> dict[str, int]:
        """Rows that break a group, a parent link or a rule, counted by its text; only what is broken.

        Keys read "colour: more than one", "colour: none", "jeans -> not dress"; unknown cells break nothing.
        Soft values a and b break "a -> b" when a > b, and "a -> not b" when a + b > 1.
        """
        self.require_width(targets)
        return consistency.violations(self, targets)

    def group_classes(self, targets: Targets, group: Group | str) -> NDArray[np.int64]:
        """Class of every row in an exclusive group, (rows,), as a softmax wants it.

        0 .. k-1 is the place in `group.labels`, k is none of them (`allow_none`), -1 is unknown: no label is
        positive and one is unknown.

        Raises:
            InputError: soft targets, two labels of the group in a row, or none where none is not allowed.
        """
        self.require_width(targets)
        return consistency.group_classes(
            self, targets, self.group(group) if isinstance(group, str) else group
        )

    def group(self, name: str) -> Group:
        """The exclusive group of that name."""
        found = {group.name: group for group in self.groups}
        if name not in found:
            raise InputError(f"no group {name!r}; the groups are {', '.join(found) or 'none'}")
        return found[name]

    # ---------------------------------------------------------------- change and storage

    def extend(self, names: Iterable[str], *, group: str | None = None) -> "LabelSpace":
        """The space with new labels appended, independent or in an existing group.

        Old columns keep their place; `Targets.widen` makes old rows unknown for the new labels.

        Raises:
            InputError: a name is not new.
        """
        added = tuple(_names_of(names, None))
        present = [name for name in added if name in self]
        if present:
            raise InputError(f"{present[0]!r} is in the space already; extend with new names only")
        groups = self.groups
        if group is not None:
            old = self.group(group)
            new = Group(old.name, (*old.labels, *added), old.allow_none)
            groups = tuple(new if each is old else each for each in groups)
        return LabelSpace((*self.names, *added), groups, self.parents, self.rules)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and strings that `from_dict` reads back exactly."""
        return files.to_dict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The space that `to_dict` wrote, or one in the `heads` form of a labels file."""
        return cls(**files.parts_of(content))

    def to_json(self) -> str:
        """JSON text, indented."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The space of a JSON text."""
        return cls.from_dict(files.parsed_json(text))

    def to_yaml(self) -> str:
        """YAML text; needs the extra `yaml`."""
        return files.yaml().safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """The space of a YAML text; needs the extra `yaml`."""
        return cls.from_dict(files.parsed_yaml(text))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The space of a .json, .yaml or .yml file.

        Raises:
            InputError: the file is missing or does not describe labels; the message names it.
        """
        return files.located(path, lambda: cls.from_dict(files.content_of(path)))

    def require_width(self, targets: Targets) -> None:
        """Raise `ShapeError` unless the targets have one column a label."""
        if targets.width != len(self):
            raise ShapeError(
                f"expected targets for {len(self)} labels, got {targets.width}; encode with this space"
            )

    def _nearest(self, name: object, among: Sequence[str] | None = None) -> str:
        names = self.names if among is None else among
        if same := twin(str(name), names):
            return (
                f"; {same!r} looks the same but has its accents composed in another way ({same!a}): "
                "write both as unicodedata.normalize('NFC', name) does"
            )
        near = get_close_matches(str(name), names, n=3)
        return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""

    def _raise_unknown(self, strange: Counter[str], first_row: dict[str, int]) -> None:
        name, count = strange.most_common(1)[0]
        others = f", {len(strange) - 1} further names" if len(strange) > 1 else ""
        raise InputError(
            f"label {name!r} ({count} times, first in row {first_row[name]}){others} not in the space of "
            f"{len(self)} labels{self._nearest(name)}; unknown='ignore' drops such names, "
            "unknown='collect' counts them, extend() adds them"
        )


def _rows_of(rows: Iterable[Iterable[str]]) -> Iterable[Iterable[str]]:
    if isinstance(rows, (str, bytes)):
        raise InputError(f"expected a list of label names for every row, got the string {rows!r:.60}")
    if not isinstance(rows, Iterable):
        raise InputError(f"expected a list of label names for every row, got {type(rows).__name__}")
    return rows


def _names_of(row: Iterable[str], number: int | None) -> Iterable[str]:
    """The names of a row, each checked to be a string; a bare string is not split into letters."""
    where = "" if number is None else f"row {number}: "
    if isinstance(row, (str, bytes)):
        raise InputError(
            f"{where}expected a list of label names, got the string {row!r:.60}; write [{row!r:.60}]"
        )
    if isinstance(row, Mapping):
        raise InputError(
            f"{where}expected a list of label names, got the mapping {row!r:.60}; list the labels that "
            "apply, or read columns of values: from_columns(pandas.DataFrame(rows))"
        )
    if not isinstance(row, Iterable):
        raise InputError(
            f"{where}expected a list of label names, got {row!r:.60}; [] is a row without labels"
        )
    for name in row:
        if not isinstance(name, str):
            raise InputError(
                f"{where}expected label names as strings, got {name!r:.60} of type {type(name).__name__}; "
                "Targets.from_index_lists takes indices, Targets.from_dense a 0/1 matrix"
            )
        yield name
