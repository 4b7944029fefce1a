"""ZLPR: one log-sum-exp a side, against the threshold logit 0."""

from typing import Any

from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.rowwise import Rowwise


class ZLPR(Rowwise):
    """log(1 + sum over positives of exp(-z)) + log(1 + sum over negatives of exp(z)), per row.

    Pushes positives above 0 and negatives below it: decide z > 0. No parameter; rows without positives or
    negatives have the other term only. A soft target counts on both sides by its share.

    Formula: sp(LSE over P of -z) + sp(LSE over N of z)
    Use: No parameter to tune, robust to imbalance; decide z > 0.
    Trap: Not probabilities per label: calibrate before reading them as such.

    Source:
        Su et al., "ZLPR: A Novel Loss for Multi-label Classification", 2022, arXiv:2208.02955.
    """

    @staticmethod
    def row(lse_pos: Any, lse_neg: Any) -> tuple[Any, tuple[Any, ...]]:
        """Each side against the threshold logit 0."""
        return softplus(lse_pos) + softplus(lse_neg), (sigmoid(lse_pos), sigmoid(lse_neg))
