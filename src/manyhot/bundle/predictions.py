"""What a model says of some rows: label names to look at, scores to work with."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from manyhot import _check
from manyhot._typing import FloatArray
from manyhot.errors import ShapeError
from manyhot.labels import LabelSpace, Targets

_SHOWN = 10  # rows in a repr


class Predictions(Sequence[list[str]]):
    """The labels of each row, best first: `predictions[0]` is a list of names, `list(predictions)` has all.

    Attributes:
        space: the label space that the columns of `scores` follow.
        row_ids: (rows,) names of the rows: file name, identifier or position.
        scores: (rows, labels) in [0, 1], float32.
        decisions: (rows, labels) `Targets`, the labels that were given.
    """

    def __init__(
        self, space: LabelSpace, row_ids: Sequence[str], scores: FloatArray, decisions: Targets
    ) -> None:
        if not len(row_ids) == len(scores) == len(decisions):
            raise ShapeError(
                f"expected as many names as rows, got {len(row_ids)} names, {len(scores)} rows of scores, "
                f"{len(decisions)} of decisions"
            )
        self.space = space
        self.row_ids = tuple(map(str, row_ids))
        self.scores = scores
        self.decisions = decisions

    def __len__(self) -> int:
        return len(self.row_ids)

    @overload
    def __getitem__(self, index: int) -> list[str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[str]]: ...
    def __getitem__(self, index: int | slice) -> list[str] | list[list[str]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return [self.space.names[column] for column in self._chosen(range(len(self))[index])]

    def __iter__(self) -> Iterator[list[str]]:
        return (self[row] for row in range(len(self)))

    def records(self, *, all_scores: bool = False) -> Iterator[dict[str, Any]]:
        """One JSON-able record a row: `row`, `labels` (best first) and `scores` by label name.

        Args:
            all_scores: scores of every label, in the order of the label space, not only of those given.
        """
        for row, row_id in enumerate(self.row_ids):
            chosen = self._chosen(row)
            told = range(len(self.space)) if all_scores else chosen
            yield {
                "row": row_id,
                "labels": [self.space.names[column] for column in chosen],
                "scores": {
                    self.space.names[column]: round(float(self.scores[row, column]), 6) for column in told
                },
            }

    def __repr__(self) -> str:
        lines = [
            f"  {row_id}: {', '.join(self[row]) or '-'}" for row, row_id in enumerate(self.row_ids[:_SHOWN])
        ]
        if len(self) > _SHOWN:
            lines.append(f"  ... {len(self) - _SHOWN:,} more")
        return "\n".join([f"Predictions({len(self):,} rows, {len(self.space):,} labels)", *lines])

    def _chosen(self, row: int) -> list[int]:
        """Columns given to a row, best score first; of equal scores the first column."""
        matrix = self.decisions.positives
        columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        return columns[np.argsort(-self.scores[row, columns], kind="stable")].tolist()


def best(scores: FloatArray, topk: int | None = None, floor: float | None = None) -> Targets:
    """The labels that score highest: at most `topk` of a row, none below `floor`.

    Args:
        scores: (rows, labels) in [0, 1].
        topk: labels a row at most, >= 1; None for no limit.
        floor: lowest score that counts, in [0, 1]; None for no floor.
    """
    width = scores.shape[1]
    if topk is not None:
        _check.at_least("topk", topk, 1)
    if floor is not None:
        _check.between("floor", floor, 0, 1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : min(topk or width, width)]
    kept = np.take_along_axis(scores, order, axis=1) >= (0 if floor is None else floor)
    return Targets.from_index_lists(
        [row[keep].tolist() for row, keep in zip(order, kept, strict=True)], width
    )
