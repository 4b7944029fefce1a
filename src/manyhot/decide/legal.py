"""Label sets that obey the space: the best legal set of each row under groups, parents, rules and counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.decide.cuts import Cuts, from_masks
from manyhot.decide.legal_sets import Limits, best_legal_sets
from manyhot.decide.rule import Decision, GoalLike, Rule, TuningData
from manyhot.decide.scores import ScoreMatrix, absent_lowest, shape_of
from manyhot.decide.tuning import PerLabelCut
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets, TunedRows

BLOCK_CELLS = 500_000  # cells decided at a time: their margins take 4 MB
EDGE = 1e-7  # probabilities are held this far from 0 and 1, so that log-odds stay finite


@dataclass(frozen=True)
class Legal:
    """The legal label set with the highest sum of margins, a margin being how far a score lies above its cut.

    Legal means: one label of each exclusive group (or none, where allowed), parents with their children, the
    space's implies and excludes rules, and the counts given here. With probabilities margins are differences
    of log-odds, so with every cut at 0.5 the set is the most probable legal one.

    Args:
        rule: gives the cuts: `PerLabelCut`, `GlobalCut` or another that fits `Cuts`.
        at_least_one: every row has a label.
        at_most: no row has more labels, or None.
    """

    rule: Rule = field(default_factory=PerLabelCut)
    at_least_one: bool = False
    at_most: int | None = None

    @property
    def takes_goal(self) -> bool:
        """As the rule that gives the cuts."""
        return self.rule.takes_goal

    def __post_init__(self) -> None:
        if self.at_most is not None:
            _check.at_least("at_most", self.at_most, 1)

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "BestLegalSet":
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        cuts = self.rule.fit(data.scores, data.targets, goal, space=data.space, row_weight=data.weight)
        if not isinstance(cuts, Cuts):
            raise OptionError(f"Legal needs a rule that fits cuts, got {type(self.rule).__name__}")
        values = data.scores.data if isinstance(data.scores, csr_array) else data.scores
        finite = np.isfinite(values)
        lowest, highest = values.min(initial=np.inf, where=finite), values.max(initial=-np.inf, where=finite)
        probabilities = bool(0 <= lowest <= highest <= 1)
        limits = Limits(self.at_least_one, self.at_most)
        tuned_on = None if cuts.tuned_on is None else data.tuned_on
        return BestLegalSet(data.space, cuts.cuts, limits, probabilities, tuned_on=tuned_on)


@dataclass(frozen=True)
class BestLegalSet(Decision):
    """The fitted `Legal`."""

    kind: ClassVar[str] = "legal"

    cuts: NDArray[np.float64]
    limits: Limits
    probabilities: bool

    def _decide(self, scores: ScoreMatrix) -> Targets:
        rows, width = shape_of(scores)
        step = max(1, BLOCK_CELLS // width)
        decided = [self._decide_block(scores[begin : begin + step]) for begin in range(0, rows, step)]
        return Targets.concat(decided) if decided else Targets.negative(0, width)

    def _decide_block(self, scores: ScoreMatrix) -> Targets:
        chosen = best_legal_sets(self.margins(absent_lowest(scores)), self.space, self.limits)
        return from_masks([chosen], len(self.space))

    def margins(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How far each score lies above its cut, (rows, labels) float64; 0 or more where it reaches it."""
        if not self.probabilities:
            cuts, values = self.cuts, scores.astype(np.float64)
        else:
            cuts, values = _log_odds(self.cuts), _log_odds(scores)
        # a label that is never assigned, or has no score, can be forced by a rule only as the last resort
        far = 1e6
        with np.errstate(invalid="ignore"):
            margin = np.clip(np.nan_to_num(values - cuts, nan=-far, posinf=far, neginf=-far), -far, far)
        reached = scores >= self.cuts
        return np.where(reached, np.maximum(margin, 0.0), np.minimum(margin, -1e-12))

    def _content(self) -> dict[str, Any]:
        cuts = Cuts(self.space, self.cuts).to_dict()["cuts"]
        return {
            "cuts": cuts,
            "at_least_one": self.limits.at_least_one,
            "at_most": self.limits.at_most,
            "probabilities": self.probabilities,
        }

    @classmethod
    def _read(
        cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None
    ) -> "BestLegalSet":
        cuts = Cuts._read({"cuts": content["cuts"]}, space, None).cuts
        limits = Limits(bool(content["at_least_one"]), content["at_most"])
        return cls(space, cuts, limits, bool(content["probabilities"]), tuned_on=tuned_on)


def _log_odds(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    clipped = np.clip(values.astype(np.float64), EDGE, 1 - EDGE)
    odds = np.log(clipped) - np.log1p(-clipped)
    return np.where(np.isfinite(values), odds, values)
