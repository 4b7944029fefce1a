"""Label sets and doubt with a guarantee that needs no model: split conformal prediction.

The guarantees hold on average over draws of tuning and new rows from one source, for any scores.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot import _check
from manyhot.decide.cuts import Cuts, assigned, by_name, from_names
from manyhot.decide.rule import Decision, GoalLike, TuningData
from manyhot.decide.scores import ScoreMatrix, absent_lowest
from manyhot.decide.tuned_rows import TunedRows
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets


@dataclass(frozen=True)
class Conformal:
    """Label sets that contain the true labels with a probability of at least `coverage`.

    Args:
        coverage: in (0, 1).
        per: "rows": all true labels of a row are in its set; one cut for all labels. "labels": each label is
            in the set when it is true; a cut for each. A label with too few positives for its promise is
            always in the set.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; per label: Vovk,
    Conditional validity of inductive conformal predictors, ACML 2012.
    """

    coverage: float = 0.9
    per: Literal["rows", "labels"] = "rows"

    def __post_init__(self) -> None:
        _check.between("coverage", self.coverage, 0.0, 1.0)
        _check.one_of("per", self.per, ("rows", "labels"))

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> Cuts:
        """See `Rule.fit`. The coverage is the goal; another is refused. Only known labels count."""
        _refuse_goal(goal)
        data = TuningData.of(scores, targets, space, rows)
        miss = 1 - self.coverage
        if self.per == "rows":
            cut = lower_quantile(_lowest_true(data.scores, data.targets), miss)
            cuts = np.full(len(data.space), cut)
        else:
            cuts = np.array([lower_quantile(true, miss) for true, _ in _by_truth(data.scores, data.targets)])
        return Cuts(data.space, cuts, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class AbstainBand:
    """Decide only where both errors are held: between two cuts of each label the cell stays unknown.

    Args:
        miss: highest probability that a positive falls below the lower cut.
        false_alarm: highest probability that a negative reaches the upper cut.
    """

    miss: float = 0.05
    false_alarm: float = 0.05

    def __post_init__(self) -> None:
        _check.between("miss", self.miss, 0.0, 1.0)
        _check.between("false_alarm", self.false_alarm, 0.0, 1.0)

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> "Bands":
        """See `Rule.fit`. The two rates are the goal; another is refused."""
        _refuse_goal(goal)
        data = TuningData.of(scores, targets, space, rows)
        low, high = np.empty((2, len(data.space)))
        for j, (true, false) in enumerate(_by_truth(data.scores, data.targets)):
            low[j] = lower_quantile(true, self.miss)
            # strictly above the score that the allowed share of negatives exceeds
            high[j] = np.nextafter(-lower_quantile(-false, self.false_alarm), np.inf)
        # both promises hold at any cut between them: no doubt is left
        apart = low > high
        low[apart] = high[apart] = high[apart] + (low[apart] - high[apart]) / 2
        return Bands(data.space, low, high, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class Bands(Decision):
    """The fitted `AbstainBand`: assigned from `high`, unknown in [low, high), not assigned below."""

    kind: ClassVar[str] = "bands"

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def _decide(self, scores: ScoreMatrix) -> Targets:
        dense = absent_lowest(scores)
        sure = assigned(dense, self.high)
        doubt = csr_array((dense >= self.low) & (dense < self.high))
        return Targets(sure.positives, doubt if doubt.nnz else None)

    def _content(self) -> dict[str, Any]:
        names = self.space.names
        return {"low": by_name(names, self.low), "high": by_name(names, self.high)}

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "Bands":
        low, high = (from_names(space.names, content[side]) for side in ("low", "high"))
        return cls(space, low, high, tuned_on=tuned_on)


def lower_quantile(values: NDArray[np.floating[Any]], share: float) -> float:
    """The cut that a new value of the same source falls below with a probability of at most `share`.

    -inf where so few values allow no such promise.
    """
    rank = int(np.floor(share * (len(values) + 1) + 1e-9))  # 0.1 * 10 must be 1
    if rank < 1:
        return -np.inf
    return float(np.partition(values, rank - 1)[rank - 1])


def _lowest_true(scores: ScoreMatrix, targets: Targets) -> NDArray[np.float64]:
    """The lowest score among the true labels of each row; +inf of a row without any."""
    targets = targets.harden(0.5) if targets.is_soft else targets
    lowest = np.full(len(targets), np.inf)
    rows = np.repeat(np.arange(len(targets)), targets.row_counts())
    np.minimum.at(lowest, rows, absent_lowest(scores)[rows, targets.positives.indices])
    return lowest


def _by_truth(scores: ScoreMatrix, targets: Targets) -> Iterable[tuple[NDArray, NDArray]]:
    """Of each label the scores of its positive and of its negative cells."""
    targets = targets.harden(0.5) if targets.is_soft else targets
    dense, positives = absent_lowest(scores), csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    for j in range(targets.width):
        kind = np.zeros(len(targets), np.int8)
        kind[positives.indices[positives.indptr[j] : positives.indptr[j + 1]]] = 1
        if unknown is not None:
            kind[unknown.indices[unknown.indptr[j] : unknown.indptr[j + 1]]] = 2
        yield dense[kind == 1, j], dense[kind == 0, j]


def _refuse_goal(goal: GoalLike | None) -> None:
    if goal is not None:
        raise OptionError(f"conformal rules keep their own promise, got the goal {goal!r}; leave it out")
