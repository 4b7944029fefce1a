"""Losses: logits and targets in, one number out."""

from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.groups import GroupSoftmax
from manyhot.losses.make import losses_for, make_loss
from manyhot.losses.mixed import Mixed
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.table import LOSSES
from manyhot.losses.weighting import debias, label_weights

__all__ = [
    "BCE",
    "LOSSES",
    "GroupSoftmax",
    "Mixed",
    "MultiLabelLoss",
    "Pointwise",
    "debias",
    "label_weights",
    "losses_for",
    "make_loss",
]
