"""The commonest decision: assign a label where its score reaches the label's cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.rule import Decision
from manyhot.decide.scores import ScoreMatrix
from manyhot.errors import InputError, ShapeError
from manyhot.labels import LabelSpace, Targets, TunedRows

BLOCK_CELLS = 16_000_000  # cells compared at a time: the mask takes 16 MB


@dataclass(frozen=True)
class Cuts(Decision):
    """Assign label j to a row where score >= cuts[j].

    Attributes:
        cuts: (labels,) float64; +inf is "never", -inf "always".
        interval: (labels, 2) where each cut could as well be, or None when that was not asked for.
    """

    kind: ClassVar[str] = "cuts"

    cuts: NDArray[np.float64]
    interval: NDArray[np.float64] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.cuts.shape != (len(self.space),):
            raise ShapeError(
                f"expected a cut for each of {len(self.space)} labels, got shape {self.cuts.shape}"
            )
        if np.isnan(self.cuts).any():
            label = self.space.names[int(np.isnan(self.cuts).argmax())]
            raise InputError(f"the cut of label {label!r} is NaN; use a number, or inf for never")

    def with_cuts(self, **changes: float) -> Self:
        """The same with some cuts replaced by hand, by label name; their intervals go."""
        return self.replaced(changes)

    def replaced(self, changes: Mapping[str, float]) -> Self:
        """As `with_cuts`, for names that are no Python words."""
        columns = self.space.columns(changes)
        cuts = self.cuts.copy()
        cuts[columns] = list(changes.values())
        interval = None if self.interval is None else self.interval.copy()
        if interval is not None:
            interval[columns] = np.nan
        return type(self)(self.space, cuts, interval=interval, tuned_on=self.tuned_on)

    def _decide(self, scores: ScoreMatrix) -> Targets:
        return assigned(scores, self.cuts)

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {"cuts": by_name(self.space.names, self.cuts)}
        if self.interval is not None:
            low, high = (
                by_name(self.space.names, self.interval[:, 0]),
                by_name(self.space.names, self.interval[:, 1]),
            )
            content["interval"] = {name: [low[name], high[name]] for name in low}
        return content

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "Cuts":
        interval = content.get("interval")
        bounds = None
        if interval is not None:
            sides = [{name: pair[side] for name, pair in interval.items()} for side in (0, 1)]
            bounds = np.stack([from_names(space.names, side) for side in sides], axis=1)
        return cls(space, from_names(space.names, content["cuts"]), interval=bounds, tuned_on=tuned_on)


def assigned(scores: ScoreMatrix, cuts: NDArray[np.float64]) -> Targets:
    """Targets of the cells with score >= cut of their label, (labels,). Absent CSR cells never are."""
    if isinstance(scores, csr_array):
        return _kept(scores, scores.data >= cuts[scores.indices])
    rows, width = scores.shape
    step = max(1, BLOCK_CELLS // max(width, 1))
    return from_masks([scores[begin : begin + step] >= cuts for begin in range(0, rows, step)], width)


def from_masks(masks: list[NDArray[np.bool_]], width: int) -> Targets:
    """Targets of consecutive blocks of rows, each a dense mask (rows, labels)."""
    if not masks:
        return Targets.negative(0, width)
    columns = [np.nonzero(mask)[1] for mask in masks]
    counts = [np.count_nonzero(mask, axis=1) for mask in masks]
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    indices = np.concatenate(columns)
    return Targets(
        csr_array((np.ones(len(indices), np.float32), indices, starts), shape=(len(starts) - 1, width))
    )


def _kept(scores: csr_array, keep: NDArray[np.bool_]) -> Targets:
    starts = np.concatenate([[0], np.cumsum(keep)])[scores.indptr]
    indices = scores.indices[keep]
    return Targets(csr_array((np.ones(len(indices), np.float32), indices, starts), shape=scores.shape))


def by_name(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float | str | None]:
    """Numbers keyed by name, JSON-able: "never" and "always" for the infinities, None for NaN."""
    return {name: _to_json(float(value)) for name, value in zip(names, values, strict=True)}


def from_names(names: Sequence[str], values: Mapping[str, float | str | None]) -> NDArray[np.float64]:
    """The inverse of `by_name`, in the order of the names."""
    missing = [name for name in names if name not in values]
    extra = [name for name in values if name not in set(names)]
    if missing or extra:
        raise InputError(
            f"the rule and the label space differ: {len(missing)} names without a value ({missing[:3]}), "
            f"{len(extra)} values for unknown names ({extra[:3]}); use the space the rule was fitted with"
        )
    return np.array([_from_json(name, values[name]) for name in names], np.float64)


def _to_json(value: float) -> float | str | None:
    if np.isnan(value):
        return None
    return {np.inf: "never", -np.inf: "always"}.get(value, value)


def _from_json(name: str, value: float | str | None) -> float:
    if value is None:
        return np.nan
    if isinstance(value, str):
        words = {"never": np.inf, "always": -np.inf}
        if value not in words:
            raise InputError(f"{name!r}: expected a number, 'never' or 'always', got {value!r}")
        return words[value]
    return float(value)
