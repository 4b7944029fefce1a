"""Average precision and the area under the ROC curve: what scores are worth before any cut is chosen.

Source:
    Average precision as the step-wise sum over thresholds, without interpolation (as scikit-learn has it);
    ROC area as the probability that a positive outranks a negative, ties counting half:
    Hanley and McNeil, Radiology 143, 1982.
"""

from dataclasses import dataclass
from typing import Any

from manyhot.labels import Targets
from manyhot.metrics.counts import Numbers


@dataclass(frozen=True)
class Sweep:
    """Average precision and ROC area, NaN where undefined: (labels,), or () when pooled."""

    ap: Numbers
    auc: Numbers


def sweep_labels(targets: Targets, scores: Any, weight: Numbers, positive: Numbers, known: Numbers) -> Sweep:
    """One sweep a label; unknown cells take part in none.

    Args:
        targets: hard.
        scores: dense (rows, labels) or CSR, as `read_scores` gives them.
        weight: (rows,).
        positive, known: (labels,), mass of the positive and of the known cells.
    """
    from manyhot.kernels import descents, sweeps

    columns = descents.Columns.of(scores, targets.positives, targets.unknown)
    return Sweep(*sweeps.sweep_labels(columns, weight, positive, known))


def sweep_pooled(targets: Targets, scores: Any, weight: Numbers) -> Sweep:
    """One sweep of all known cells together: the micro average."""
    from manyhot.kernels.pooled import pooled_blocks
    from manyhot.kernels.sweeps import sweep_blocks

    return Sweep(*sweep_blocks(*pooled_blocks(scores, targets.positives, targets.unknown, weight)))
