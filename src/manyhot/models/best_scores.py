"""The highest scores of each row of a wide label space, in place of all of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse, vstack
from torch import Tensor

from manyhot import _check
from manyhot.labels import ScoreMatrix

KEPT = 100
"""Scores that are kept of each row of a wide label space."""


class BestScores:
    """The highest scores of each row, gathered batch by batch.

    Args:
        rows: of all batches together.
        width: number of labels.
        k: kept of each row, at most all.
    """

    def __init__(self, rows: int, width: int, k: int = KEPT) -> None:
        _check.at_least("k", k, 1)
        self.k, self.width = min(k, width), width
        self.columns = np.empty((rows, self.k), np.int32)
        self.values = np.empty((rows, self.k), np.float32)

    def put(self, rows: Any, columns: Tensor, scores: Tensor) -> None:
        """Columns and scores (len(rows), k) of these rows."""
        columns, order = columns.sort(dim=1)
        self.columns[rows] = columns.cpu().numpy()
        self.values[rows] = scores.gather(1, order).cpu().numpy()

    def matrix(self) -> csr_array:
        """CSR (rows, labels) that shares the memory."""
        rows = len(self.columns)
        starts = np.arange(rows + 1, dtype=np.int64 if rows * self.k >= 2**31 else np.int32) * self.k
        cells = (self.values.reshape(-1), self.columns.reshape(-1), starts)
        return csr_array(cells, shape=(rows, self.width))


def best_of(scores: NDArray[np.floating[Any]], k: int = KEPT) -> csr_array:
    """The k highest of each row of a matrix (rows, labels), as `Model.best_scores` gives them."""
    rows, width = scores.shape
    kept = BestScores(rows, width, k)
    for start in range(0, len(scores), 1024):
        values, columns = torch.from_numpy(scores[start : start + 1024]).topk(kept.k)
        kept.put(slice(start, start + 1024), columns, values)
    return kept.matrix()


def stacked(parts: Sequence[ScoreMatrix]) -> ScoreMatrix:
    """The rows of all parts, one after the other; all of one form."""
    return csr_array(vstack(parts, format="csr")) if issparse(parts[0]) else np.concatenate(parts)
