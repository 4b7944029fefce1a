"""Label sets and doubt with a guarantee that needs no model: split conformal prediction.

The guarantees hold on average over draws of tuning and new rows from one source, for any scores.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.decide.cuts import Cuts, assigned, by_name, from_names
from manyhot.decide.points import label_masses
from manyhot.decide.rule import Decision, GoalLike, TuningData
from manyhot.decide.scores import RowWeight, ScoreMatrix, known_cells, row_numbers, shape_of
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets, TunedRows

NOWHERE = np.finfo(np.float64).min  # the cut just above -inf: below every score


@dataclass(frozen=True)
class Conformal:
    """Label sets that contain the true labels with a probability of at least `coverage`.

    Args:
        coverage: in (0, 1).
        per: "rows": all true labels of a row are in its set; one cut for all labels. "labels": each label is
            in the set when it is true; a cut for each. A label with too few positives for its promise is
            always in the set. A true label without a score, absent from CSR, counts as one that was missed;
            such cells are never in a set, so the promise then holds where it can: when few are absent.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; per label: Vovk,
    Conditional validity of inductive conformal predictors, ACML 2012.
    """

    coverage: float = 0.9
    per: Literal["rows", "labels"] = "rows"

    @property
    def takes_goal(self) -> bool:
        """It keeps its own; see `Rule`."""
        return False

    def __post_init__(self) -> None:
        _check.between("coverage", self.coverage, 0.0, 1.0)
        _check.one_of("per", self.per, ("rows", "labels"))

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> Cuts:
        """See `Rule.fit`. The coverage is the goal; another is refused. Only known labels count."""
        _refuse_goal(goal)
        data = TuningData.of(scores, targets, space, rows, row_weight)
        miss = 1 - self.coverage
        if self.per == "rows":
            cut = lower_quantile(_lowest_true(data.scores, data.targets), miss, data.weight)
            cuts = np.full(len(data.space), cut)
        else:
            cuts = np.array([lower_quantile(each.true, miss, each.true_mass) for each in _by_truth(data)])
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

    @property
    def takes_goal(self) -> bool:
        """It keeps its own; see `Rule`."""
        return False

    def __post_init__(self) -> None:
        _check.between("miss", self.miss, 0.0, 1.0)
        _check.between("false_alarm", self.false_alarm, 0.0, 1.0)

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "Bands":
        """See `Rule.fit`. The two rates are the goal; another is refused."""
        _refuse_goal(goal)
        data = TuningData.of(scores, targets, space, rows, row_weight)
        low, high = np.empty((2, len(data.space)))
        for j, label in enumerate(_by_truth(data)):
            low[j] = lower_quantile(label.true, self.miss, label.true_mass)
            # strictly above the score that the allowed share of negatives exceeds
            reached = lower_quantile(-label.false, self.false_alarm, label.false_mass, label.absent)
            high[j] = np.nextafter(-reached, np.inf)
        # both promises hold at any cut between them: no doubt is left
        apart = low > high
        above, below = low[apart], high[apart]
        low[apart] = high[apart] = np.where(below > NOWHERE, below + (above - below) / 2, above)
        return Bands(data.space, low, high, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class Bands(Decision):
    """The fitted `AbstainBand`: assigned from `high`, unknown in [low, high), not assigned below."""

    kind: ClassVar[str] = "bands"

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def _decide(self, scores: ScoreMatrix) -> Targets:
        sure = assigned(scores, self.high).positives
        if isinstance(scores, csr_array):
            doubt = self._stored_doubt(scores) + self._open_cells(scores, sure)
        else:
            doubt = csr_array((scores >= self.low) & (scores < self.high))
        return Targets(sure, doubt if doubt.nnz else None)

    def _stored_doubt(self, scores: csr_array) -> csr_array:
        """Stored cells between the cuts of labels whose lower cut says something."""
        low, high = self.low[scores.indices], self.high[scores.indices]
        doubtful = (scores.data >= low) & (scores.data < high) & (low > -np.inf)
        starts = np.concatenate([[0], np.cumsum(doubtful)])[scores.indptr]
        cells = np.ones(np.count_nonzero(doubtful), bool), scores.indices[doubtful], starts
        return csr_array(cells, shape=scores.shape)

    def _open_cells(self, scores: csr_array, sure: csr_array) -> csr_array:
        """All cells but the assigned ones of labels whose lower cut is -inf, absent ones too."""
        rows, width = shape_of(scores)
        columns = np.flatnonzero((self.low == -np.inf) & (self.high > -np.inf))
        open_cells = np.ones((rows, len(columns)), bool)
        open_cells[sure[:, columns].nonzero()] = False
        place, column = np.nonzero(open_cells)
        return csr_array((np.ones(len(place), bool), (place, columns[column])), shape=(rows, width))

    def _content(self) -> dict[str, Any]:
        names = self.space.names
        return {"low": by_name(names, self.low), "high": by_name(names, self.high)}

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "Bands":
        low, high = (from_names(space.names, content[side]) for side in ("low", "high"))
        return cls(space, low, high, tuned_on=tuned_on)


def lower_quantile(
    values: NDArray[np.floating[Any]], share: float, mass: RowWeight = None, above: float = 0.0
) -> float:
    """The cut that a new value of the same source falls below with a probability of at most `share`.

    -inf where so few values allow no such promise.

    Args:
        values: of the source.
        share: in [0, 1].
        mass: what each value counts for; None = once.
        above: mass of further values that are +inf.
    """
    whole = len(values) if mass is None else mass.sum()
    room = share * (whole + above + 1) - 1 + 1e-9  # mass that may lie below; 0.1 * 10 must be 1
    if room < 0:
        return -np.inf
    if room >= whole:
        return np.inf
    if mass is None:
        rank = int(np.floor(room))
        return float(np.partition(values, rank)[rank])
    order = np.argsort(values, kind="stable")
    below = np.cumsum(mass[order]) - mass[order]
    return float(values[order][np.searchsorted(below, room, side="right") - 1])


def _lowest_true(scores: ScoreMatrix, targets: Targets) -> NDArray[np.float64]:
    """The lowest score among the true labels of each row; +inf of a row without any, -inf of absent ones."""
    from manyhot.kernels.pooled import cell_values

    targets = targets.harden()
    lowest = np.full(len(targets), np.inf)
    values, found = cell_values(scores, targets.positives)
    np.minimum.at(lowest, row_numbers(targets.positives), np.where(found, values, -np.inf))
    return lowest


@dataclass(frozen=True)
class _Truth:
    """One label's scores: of its positives (absent: -inf) and of its negatives, each with what it counts for.

    Attributes:
        absent: mass of the negatives without a score.
    """

    true: NDArray[np.float64]
    true_mass: NDArray[np.float64]
    false: NDArray[np.float64]
    false_mass: NDArray[np.float64]
    absent: float


def _by_truth(data: TuningData) -> Iterator[_Truth]:
    targets = data.targets.harden()
    positives, known = label_masses(targets, data.weight)
    for j, (values, truth, mass) in enumerate(known_cells(data.scores, targets, data.weight)):
        true, false = truth == 1, truth == 0
        missed = positives[j] - mass[true].sum()
        absent = known[j] - positives[j] - mass[false].sum()
        yield _Truth(
            np.append(values[true], -np.inf), np.append(mass[true], missed),
            values[false], mass[false], absent,
        )  # fmt: skip


def _refuse_goal(goal: GoalLike | None) -> None:
    if goal is not None:
        raise OptionError(f"conformal rules keep their own promise, got the goal {goal!r}; leave it out")
