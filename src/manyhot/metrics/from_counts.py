"""Metrics of counts. Each is one ratio; NaN where it is 0 / 0, never an invented number."""

import numpy as np

from manyhot.metrics.counts import Counts, Numbers


def ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    """Numerator / denominator, NaN where the denominator is 0."""
    undefined = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) > 0)


def precision(counts: Counts) -> Numbers:
    """Share of the decided cells that are positive; undefined where nothing is decided."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> Numbers:
    """Share of the positive cells that are decided; undefined where nothing is positive."""
    return ratio(counts.tp, counts.tp + counts.fn)


def specificity(counts: Counts) -> Numbers:
    """Share of the negative cells that are left alone; undefined where nothing is negative."""
    return ratio(counts.tn, counts.tn + counts.fp)


def negative_predictive_value(counts: Counts) -> Numbers:
    """Share of the cells left alone that are negative; undefined where every cell is decided."""
    return ratio(counts.tn, counts.tn + counts.fn)


def balanced_accuracy(counts: Counts) -> Numbers:
    """Mean of recall and specificity; undefined where either is."""
    return 0.5 * (recall(counts) + specificity(counts))


def share_right(counts: Counts) -> Numbers:
    """Share of the known cells that are right: 1 - Hamming loss."""
    return ratio(counts.tp + counts.tn, counts.known)


def f_beta(counts: Counts, beta: float = 1.0) -> Numbers:
    """Weighted harmonic mean of precision and recall; beta > 1 favours recall.

    Zero where a label has positives or decisions but no hit; undefined where it has neither.

    Source:
        van Rijsbergen, Information Retrieval, 2nd ed. 1979, ch. 7.
    """
    weight = beta * beta
    gain = (1.0 + weight) * counts.tp
    return ratio(gain, gain + weight * counts.fn + counts.fp)


def f1(counts: Counts) -> Numbers:
    """`f_beta` at beta = 1."""
    return f_beta(counts)


def jaccard(counts: Counts) -> Numbers:
    """Hits over the union of decided and positive cells; undefined where both are empty."""
    return ratio(counts.tp, counts.tp + counts.fp + counts.fn)


def mcc(counts: Counts) -> Numbers:
    """Matthews correlation of decisions and targets, in [-1, 1]; undefined where either is constant.

    Source:
        Matthews, Biochimica et Biophysica Acta 405, 1975.
    """
    decided, left = counts.tp + counts.fp, counts.tn + counts.fn
    positive, negative = counts.tp + counts.fn, counts.tn + counts.fp
    covariance = counts.tp * counts.tn - counts.fp * counts.fn
    return ratio(covariance, np.sqrt(decided) * np.sqrt(left) * np.sqrt(positive) * np.sqrt(negative))


def kappa(counts: Counts) -> Numbers:
    """Cohen's kappa of decisions and targets, in [-1, 1]; undefined where both are constant and equal.

    Source:
        Cohen, Educational and Psychological Measurement 20, 1960.
    """
    decided, left = counts.tp + counts.fp, counts.tn + counts.fn
    positive, negative = counts.tp + counts.fn, counts.tn + counts.fp
    covariance = counts.tp * counts.tn - counts.fp * counts.fn
    return ratio(2.0 * covariance, decided * negative + positive * left)
