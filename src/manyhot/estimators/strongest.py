"""The scores that a cut could fall among: tuning on them gives the same cuts for a fraction of the work."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.labels import Targets

LEAST_CELLS = 2_000_000  # below, all scores are cheap enough
RANKS = 8  # rows kept of a label for each of its positives
RESERVE = 50  # and so many more


def strongest(scores: NDArray[Any], targets: Targets) -> Any:
    """The highest scores of each label as CSR, the others absent, which is lowest; few scores as they are.

    Args:
        scores: (rows, labels).
        targets: of the same rows; a label keeps the rows down to rank 8 * positives + 50, and its positives.
    """
    rows, _ = scores.shape
    ranks = np.minimum(RANKS * targets.label_counts() + RESERVE, rows)
    if scores.size <= LEAST_CELLS or 2 * ranks.sum() > scores.size:
        return scores
    floor = np.empty(scores.shape[1], scores.dtype)
    for label, rank in enumerate(ranks.tolist()):
        floor[label] = np.partition(scores[:, label], rows - rank)[rows - rank]
    keep = scores >= floor
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(keep, axis=1))])
    return csr_array((scores[keep], np.nonzero(keep)[1], starts), shape=scores.shape)
