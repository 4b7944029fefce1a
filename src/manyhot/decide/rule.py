"""What all decision rules share: a rule is options until it is fitted, then it decides and can be saved."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.goals import Goal, as_goal
from manyhot.decide.scores import ScoreMatrix, as_scores
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, Provenance, RowMarks, Targets, TunedRows, as_targets
from manyhot.labels.column_names import numbered, shared_names
from manyhot.labels.tuned_rows import Hashes, ids_for, ids_of, refuse_tuned_ids
from manyhot.metrics.inputs import read_weight

# One goal for all labels, or one for some of them by name and "*" for the rest.
GoalLike: TypeAlias = Goal | str | Mapping[str, Goal | str]


class Rule(Protocol):
    """A way to decide, not fitted yet: a frozen record of options."""

    @property
    def takes_goal(self) -> bool:
        """Whether `fit` can be handed any goal; False of rules that keep one of their own, or need none.

        A caller with a default goal asks here before it passes it: such a rule refuses what it cannot serve.
        """
        ...

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "Decision":
        """Tune on these rows, which the model was not trained on.

        Args:
            scores: (rows, labels), any form of `as_scores`.
            targets: any form of `as_targets`, with `space` also rows of names; unknown cells are left out of
                every count.
            goal: replaces the rule's own goal.
            space: the labels; without one they are named as the columns of DataFrames, which meet by name,
                else by their column number.
            rows: ids of the rows, remembered beside their scores so that evaluation on them is refused.
            row_weight: (rows,), >= 0: a row of weight 2 counts as two, one of weight 0 as none.
        """
        ...


@dataclass(frozen=True)
class Decision(ABC):
    """A fitted rule: scores in, label sets out.

    Attributes:
        space: the labels that it decides about.
        tuned_on: the rows it was tuned on; None of a rule that no row had a say in.
    """

    kind: ClassVar[str]

    space: LabelSpace
    tuned_on: TunedRows | None = field(default=None, kw_only=True)

    def decide(self, scores: Any) -> Targets:
        """The label set of each row.

        Args:
            scores: (rows, labels), any form of `as_scores`; row by row, so batches may be decided apart.

        Raises:
            InputError: NaN scores, named by row and label.
            ShapeError: another number of labels than the rule was fitted for.
        """
        matrix = as_scores(scores, self.space.names)
        names = self.space.names
        named = None if names == numbered(len(names)) else names
        marks = None if self.tuned_on is None else marks_of(matrix, ids_of(scores))
        return self._decide(matrix).decided_by(Provenance(named, self.tuned_on, marks))

    def without_rows(self) -> Self:
        """The same without memory of the rows, which a rule around it keeps."""
        return replace(self, tuned_on=None)

    @property
    def least_scores(self) -> int:
        """So many of a row's highest scores it asks for, where not all are given."""
        return 0

    def check_rows(self, rows: Iterable[Any]) -> bool:
        """Refuse to be evaluated on rows that it was tuned on, told by their ids.

        `manyhot.evaluate` refuses by itself what this rule decides of the rows it was tuned on, with ids and
        without.

        Returns:
            True if checked; False if the rule does not know its rows by ids.

        Raises:
            InputError: some of the rows were tuned on.
        """
        return refuse_tuned_ids(self.tuned_on, rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, keyed by label name; `read_rule` is the inverse."""
        content = {"rule": self.kind, **self._content()}
        if self.tuned_on is not None:
            content["tuned_on"] = self.tuned_on.to_dict()
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], space: LabelSpace) -> "Decision":
        """The rule that `to_dict` wrote, for a space that has its labels (their order may differ)."""
        rows = content.get("tuned_on")
        return cls._read(content, space, None if rows is None else TunedRows.from_dict(rows))

    @abstractmethod
    def _decide(self, scores: ScoreMatrix) -> Targets: ...

    @abstractmethod
    def _content(self) -> dict[str, Any]: ...

    @classmethod
    @abstractmethod
    def _read(
        cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None
    ) -> "Decision": ...


@dataclass(frozen=True)
class TuningData:
    """Checked input of a fit. Rows of weight 0 are gone.

    Attributes:
        weight: (rows,), None where all rows count once.
    """

    scores: ScoreMatrix
    targets: Targets
    space: LabelSpace
    tuned_on: TunedRows
    weight: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        scores: Any,
        targets: Any,
        space: LabelSpace | None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "TuningData":
        """Convert, check that shapes agree and that each row has an id."""
        names = space.names if space is not None else shared_names(scores=scores, targets=targets)
        matrix = as_scores(scores, names)
        if not matrix.shape[1]:
            raise InputError("expected scores for one label at least, got none")
        known = space or (None if names is None else LabelSpace(names))
        values = as_targets(targets, matrix.shape[1], space=known)
        if len(values) != matrix.shape[0]:
            raise InputError(
                f"expected targets for the {matrix.shape[0]} rows of the scores, got {len(values)}"
            )
        ids = ids_of(scores, targets) if rows is None else ids_for(rows, matrix.shape[0])
        weight = None if row_weight is None else read_weight(row_weight, matrix.shape[0])
        if weight is not None and not weight.all():
            kept = np.flatnonzero(weight)
            matrix, values, weight = matrix[kept], values.rows(kept), weight[kept]
            ids = None if ids is None else ids[kept]
        if weight is not None and (weight == 1).all():
            weight = None
        tuned_on = TunedRows.of(marks_of(matrix, ids))
        return cls(matrix, values, known or LabelSpace(numbered(matrix.shape[1])), tuned_on, weight)


def marks_of(scores: ScoreMatrix, ids: Hashes | None) -> RowMarks:
    """What the rows of these scores can be told by."""
    from manyhot.kernels.row_digests import row_digests

    return RowMarks(row_digests(scores), ids)


def single_goal(goal: GoalLike) -> Goal:
    """The goal that all labels have."""
    if isinstance(goal, (str, Goal)):
        return as_goal(goal)
    if set(goal) == {"*"}:
        return as_goal(goal["*"])
    raise OptionError(f"expected one goal for all labels, got goals for {', '.join(map(repr, goal))}")
