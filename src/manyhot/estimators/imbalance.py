"""How unevenly labels occur, and a table of every label before and after rows were resampled.

Source: Charte, Rivera, del Jesus and Herrera, "Addressing imbalance in multilabel classification:
measures and random resampling algorithms", Neurocomputing 163, 2015; concurrence: the same, HAIS 2014.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.labels import Targets


def imbalance(targets: Targets) -> NDArray[np.float64]:
    """How many times rarer than the most frequent each label is, (labels,); inf where it has no row."""
    counts = targets.label_counts().astype(np.float64)
    most = counts.max(initial=0)
    return np.divide(most, counts, out=np.full(len(counts), np.inf), where=counts > 0)


def mean_imbalance(targets: Targets) -> float:
    """The mean over labels that occur; 1 when all occur alike."""
    ratios = imbalance(targets)
    return float(ratios[np.isfinite(ratios)].mean()) if np.isfinite(ratios).any() else 1.0


def concurrence(targets: Targets, ratios: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """For each row in [0, 1), how much rare and frequent labels meet in it (SCUMBLE); 0 without labels.

    Args:
        targets: (rows, labels).
        ratios: (labels,) the imbalance of each label, where it is known already.
    """
    ratios = imbalance(targets) if ratios is None else ratios
    cells = targets.positives
    counts = np.maximum(targets.row_counts(), 1)
    rows = np.repeat(np.arange(len(targets)), targets.row_counts())
    own = ratios[cells.indices]
    mean = np.bincount(rows, own, len(targets)) / counts
    geometric = np.exp(np.bincount(rows, np.log(own), len(targets)) / counts)
    return np.where(targets.row_counts() > 0, 1 - geometric / np.maximum(mean, 1.0), 0.0)


def label_table(before: Targets, after: Targets, names: Sequence[Any]) -> list[dict[str, Any]]:
    """A record a label, rarest first: its rows, share of the rows and imbalance, before and after."""
    sides = {"before": before, "after": after}
    counts = {side: targets.label_counts() for side, targets in sides.items()}
    ratios = {side: imbalance(targets) for side, targets in sides.items()}
    return [
        {
            "label": str(names[label]),
            **{f"rows_{side}": int(counts[side][label]) for side in sides},
            **{f"share_{side}": counts[side][label] / max(len(sides[side]), 1) for side in sides},
            **{f"imbalance_{side}": float(ratios[side][label]) for side in sides},
        }
        for label in np.argsort(counts["before"], kind="stable").tolist()
    ]
