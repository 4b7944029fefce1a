"""Bootstrap replicates: the evaluation repeated with rows drawn with replacement, sorts done once.

A replicate is nothing but other row weights, so replicates are `Material` with a trailing axis, and every
metric is evaluated on them by the same recipe as on the rows themselves.

Source:
    Efron, Annals of Statistics 7, 1979; percentile intervals. Rows that belong together (a patient, a
    document) are drawn together: Davison and Hinkley, Bootstrap Methods, 1997, section 3.8.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.labels import Targets, formats
from manyhot.metrics.calibration import label_losses
from manyhot.metrics.counts import Counts, Numbers
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.material import Material, Measured
from manyhot.metrics.slices import Part, label_averages
from manyhot.metrics.table import Metric
from manyhot.metrics.tails import Tails
from manyhot.metrics.threshold_free import Sweep

TOGETHER = 64  # replicates that walk together: one cache line of uint8 draws a row


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        replicates: number of draws, >= 1.
        groups: (rows,), rows of one value are drawn together (a patient's images); None = rows.
        seed: the same seed, rows and groups give the same draws, so two results can be paired.
        level: share of the draws inside an interval, in (0, 1).
        labels: also an interval for each label; with very many labels they take memory, 450 bytes for each
            label and metric at 1,000 draws.
        slices: also for each slice; with thousands of groups they take time.

    Raises:
        OptionError: a number outside its range.
    """

    replicates: int = 1000
    groups: Any = None
    seed: int = 0
    level: float = 0.95
    labels: bool = True
    slices: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.replicates, bool) or not isinstance(self.replicates, Integral):
            raise OptionError(f"replicates must be a whole number of draws, got {self.replicates!r:.60}")
        _check.at_least("replicates", self.replicates, 1)
        _check.between("level", self.level, 0.0, 1.0)
        _check.seed(self.seed)

    def units(self, rows: int) -> NDArray[np.int64] | None:
        """Number of each row's group, (rows,); None when rows are drawn one by one.

        Raises:
            ShapeError: not one group for each row.
        """
        if self.groups is None:
            return None
        values = np.asarray(formats.array_of(self.groups))
        if values.shape != (rows,):
            raise ShapeError(f"expected groups of shape ({rows},), got {values.shape}")
        if values.dtype.kind == "O":  # names beside None cannot be sorted
            values = np.array([str(value) for value in values.tolist()])
        return np.unique(values, return_inverse=True)[1]

    def fingerprint(self, targets: Targets, weight: Numbers) -> str:
        """Digest of rows and draws: equal where replicates can be paired."""
        digest = hashlib.sha256(f"{targets.shape} {self.replicates} {self.seed}".encode())
        for matrix in (targets.positives, targets.unknown):
            if matrix is not None:
                digest.update(matrix.indptr.astype(np.int64).tobytes())
                digest.update(matrix.indices.astype(np.int64).tobytes())
        units = self.units(len(targets))
        digest.update(weight.tobytes() if units is None else weight.tobytes() + units.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Replicated:
    """What all draws gave.

    Attributes:
        values: metric -> (replicates,), NaN where undefined in a draw.
        parts: the same of each part.
        labels: stem of a metric -> low and high end of the interval of each label.
    """

    values: dict[str, Numbers]
    parts: list[dict[str, Numbers]]
    labels: dict[str, tuple[Numbers, Numbers]]


def replicate(
    material: Measured, wanted: Sequence[Metric], plan: Bootstrap, parts: Sequence[Part] = ()
) -> Replicated:
    """Values of the metrics in every replicate.

    Args:
        material: real predictions.
        wanted: metrics that the material can give.
        plan: how many draws, of what.
        parts: labels or rows to evaluate by themselves, on the same draws.
    """
    shared = Walks(material)
    cuts = [material.rows(part.index) if part.what == "rows" else None for part in parts]
    walks = [None if cut is None else Walks(cut) for cut in cuts]
    stems = {metric.stem: metric for metric in reversed(wanted) if plan.labels and metric.recipe.of_each}
    tails: dict[str, Tails] = {}
    whole: list[dict[str, Numbers]] = []
    of_parts: list[list[dict[str, Numbers]]] = [[] for _ in parts]
    for drawn in draws(len(material.targets), plan):
        block = Replicates(material, drawn, shared)
        whole.append(_block_values(block, wanted))
        for part, cut, own, found in zip(parts, cuts, walks, of_parts, strict=True):
            if cut is None or own is None:
                averages = label_averages(part, block, wanted)
                found.append(_spread({name: each.value for name, each in averages.items()}, drawn.shape[1]))
            else:
                found.append(_block_values(Replicates(cut, drawn[part.index], own), wanted))
        for stem, metric in stems.items():
            values = metric.recipe.per_label(block)
            if values is not None:
                tails.setdefault(stem, Tails(plan.replicates, plan.level)).add(values)
    return Replicated(
        _joined(whole), [_joined(found) for found in of_parts],
        {stem: tail.intervals() for stem, tail in tails.items()},
    )  # fmt: skip


def _block_values(block: "Replicates", wanted: Sequence[Metric]) -> dict[str, Numbers]:
    values = {metric.name: metric.recipe.average(block).value for metric in wanted}
    return _spread(values, block.weight.shape[1])


def _spread(values: dict[str, Numbers], replicates: int) -> dict[str, Numbers]:
    """(replicates,) each; what no weight plays a part in is the same in all."""
    return {name: np.broadcast_to(value, replicates) for name, value in values.items()}


def _joined(blocks: list[dict[str, Numbers]]) -> dict[str, Numbers]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def interval(values: Numbers, level: float) -> tuple[float, float]:
    """Percentile interval of replicate values, those undefined left out; NaN when all are."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def draws(rows: int, plan: Bootstrap) -> Iterator[NDArray[Any]]:
    """How often each row is drawn, (rows, up to TOGETHER) at a time; uint8 unless a count needs more."""
    owner = plan.units(rows)
    units = rows if owner is None else int(owner.max(initial=-1)) + 1
    generator = np.random.default_rng(plan.seed)
    for first in range(0, plan.replicates, TOGETHER):
        width = min(TOGETHER, plan.replicates - first)
        picks = (generator.integers(units, size=units) for _ in range(width))
        counts = np.stack([np.bincount(pick, minlength=units) for pick in picks], axis=1)
        counts = counts.astype(np.uint8 if counts.max(initial=0) < 256 else np.uint16)
        yield np.ascontiguousarray(counts if owner is None else counts[owner])


class Walks:
    """The sorted ways down labels and down all cells, made when first asked for and kept for all draws."""

    def __init__(self, material: Measured) -> None:
        self._material = material

    @property
    def labels(self) -> Any:
        """`Descents` of every label."""
        return self._material.label_ways

    @cached_property
    def pooled(self) -> Any:
        """`Descents` of all cells."""
        from manyhot.kernels import descents

        given = self._material
        return descents.pooled_descent(given.scores, given.targets.positives, given.targets.unknown)


@final
class Replicates(Material):
    """Some replicates of real predictions: what depends on row weights has a trailing axis.

    Args:
        given: the predictions.
        drawn: (rows, replicates), how often each row is drawn.
        walks: shared by all replicates of `given`.
    """

    def __init__(self, given: Measured, drawn: NDArray[Any], walks: Walks) -> None:
        self._given, self._walks = given, walks
        self.targets, self.propensities, self.undefined = given.targets, given.propensities, given.undefined
        self.costs = given.costs
        self.weight = drawn * given.weight[:, None]
        plain = bool((given.weight == 1).all()) and drawn.dtype == np.uint8
        self._walked = drawn if plain else self.weight
        self._floors: dict[tuple[str, float], Numbers] = {}

    @cached_property
    def label_counts(self) -> Counts:
        """(labels, replicates)."""
        return self._given.overlap.by_label(self.weight)

    @cached_property
    def row_counts(self) -> Counts:
        """As given: a row's own counts do not depend on how often it is drawn."""
        return self._given.row_counts

    @cached_property
    def row_ranks(self) -> Any:
        """As given."""
        return self._given.row_ranks

    @cached_property
    def row_figures(self) -> Numbers:
        """As given."""
        return self._given.row_figures

    @cached_property
    def row_known(self) -> Numbers:
        """As given."""
        return self._given.row_known

    @cached_property
    def cell_losses(self) -> Numbers:
        """As given."""
        return self._given.cell_losses

    @cached_property
    def bin_gaps(self) -> Numbers:
        """As given: the bins stay those of all rows."""
        return self._given.bin_gaps

    @cached_property
    def label_calibration(self) -> Numbers:
        """(labels, replicates); the bins stay those of all rows."""
        gaps = np.abs(self._given.label_bin_gaps @ self.weight)
        return ratio(gaps.reshape(self.targets.width, -1, gaps.shape[1]).sum(axis=1), self.label_known)

    @cached_property
    def label_losses(self) -> Numbers:
        """(2, labels, replicates)."""
        return label_losses(self.targets, self._given.scores, self.weight)

    def first_counts(self, k: int) -> Counts:
        """(labels, replicates)."""
        return self._given.first_overlap(k).by_label(self.weight)

    def under_floor(self, kind: str, floor: float) -> Numbers:
        """(labels, replicates)."""
        from manyhot.kernels.floors import best_under_floor

        if (kind, floor) not in self._floors:
            masses = self.label_positive, self.label_known
            found = best_under_floor(kind, floor, self._walks.labels, self._walked, *masses)
            self._floors[kind, floor] = found
        return self._floors[kind, floor]

    @cached_property
    def label_sweep(self) -> Sweep:
        """(labels, replicates)."""
        from manyhot.kernels import sweeps

        positive, known = self.label_positive, self.label_known
        return Sweep(*sweeps.sweep_replicates(self._walks.labels, self._walked, positive, known))

    @cached_property
    def pooled_sweep(self) -> Sweep:
        """(replicates,)."""
        from manyhot.kernels import sweeps

        positive, known = (part.sum(0, keepdims=True) for part in (self.label_positive, self.label_known))
        found = sweeps.sweep_replicates(self._walks.pooled, self._walked, positive, known)
        return Sweep(found[0, 0], found[1, 0])
