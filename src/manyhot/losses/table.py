"""`LOSSES`: short name -> class. What is listed here is tested by the contract suite, as is."""

from collections.abc import Mapping
from types import MappingProxyType

from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.zlpr import ZLPR

LOSSES: Mapping[str, type[MultiLabelLoss]] = MappingProxyType(
    {
        "bce": BCE,
        "zlpr": ZLPR,
    }
)
