"""METRICS: every metric by name, with what it needs, what it is an average of, and where it comes from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from manyhot._check import between, one_of
from manyhot.errors import OptionError
from manyhot.metrics import from_counts, ranking, top_k
from manyhot.metrics.counts import Counts, Numbers
from manyhot.metrics.from_counts import ratio
from manyhot.metrics.material import Material
from manyhot.metrics.recipes import (
    OfBins,
    OfCosts,
    OfFirstCounts,
    OfLabelCounts,
    OfLabels,
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
        average: over what it is taken.
        undefined: where it, or its value of a label or row, is NaN; "never" of one that always has a value.
        source: where the definition is from.
        recipe: how the value is made.
        low, high: the least and the largest value.
    """

    name: str
    family: str
    needs: Needs
    higher_is_better: bool
    description: str
    average: str
    undefined: str
    source: str
    recipe: Recipe
    low: float = 0.0
    high: float = 1.0

    @property
    def stem(self) -> str:
        """What its values of single labels are called: the name without the average."""
        return re.sub(r"_(micro|macro|weighted)", "", self.name)


def find_metric(name: str) -> Metric:
    """The metric of this name; besides the listed ones any k (`p@7`), beta (`f0.5_macro`) and floor.

    Raises:
        OptionError: no such metric; lists the nearest names.
    """
    if name in METRICS:
        return METRICS[name]
    if (at := re.fullmatch(r"([a-z]+)@([1-9]\d*)", name)) and at[1] in _AT:
        return _at(at[1], int(at[2]))
    if first := re.fullmatch(r"f1_macro@([1-9]\d*)", name):
        return _f1_at(int(first[1]))
    if (held := re.fullmatch(r"([a-z]+@[a-z]+)=(\d*\.?\d+)", name)) and held[1] in _HELD:
        return _held(held[1], float(held[2]), name)
    if f := re.fullmatch(r"f(\d+(?:\.\d+)?)_(micro|macro|weighted|samples)", name):
        return _f_beta(float(f[1]), f[2], name)
    if name == "accuracy":
        raise OptionError(
            "accuracy has no one meaning with several labels; take hamming (share of right cells), exact "
            "(share of right rows) or jaccard_samples"
        )
    return METRICS[one_of("metric", name, METRICS)]


_PRF = "sklearn.metrics.precision_recall_fscore_support"
_CELLS, _ROWS = "all cells pooled", "mean over rows"
_KINDS = {
    "micro": _CELLS,
    "macro": "mean over labels",
    "weighted": "mean over labels weighted by their positives",
    "samples": _ROWS,
}
_OF_LABELS = ("micro", "macro", "weighted")
_NO_POSITIVE = "no positive cell"
_NOTHING_KNOWN = "no known cell"


def _sets(
    stem: str,
    formula: Callable[[Counts], Numbers],
    text: str,
    undefined: str,
    source: str,
    kinds: tuple[str, ...],
    low: float = 0.0,
) -> list[Metric]:
    return [
        Metric(f"{stem}_{kind}", "sets", "decisions", True, f"{text}, {_KINDS[kind]}", _KINDS[kind],
               undefined, source, recipe, low)
        for kind in kinds for recipe in [OfRowCounts(formula) if kind == "samples" else OfLabelCounts(formula,
        kind)]  # type: ignore[arg-type]
    ]  # fmt: skip


def _f_beta(beta: float, kind: str, name: str) -> Metric:
    text = f"F-beta at beta = {beta:g}"
    found = _sets("f", partial(from_counts.f_beta, beta=beta), text, _NEITHER, _PRF, (kind,))[0]
    return replace(found, name=name)


_NEITHER = "neither positive nor decided cells"
_JARVELIN = "Järvelin and Kekäläinen 2002; sklearn.metrics.ndcg_score"
_JAIN = "Jain et al., KDD 2016"
_SUMS = "ratio of sums over rows"
_AT: Mapping[str, tuple[Callable[..., Any], Needs, str, str, str, str]] = {
    "p": (top_k.precision_at, "scores", "precision of the first {k} labels", _ROWS, _NOTHING_KNOWN,
          "precision at k"),
    "r": (top_k.recall_at, "scores", "recall of the first {k} labels", _ROWS, _NO_POSITIVE, "recall at k"),
    "ndcg": (top_k.ndcg_at, "scores", "normalised discounted gain of the first {k} labels", _ROWS,
             _NOTHING_KNOWN, _JARVELIN),
    "psp": (top_k.propensity_precision_at, "scores and train",
            "propensity-scored precision of the first {k} labels", _SUMS, _NO_POSITIVE, _JAIN),
    "psndcg": (top_k.propensity_ndcg_at, "scores and train",
               "propensity-scored discounted gain of the first {k} labels", _SUMS, _NO_POSITIVE, _JAIN),
}  # fmt: skip


