"""What is wrong with scores, in a sentence, and what mends it."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.stats import rankdata

from manyhot._typing import FloatArray
from manyhot.labels import ScoreMatrix, Targets

MOST_CELLS = 1_000_000
"""Scores are looked at in evenly spaced rows, so that no more cells than this are sorted."""

LEAST_ABOVE_CHANCE = 0.03
"""Area under the curve above one half, on average, from which on a ranking is one; two standard errors are
none either."""

LARGEST_ERROR = 0.03
"""Standard error of that average by chance, up to which it says anything."""


class Diagnosis(msgspec.Struct, frozen=True):
    """A finding.

    Args:
        name: under_the_cut, prior, unranked, saturated, all_ones or not_finite.
        finding: what is so, with the numbers.
        mend: what to do about it.
    """

    name: str
    finding: str
    mend: str


def diagnose(
    scores: ScoreMatrix, targets: Targets, cut: float = 0.5, *, weighted: bool = False
) -> list[Diagnosis]:
    """What is most wrong with these scores, and whether their cuts are too.

    Of what asks for another training the worst alone is named: their mends contradict each other.

    Args:
        scores: (rows, labels) in [0, 1] of rows that were not trained on; absent cells of a CSR are 0.
        targets: (rows, labels); unknown cells are left out.
        cut: what a label's score has to reach to be decided, before anything is tuned.
        weighted: the positives had weights in the loss.
    """
    picked = spread_rows(*targets.shape)
    some: Any = scores[picked]
    scores, truth = some.toarray() if issparse(some) else some, targets.rows(picked).to_dense()
    known = ~np.isnan(truth)
    if not known.any():
        return []
    flat_scores, positive = scores[known], truth[known] >= 0.5
    share = np.where(known, truth, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    found = [
        _saturated(flat_scores, positive)
        or _prior(scores, share)
        or _unranked(scores, truth)
        or _all_ones(flat_scores, positive, cut, weighted),
        _under_the_cut(flat_scores, positive, np.broadcast_to(share, known.shape)[known], cut),
    ]
    return [finding for finding in found if finding is not None]


def not_finite(what: str, step: int) -> Diagnosis:
    """The training met a NaN or an infinity and stopped.

    Args:
        what: "loss", "logits" or "gradient".
        step: of the optimiser, from 1.
    """
    verb = "were" if what == "logits" else "was"
    return Diagnosis(
        "not_finite",
        f"the {what} of step {step} {verb} not finite; the weights are those of the best epoch before it",
        "lower the learning rate, clip the gradient (clip=1), and look for NaN or huge values in the inputs",
    )


def _prior(scores: FloatArray, share: FloatArray) -> Diagnosis | None:
    """Every row scores about the same, where a score that knew the answer would vary by sqrt(p (1 - p))."""
    possible = np.sqrt(share * (1 - share))
    varied = possible > 0
    if len(scores) < 2 or not np.any(varied):
        return None
    spread = scores.std(axis=0, dtype=np.float64)[varied] / possible[varied]
    if spread.max() > 0.05:
        return None
    return Diagnosis(
        "prior",
        "all rows have about the same scores: nothing was learned",
        "check that inputs and labels belong to the same rows; raise the learning rate or the epochs, where "
        "there are any",
    )


def _unranked(scores: FloatArray, truth: FloatArray) -> Diagnosis | None:
    """Rows with a label score hardly higher than rows without it, where enough of both are there to say so.

    The labels' areas under the curve are averaged by the inverse of their variance under chance, which is
    that of the Mann-Whitney statistic.
    """
    above, weight = 0.0, 0.0
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        positive = truth[known, column] >= 0.5
        some, others = int(positive.sum()), int((~positive).sum())
        if some and others:
            ranks = rankdata(scores[known, column])[positive].sum()
            certainty = 12 * some * others / (some + others + 1)
            above += certainty * ((ranks - some * (some + 1) / 2) / (some * others) - 0.5)
            weight += certainty
    if weight < 1 / LARGEST_ERROR**2 or above / weight > max(LEAST_ABOVE_CHANCE, 2 / np.sqrt(weight)):
        return None
    area = 0.5 + above / weight
    return Diagnosis(
        "unranked",
        f"held-out rows with a label score hardly higher than those without it (AUC {area:.2f}): nothing was "
        "learned that holds for new rows",
        "check that inputs and labels belong to the same rows; no loss and no cut mends it",
    )


def _all_ones(
    scores: FloatArray, positive: NDArray[np.bool_], cut: float, weighted: bool
) -> Diagnosis | None:
    decided, share = float((scores >= cut).mean()), float(positive.mean())
    if decided < 0.5 or decided < 2 * share:
        return None
    return Diagnosis(
        "all_ones",
        f"{decided:.0%} of all cells score {cut:g} or more, and {share:.1%} of them are positive",
        "lower pos_weight (sqrt instead of balanced), or undo it in the scores (debias), and tune the cuts"
        if weighted
        else "tune the cuts, or try the loss bce, whose scores are probabilities",
    )


def _saturated(scores: FloatArray, positive: NDArray[np.bool_]) -> Diagnosis | None:
    sure = (scores < 1e-6) | (scores > 1 - 1e-6)
    wrong = sure & ((scores > 0.5) != positive)
    if sure.mean() < 0.1 or wrong.sum() < max(1, 0.01 * positive.sum()):
        return None
    return Diagnosis(
        "saturated",
        f"{sure.mean():.0%} of all scores are 0 or 1 to six digits, and {wrong.sum()} of those are wrong",
        "lower the learning rate or train for fewer epochs, and raise weight decay or dropout",
    )


def _under_the_cut(
    scores: FloatArray, positive: NDArray[np.bool_], share: FloatArray, cut: float
) -> Diagnosis | None:
    """The best cut decides far better than the usual one, which is so high that most positives are missed.

    And far better than with each label's share as its score, or it is a model that has learned nothing.
    """
    if not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    f1 = _micro_f1(positive[order])
    best, learned_nothing = (
        int(f1.argmax()),
        float(_micro_f1(positive[np.argsort(-share, kind="stable")]).max()),
    )
    decided = int((scores >= cut).sum())
    at_cut = float(f1[decided - 1]) if decided else 0.0
    if decided > 0.6 * positive.sum() or f1[best] < max(at_cut, learned_nothing) + 0.1:
        return None
    return Diagnosis(
        "under_the_cut",
        f"the scores rank well but sit under {cut:g}: micro-F1 {at_cut:.2f} there, "
        f"{f1[best]:.2f} at {scores[order[best]]:.3f}",
        "tune the cuts on validation rows; no training is needed",
    )


def _micro_f1(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of the first, the first two, ... cells decided, in this order."""
    hits = np.cumsum(positive)
    return 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])


def spread_rows(rows: int, labels: int) -> NDArray[np.int64]:
    """Numbers of the rows that are looked at: all, or two at least, evenly spaced."""
    most = max(2, MOST_CELLS // max(1, labels))
    return np.arange(rows) if rows <= most else np.linspace(0, rows - 1, most).astype(np.int64)
