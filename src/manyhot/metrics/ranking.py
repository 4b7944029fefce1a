"""Ranking metrics of a row: are its positives above its negatives? Ties always count against the scores.

Rows without positives follow scikit-learn where it defines them (LRAP 1, coverage 0, ranking loss 0), and are
left out of the others.

Source:
    Tsoumakas, Katakis, Vlahavas, "Mining multi-label data", 2010, section 7.
"""

import numpy as np

from manyhot.metrics.counts import Numbers, row_sums
from manyhot.metrics.material import Material

Parts = tuple[Numbers, Numbers]  # numerators and denominators of the rows, 0 where undefined


def label_ranking_average_precision(material: Material) -> Parts:
    """Mean precision of the label lists that end at each positive."""
    return _with_default(material.row_figures[0], 1.0, material)


def average_precision(material: Material) -> Parts:
    """The same, rows without positives left out."""
    return _defined(material.row_figures[0])


def roc_area(material: Material) -> Parts:
    """Share of (positive, negative) pairs of a row in the right order, ties half."""
    return _defined(1.0 - material.row_figures[3])


def coverage_error(material: Material) -> Parts:
    """How far down the list the last positive stands."""
    return _with_default(material.row_figures[1], 0.0, material)


def ranking_loss(material: Material) -> Parts:
    """Share of (positive, negative) pairs of a row in the wrong order, ties wrong."""
    return _with_default(material.row_figures[2], 0.0, material)


def one_error(material: Material) -> Parts:
    """1 where the first label is no positive; among tied first labels, the share that is none."""
    ranks = material.row_ranks
    first = np.where(ranks.above == 0, 1.0 / ranks.tied, 0.0)
    positives = np.diff(ranks.starts)
    return 1.0 - row_sums(first, ranks.starts), (positives > 0).astype(np.float64)


def _defined(values: Numbers) -> Parts:
    defined = ~np.isnan(values)
    return np.where(defined, values, 0.0), defined.astype(np.float64)


def _with_default(values: Numbers, default: float, material: Material) -> Parts:
    return np.where(np.isnan(values), default, values), (material.row_ranks.known > 0).astype(np.float64)
