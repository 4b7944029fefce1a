"""Exactly k labels a row, chosen so that rare labels count as much as frequent ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from manyhot import _check
from manyhot.decide.cuts import by_name, from_names
from manyhot.decide.goals import FBeta, Goal, Jaccard
from manyhot.decide.rule import Decision, GoalLike, TuningData, single_goal
from manyhot.decide.scores import RowWeight, ScoreMatrix, require_probabilities, shape_of
from manyhot.decide.top_k import highest
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets, TunedRows

PASSES = 100
GAIN = 1e-7  # of the macro figure: a pass that raises it by less is the last


def macro_at_k(
    probabilities: Any, k: int, goal: Goal | str = "f1_macro", *, seed: int = 0
) -> tuple[Targets, float]:
    """The k labels of each of these rows that together have the best expected macro figure.

    Rows are decided together: block coordinate ascent over rows in a random order, each step exact.

    Args:
        probabilities: (rows, labels) in [0, 1], any form of `as_scores`; of CSR only stored cells are chosen.
        k: labels a row, at most; rows of CSR with fewer cells get fewer.
        goal: f<beta>_macro or jaccard_macro, taken over the k.
        seed: of the order of rows.

    Returns:
        The choice, and its expected macro figure.

    Source: Schultheis et al., Generalized test utilities for long-tail performance in extreme multi-label
    classification, NeurIPS 2023.
    """
    from manyhot.decide.scores import as_scores

    scores = as_scores(probabilities)
    require_probabilities(scores, None)
    _check.at_least("k", k, 1)
    choice, state = _ascend(scores, k, single_goal(goal), seed)
    return choice, state.value()


@dataclass(frozen=True)
class MacroAtK:
    """k labels a row by the gain in the macro figure that each label promises, for rows yet to come.

    The tuning rows are decided together (`macro_at_k`); what one more assignment of a label is worth there
    becomes a slope and an offset for each label, so that new rows are decided one by one.

    Args:
        k: labels a row.
        goal: f<beta>_macro or jaccard_macro.
        seed: of the order of rows.
    """

    k: int = 5
    goal: GoalLike = "f1_macro"
    seed: int = 0

    @property
    def takes_goal(self) -> bool:
        """Any goal; see `Rule`."""
        return True

    def __post_init__(self) -> None:
        _check.at_least("k", self.k, 1)

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "GainAtK":
        """See `Rule.fit`; scores are probabilities."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        require_probabilities(data.scores, data.space.names)
        wanted = single_goal(goal or self.goal)
        choice, state = _ascend(data.scores, self.k, wanted, self.seed, data.weight)
        slope, offset = state.counted(choice, data.targets, data.weight).worth()
        return GainAtK(data.space, self.k, slope, offset, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class GainAtK(Decision):
    """The fitted `MacroAtK`: the k labels with the highest slope * probability - offset."""

    kind: ClassVar[str] = "macro_at_k"

    k: int
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def least_scores(self) -> int:
        """k."""
        return self.k

    def _decide(self, scores: ScoreMatrix) -> Targets:
        if isinstance(scores, csr_array):
            gains = csr_array(scores @ diags_array(self.slope))
            gains.data -= self.offset[gains.indices]
            return highest(gains, self.k, -np.inf)
        return highest(scores * self.slope - self.offset, self.k, -np.inf)

    def _content(self) -> dict[str, Any]:
        names = self.space.names
        return {"k": self.k, "slope": by_name(names, self.slope), "offset": by_name(names, self.offset)}

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "GainAtK":
        slope, offset = (from_names(space.names, content[name]) for name in ("slope", "offset"))
        return cls(space, int(content["k"]), slope, offset, tuned_on=tuned_on)


@dataclass(frozen=True)
class _Macro:
    """Counts (labels,), and the measure gain * tp / (own * tp + assigned + other * total) of them."""

    tp: NDArray[np.float64]
    assigned: NDArray[np.float64]
    total: NDArray[np.float64]
    gain: float
    own: float
    other: float

    def value(self) -> float:
        return float(np.mean(self.gain * self.tp / np.maximum(self._below(), 1e-300)))

    def counted(self, choice: Targets, targets: Targets, weight: RowWeight) -> "_Macro":
        """The same with the true counts in place of the expected ones; unknown cells stay expected wrong."""
        hits = csr_array(choice.positives.multiply(targets.positives))
        return replace(self, tp=_column_totals(hits, weight), total=_column_totals(targets.positives, weight))

    def worth(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Derivatives of the measure: for each unit of probability, and (minus) for each assignment."""
        # a label that is never assigned has the derivative of its first assignment
        below = np.maximum(self._below(), 1.0)
        by_assigned = self.gain * self.tp / below**2
        return self.gain / below - self.own * by_assigned, by_assigned

    def _below(self) -> NDArray[np.float64]:
        return self.own * self.tp + self.assigned + self.other * self.total


def _column_totals(values: ScoreMatrix, weight: RowWeight) -> NDArray[np.float64]:
    """(labels,) sum over rows, each by its weight."""
    if weight is None:
        return np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
    return np.asarray(weight @ values, np.float64)


def _ascend(
    scores: ScoreMatrix, k: int, goal: Goal, seed: int, weight: RowWeight = None
) -> tuple[Targets, _Macro]:
    from manyhot.kernels.set_choice import ascend_at_k, ascend_dense_at_k, first_k

    rows, width = shape_of(scores)
    total = _column_totals(scores, weight)
    mass = np.ones(rows) if weight is None else weight
    state = _Macro(np.zeros(width), np.zeros(width), total, *_measure(goal))
    counts = (state.tp, state.assigned, state.total, state.gain, state.own, state.other)
    chosen = first_k(rows, min(k, max(width, 1)))
    order = np.random.default_rng(seed).permutation(rows)
    sparse = isinstance(scores, csr_array)
    reached = -1.0
    for _ in range(PASSES):
        if sparse:
            moved = ascend_at_k(scores.data, scores.indices, scores.indptr, mass, chosen, *counts, order)
        else:
            moved = ascend_dense_at_k(scores, mass, chosen, *counts, order)
        before, reached = reached, state.value()
        if not moved or reached - before < GAIN:
            break
    kept = chosen >= 0
    columns = scores.indices[(scores.indptr[:-1, None] + chosen)[kept]] if sparse else chosen[kept]
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    choice = csr_array((np.ones(int(kept.sum()), np.float32), columns, starts), shape=(rows, width))
    return Targets(choice), state


def _measure(goal: Goal) -> tuple[float, float, float]:
    if isinstance(goal, FBeta) and goal.average == "macro":
        return 1 + goal.beta**2, 0.0, goal.beta**2
    if isinstance(goal, Jaccard) and goal.average == "macro":
        return 1.0, -1.0, 1.0
    raise OptionError(f"macro-at-k serves f<beta>_macro and jaccard_macro, got {goal.name}")
