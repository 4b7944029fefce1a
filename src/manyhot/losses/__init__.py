"""Losses: logits and targets in, one number out; as modules here, as functions in `functional`.

How to add one. Every loss is a class with its parameters in `__init__`, which hands `**options` on to
`super().__init__` first, with formula, use, trap and source in its docstring, and one line in `table.LOSSES`,
whose contract suite (tests/losses/test_contract.py) then tests it. Which base?

`Pointwise`      it looks at one cell at a time. Give two static formulas `positive(z, ...)` and
                 `negative(z, ...)` that return (value, slope); a third, `unknown_cell`, if unknown cells
                 cost something. Arguments after z are attributes of that name: floats, or numbers per label
                 stored by `self.per_label(name, value, low=...)`. What differs from row to row comes from
                 `row_constants(cells)`. Runs on every engine, sparse targets included.
`Rowwise`        it is a function of a few sums of a row (log-sum-exp over positives, negatives, all;
                 counts). Give one static formula `row(lse_pos, lse_neg, ...)`: (value, slopes).
`PositiveCosts`  the same, and of the row's positives one by one. Name the sums in `sum_names` and give
                 `of_sums(sums, own)` in differentiable torch.
`RowCosts`       one number per row in any other way. Give `rows(z, cells)` in differentiable torch; use
                 `manyhot.kernels.row_sums.row_sums` and `masses` for sums and weights.
`EveryCell`      pointwise, and unknown cells cost something: as `Pointwise`, but "mean" is over all cells.
                 `manyhot.losses.unobserved` turns zeros or likely cells into unknown ones.
`MultiLabelLoss` anything else (a number per label, or per batch). Give `evaluate(logits, cells)`; compute in
                 float32 or float64 and finish with `manyhot.kernels.reduction.reduce_units`.

What is not the rule - gradients without bound, costs that depend on the batch - it says in `traits`, and in
`shows_nan` whether NaN always reaches the cost; where it may not, the logits of every batch are looked at.

What a loss must not do itself: read target forms, mask (`cells.known()` tells; a hidden logit may be NaN, so
select with `torch.where` before computing), reduce, weigh rows, check. Hooks: `select(logits, cells)` changes
targets in the light of the model's own detached answer and returns other cells (`cells.with_values`);
`self.epoch` is the epoch, set by `set_epoch`; `cells.row_ids` are the rows' numbers in the training set;
`counted(cells)` says which rows "mean" divides by. Divisions by a count of positives, negatives or known
cells have an empty case: value 0, gradient 0.
"""

from typing import TYPE_CHECKING

