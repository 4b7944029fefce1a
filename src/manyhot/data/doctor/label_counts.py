"""How often labels occur: imbalance measures and the long tail."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhot.labels import Targets

HEAD = 100  # rows from which a label is of the head; below TAIL it is of the tail, between them of the torso
TAIL = 10


@dataclass(frozen=True)
class Frequencies:
    """Frequencies of all labels.

    Attributes:
        positives: (labels,), rows with the label.
        known: (labels,), rows where it is known.
        prevalence: (labels,), positives / known; NaN where nothing is known.
        imbalance: (labels,), IRLbl: rows of the most frequent label / rows of this one; inf without rows.
        mean_imbalance: MeanIR: mean of IRLbl over labels that occur; NaN when none does.
        imbalance_variation: CVIR: standard deviation of those / MeanIR; NaN for fewer than two.
        head, torso, tail, absent: number of labels with at least 100, 10 to 99, 1 to 9, and no rows.

    Source: Charte et al., Addressing imbalance in multilabel classification, Neurocomputing 163, 2015.
    """

    positives: NDArray[np.int64]
    known: NDArray[np.int64]
    prevalence: NDArray[np.float64]
    imbalance: NDArray[np.float64]
    mean_imbalance: float
    imbalance_variation: float
    head: int
    torso: int
    tail: int
    absent: int


def label_frequencies(targets: Targets) -> Frequencies:
    """Count the positives of every label; soft values count as positives whatever their size."""
    positives, known = targets.label_counts(), targets.known_counts()
    with np.errstate(divide="ignore", invalid="ignore"):
        prevalence = positives / known
        imbalance = np.where(positives > 0, positives.max(initial=0) / positives, np.inf)
    occurring = imbalance[positives > 0]
    mean = float(occurring.mean()) if len(occurring) else float("nan")
    variation = float(occurring.std(ddof=1) / mean) if len(occurring) > 1 else float("nan")
    return Frequencies(
        positives=positives,
        known=known,
        prevalence=prevalence,
        imbalance=imbalance,
        mean_imbalance=mean,
        imbalance_variation=variation,
        head=int((positives >= HEAD).sum()),
        torso=int(((positives >= TAIL) & (positives < HEAD)).sum()),
        tail=int(((positives >= 1) & (positives < TAIL)).sum()),
        absent=int((positives == 0).sum()),
    )
