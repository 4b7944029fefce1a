"""What a model says of some rows: label names to look at, scores to work with."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot import _check
from manyhot._typing import FloatArray
from manyhot.data.index import count
from manyhot.data.markup import html_table
from manyhot.errors import ShapeError
from manyhot.labels import LabelSpace, ScoreMatrix, Targets

_SHOWN = 10  # rows in a repr


class Predictions(Sequence[list[str]]):
    """The labels of each row, best first: `predictions[0]` is a list of names, `list(predictions)` has all.

    Attributes:
        space: the label space that the columns of `scores` follow.
        row_ids: (rows,) names of the rows: file name, identifier or position.
        scores: (rows, labels) in [0, 1], float32; of a wide label space a CSR of the best of each row.
        decisions: (rows, labels) `Targets`, the labels that were given.
    """

    def __init__(
        self, space: LabelSpace, row_ids: Sequence[str], scores: ScoreMatrix, decisions: Targets
    ) -> None:
        rows = scores.shape[0]
        if not len(row_ids) == rows == len(decisions):
            raise ShapeError(
                f"expected as many names as rows, got {len(row_ids)} names, {rows} rows of scores, "
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
            all_scores: scores of every label, in the order of the label space, not only of those given; of a
                wide label space those that were kept.
        """
        for row, row_id in enumerate(self.row_ids):
            columns, scores = self._kept(row)
            score = dict(zip(columns.tolist(), scores.tolist(), strict=True))
            chosen = self._chosen(row)
            yield {
                "row": row_id,
                "labels": [self.space.names[column] for column in chosen],
                "scores": {
                    self.space.names[column]: round(score[column], 6)
                    for column in (score if all_scores else chosen)
                },
            }

    def __repr__(self) -> str:
        lines = [
            f"  {row_id}: {', '.join(self[row]) or '-'}" for row, row_id in enumerate(self.row_ids[:_SHOWN])
        ]
        if len(self) > _SHOWN:
            lines.append(f"  ... {len(self) - _SHOWN:,} more")
        return "\n".join([f"Predictions({self._size})", *lines])

    @property
    def _size(self) -> str:
        return f"{count(len(self), 'row', 'rows')}, {count(len(self.space), 'label', 'labels')}"

    def _repr_html_(self) -> str:
        """The first rows, for notebooks."""
        rows = [
            (
                record["row"],
                ", ".join(f"{name} {score:.2f}" for name, score in record["scores"].items()) or "-",
            )
            for record, _ in zip(self.records(), range(_SHOWN), strict=False)
        ]
        return html_table(f"Predictions({self._size})", ["row", "labels, with their scores"], rows)

    def _chosen(self, row: int) -> list[int]:
        """Columns given to a row, best score first; of equal scores the first column."""
        matrix = self.decisions.positives
        columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        kept, scores = self._kept(row)
        return columns[np.argsort(-scores[np.searchsorted(kept, columns)], kind="stable")].tolist()

    def _kept(self, row: int) -> tuple[NDArray[np.integer[Any]], FloatArray]:
        """Columns, ascending, and scores that a row has."""
        if not issparse(self.scores):
            return np.arange(len(self.space)), self.scores[row]
        cells = slice(*self.scores.indptr[row : row + 2])
        return self.scores.indices[cells], self.scores.data[cells]


def best(
    scores: ScoreMatrix,
    topk: int | None = None,
    floor: float | None = None,
    space: LabelSpace | None = None,
) -> Targets:
    """The labels that score highest: at most `topk` of a row, none below `floor`, one of a group.

    Args:
        scores: (rows, labels) in [0, 1], dense or CSR.
        topk: labels a row at most, >= 1; None for no limit.
        floor: lowest score that counts, in [0, 1]; None for no floor.
        space: the label space, where it may have exclusive groups.
    """
    from manyhot.decide.cuts import assigned
    from manyhot.decide.grouped import best_of_groups
    from manyhot.decide.top_k import highest

    if topk is not None:
        _check.at_least("topk", topk, 1)
    if floor is not None:
        _check.between("floor", floor, 0, 1)
    scores = scores if space is None else best_of_groups(scores, space)
    width, lowest = scores.shape[1], 0.0 if floor is None else floor
    if topk is None:
        return assigned(scores, np.full(width, lowest, scores.dtype))  # so float32 0.7 reaches 0.7
    return highest(scores, min(topk, width), lowest)