def _at(stem: str, k: int) -> Metric:
    function, needs, text, average, undefined, source = _AT[stem]
    recipe = OfRows(partial(function, k=k))
    return Metric(f"{stem}@{k}", "top-k", needs, True, text.format(k=k), average, undefined, source, recipe)


def _f1_at(k: int) -> Metric:
    text = f"F1 when the first {k} labels of each row are decided, mean over labels"
    recipe = OfFirstCounts(from_counts.f1, k)
    return Metric(f"f1_macro@{k}", "top-k", "scores", True, text, _KINDS["macro"], _NEITHER,
                  "Schultheis et al., NeurIPS 2023", recipe)  # fmt: skip


_HELD = {
    "recall@precision": _NO_POSITIVE,
    "recall@specificity": "no positive or no negative cell",
    "precision@recall": _NO_POSITIVE,
}


def _held(kind: str, floor: float, name: str) -> Metric:
    between(f"the floor of {name}", floor, 0.0, 1.0)
    wanted, held = kind.split("@")
    text = f"most {wanted} of any cut with a {held} of {floor:g} at least, 0 without one, mean over labels"
    recipe = OfLabels(partial(_under_floor, kind=kind, floor=floor))
    return Metric(name, "threshold-free", "scores", True, text, _KINDS["macro"], _HELD[kind],
                  "points of sklearn.metrics.precision_recall_curve and roc_curve", recipe)  # fmt: skip


def _under_floor(material: Material, kind: str, floor: float) -> Numbers:
    return material.under_floor(kind, floor)


def _exact(counts: Counts) -> Numbers:
    return np.where(counts.known > 0, (counts.fp + counts.fn == 0) * 1.0, np.nan)


def _losses(material: Material, which: int) -> tuple[Numbers, Numbers]:
    return material.cell_losses[which], material.row_known


def _label_losses(material: Material, which: int) -> Numbers:
    return ratio(material.label_losses[which], material.label_known)


