"""A loaded model: rows in, label names out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from manyhot._typing import FloatArray
from manyhot.bundle.manifest import Origin
from manyhot.bundle.predictions import Predictions, best
from manyhot.bundle.rows import inputs_of
from manyhot.labels import LabelSpace, ScoreMatrix, Targets

if TYPE_CHECKING:
    from manyhot.data.inputs import Inputs, Kind
    from manyhot.data.table import Schema
    from manyhot.decide import Decision
    from manyhot.models import Model


class Predictor:
    """Inputs -> scores -> decisions -> names, by one model and the rule that was fitted for it.

    Args:
        model: trained; its label space is that of all results.
        rule: fitted decision rule.
        schema: how files with new rows are read; None if the model was not trained on files.
        origin: where the model comes from.
    """

    def __init__(
        self,
        model: "Model",
        rule: "Decision",
        *,
        schema: "Schema | None" = None,
        origin: Origin | None = None,
    ) -> None:
        self.model = model
        self.rule = rule
        self.schema = schema
        self.origin = origin or Origin()

    @property
    def space(self) -> LabelSpace:
        """The labels, in the order of all score columns."""
        return self.model.space

    @property
    def kind(self) -> "Kind":
        """What the model reads: columns, sparse, text, mixed or image."""
        return cast("Kind", self.model.preparation.reads)

    def inputs(self, rows: Any) -> "Inputs":
        """Rows in any form of `inputs_of`, as the model reads them."""
        return inputs_of(rows, self.kind, self.schema)

    def scores(self, rows: Any) -> FloatArray:
        """Scores of rows in any form of `inputs_of`: (rows, labels) float32 in [0, 1]."""
        return self.model.scores(self.inputs(rows))

    def kept_scores(self, rows: Any) -> ScoreMatrix:
        """The scores to decide by: all, or of a wide label space the best of each row as CSR."""
        return self.model.kept_scores(self.inputs(rows), self.rule.least_scores)

    def decide(self, scores: Any) -> Targets:
        """The label set of each row of scores, by the fitted rule."""
        return self.rule.decide(scores)

    def predict(
        self,
        rows: Any,
        *,
        topk: int | None = None,
        floor: float | None = None,
        row_ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Label names of rows.

        Args:
            rows: any form of `inputs_of`.
            topk: the so many best labels of each row instead of those of the fitted rule; of an exclusive
                group the best alone counts.
            floor: labels that score at least so much, in [0, 1], instead of those of the fitted rule, of an
                exclusive group the best at most; with `topk` both limits hold.
            row_ids: names of the rows; without them images are named by their file, others by number.

        Raises:
            InputError: the rows are not what the model reads.
            OptionError: topk < 1, or floor outside [0, 1].
        """
        inputs = self.inputs(rows)
        fitted = topk is None and floor is None
        scores = self.model.kept_scores(inputs, self.rule.least_scores if fitted else topk or 0)
        decisions = self.decide(scores) if fitted else best(scores, topk, floor, self.space)
        return Predictions(self.space, row_ids if row_ids is not None else _names(inputs), scores, decisions)


def _names(inputs: Any) -> list[str]:
    if inputs.kind == "image":
        return list(inputs.names)
    return [str(number) for number in range(1, len(inputs) + 1)]
