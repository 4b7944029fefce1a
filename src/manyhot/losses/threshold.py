"""A threshold logit of each row, learned with the labels: what lies above it applies."""

from typing import Any, Literal, Unpack

from torch import Tensor

from manyhot import _check
from manyhot.kernels import words
from manyhot.kernels.positives import Positives
from manyhot.losses.base import Options
from manyhot.losses.positive_costs import PositiveCosts


class AdaptiveThreshold(PositiveCosts):
    """Positives outrank a threshold logit, the threshold outranks the negatives; decide by being above it.

    Both are softmax cross-entropies: sum over positives p of log-sum-exp(positives and t) - z_p, plus
    log-sum-exp(negatives and t) - t. Only z - t matters. Call it with the pair (logits, threshold), threshold
    (rows,), for a model with a threshold output; with logits alone the threshold is 0.

    Formula: k sp(LSE over P of z) - sum over P of z + sp(LSE over N of z), z less the threshold logit
    Use: A cut of its own for every row, learned with the labels.
    Trap: For a threshold output call it with the pair (logits, threshold).

    Args:
        variant: "atl" (default), or "afl", which costs each positive (1 + s^gamma) times -log(1 - s) where s
            is the sigmoid of t - z_p, so that a rare positive is not lost among others.
        gamma: focus of "afl", >= 0.

    Source:
        Zhou et al., "Document-Level Relation Extraction with Adaptive Thresholding and Localized Context
        Pooling", AAAI 2021, arXiv:2010.11304; adaptive focal loss: Tan et al., Findings of ACL 2022,
        arXiv:2203.10900.
    """

    def __init__(
        self, variant: Literal["atl", "afl"] = "atl", gamma: float = 1.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma", gamma, 0.0)
        self.variant = _check.one_of("variant", variant, ("atl", "afl"))
        self.gamma = gamma

    def joined(self, logits: Any) -> Any:
        """The logits above their threshold."""
        if not isinstance(logits, tuple):
            return logits
        labels, threshold = logits
        return labels - threshold.reshape(-1, 1)

    sum_names = ("lse_up", "lse_neg")

    def of_sums(self, sums: dict[str, Tensor], own: Positives) -> Tensor:
        """Both sides against the threshold logit 0."""
        if self.variant == "atl":
            costs = words.softplus(sums["lse_up"])[own.rows] - own.z
        else:
            below = words.softplus(own.z)  # -log of the threshold's share against this positive
            costs = (1 + (-self.gamma * below).exp()) * words.softplus(-own.z)
        return own.added(own.mass * costs) + words.softplus(sums["lse_neg"])