def _listed() -> list[Metric]:
    four = tuple(_KINDS)
    share, wrong = from_counts.share_right, lambda counts: 1.0 - from_counts.share_right(counts)
    both = "no positive or no negative cell"
    return [
        Metric("hamming", "sets", "decisions", True, "share of the known cells that are right", _CELLS,
               _NOTHING_KNOWN, "1 - sklearn.metrics.hamming_loss", OfLabelCounts(share, "micro")),
        Metric("hamming_loss", "sets", "decisions", False, "share of the known cells that are wrong", _CELLS,
               _NOTHING_KNOWN, "sklearn.metrics.hamming_loss", OfLabelCounts(wrong, "micro")),
        Metric("exact", "sets", "decisions", True, "share of the rows whose known cells are all right", _ROWS,
               _NOTHING_KNOWN, "sklearn.metrics.accuracy_score", OfRowCounts(_exact)),
        Metric("zero_one", "sets", "decisions", False, "share of the rows with a wrong cell", _ROWS,
               _NOTHING_KNOWN, "sklearn.metrics.zero_one_loss",
               OfRowCounts(lambda counts: 1.0 - _exact(counts))),
        *_sets("jaccard", from_counts.jaccard, "hits over decided or positive cells", _NEITHER,
               "sklearn.metrics.jaccard_score", four),
        *_sets("f1", from_counts.f1, "harmonic mean of precision and recall", _NEITHER, _PRF, four),
        *_sets("precision", from_counts.precision, "share of decided cells that are positive",
               "nothing decided", _PRF, four),
        *_sets("recall", from_counts.recall, "share of positive cells that are decided", _NO_POSITIVE, _PRF,
               four),
        *_sets("specificity", from_counts.specificity, "share of negative cells left alone",
               "no negative cell", "recall of the negative class", _OF_LABELS),
        *_sets("npv", from_counts.negative_predictive_value, "share of cells left alone that are negative",
               "every cell decided", "precision of the negative class", _OF_LABELS),
        *_sets("balanced_accuracy", from_counts.balanced_accuracy, "mean of recall and specificity", both,
               "sklearn.metrics.balanced_accuracy_score", _OF_LABELS),
        *_sets("mcc", from_counts.mcc, "Matthews correlation", "decisions or targets all alike",
               "Matthews 1975", _OF_LABELS, -1.0),
        *_sets("kappa", from_counts.kappa, "Cohen's kappa", "decisions and targets all alike", "Cohen 1960",
               _OF_LABELS, -1.0),
        *[Metric(f"ap_{kind}", "threshold-free", "scores", True, f"average precision, {_KINDS[kind]}",
                 _KINDS[kind], _NO_POSITIVE, "sklearn.metrics.average_precision_score", OfSweep("ap", kind))
          for kind in ("macro", "micro", "weighted")],
        Metric("ap_samples", "threshold-free", "scores", True, "average precision, mean over rows", _ROWS,
               _NO_POSITIVE, "sklearn.metrics.average_precision_score", OfRows(ranking.average_precision)),
        *[Metric(f"auc_{kind}", "threshold-free", "scores", True, f"area under the ROC curve, {_KINDS[kind]}",
                 _KINDS[kind], both, "sklearn.metrics.roc_auc_score", OfSweep("auc", kind))
          for kind in ("macro", "micro", "weighted")],
        Metric("auc_samples", "threshold-free", "scores", True, "area under the ROC curve, mean over rows",
               _ROWS, both, "sklearn.metrics.roc_auc_score", OfRows(ranking.roc_area)),
        *[_held(kind, 0.9, f"{kind}=0.9") for kind in _HELD],
        Metric("lrap", "ranking", "scores", True, "mean precision of the label list at each positive", _ROWS,
               _NOTHING_KNOWN, "sklearn.metrics.label_ranking_average_precision_score",
               OfRows(ranking.label_ranking_average_precision)),
        Metric("coverage_error", "ranking", "scores", False, "labels to walk down to meet every positive",
               _ROWS, _NOTHING_KNOWN, "sklearn.metrics.coverage_error", OfRows(ranking.coverage_error),
               high=np.inf),
        Metric("ranking_loss", "ranking", "scores", False, "share of label pairs in the wrong order", _ROWS,
               _NOTHING_KNOWN, "sklearn.metrics.label_ranking_loss", OfRows(ranking.ranking_loss)),
        Metric("one_error", "ranking", "scores", False, "share of rows whose first label is wrong", _ROWS,
               _NO_POSITIVE, "Schapire and Singer, Machine Learning 39, 2000", OfRows(ranking.one_error)),
        *[_at(stem, k) for stem in _AT for k in (1, 3, 5)],
        *[_f1_at(k) for k in (1, 3, 5)],
        Metric("cost", "sets", "decisions and costs", False, "cost of the wrong cells, mean over rows", _ROWS,
               "no row", "Elkan, IJCAI 2001", OfCosts(), high=np.inf),
        Metric("log_loss", "calibration", "probabilities", False, "mean log loss of the known cells, nats",
               _CELLS, _NOTHING_KNOWN, "sklearn.metrics.log_loss", OfRows(partial(_losses, which=0)),
               high=np.inf),
        Metric("log_loss_macro", "calibration", "probabilities", False,
               "the same of each label, mean over labels", _KINDS["macro"], _NOTHING_KNOWN,
               "sklearn.metrics.log_loss", OfLabels(partial(_label_losses, which=0)), high=np.inf),
        Metric("brier", "calibration", "probabilities", False, "mean squared error of the known cells",
               _CELLS, _NOTHING_KNOWN, "Brier 1950; sklearn.metrics.brier_score_loss",
               OfRows(partial(_losses, which=1))),
        Metric("brier_macro", "calibration", "probabilities", False,
               "the same of each label, mean over labels", _KINDS["macro"], _NOTHING_KNOWN,
               "Brier 1950; sklearn.metrics.brier_score_loss", OfLabels(partial(_label_losses, which=1))),
        Metric("ece", "calibration", "probabilities", False,
               "distance of confidence and share of positives, 15 equal bins of all cells", _CELLS,
               _NOTHING_KNOWN, "Naeini et al. 2015; Nixon et al. 2019", OfBins()),
        Metric("ece_macro", "calibration", "probabilities", False,
               "the same with bins of each label, mean over labels", _KINDS["macro"], _NOTHING_KNOWN,
               "Naeini et al. 2015; Nixon et al. 2019",
               OfLabels(lambda material: material.label_calibration)),
    ]  # fmt: skip


METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _listed()})
