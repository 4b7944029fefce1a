"""Parts of the labels or of the rows, evaluated by themselves: where a model earns its average.

Source:
    Frequent, common and rare labels by training rows: Gupta, Dollár, Girshick, LVIS, CVPR 2019.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

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
        values, baseline, counted, intervals: as in `Result`; of labels only the metrics that have a value
            for a label.
    """

    kind: str
    name: str
    size: int
    what: str
    values: Mapping[str, float]
    baseline: Mapping[str, float]
    counted: Mapping[str, Counted]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_records(self) -> list[dict[str, Any]]:
        """One record a metric: kind, name, size, metric, value, baseline, low, high, counted, of, what."""
        return [
            {"kind": self.kind, "name": self.name, "size": self.size, **record}
            for record in records_of(self.values, self.baseline, self.intervals, self.counted)
        ]


@dataclass(frozen=True)
class Part:
    """Labels or rows that are evaluated by themselves.

    Attributes:
        kind, name, what: as in `Slice`. index: their numbers.
    """

    kind: str
    name: str
    what: Literal["labels", "rows"]
    index: NDArray[np.intp]


def records_of(
    values: Mapping[str, float],
    baseline: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    counted: Mapping[str, Counted],
) -> list[dict[str, Any]]:
    """One record a metric: metric, value, baseline, low, high, counted, of, what."""
    nothing = math.nan, math.nan
    return [
        {
            "metric": name,
            "value": value,
            "baseline": baseline.get(name, math.nan),
            "low": intervals.get(name, nothing)[0],
            "high": intervals.get(name, nothing)[1],
            "counted": counted[name].used,
            "of": counted[name].of,
            "what": counted[name].what,
        }
        for name, value in values.items()
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


def parts_of(
    masks: Mapping[Literal["labels", "rows"], Mapping[str, Mapping[str, NDArray[np.bool_]]]],
) -> list[Part]:
    """The parts of these masks, by what they are of, kind and name, without the empty ones."""
    return [
        Part(kind, name, what, np.flatnonzero(mask))
        for what, kinds in masks.items()
        for kind, named in kinds.items()
        for name, mask in named.items()
        if mask.any()
    ]


def slice_of(part: Part, given: Measured, nothing: LearnedNothing | None, wanted: Sequence[Metric]) -> Slice:
    """Metrics of a part: of labels from what is already counted and swept, of rows anew."""
    averages = _averages(part, given, wanted)
    baseline = {} if nothing is None else _averages(part, nothing, wanted)
    return Slice(
        part.kind,
        part.name,
        len(part.index),
        part.what,
        {key: float(average.value) for key, average in averages.items()},
        {key: float(average.value) for key, average in baseline.items()},
        {key: average.counted for key, average in averages.items()},
    )


def _averages(
    part: Part, material: Measured | LearnedNothing, wanted: Sequence[Metric]
) -> dict[str, Average]:
    if part.what == "labels":
        return label_averages(part, material, wanted)
    cut = material.rows(part.index)
    return {metric.name: metric.recipe.average(cut) for metric in wanted}


def label_averages(part: Part, material: Material, wanted: Sequence[Metric]) -> dict[str, Average]:
    """Averages over a part of the labels, of the metrics that have a value for a label."""
    found = ((metric.name, metric.recipe.of_labels(material, part.index)) for metric in wanted)
    return {name: average for name, average in found if average is not None}


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
