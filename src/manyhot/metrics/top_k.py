"""The first k labels of a row: precision, recall, nDCG, and their forms weighted by inverse propensity.

Where labels tie across the border of the first k, each takes its expected place, so the value does not depend
on the order of the columns; sparse scores tie all absent labels at the end. nDCG equals scikit-learn's.

Source:
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002;
    Jain, Prabhu, Varma, "Extreme multi-label loss functions for recommendation, tagging, ranking and other
    missing label applications", KDD 2016. The propensity-scored forms are ratios of sums over all rows, as in
    the extreme classification repository's tables.
"""

import numpy as np

from manyhot.errors import InputError
from manyhot.metrics.counts import Numbers, row_sums
from manyhot.metrics.material import Material
from manyhot.metrics.ranking import Parts

USUAL_PROPENSITY = (0.55, 1.5)  # constants A and B of the model of `propensities`


def precision_at(material: Material, k: int) -> Parts:
    """Share of the first k labels that are positive; fewer than k positives cannot reach 1."""
    ranks = material.row_ranks
    return row_sums(_hits(material, k), ranks.starts) / k, (ranks.known > 0).astype(np.float64)


def recall_at(material: Material, k: int) -> Parts:
    """Share of a row's positives among its first k labels; rows without positives are left out."""
    starts = material.row_ranks.starts
    positives = np.diff(starts)
    return row_sums(_hits(material, k), starts) / np.maximum(positives, 1), (positives > 0) * 1.0


def ndcg_at(material: Material, k: int) -> Parts:
    """Discounted gain of the first k labels over the best possible one; 0 for rows without positives."""
    ranks = material.row_ranks
    best = _ideal_discount(np.diff(ranks.starts), k)
    gained = row_sums(_gains(material, k), ranks.starts) / np.where(best > 0, best, 1.0)
    return gained, (ranks.known > 0).astype(np.float64)


def propensity_precision_at(material: Material, k: int) -> Parts:
    """Hits weighted by inverse propensity, over the best that k labels could collect."""
    ranks, inverse = material.row_ranks, _inverse_propensities(material)
    return row_sums(_hits(material, k) * inverse, ranks.starts), _best(material, np.ones(k))


def propensity_ndcg_at(material: Material, k: int) -> Parts:
    """Discounted gain weighted by inverse propensity, over the best possible one."""
    ranks, inverse = material.row_ranks, _inverse_propensities(material)
    ideal = _ideal_discount(np.diff(ranks.starts), k)
    scale = np.where(ideal > 0, ideal, 1.0)
    gained = row_sums(_gains(material, k) * inverse, ranks.starts) / scale
    return gained, _best(material, _discounts(k)) / scale


def propensities(
    positives: Numbers, rows: int, a: float = USUAL_PROPENSITY[0], b: float = USUAL_PROPENSITY[1]
) -> Numbers:
    """Modelled probability that a positive of each label was annotated at all, (labels,).

    Args:
        positives: (labels,) training rows with the label.
        rows: training rows.
        a, b: constants of the model; 0.55 and 1.5 are the usual ones, 0.5 and 0.4 those for Wikipedia,
            0.6 and 2.6 those for Amazon.
    """
    c = (np.log(max(rows, 2)) - 1.0) * (b + 1.0) ** a
    return 1.0 / (1.0 + c * np.exp(-a * np.log(np.asarray(positives, np.float64) + b)))


def _hits(material: Material, k: int) -> Numbers:
    """Expected number of times that each positive is among the first k, in [0, 1]."""
    ranks = material.row_ranks
    return np.clip((k - ranks.above) / ranks.tied, 0.0, 1.0)


def _gains(material: Material, k: int) -> Numbers:
    """Expected discount at each positive's place, 0 beyond k."""
    ranks = material.row_ranks
    upto = np.concatenate([[0.0], np.cumsum(_discounts(k))])
    last = np.minimum(ranks.above + ranks.tied, k)
    return (upto[last] - upto[np.minimum(ranks.above, k)]) / ranks.tied


def _discounts(k: int) -> Numbers:
    return 1.0 / np.log2(np.arange(2, k + 2))


def _ideal_discount(positives: Numbers, k: int) -> Numbers:
    return np.concatenate([[0.0], np.cumsum(_discounts(k))])[np.minimum(positives, k)]


def _inverse_propensities(material: Material) -> Numbers:
    if material.propensities is None:
        raise InputError("propensity-scored metrics need the training rows' label counts; pass train=")
    return (1.0 / material.propensities)[material.row_ranks.labels]


def _best(material: Material, discounts: Numbers) -> Numbers:
    """Discounted sum of each row's largest inverse propensities."""
    from manyhot.kernels.ranks import best_sums

    return best_sums(_inverse_propensities(material), material.row_ranks.starts, discounts)
