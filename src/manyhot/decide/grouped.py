"""Exclusive groups: the highest label of each group, or none; another rule for the labels in no group."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, hstack

from manyhot.decide.cuts import Cuts, by_name, from_names
from manyhot.decide.rule import Decision, GoalLike, Rule, TuningData
from manyhot.decide.scores import ScoreMatrix, absent_lowest, cell_numbers, row_numbers
from manyhot.decide.tuning import PerLabelCut
from manyhot.labels import Group, LabelSpace, Targets, TunedRows


@dataclass(frozen=True)
class GroupArgmax:
    """One label of each exclusive group: the one with the highest score.

    In a group with `allow_none` it is assigned only where it reaches the group's cut, which is tuned so that
    most rows get exactly their own answer, "none" included. Rows with an
    unknown cell in the group are left out.

    Args:
        independent: the rule for the labels in no group.
    """

    independent: Rule = field(default_factory=PerLabelCut)

    @property
    def takes_goal(self) -> bool:
        """As the rule for the labels in no group."""
        return self.independent.takes_goal

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "GroupChoice":
        """See `Rule.fit`; the goal is that of the independent labels."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        columns = data.space.columns(data.space.independent)
        inner = None
        if len(columns):
            part = LabelSpace(data.space.independent)
            own = data.scores[:, columns], data.targets.columns(columns)
            inner = self.independent.fit(*own, goal, space=part, row_weight=data.weight).without_rows()
        cuts = {
            group.name: _none_cut(data, group) if group.allow_none else -np.inf for group in data.space.groups
        }
        return GroupChoice(data.space, cuts, inner, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class GroupChoice(Decision):
    """The fitted `GroupArgmax`.

    Attributes:
        cuts: of each group by name: the arg-max is assigned where its score reaches it; -inf is always.
        independent: the fitted rule of the labels in no group, over a space of these; None without any.
    """

    kind: ClassVar[str] = "group_argmax"

    cuts: Mapping[str, float]
    independent: Decision | None

    def _decide(self, scores: ScoreMatrix) -> Targets:
        parts, columns = [], []
        for group in self.space.groups:
            own = self.space.columns(group.labels)
            parts.append(_chosen(scores[:, own], self.cuts[group.name]))
            columns.append(own)
        doubt = [csr_array(part.shape, dtype=bool) for part in parts]
        if self.independent is not None:
            own = self.space.columns(self.independent.space.names)
            decided = self.independent.decide(scores[:, own])
            parts.append(decided.positives)
            doubt.append(csr_array(decided.shape, dtype=bool) if decided.unknown is None else decided.unknown)
            columns.append(own)
        place = np.argsort(np.concatenate(columns))
        positives, unknown = (csr_array(hstack(side, format="csr"))[:, place] for side in (parts, doubt))
        return Targets(positives, unknown)

    def _content(self) -> dict[str, Any]:
        return {
            "groups": by_name(list(self.cuts), np.array(list(self.cuts.values()))),
            "independent": None if self.independent is None else self.independent.to_dict(),
        }

    @classmethod
    def _read(
        cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None
    ) -> "GroupChoice":
        from manyhot.decide import read_rule

        groups = [group.name for group in space.groups]
        cuts = dict(zip(groups, from_names(groups, content["groups"]).tolist(), strict=True))
        inner = content["independent"]
        if inner is not None:
            inner = read_rule(inner, LabelSpace(space.independent))
        return cls(space, cuts, inner, tuned_on=tuned_on)


def at_half(space: LabelSpace) -> Decision:
    """The rule that nobody tuned: a label where its score is one half or more, the highest of a group."""
    if not space.groups:
        return Cuts(space, np.full(len(space), 0.5))
    groups = {group.name: 0.5 if group.allow_none else -np.inf for group in space.groups}
    return GroupChoice(space, groups, at_half(LabelSpace(space.independent)) if space.independent else None)


def best_of_groups(scores: ScoreMatrix, space: LabelSpace) -> ScoreMatrix:
    """Scores in which every label of an exclusive group but the first highest of the row has -inf."""
    kept = scores.copy() if space.groups else scores
    for group in space.groups:
        own = space.columns(group.labels)
        chosen = _chosen(scores[:, own], -np.inf)
        if isinstance(kept, csr_array):
            cells = row_numbers(chosen) * len(space) + own[chosen.indices]
            kept.data[np.isin(kept.indices, own) & ~np.isin(cell_numbers(kept), cells)] = -np.inf
        else:
            kept[:, own] = np.where(chosen.toarray() > 0, kept[:, own], -np.inf)
    return kept


def _chosen(scores: ScoreMatrix, cut: float) -> csr_array:
    """CSR (rows, group's labels) with the first highest label of each row whose score reaches the cut.

    A label without a score, absent from CSR, is never chosen.
    """
    dense = absent_lowest(scores)
    rows = np.arange(len(dense))
    best = dense.argmax(axis=1) if len(dense) else np.zeros(0, np.int64)
    kept = (dense[rows, best] >= cut) & (dense[rows, best] > -np.inf)
    starts = np.concatenate([[0], np.cumsum(kept)])
    return csr_array((np.ones(int(kept.sum()), np.float32), best[kept], starts), shape=dense.shape)


def _none_cut(data: TuningData, group: Group) -> float:
    """The cut on the highest score with the most rows right: the right label above it, "none" below it."""
    columns = data.space.columns(group.labels)
    hard = data.targets.harden()
    truth = data.space.group_classes(hard, group)
    told = truth >= 0
    if not told.any():
        return -np.inf
    dense, truth = absent_lowest(data.scores[:, columns])[told], truth[told]
    mass = 1.0 if data.weight is None else data.weight[told]
    top = dense.max(axis=1).astype(np.float64)
    order = np.argsort(-top, kind="stable")
    # lowering the cut past a row wins it if its arg-max is right, and loses it if it has no label
    gain = mass * ((dense.argmax(axis=1) == truth).astype(np.float64) - (truth == len(columns)))
    top, total = top[order], np.cumsum(gain[order])
    ends = np.flatnonzero(np.append(top[1:] != top[:-1], True))
    best = ends[int(np.argmax(total[ends]))]
    if total[best] <= 0:
        return np.inf
    low = top[best + 1] if best + 1 < len(top) else -np.inf
    return float(low + (top[best] - low) / 2) if np.isfinite(low) else -np.inf
