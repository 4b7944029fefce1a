"""`LOSSES`: short name -> class. What is listed here is tested by the contract suite, as is."""

from collections.abc import Mapping
from types import MappingProxyType

from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.cross_entropy import BCE, GCE, Poly1
from manyhot.losses.focal import Asymmetric, AsymmetricPolynomial, Focal, Hill, RobustAsymmetric
from manyhot.losses.long_tail import LDAM, ClassBalanced, DistributionBalanced, LogitAdjusted
from manyhot.losses.propensity import PropensityScored, Unbiased
from manyhot.losses.squared import MAE, MSE, Brier, SquaredHinge
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
    }
)
