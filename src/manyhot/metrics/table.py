"""METRICS: every metric by name, with what it needs, which way is better, and where it comes from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from manyhot._check import one_of
from manyhot.errors import OptionError
from manyhot.metrics import from_counts, ranking, top_k
from manyhot.metrics.counts import Counts, Numbers
from manyhot.metrics.material import Material
from manyhot.metrics.recipes import (
    OfBins,
    OfCosts,
    OfFirstCounts,
    OfLabelBins,
    OfLabelCounts,
    OfRowCounts,
    OfRows,
    OfSweep,
    Recipe,
)

Needs = Literal["decisions", "scores", "probabilities", "scores and train", "decisions and costs"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its key in a result, such as `f1_macro` or `p@5`.
        family: sets, ranking, top-k, threshold-free or calibration.
        needs: decisions, scores (any real), probabilities (scores in [0, 1]), or scores and train.
        higher_is_better: False for losses.
        description: one line.
        source: where the definition is from.
        recipe: how the value is made.
    """

    name: str
    family: str
    needs: Needs
    higher_is_better: bool
    description: str
    source: str
    recipe: Recipe


def find_metric(name: str) -> Metric:
    """The metric of this name; besides the listed ones any k (`p@7`) and any beta (`f0.5_macro`).

    Raises:
        OptionError: no such metric; lists the nearest names.
    """
    if name in METRICS:
        return METRICS[name]
    at = re.fullmatch(r"([a-z]+)@([1-9]\d*)", name)
    if at and at[1] in _AT:
        return _at(at[1], int(at[2]))
    first = re.fullmatch(r"f1_macro@([1-9]\d*)", name)
    if first:
        return _f1_at(int(first[1]))
    f = re.fullmatch(r"f(\d+(?:\.\d+)?)_(micro|macro|weighted|samples)", name)
    if f:
        return _f_beta(float(f[1]), f[2], name)
    if name == "accuracy":
        raise OptionError(
            "accuracy has no one meaning with several labels; take hamming (share of right cells), exact "
            "(share of right rows) or jaccard_samples"
        )
    return METRICS[one_of("metric", name, METRICS)]


_PRF = "sklearn.metrics.precision_recall_fscore_support"
_KINDS = {
    "micro": "all cells pooled",
    "macro": "mean over labels",
    "weighted": "mean over labels weighted by their positives",
    "samples": "mean over rows",
}


def _sets(
    stem: str, formula: Callable[[Counts], Numbers], text: str, source: str, kinds: tuple[str, ...]
) -> list[Metric]:
    return [
        Metric(f"{stem}_{kind}", "sets", "decisions", True, f"{text}, {_KINDS[kind]}", source, recipe)
        for kind in kinds
        for recipe in [OfRowCounts(formula) if kind == "samples" else OfLabelCounts(formula, kind)]  # type: ignore[arg-type]
    ]


def _f_beta(beta: float, kind: str, name: str) -> Metric:
    text = f"F-beta at beta = {beta:g}"
    found = _sets("f", partial(from_counts.f_beta, beta=beta), text, _PRF, (kind,))[0]
    return Metric(name, found.family, found.needs, True, found.description, found.source, found.recipe)


_JARVELIN = "Järvelin and Kekäläinen 2002; sklearn.metrics.ndcg_score"
_JAIN = "Jain et al., KDD 2016"
_AT: Mapping[str, tuple[Callable[..., Any], Needs, str, str]] = {
    "p": (top_k.precision_at, "scores", "precision of the first {k} labels", "precision at k"),
    "r": (top_k.recall_at, "scores", "recall of the first {k} labels", "recall at k"),
    "ndcg": (top_k.ndcg_at, "scores", "normalised discounted gain of the first {k} labels", _JARVELIN),
    "psp": (
        top_k.propensity_precision_at,
        "scores and train",
        "propensity-scored precision of the first {k} labels",
        _JAIN,
    ),
    "psndcg": (
        top_k.propensity_ndcg_at,
        "scores and train",
        "propensity-scored discounted gain of the first {k} labels",
        _JAIN,
    ),
}


def _at(stem: str, k: int) -> Metric:
    function, needs, text, source = _AT[stem]
    recipe = OfRows(partial(function, k=k))
    return Metric(f"{stem}@{k}", "top-k", needs, True, text.format(k=k), source, recipe)


def _f1_at(k: int) -> Metric:
    text = f"F1 when the first {k} labels of each row are decided, mean over labels"
    recipe = OfFirstCounts(from_counts.f1, k)
    return Metric(f"f1_macro@{k}", "top-k", "scores", True, text, "Schultheis et al., NeurIPS 2023", recipe)


def _exact(counts: Counts) -> Numbers:
    return np.where(counts.known > 0, (counts.fp + counts.fn == 0) * 1.0, np.nan)


