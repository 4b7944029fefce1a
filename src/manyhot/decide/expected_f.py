"""The label set of each row with the highest expected F, from calibrated probabilities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.decide.goals import FBeta
from manyhot.decide.rule import Decision, GoalLike, TuningData, single_goal
from manyhot.decide.scores import ScoreMatrix, require_probabilities, row_numbers, shape_of
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets, TunedRows

DENOMINATOR = 100  # beta^2 must be a fraction with a denominator up to this


@dataclass(frozen=True)
class ExpectedF:
    """For each row, the labels that maximise the expectation of its F-beta, labels independent given the row.

    Exact for any beta^2 that is a fraction with a denominator up to 100 (1, 2, 0.5 and so on), in time
    quadratic in the labels that are not negligible. Needs probabilities: see `Calibrated`.

    Args:
        goal: f<beta>_samples.
        empty: what the empty set is worth for a row without labels, in [0, 1]; "auto" is 1 if the tuning
            rows have such a row, else 0.
        negligible: labels whose probabilities in a row sum to at most this are left out of the search; they
            change an expectation by no more.

    Source: Dembczynski et al., An exact algorithm for F-measure maximization, NeurIPS 2011; Ye et al., ICML
    2012.
    """

    goal: GoalLike = "f1_samples"
    empty: float | Literal["auto"] = "auto"
    negligible: float = 1e-3

    @property
    def takes_goal(self) -> bool:
        """It keeps its own; see `Rule`."""
        return False

    def __post_init__(self) -> None:
        _check.between("negligible", self.negligible, 0.0, 1.0)
        if not isinstance(self.empty, str):
            _check.between("empty", self.empty, 0.0, 1.0)

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "BestExpectedF":
        """See `Rule.fit`; nothing is tuned but the worth of an empty set. Only f<beta>_samples is served."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        require_probabilities(data.scores, data.space.names)
        wanted = single_goal(goal or self.goal)
        if not isinstance(wanted, FBeta) or wanted.average != "samples":
            raise OptionError(
                f"ExpectedF serves f<beta>_samples, got {wanted.name}; PerLabelCut serves any goal"
            )
        if not isinstance(self.empty, str):
            return BestExpectedF(data.space, wanted.beta, self.empty, self.negligible)
        empty = float((data.targets.row_counts() == 0).any())
        return BestExpectedF(data.space, wanted.beta, empty, self.negligible, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class BestExpectedF(Decision):
    """The fitted `ExpectedF`."""

    kind: ClassVar[str] = "expected_f"

    beta: float
    empty: float
    negligible: float

    def _decide(self, scores: ScoreMatrix) -> Targets:
        from manyhot.kernels.set_choice import best_expected_f

        require_probabilities(scores, self.space.names)
        cells, columns, starts = _falling(scores, self.negligible)
        square = Fraction(self.beta**2).limit_denominator(DENOMINATOR)
        sizes = np.zeros(len(starts) - 1, np.int64)
        best_expected_f(cells, square.numerator, square.denominator, self.empty, starts, sizes)
        within = np.arange(len(cells)) - np.repeat(starts[:-1], np.diff(starts))
        kept = columns[within < np.repeat(sizes, np.diff(starts))]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        return Targets(csr_array((np.ones(len(kept), np.float32), kept, ends), shape=shape_of(scores)))

    def _content(self) -> dict[str, Any]:
        return {"beta": self.beta, "empty": self.empty, "negligible": self.negligible}

    @classmethod
    def _read(
        cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None
    ) -> "BestExpectedF":
        options = (float(content[name]) for name in ("beta", "empty", "negligible"))
        return cls(space, *options, tuned_on=tuned_on)


def _falling(scores: ScoreMatrix, negligible: float) -> tuple[Any, Any, Any]:
    """Each row's probabilities in falling order, their columns and starts, without the negligible tail."""
    sparse = csr_array(scores)
    row = row_numbers(sparse)
    order = np.lexsort((sparse.indices, np.negative(sparse.data), row))
    cells, columns = sparse.data[order].astype(np.float64), sparse.indices[order]
    # the mass from each cell to its row's end
    after = np.concatenate([np.cumsum(cells[::-1])[::-1], [0.0]])
    tail = after[:-1] - np.repeat(after[sparse.indptr[1:]], np.diff(sparse.indptr))
    keep = (tail > negligible) & (cells > 0)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row[keep], minlength=shape_of(sparse)[0]))])
    return cells[keep], columns[keep], starts
