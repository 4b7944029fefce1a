"""Scores made probabilities, label by label; rare labels share one map."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot import _check
from manyhot.decide.maps import METHODS, ProbabilityMap, fit_map
from manyhot.decide.rule import Decision, GoalLike, Rule, TuningData
from manyhot.decide.scores import ScoreMatrix, as_scores, known_cells, shape_of
from manyhot.decide.tuning import PerLabelCut
from manyhot.labels import LabelSpace, Targets, TunedRows, formats

Method = Literal["platt", "beta", "isotonic", "temperature"]


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities, not fitted yet.

    Args:
        method: "platt" (logistic in the score, or in its log-odds where scores lie in [0, 1]), "beta" (three
            parameters, for scores in [0, 1]), "isotonic" (any rising function) or "temperature" (one factor
            on the logit).
        pool_below: labels with fewer positives share one map, fitted on all their cells together.

    Source: Platt 1999; Kull, Silva Filho and Flach, AISTATS 2017; Zadrozny and Elkan, KDD 2002; Guo et al.,
    ICML 2017.
    """

    method: Method = "platt"
    pool_below: int = 10

    def __post_init__(self) -> None:
        _check.one_of("method", self.method, METHODS)
        _check.at_least("pool_below", self.pool_below, 1)

    def fit(
        self, scores: Any, targets: Any, *, space: LabelSpace | None = None, row_weight: Any = None
    ) -> "Calibrator":
        """Fit on rows the model was not trained on; unknown cells are left out, soft targets kept.

        Raises:
            InputError: scores outside [0, 1] for "beta".
        """
        data = TuningData.of(scores, targets, space, row_weight=row_weight)
        cells = list(known_cells(data.scores, data.targets, data.weight))
        weight = np.ones(len(data.targets)) if data.weight is None else data.weight
        positives = np.asarray(weight @ data.targets.positives, np.float64)
        rare = positives < self.pool_below
        names = data.space.names
        maps = {}
        for j in np.flatnonzero(~rare).tolist():
            values, truth, mass = cells[j]
            maps[j] = fit_map(self.method, values, truth, names[j], mass)
        if rare.any():
            shared = self._shared(cells, rare, names)
            maps |= dict.fromkeys(np.flatnonzero(rare).tolist(), shared)
        return Calibrator(data.space, tuple(maps[j] for j in range(len(names))))

    def _shared(
        self, cells: list[tuple[NDArray, ...]], rare: NDArray[np.bool_], names: tuple[str, ...]
    ) -> ProbabilityMap:
        """The map of the rare labels; of all labels when the rare ones have too few positives together."""
        members = np.flatnonzero(rare)
        if sum(cells[j][1] @ cells[j][2] for j in members) < self.pool_below:
            members = np.arange(len(rare))
        values, truth, mass = (np.concatenate([cells[j][part] for j in members]) for part in range(3))
        return fit_map(self.method, values, truth, names[members[0]], mass)


@dataclass(frozen=True)
class Calibrator:
    """Fitted maps from score to probability, one for each label of the space."""

    space: LabelSpace
    maps: tuple[ProbabilityMap, ...]

    def probabilities(self, scores: Any) -> Any:
        """Float32 (rows, labels) in [0, 1]; CSR in, CSR out; a DataFrame with names in, the like out."""
        matrix = self._mapped(as_scores(scores, self.space.names))
        if not (formats.is_frame(scores) and formats.has_names(scores)):
            return matrix
        columns = list(self.space.names)
        if hasattr(scores, "index"):  # pandas
            return type(scores)(matrix, index=scores.index, columns=columns)
        return type(scores)(matrix, schema=columns)

    def _mapped(self, matrix: ScoreMatrix) -> ScoreMatrix:
        if isinstance(matrix, csr_array):
            columns = csc_array(matrix)
            data = np.empty(columns.nnz, np.float32)
            for j, each in enumerate(self.maps):
                cells = slice(columns.indptr[j], columns.indptr[j + 1])
                data[cells] = each(columns.data[cells])
            return csr_array(csc_array((data, columns.indices, columns.indptr), shape=shape_of(matrix)))
        return np.stack([each(matrix[:, j]) for j, each in enumerate(self.maps)], axis=1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, by label name."""
        return {name: each.to_dict() for name, each in zip(self.space.names, self.maps, strict=True)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], space: LabelSpace) -> "Calibrator":
        """The inverse of `to_dict`."""
        return cls(space, tuple(ProbabilityMap.from_dict(content[name]) for name in space.names))


@dataclass(frozen=True)
class Calibrated:
    """Calibrate, then decide by another rule, both on the same rows.

    Args:
        rule: what decides on the probabilities.
        calibration: how they are made.
    """

    rule: Rule = field(default_factory=PerLabelCut)
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def takes_goal(self) -> bool:
        """As the other rule."""
        return self.rule.takes_goal

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "CalibratedDecision":
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        given = {"space": data.space, "row_weight": data.weight}
        calibrator = self.calibration.fit(data.scores, data.targets, **given)
        inner = self.rule.fit(calibrator.probabilities(data.scores), data.targets, goal, **given)
        return CalibratedDecision(data.space, calibrator, inner.without_rows(), tuned_on=data.tuned_on)


@dataclass(frozen=True)
class CalibratedDecision(Decision):
    """The fitted `Calibrated`."""

    kind: ClassVar[str] = "calibrated"

    calibrator: Calibrator
    rule: Decision

    @property
    def least_scores(self) -> int:
        """As many as the other rule."""
        return self.rule.least_scores

    def _decide(self, scores: ScoreMatrix) -> Targets:
        return self.rule.decide(self.calibrator.probabilities(scores))

    def _content(self) -> dict[str, Any]:
        return {"calibrator": self.calibrator.to_dict(), "of": self.rule.to_dict()}

    @classmethod
    def _read(
        cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None
    ) -> "CalibratedDecision":
        from manyhot.decide import read_rule

        calibrator = Calibrator.from_dict(content["calibrator"], space)
        return cls(space, calibrator, read_rule(content["of"], space), tuned_on=tuned_on)


@dataclass(frozen=True)
class Reliability:
    """How often the scores of a bin came true.

    Attributes:
        score: (labels, bins) mean score of the bin's cells, NaN in an empty bin.
        share: (labels, bins) share of positives among them.
        count: (labels, bins) known cells.
    """

    score: NDArray[np.float64]
    share: NDArray[np.float64]
    count: NDArray[np.int64]


def reliability(scores: Any, targets: Any, *, bins: int = 15, space: LabelSpace | None = None) -> Reliability:
    """Reliability of each label in bins of equally many known cells.

    Args:
        scores: (rows, labels), probabilities.
        targets: any form of `as_targets`; soft values are averaged.
        bins: for each label; of CSR only stored cells are binned.
        space: the labels.
    """
    _check.at_least("bins", bins, 1)
    data = TuningData.of(scores, targets, space)
    width = len(data.space)
    total, hits, count = (np.zeros((width, bins)) for _ in range(3))
    for j, (values, truth, _) in enumerate(known_cells(data.scores, data.targets)):
        order = np.argsort(values, kind="stable")
        place = np.arange(len(order)) * bins // max(len(order), 1)
        count[j] = np.bincount(place, minlength=bins)
        total[j] = np.bincount(place, values[order], bins)
        hits[j] = np.bincount(place, truth[order], bins)
    with np.errstate(invalid="ignore"):
        return Reliability(total / count, hits / count, count.astype(np.int64))
