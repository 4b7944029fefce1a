"""`LOSSES`: short name -> class. What is listed here is tested by the contract suite, as is."""

from collections.abc import Mapping
from types import MappingProxyType

from manyhot.losses.assume_negative import AssumeNegative, WeakAssumeNegative
from manyhot.losses.auc_margin import AUCM
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.by_epoch import ClassDifficultyBalanced, PartialLabelMasking
from manyhot.losses.correction import SPLC, LargeLoss
from manyhot.losses.count import AbsKL, CountDistribution, GeneralizedKL
from manyhot.losses.cross_entropy import BCE, GCE, Poly1
from manyhot.losses.focal import Asymmetric, Focal, Hill
from manyhot.losses.gradient_balance import GHM, EQLv2
from manyhot.losses.long_tail import LDAM, ClassBalanced, DistributionBalanced, LogitAdjusted
from manyhot.losses.lovasz import LovaszHinge
from manyhot.losses.lsep import LSEP, TwoWay
from manyhot.losses.ndcg import ApproxNDCG
from manyhot.losses.overlap import SigmoidF1, SoftF1, SoftJaccard
from manyhot.losses.partial import ClassAwareSelective, PartialBCE
from manyhot.losses.polynomial import AsymmetricPolynomial, RobustAsymmetric
from manyhot.losses.positive_unlabelled import NonNegativePU
from manyhot.losses.propensity import PropensityScored, Unbiased
from manyhot.losses.pseudo_labels import AsymmetricPseudoLabels
from manyhot.losses.rank_surrogates import PairwiseAUC, SmoothAP
from manyhot.losses.ranking import BPMLL, WARP, MultiLabelMargin, MultiLabelSoftMargin, PairwiseHinge, RankNet
from manyhot.losses.robust import GeneralizedRobust
from manyhot.losses.single_positive import ROLE, EntropyMaximization, ExpectedPositives
from manyhot.losses.soft_top_k import SoftTopK
from manyhot.losses.softmax import DecoupledSoftmax, LabelDistributionKL, PickAllLabels, SoftmaxMultiHot
from manyhot.losses.sparsemax import SparsemaxLoss
from manyhot.losses.squared import MAE, MSE, Brier, SquaredHinge
from manyhot.losses.threshold import AdaptiveThreshold
from manyhot.losses.zlpr import ZLPR

LOSSES: Mapping[str, type[MultiLabelLoss]] = MappingProxyType(
    {
        "bce": BCE,
        "poly1": Poly1,
        "gce": GCE,
        "focal": Focal,
        "asl": Asymmetric,
        "apl": AsymmetricPolynomial,
        "ral": RobustAsymmetric,
        "hill": Hill,
        "logit-adjusted": LogitAdjusted,
        "ldam": LDAM,
        "cb": ClassBalanced,
        "db": DistributionBalanced,
        "psp": PropensityScored,
        "unbiased": Unbiased,
        "squared-hinge": SquaredHinge,
        "brier": Brier,
        "mse": MSE,
        "mae": MAE,
        "zlpr": ZLPR,
        "lsep": LSEP,
        "two-way": TwoWay,
        "softmax": SoftmaxMultiHot,
        "pal": PickAllLabels,
        "kl": LabelDistributionKL,
        "dsm": DecoupledSoftmax,
        "soft-topk": SoftTopK,
        "sparsemax": SparsemaxLoss,
        "atl": AdaptiveThreshold,
        "margin": MultiLabelMargin,
        "soft-margin": MultiLabelSoftMargin,
        "pairwise-hinge": PairwiseHinge,
        "ranknet": RankNet,
        "warp": WARP,
        "bp-mll": BPMLL,
        "count": CountDistribution,
        "gkl": GeneralizedKL,
        "abs-kl": AbsKL,
        "soft-f1": SoftF1,
        "sigmoid-f1": SigmoidF1,
        "soft-jaccard": SoftJaccard,
        "lovasz": LovaszHinge,
        "approx-ndcg": ApproxNDCG,
        "smooth-ap": SmoothAP,
        "auc": PairwiseAUC,
        "aucm": AUCM,
        "an": AssumeNegative,
        "wan": WeakAssumeNegative,
        "partial-bce": PartialBCE,
        "csl": ClassAwareSelective,
        "em": EntropyMaximization,
        "em-apl": AsymmetricPseudoLabels,
        "epr": ExpectedPositives,
        "role": ROLE,
        "splc": SPLC,
        "large-loss": LargeLoss,
        "nnpu": NonNegativePU,
        "gr": GeneralizedRobust,
        "ghm": GHM,
        "eqlv2": EQLv2,
        "cdb": ClassDifficultyBalanced,
        "plm": PartialLabelMasking,
    }
)
