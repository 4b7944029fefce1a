"""examine: everything that can be known of a table before anything is trained."""

from dataclasses import replace

import numpy as np

from manyhot.data.doctor.diagnosis import Diagnosis
from manyhot.data.doctor.features import feature_gaps
from manyhot.data.doctor.findings import findings
from manyhot.data.doctor.groups import at_most_one, exactly_one
from manyhot.data.doctor.label_counts import label_frequencies
from manyhot.data.doctor.pairs import always_together, cooccurrence, never_together
from manyhot.data.doctor.repeats import group_leaks, repeats
from manyhot.data.table import PARTS, Table
from manyhot.labels import LabelSpace, Targets


def examine(table: Table) -> Diagnosis:
    """Look at labels, rows, columns and parts of a table, and say what is wrong and what mends it.

    Takes seconds where the data is in memory; every image file is read once. Soft targets count as positive
    from 0.5 on. Searches that could take long (exclusive groups, pairs in very wide label spaces) stop at a
    limit of work and say so. The same table gives the same diagnosis.

    Args:
        table: from `read` or `manyhot.datasets`.

    Example:
        >>> from manyhot.datasets import toy
        >>> print(examine(toy(rows=400)).summary)
        400 rows, 3 labels, 1.25 labels a row, density 0.417, 4 label sets, mean imbalance 1.33
    """
    space, targets = table.space, table.targets.harden()
    frequencies = label_frequencies(targets)
    pairs = cooccurrence(targets)
    declared = {label for group in space.groups for label in group.labels}
    found, complete = exactly_one(targets, space.names)
    found = [group for group in found if not declared.intersection(group.labels)]
    taken = declared.union(*(group.labels for group in found))
    found += at_most_one(targets, pairs, space.names, taken)
    known = int(frequencies.known.sum())
    positive = int(frequencies.positives.sum())
    excluded = _excluded(space) | {pair for group in found for pair in _couples(group.labels)}
    implied = _implied(space)
    diagnosis = Diagnosis(
        rows=len(table),
        cells=known,
        names=space.names,
        parts={part: len(table.where(part)) for part in PARTS if len(table.where(part))},
        cardinality=positive / len(table) if len(table) else 0.0,
        density=positive / known if known else 0.0,
        label_sets=len({row.tobytes() for row in _rows_of(targets)}),
        rows_without_labels=int((targets.row_counts() == 0).sum()),
        unknown_cells=len(table) * len(space) - known,
        soft=table.targets.is_soft,
        grouped=table.group is not None,
        skipped=tuple(map(str, table.notes.skipped)),
        frequencies=frequencies,
        all_zero=_learned_nothing(targets),
        groups=tuple(found),
        groups_complete=complete,
        always_together=tuple(
            pair for pair in always_together(pairs, space.names) if (pair.label, pair.other) not in implied
        ),
        never_together=tuple(
            pair
            for pair in never_together(pairs, space.names)
            if frozenset((pair.label, pair.other)) not in excluded
        ),
        pairs_complete=pairs.complete,
        violations=space.violations(table.targets),
        absent_in=_absent(table, frequencies.positives > 0),
        repeats=repeats(table),
        leaks=group_leaks(table),
        features=feature_gaps(table.inputs),
    )
    return replace(diagnosis, findings=tuple(findings(diagnosis)))


def _rows_of(targets: Targets) -> list[np.ndarray]:
    return np.split(targets.positives.indices, targets.positives.indptr[1:-1])


def _learned_nothing(targets: Targets) -> dict[str, float]:
    """Every metric of all-zero decisions and of prevalences as scores, in closed form."""
    from manyhot.metrics import METRICS, Training
    from manyhot.metrics.baseline import LearnedNothing

    if not len(targets) or not targets.width:
        return {}
    nothing = LearnedNothing(targets, Training.of(targets).shares, np.ones(len(targets)))
    values = {
        metric.name: float(metric.recipe.average(nothing).value)
        for metric in METRICS.values()
        if metric.needs in ("decisions", "scores", "probabilities")
    }
    return {name: value for name, value in values.items() if not np.isnan(value)}


def _absent(table: Table, occurs: np.ndarray) -> dict[str, tuple[str, ...]]:
    absent = {}
    for part in PARTS:
        rows = table.where(part)
        if len(rows):
            lost = np.flatnonzero(occurs & (table.targets.rows(rows).label_counts() == 0))
            absent[part] = tuple(table.space.names[label] for label in lost)
    return {part: names for part, names in absent.items() if names}


def _excluded(space: LabelSpace) -> set[frozenset[str]]:
    """Pairs that the label space already says never meet."""
    pairs = {pair for group in space.groups for pair in _couples(group.labels)}
    return pairs | {frozenset((rule.label, rule.other)) for rule in space.rules if rule.kind == "excludes"}


def _implied(space: LabelSpace) -> set[tuple[str, str]]:
    """(label, other) where the label space already says that label brings other along."""
    links = {label: set(above) for label, above in space.parents.items()}
    for rule in space.rules:
        if rule.kind == "implies":
            links.setdefault(rule.label, set()).add(rule.other)
    implied = set()
    for label in links:
        reached, open_ = set(), list(links[label])
        while open_:
            other = open_.pop()
            if other not in reached:
                reached.add(other)
                open_ += links.get(other, ())
        implied |= {(label, other) for other in reached}
    return implied


def _couples(labels: tuple[str, ...]) -> set[frozenset[str]]:
    return {frozenset((one, other)) for one in labels for other in labels if one != other}
