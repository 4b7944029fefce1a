"""What all decision rules share: a rule is options until it is fitted, then it decides and can be saved."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from manyhot.decide.goals import Goal, as_goal
from manyhot.decide.scores import ScoreMatrix, as_scores
from manyhot.decide.tuned_rows import TunedRows, refuse_tuned_rows
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, Targets, as_targets, formats

# One goal for all labels, or one for some of them by name and "*" for the rest.
GoalLike: TypeAlias = Goal | str | Mapping[str, Goal | str]


class Rule(Protocol):
    """A way to decide, not fitted yet: a frozen record of options."""

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> "Decision":
        """Tune on these rows, which the model was not trained on.

        Args:
            scores: (rows, labels), any form of `as_scores`.
            targets: any form of `as_targets`, with `space` also rows of names; unknown cells are left out of
                every count.
            space: the labels; without one they are named as the columns of a DataFrame of scores, else by
                their column number.
            goal: replaces the rule's own goal.
            rows: ids of the rows, remembered so that evaluation on them can be refused.
        """
        ...


@dataclass(frozen=True)
class Decision(ABC):
    """A fitted rule: scores in, label sets out.

    Attributes:
        space: the labels that it decides about.
        tuned_on: the rows it was tuned on, if they were told.
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
        return self._decide(as_scores(scores, self.space.names))

    @property
    def least_scores(self) -> int:
        """So many of a row's highest scores it asks for, where not all are given."""
        return 0

    def check_rows(self, rows: Iterable[Any], *, allow_tuned_rows: bool = False) -> bool:
        """Refuse to be evaluated on rows that it was tuned on.

        Returns:
            True if checked; False if the rule does not know its rows or the check was waived.

        Raises:
            InputError: some of the rows were tuned on.
        """
        return refuse_tuned_rows(self.tuned_on, rows, allow_tuned_rows)

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
    """Checked input of a fit."""

    scores: ScoreMatrix
    targets: Targets
    space: LabelSpace
    tuned_on: TunedRows | None

    @classmethod
    def of(
        cls, scores: Any, targets: Any, space: LabelSpace | None, rows: Iterable[Any] | None
    ) -> "TuningData":
        """Convert, check that shapes agree and that each row has an id."""
        matrix = as_scores(scores, None if space is None else space.names)
        if not matrix.shape[1]:
            raise InputError("expected scores for one label at least, got none")
        named = space or _named_after(scores, matrix.shape[1])
        values = as_targets(targets, len(named), space=space)
        if len(values) != matrix.shape[0]:
            raise InputError(
                f"expected targets for the {matrix.shape[0]} rows of the scores, got {len(values)}"
            )
        if rows is None:
            return cls(matrix, values, named, None)
        rows = list(rows)
        if len(rows) != matrix.shape[0]:
            raise InputError(f"expected {matrix.shape[0]} row ids, got {len(rows)}")
        return cls(matrix, values, named, TunedRows.of(rows))


def _named_after(scores: Any, width: int) -> LabelSpace:
    """A space of the names that a DataFrame's columns have, else of the columns' numbers."""
    if formats.is_frame(scores) and formats.has_names(scores):
        return LabelSpace(tuple(scores.columns))
    return LabelSpace(tuple(str(column) for column in range(width)))


def single_goal(goal: GoalLike) -> Goal:
    """The goal that all labels have."""
    if isinstance(goal, (str, Goal)):
        return as_goal(goal)
    if set(goal) == {"*"}:
        return as_goal(goal["*"])
    raise OptionError(f"expected one goal for all labels, got goals for {', '.join(map(repr, goal))}")
