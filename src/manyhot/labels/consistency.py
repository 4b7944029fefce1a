"""What groups, parents and rules mean: a space free of contradictions, and targets that obey it."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot.errors import InputError
from manyhot.labels import _sparse
from manyhot.labels.targets import Targets
from manyhot.labels.unicode_forms import lookalikes

if TYPE_CHECKING:
    from manyhot.labels.space import Group, LabelSpace

# float32 shares that should sum to 1 miss it by rounding
ROUNDING = 1e-4


def check_space(space: "LabelSpace") -> None:
    """Raise `InputError` where names, groups, parents or rules contradict themselves or each other."""
    _check_names(space.names)
    known = set(space.names)
    _check_groups(space.groups, known)
    for label, above in space.parents.items():
        for name in (label, *above):
            _require(name, known, f"parents of {label!r}")
    for rule in space.rules:
        _require(rule.label, known, f"rule '{rule}'")
        _require(rule.other, known, f"rule '{rule}'")
        if rule.label == rule.other:
            raise InputError(f"rule '{rule}': a label cannot imply or exclude itself; remove the rule")
    try:
        TopologicalSorter(space.parents).prepare()
    except CycleError as error:
        raise InputError(
            f"parents form a cycle: {' -> '.join(error.args[1])}; remove one of these links"
        ) from None
    _check_possible(space)


def ancestors(space: "LabelSpace") -> dict[str, list[str]]:
    """Parents, their parents and so on, of every label that has a parent."""
    return {label: _reached(label, space.parents) for label in space.parents}


def close_upward(space: "LabelSpace", targets: Targets) -> Targets:
    """See `LabelSpace.close_upward`."""
    above = {space.column(label): space.columns(names) for label, names in ancestors(space).items()}
    if not above:
        return targets
    sizes = np.array([len(above.get(column, ())) for column in range(len(space))])
    listed = np.concatenate([above[column] for column in sorted(above)])
    starts = _sparse.starts_of(sizes)
    positives = _with_ancestors(targets.positives, starts, listed)
    if targets.unknown is None:
        return Targets(positives)
    unknown = _with_ancestors(targets.unknown, starts, listed)
    # a value that is known, its own or a descendant's, outweighs an unknown descendant
    settled = np.isin(_sparse.cell_keys(unknown), _sparse.cell_keys(positives))
    return Targets(positives, _sparse.masked(unknown, ~settled))


def violations(space: "LabelSpace", targets: Targets) -> dict[str, int]:
    """See `LabelSpace.violations`."""
    values = csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    counts: dict[str, int] = {}
    for group in space.groups:
        columns = space.columns(group.labels)
        total = _sums(values, columns)
        counts[f"{group.name}: more than one"] = int((total > 1 + ROUNDING).sum())
        if not group.allow_none:
            settled = np.ones(len(targets), bool) if unknown is None else _sums(unknown, columns) == 0
            counts[f"{group.name}: none"] = int(((total < 1 - ROUNDING) & settled).sum())
    for text, label, other, implies in _links(space):
        first, second = _column(values, space.column(label)), _column(values, space.column(other))
        broken = first > second + ROUNDING if implies else first + second > 1 + ROUNDING
        if unknown is not None and implies:
            broken &= _column(unknown, space.column(other)) == 0
        counts[text] = int(broken.sum())
    return {text: count for text, count in counts.items() if count}


def group_classes(space: "LabelSpace", targets: Targets, group: "Group") -> NDArray[np.int64]:
    """See `LabelSpace.group_classes`."""
    part = targets.columns(space.columns(group.labels))
    if part.is_soft:
        raise InputError(f"group {group.name!r}: expected 0/1 targets, got soft ones; harden() first")
    counts = part.row_counts()
    if (counts > 1).any():
        row = int(np.argmax(counts > 1))
        names = ", ".join(group.labels[column] for column in part.rows([row]).to_csr().indices)
        raise InputError(
            f"group {group.name!r} is exclusive, row {row} has {names}; make the labels independent"
        )
    classes = np.full(len(targets), len(group.labels), np.int64)
    if part.unknown is not None:
        classes[np.diff(part.unknown.indptr) > 0] = -1
    classes[counts == 1] = part.positives.indices
    bare = classes == len(group.labels)
    if bare.any() and not group.allow_none:
        raise InputError(
            f"group {group.name!r}: row {np.argmax(bare)} (and {bare.sum() - 1} more) has none of "
            f"{', '.join(group.labels)}; set allow_none, or mark these cells unknown"
        )
    return classes


def _check_names(names: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise InputError(
                f"label {place}: expected a string, got {name!r} ({type(name).__name__}); put it in quotes"
            )
        if not name.strip():
            raise InputError(f"label {place} has an empty name; name it or remove it")
        if name in seen:
            raise InputError(f"label {name!r} is there twice, again at place {place}; names must be unique")
        seen.add(name)
    for one, other, *_ in lookalikes(names):
        raise InputError(
            f"labels {one!r} and {other!r} look the same, with accents composed in two ways ({one!a}, "
            f"{other!a}): write all names in one, as unicodedata.normalize('NFC', name) does"
        )


def _check_groups(groups: "Iterable[Group]", known: set[str]) -> None:
    group_of: dict[str, str] = {}
    taken: set[str] = set()
    for group in groups:
        if not hasattr(group, "labels"):
            raise InputError(f"expected Group(name, labels), got {group!r:.60}; make a Group of it")
        if group.name in taken:
            raise InputError(f"two groups are named {group.name!r}; rename one")
        taken.add(group.name)
        if len(group.labels) < 2:
            raise InputError(
                f"group {group.name!r}: expected two labels or more, got {len(group.labels)}; "
                "a label alone is independent"
            )
        for label in group.labels:
            _require(label, known, f"group {group.name!r}")
            if label in group_of:
                raise InputError(
                    f"label {label!r} is in group {group_of[label]!r} and again in {group.name!r}; "
                    "a label is in one group at most"
                )
            group_of[label] = group.name


def _check_possible(space: "LabelSpace") -> None:
    """Raise where a label brings with it two labels that exclude each other: it could never apply."""
    brings: dict[str, list[str]] = {label: list(above) for label, above in space.parents.items()}
    for rule in space.rules:
        if rule.kind == "implies":
            brings.setdefault(rule.label, []).append(rule.other)
    group_of = {label: group.name for group in space.groups for label in group.labels}
    excludes: dict[str, set[str]] = {}
    for rule in space.rules:
        if rule.kind == "excludes":
            excludes.setdefault(rule.label, set()).add(rule.other)
    for label in brings:
        together = dict.fromkeys([label, *_reached(label, brings)])
        for name in [each for each in together if each in excludes]:
            for clash in sorted(excludes[name] & together.keys()):
                raise InputError(
                    f"label {label!r} could never apply: it brings {name!r} and {clash!r}, which exclude "
                    "each other; remove one of the rules"
                )
        first_of: dict[str, str] = {}
        for name in [each for each in together if each in group_of]:
            other = first_of.setdefault(group_of[name], name)
            if other != name:
                both = " and ".join(repr(each) for each in together if each in (name, other))
                raise InputError(
                    f"label {label!r} could never apply: it brings {both} of the exclusive group "
                    f"{group_of[name]!r}; remove a rule or the group"
                )


def _require(name: str, known: set[str], where: str) -> None:
    if name not in known:
        raise InputError(f"{where}: {name!r} is not one of the labels; add it to the names or correct it")


def _reached(label: str, links: Mapping[str, Sequence[str]]) -> list[str]:
    """Everything that can be reached from a label, without the label itself, nearest first."""
    found: dict[str, None] = {}
    waiting = deque(links.get(label, ()))
    while waiting:
        name = waiting.popleft()
        if name not in found and name != label:
            found[name] = None
            waiting.extend(links.get(name, ()))
    return list(found)


def _with_ancestors(cells: csr_array, starts: NDArray[np.int64], listed: NDArray[np.intp]) -> csr_array:
    """The cells and, for each, the cells of its column's ancestors with the same value."""
    sizes = np.diff(starts)[cells.indices]
    rows = np.concatenate([_sparse.row_numbers(cells), np.repeat(_sparse.row_numbers(cells), sizes)])
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    columns = np.concatenate([cells.indices, listed[np.repeat(starts[cells.indices], sizes) + within]])
    values = np.concatenate([cells.data, np.repeat(cells.data, sizes)])
    return _sparse.gathered(rows, columns, values, _sparse.shape_of(cells))


def _links(space: "LabelSpace") -> Iterable[tuple[str, str, str, bool]]:
    for label, above in space.parents.items():
        for parent in above:
            yield f"{label} -> {parent} (parent)", label, parent, True
    for rule in space.rules:
        yield str(rule), rule.label, rule.other, rule.kind == "implies"


def _column(matrix: csc_array, column: int) -> NDArray[np.float64]:
    dense = np.zeros(_sparse.shape_of(matrix)[0])
    cells = slice(matrix.indptr[column], matrix.indptr[column + 1])
    dense[matrix.indices[cells]] = matrix.data[cells]
    return dense


def _sums(matrix: csc_array, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    return sum((_column(matrix, column) for column in columns), np.zeros(_sparse.shape_of(matrix)[0]))