def _losses(material: Material, which: int) -> tuple[Numbers, Numbers]:
    return material.cell_losses[which], material.row_known


def _listed() -> list[Metric]:
    four = tuple(_KINDS)
    share, wrong = from_counts.share_right, lambda counts: 1.0 - from_counts.share_right(counts)
    return [
        Metric("hamming", "sets", "decisions", True, "share of the known cells that are right",
               "1 - sklearn.metrics.hamming_loss", OfLabelCounts(share, "micro")),
        Metric("hamming_loss", "sets", "decisions", False, "share of the known cells that are wrong",
               "sklearn.metrics.hamming_loss", OfLabelCounts(wrong, "micro")),
        Metric("exact", "sets", "decisions", True, "share of the rows whose known cells are all right",
               "sklearn.metrics.accuracy_score", OfRowCounts(_exact)),
        Metric("zero_one", "sets", "decisions", False, "share of the rows with a wrong cell",
               "sklearn.metrics.zero_one_loss", OfRowCounts(lambda counts: 1.0 - _exact(counts))),
        *_sets("jaccard", from_counts.jaccard, "hits over decided or positive cells",
               "sklearn.metrics.jaccard_score", four),
        *_sets("f1", from_counts.f1, "harmonic mean of precision and recall", _PRF, four),
        *_sets("precision", from_counts.precision, "share of decided cells that are positive", _PRF, four),
        *_sets("recall", from_counts.recall, "share of positive cells that are decided", _PRF, four),
        *_sets("specificity", from_counts.specificity, "share of negative cells left alone",
               "recall of the negative class", ("micro", "macro")),
        *_sets("balanced_accuracy", from_counts.balanced_accuracy, "mean of recall and specificity",
               "sklearn.metrics.balanced_accuracy_score", ("micro", "macro")),
        *_sets("mcc", from_counts.mcc, "Matthews correlation", "Matthews 1975", ("micro", "macro")),
        *_sets("kappa", from_counts.kappa, "Cohen's kappa", "Cohen 1960", ("micro", "macro")),
        *[Metric(f"ap_{kind}", "threshold-free", "scores", True, f"average precision, {_KINDS[kind]}",
                 "sklearn.metrics.average_precision_score", OfSweep("ap", kind))
          for kind in ("macro", "micro", "weighted")],
        Metric("ap_samples", "threshold-free", "scores", True, "average precision, mean over rows",
               "sklearn.metrics.average_precision_score", OfRows(ranking.average_precision)),
        *[Metric(f"auc_{kind}", "threshold-free", "scores", True, f"area under the ROC curve, {_KINDS[kind]}",
                 "sklearn.metrics.roc_auc_score", OfSweep("auc", kind))
          for kind in ("macro", "micro", "weighted")],
        Metric("auc_samples", "threshold-free", "scores", True, "area under the ROC curve, mean over rows",
               "sklearn.metrics.roc_auc_score", OfRows(ranking.roc_area)),
        Metric("lrap", "ranking", "scores", True, "mean precision of the label list at each positive",
               "sklearn.metrics.label_ranking_average_precision_score",
               OfRows(ranking.label_ranking_average_precision)),
        Metric("coverage_error", "ranking", "scores", False, "labels to walk down to meet every positive",
               "sklearn.metrics.coverage_error", OfRows(ranking.coverage_error)),
        Metric("ranking_loss", "ranking", "scores", False, "share of label pairs in the wrong order",
               "sklearn.metrics.label_ranking_loss", OfRows(ranking.ranking_loss)),
        Metric("one_error", "ranking", "scores", False, "share of rows whose first label is wrong",
               "Schapire and Singer, Machine Learning 39, 2000", OfRows(ranking.one_error)),
        *[_at(stem, k) for stem in _AT for k in (1, 3, 5)],
        *[_f1_at(k) for k in (1, 3, 5)],
        Metric("cost", "sets", "decisions and costs", False, "cost of the wrong cells, mean over rows",
               "Elkan, IJCAI 2001", OfCosts()),
        Metric("log_loss", "calibration", "probabilities", False, "mean log loss of the known cells, nats",
               "sklearn.metrics.log_loss", OfRows(partial(_losses, which=0))),
        Metric("brier", "calibration", "probabilities", False, "mean squared error of the known cells",
               "Brier 1950; sklearn.metrics.brier_score_loss", OfRows(partial(_losses, which=1))),
        Metric("ece", "calibration", "probabilities", False,
               "distance of confidence and share of positives, 15 equal bins of all cells",
               "Naeini et al. 2015; Nixon et al. 2019", OfBins()),
        Metric("ece_macro", "calibration", "probabilities", False,
               "the same with bins of each label, mean over labels",
               "Naeini et al. 2015; Nixon et al. 2019", OfLabelBins()),
    ]  # fmt: skip


METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _listed()})