from manyhot.losses import functional
from manyhot.losses.assume_negative import AssumeNegative, WeakAssumeNegative
from manyhot.losses.auc_margin import AUCM
from manyhot.losses.base import MultiLabelLoss, Options
from manyhot.losses.boosting import boosting_objective
from manyhot.losses.by_epoch import ClassDifficultyBalanced, PartialLabelMasking
from manyhot.losses.contrastive import MulSupCon
from manyhot.losses.correction import SPLC, LargeLoss
from manyhot.losses.count import AbsKL, CountDistribution, GeneralizedKL
from manyhot.losses.cross_entropy import BCE, GCE, Poly1
from manyhot.losses.facts import LossFacts, describe
from manyhot.losses.focal import Asymmetric, Focal, Hill
from manyhot.losses.fused import FusedLinearLoss, ShardedFusedLinearLoss, top_k_labels
from manyhot.losses.gradient_balance import GHM, EQLv2
from manyhot.losses.groups import GroupSoftmax
from manyhot.losses.long_tail import LDAM, ClassBalanced, DistributionBalanced, LogitAdjusted
from manyhot.losses.lovasz import LovaszHinge
from manyhot.losses.lsep import LSEP, TwoWay
from manyhot.losses.make import losses_for, make_loss
from manyhot.losses.mixed import Mixed
from manyhot.losses.ndcg import ApproxNDCG
from manyhot.losses.overlap import SigmoidF1, SoftF1, SoftJaccard
from manyhot.losses.partial import ClassAwareSelective, PartialBCE
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.polynomial import AsymmetricPolynomial, RobustAsymmetric
from manyhot.losses.positive_costs import PositiveCosts
from manyhot.losses.positive_unlabelled import NonNegativePU
from manyhot.losses.propensity import PropensityScored, Unbiased, propensities
from manyhot.losses.pseudo_labels import AsymmetricPseudoLabels
from manyhot.losses.rank_surrogates import PairwiseAUC, SmoothAP
from manyhot.losses.ranking import BPMLL, WARP, MultiLabelMargin, MultiLabelSoftMargin, PairwiseHinge, RankNet
from manyhot.losses.robust import GeneralizedRobust
from manyhot.losses.rowwise import RowCosts, Rowwise
from manyhot.losses.single_positive import ROLE, EntropyMaximization, ExpectedPositives
from manyhot.losses.soft_top_k import SoftTopK
from manyhot.losses.softmax import DecoupledSoftmax, LabelDistributionKL, PickAllLabels, SoftmaxMultiHot
from manyhot.losses.sparsemax import SparsemaxLoss
from manyhot.losses.squared import MAE, MSE, Brier, SquaredHinge
from manyhot.losses.table import LOSSES
from manyhot.losses.threshold import AdaptiveThreshold
from manyhot.losses.weighting import debias, label_weights
from manyhot.losses.zlpr import ZLPR

__all__ = [
    "AUCM",
    "BCE",
    "BPMLL",
    "GCE",
    "GHM",
    "LDAM",
    "LOSSES",
    "LSEP",
    "MAE",
    "MSE",
    "ROLE",
    "SPLC",
    "WARP",
    "ZLPR",
    "AbsKL",
    "AdaptiveThreshold",
    "ApproxNDCG",
    "AssumeNegative",
    "Asymmetric",
    "AsymmetricPolynomial",
    "AsymmetricPseudoLabels",
    "Brier",
    "ClassAwareSelective",
    "ClassBalanced",
    "ClassDifficultyBalanced",
    "CountDistribution",
    "DecoupledSoftmax",
    "DistributionBalanced",
    "EQLv2",
    "EntropyMaximization",
    "ExpectedPositives",
    "Focal",
    "FusedLinearLoss",
    "GeneralizedKL",
    "GeneralizedRobust",
    "GroupSoftmax",
    "Hill",
    "LabelDistributionKL",
    "LargeLoss",
    "LogitAdjusted",
    "LossFacts",
    "LovaszHinge",
    "Mixed",
    "MulSupCon",
    "MultiLabelLoss",
    "MultiLabelMargin",
    "MultiLabelSoftMargin",
    "NonNegativePU",
    "Options",
    "PairwiseAUC",
    "PairwiseHinge",
    "PartialBCE",
    "PartialLabelMasking",
    "PickAllLabels",
    "Pointwise",
    "Poly1",
    "PositiveCosts",
    "PropensityScored",
    "RankNet",
    "RobustAsymmetric",
    "RowCosts",
    "Rowwise",
    "ShardedFusedLinearLoss",
    "SigmoidF1",
    "SmoothAP",
    "SoftF1",
    "SoftJaccard",
    "SoftTopK",
    "SoftmaxMultiHot",
    "SparsemaxLoss",
    "SquaredHinge",
    "TwoWay",
    "Unbiased",
    "WeakAssumeNegative",
    "boosting_objective",
    "debias",
    "describe",
    "functional",
    "label_weights",
    "losses_for",
    "make_loss",
    "propensities",
    "top_k_labels",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> type[MultiLabelLoss]:
        """A class that is listed in `LOSSES` and not yet named above."""
        for kind in LOSSES.values():
            if kind.__name__ == name:
                return kind
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
