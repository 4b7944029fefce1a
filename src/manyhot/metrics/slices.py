"""Parts of the labels or of the rows, evaluated by themselves: where a model earns its average.

Source:
    Frequent, common and rare labels by training rows: Gupta, Dollár, Girshick, LVIS, CVPR 2019.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.errors import ShapeError
from manyhot.labels import LabelSpace, Targets
from manyhot.metrics.average import Average, Counted
from manyhot.metrics.baseline import LearnedNothing
from manyhot.metrics.material import Material, Measured
from manyhot.metrics.table import Metric

RARE, FREQUENT = 10, 100  # training rows up to which a label is rare, and above which it is frequent


@dataclass(frozen=True)
class Slice:
    """Metrics of some labels or of some rows.

    Attributes:
        kind: what the evaluation was sliced by: frequency, level, combination, or a name given.
        name: which part this is. size: its number of labels or rows. what: "labels" or "rows".
        values, baseline, counted: as in `Result`; of labels only the metrics that have a value for a label.
    """

    kind: str
    name: str
    size: int
    what: str
    values: Mapping[str, float]
    baseline: Mapping[str, float]
    counted: Mapping[str, Counted]

    def to_records(self) -> list[dict[str, Any]]:
        """One record a metric: kind, name, size, metric, value, baseline, counted, of, what."""
        return [
            {
                "kind": self.kind,
                "name": self.name,
                "size": self.size,
                "metric": metric,
                "value": value,
                "baseline": self.baseline.get(metric, math.nan),
                "counted": self.counted[metric].used,
                "of": self.counted[metric].of,
                "what": self.counted[metric].what,
            }
            for metric, value in self.values.items()
        ]


def by_frequency(positive: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
    """Masks of head, torso and tail labels by the number of training rows that have them."""
    return {
        f"head (> {FREQUENT})": positive > FREQUENT,
        f"torso ({RARE + 1}-{FREQUENT})": (positive > RARE) & (positive <= FREQUENT),
        f"tail (<= {RARE})": positive <= RARE,
    }


def by_level(space: LabelSpace) -> dict[str, NDArray[np.bool_]]:
    """Masks of the labels on each level: 0 without parents, else one below the lowest of the parents."""
    depth: dict[str, int] = {}
    for name in space.names:
        _measure_depth(name, space.parents, depth)
    levels = np.array([depth[name] for name in space.names])
    return {f"level {level}": levels == level for level in range(levels.max(initial=0) + 1)}


def by_combination(targets: Targets, train: Targets) -> dict[str, NDArray[np.bool_]]:
    """Masks of the rows whose exact label set occurs, or does not occur, in the training rows."""
    seen = set(_label_sets(train))
    known = np.fromiter((labels in seen for labels in _label_sets(targets)), bool, len(targets))
    return {"seen in training": known, "not seen in training": ~known}


def by_group(name: str, groups: Any, rows: int) -> dict[str, NDArray[np.bool_]]:
    """Masks of the rows of each group."""
    values = np.asarray(groups)
    if values.shape != (rows,):
        raise ShapeError(f"expected one {name!r} for each of {rows} rows, got shape {values.shape}")
    texts = np.array([str(value) for value in values.tolist()], dtype=object)  # None and NaN are groups too
    ordered = sorted(texts) if values.dtype.kind == "O" else texts[np.argsort(values, kind="stable")]
    return {text: texts == text for text in dict.fromkeys(ordered)}


def label_slice(
    kind: str,
    name: str,
    mask: NDArray[np.bool_],
    sides: tuple[Material, Material | None],
    wanted: Sequence[Metric],
) -> Slice:
    """Metrics of the labels in mask, from what is already counted and swept."""
    given, nothing = sides
    labels = np.flatnonzero(mask)
    averages = _of_labels(given, labels, wanted)
    baseline = {} if nothing is None else _of_labels(nothing, labels, wanted)
    return _slice(kind, name, len(labels), "labels", averages, baseline)


def row_slice(
    kind: str,
    name: str,
    mask: NDArray[np.bool_],
    sides: tuple[Measured, LearnedNothing | None],
    wanted: Sequence[Metric],
) -> Slice:
    """Metrics of the rows in mask, evaluated anew."""
    given, nothing = sides
    rows = np.flatnonzero(mask)
    part = given.rows(rows)
    averages = {metric.name: metric.recipe.average(part) for metric in wanted}
    baseline = {}
    if nothing is not None:
        reduced = nothing.rows(rows)
        baseline = {metric.name: metric.recipe.average(reduced) for metric in wanted}
    return _slice(kind, name, len(rows), "rows", averages, baseline)


def _of_labels(material: Material, labels: NDArray[np.int64], wanted: Sequence[Metric]) -> dict[str, Average]:
    found = ((metric.name, metric.recipe.of_labels(material, labels)) for metric in wanted)
    return {name: average for name, average in found if average is not None}


def _slice(
    kind: str, name: str, size: int, what: str, averages: dict[str, Average], baseline: dict[str, Average]
) -> Slice:
    return Slice(
        kind,
        name,
        size,
        what,
        {key: float(average.value) for key, average in averages.items()},
        {key: float(average.value) for key, average in baseline.items()},
        {key: average.counted for key, average in averages.items()},
    )


def _measure_depth(name: str, parents: Mapping[str, Sequence[str]], depth: dict[str, int]) -> None:
    pending = [name]
    while pending:
        above = parents.get(pending[-1], ())
        missing = [parent for parent in above if parent not in depth]
        if missing:
            pending += missing
        else:
            depth[pending.pop()] = 1 + max((depth[parent] for parent in above), default=-1)


def _label_sets(targets: Targets) -> Iterator[bytes]:
    cells, starts = targets.positives.indices.astype(np.int64), targets.positives.indptr
    return (cells[first:last].tobytes() for first, last in pairwise(list(starts)))
