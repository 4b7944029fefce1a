"""The best labels of each row, of scores that come in chunks of labels."""

from collections.abc import Iterable

import torch
from torch import Tensor


def best_labels(chunks: Iterable[tuple[int, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """Scores and columns of the k best labels of each row, highest first.

    Args:
        chunks: at least one of (column of its first label, scores (rows, labels of the chunk)).
        k: at most so many; fewer where all chunks together have fewer labels.

    Returns:
        Scores (rows, k) in the dtype of the chunks, and columns (rows, k) int64.
    """
    best: list[tuple[Tensor, Tensor]] = []
    for first, scores in chunks:
        found, places = scores.topk(min(k, scores.shape[1]), dim=1)
        best = [merged([*best, (found, places + first)], k)]
    return best[0]


def merged(parts: list[tuple[Tensor, Tensor]], k: int) -> tuple[Tensor, Tensor]:
    """The k best of several (scores, columns) of the same rows."""
    scores, columns = (torch.cat(of_parts, 1) for of_parts in zip(*parts, strict=True))
    found, places = scores.topk(min(k, scores.shape[1]), dim=1)
    return found, columns.gather(1, places)
