"""Losses for long tails: label frequencies of the training set move margins, logits and weights."""

from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.base import Options
from manyhot.losses.focal import focused_negative, focused_positive, focused_soft
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.weighting import effective_number


class LogitAdjusted(Pointwise):
    """BCE of z + tau logit(prior): the prior is added in training and left out in prediction.

    So the logits answer for labels as if all were equally frequent; rare ones gain.

    Formula: BCE of z + tau logit(prior)
    Use: Long tails: the principled correction of the prior, one number.
    Trap: Scores are for balanced labels; tune cuts on rows with the true frequencies.

    Args:
        label_counts: (labels,) positives of each label in the training set.
        num_rows: rows of the training set, >= 1.
        tau: strength, >= 0; 0 is BCE.

    Source:
        Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, arXiv:2007.07314; here per label.
    """

    def __init__(
        self, label_counts: ArrayLike, num_rows: int, tau: float = 1.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("tau", tau, 0.0)
        self.tau = tau
        self.per_label("shift", tau * log_odds(checked_counts(label_counts), num_rows))

    @staticmethod
    def positive(z: Scalar, shift: Scalar) -> Curve:
        """-log sigmoid(z + shift)."""
        return softplus(-z - shift), -sigmoid(-z - shift)

    @staticmethod
    def negative(z: Scalar, shift: Scalar) -> Curve:
        """-log(1 - sigmoid(z + shift))."""
        return softplus(z + shift), sigmoid(z + shift)


class LDAM(Pointwise):
    """A margin for positives that grows as labels get rarer: sp(-s (z - d)), d proportional to n^(-1/4).

    Formula: y sp(-s (z - d)) + (1 - y) sp(s z), d = margin (n_min / n)^(1/4)
    Use: Long tails, when rare labels overfit.
    Trap: scale=30 is for features of length 1: for others take 1, or lower the learning rate.

    Args:
        label_counts: (labels,) positives of each label in the training set.
        margin: of the rarest label, > 0.
        scale: s, multiplies all logits, > 0; 30 as in the paper, whose features are normalised. The best z is
            then a thirtieth of the log-odds; 1 leaves the logits of other losses.

    Source:
        Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019,
        arXiv:1906.07413; a softmax there, a sigmoid per label here.
    """

    def __init__(
        self, label_counts: ArrayLike, margin: float = 0.5, scale: float = 30.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("margin", margin, 0.0)
        _check.at_least("scale", scale, 1e-6)
        raw = np.maximum(checked_counts(label_counts), 1.0) ** -0.25
        self.margin, self.scale = margin, scale
        self.per_label("margins", raw * (margin / raw.max(initial=1e-30)))

    @staticmethod
    def positive(z: Scalar, margins: Scalar, scale: Scalar) -> Curve:
        """-log sigmoid(scale (z - margin))."""
        x = scale * (z - margins)
        return softplus(-x), -scale * sigmoid(-x)

    @staticmethod
    def negative(z: Scalar, scale: Scalar) -> Curve:
        """-log(1 - sigmoid(scale z))."""
        return softplus(scale * z), scale * sigmoid(scale * z)


class ClassBalanced(Pointwise):
    """BCE, or focal loss, weighted by the inverse effective number (1 - beta) / (1 - beta^n) of a label.

    Formula: (1 - beta) / (1 - beta^n) times BCE or focal loss
    Use: Long tails: the standard baseline.
    Trap: Which weight a row has is ambiguous for several labels; mode says it.

    Args:
        label_counts: (labels,) positives of each label in the training set; 0 counts as 1.
        beta: in [0, 1); 0 weighs all labels with 1, towards 1 it becomes 1 / n.
        gamma: focus of the focal loss, >= 0; 0 is BCE.
        mode: "by_class" weighs each label by its own; "average_w" weighs a row by the mean weight of its
            positives, "average_n" by the weight of their mean count, "min_n" by that of the rarest. Rows
            without positives have the weight 1.
        normalize: scale the weights to a mean of 1 over labels.

    Source:
        Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, arXiv:1901.05555;
        the modes from the code of Wu et al., ECCV 2020.
    """

    def __init__(
        self,
        label_counts: ArrayLike,
        beta: float = 0.9999,
        gamma: float = 0.0,
        mode: Literal["by_class", "average_w", "average_n", "min_n"] = "by_class",
        normalize: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma", gamma, 0.0)
        self.beta, self.gamma, self.normalize = beta, gamma, normalize
        self.mode = _check.one_of("mode", mode, ("by_class", "average_w", "average_n", "min_n"))
        counts = np.maximum(checked_counts(label_counts), 1.0)
        weights = 1 / effective_number(counts, beta)
        self.unit = float(1 / weights.mean()) if normalize and len(weights) else 1.0
        self.per_label("counts", counts)
        self.per_label("balance", weights * self.unit)

    def row_constants(self, cells: Cells) -> dict[str, Tensor]:
        """The weight of every row, unless labels have their own."""
        if self.mode == "by_class":
            return {}
        balance, counts = (torch.as_tensor(getattr(self, name)) for name in ("balance", "counts"))
        size = cells.positive_sums(torch.ones_like(balance))
        if self.mode == "average_w":
            weight = cells.positive_sums(balance) / size.clamp(min=1e-6)
        elif self.mode == "average_n":
            weight = self._weight(cells.positive_sums(counts) / size.clamp(min=1e-6))
        else:
            # Weights fall with the count, so the rarest label has the largest.
            positives = cells.dense().mass(balance.dtype) > 0
            weight = torch.where(positives, balance, 0.0).amax(1) if len(balance) else size
        return {"balance": torch.where(size > 0, weight, 1.0)}

    def _weight(self, counts: Tensor) -> Tensor:
        if self.beta == 0:
            return torch.full_like(counts, self.unit)
        return self.unit * (1 - self.beta) / -torch.expm1(counts.clamp(min=1e-6) * np.log(self.beta))

    @staticmethod
    def positive(z: Scalar, gamma: Scalar, balance: Scalar) -> Curve:
        """Focal cost times the weight."""
        value, slope = focused_positive(z, gamma, 1.0)
        return balance * value, balance * slope

    @staticmethod
    def negative(z: Scalar, gamma: Scalar, balance: Scalar) -> Curve:
        """Focal cost times the weight."""
        value, slope = focused_negative(z, gamma, 1.0)
        return balance * value, balance * slope

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, y: Scalar, gamma: Scalar, balance: Scalar
    ) -> Curve:
        """Focal cost times the weight."""
        value, slope = focused_soft(z, y, gamma, 1.0)
        return balance * value, balance * slope


class DistributionBalanced(Pointwise):
    """Distribution-balanced loss (DB): re-balanced weights, negative-tolerant logits and a focal power.

    A cell weighs alpha + sigmoid(beta (r - mu)), where r is the share of its label's 1/n in that of the
    row's positives. Positives read z - nu, negatives lam (z - nu) and cost 1 / lam of it, with
    nu = kappa log(1 / prior - 1).

    Formula: w_ij times a focal loss of z - nu_j (positives) and lam (z - nu_j) / lam (negatives)
    Use: Long tails with labels that occur together.
    Trap: mu and lam go with the data set: 0.3 and 5 for VOC, 0.2 and 2 for COCO.

    Args:
        label_counts: (labels,) positives of each label in the training set; 0 counts as 1.
        num_rows: rows of the training set, >= 1.
        alpha: least weight of a cell, >= 0.
        beta: steepness of the weight.
        mu: share at which the weight is in its middle; 0.3 for VOC, 0.2 for COCO.
        lam: tolerance of negatives, > 0; 5 for VOC, 2 for COCO.
        kappa: strength of the shift by the prior, >= 0.
        gamma: focus, >= 0; 0 switches it off.
        balance: multiplies the whole loss, > 0.
        variant: "paper" (default) is as above; "code" divides nu by lam, as the authors' program does.

    Source:
        Wu et al., "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets", ECCV
        2020, arXiv:2007.09654.
    """

    def __init__(
        self,
        label_counts: ArrayLike,
        num_rows: int,
        alpha: float = 0.1,
        beta: float = 10.0,
        mu: float = 0.3,
        lam: float = 5.0,
        kappa: float = 0.05,
        gamma: float = 2.0,
        balance: float = 2.0,
        variant: Literal["paper", "code"] = "paper",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        for name, value, low in (("alpha", alpha, 0.0), ("lam", lam, 1e-6), ("gamma", gamma, 0.0)):
            _check.at_least(name, value, low)
        _check.at_least("kappa", kappa, 0.0)
        _check.at_least("balance", balance, 0.0)
        _check.finite("beta", beta)
        _check.finite("mu", mu)
        self.variant = _check.one_of("variant", variant, ("paper", "code"))
        self.alpha, self.beta, self.mu, self.lam = alpha, beta, mu, lam
        self.kappa, self.gamma, self.balance = kappa, gamma, balance
        counts = np.maximum(checked_counts(label_counts), 1.0)
        tolerance = -kappa * log_odds(counts, num_rows)
        self.per_label("rarity", 1 / counts)
        self.per_label("shift", tolerance / lam if variant == "code" else tolerance)

    def row_constants(self, cells: Cells) -> dict[str, Tensor]:
        """Summed 1/n of the positives of every row; nothing gives all its labels the largest weight."""
        rarity = torch.as_tensor(self.rarity, device=cells.device)
        return {"row_rarity": cells.positive_sums(rarity).clamp(min=1e-20)}

    @staticmethod
    def positive(
        z: Scalar,
        shift: Scalar,
        rarity: Scalar,
        row_rarity: Scalar,
        alpha: Scalar,
        beta: Scalar,
        mu: Scalar,
        gamma: Scalar,
        balance: Scalar,
    ) -> Curve:
        """Weighted focal cost of z - shift."""
        weight = balance * (alpha + sigmoid(beta * (rarity / row_rarity - mu)))
        value, slope = focused_positive(z - shift, gamma, 1.0)
        return weight * value, weight * slope

    @staticmethod
    def negative(
        z: Scalar,
        shift: Scalar,
        rarity: Scalar,
        row_rarity: Scalar,
        alpha: Scalar,
        beta: Scalar,
        mu: Scalar,
        lam: Scalar,
        gamma: Scalar,
        balance: Scalar,
    ) -> Curve:
        """Weighted focal cost of lam (z - shift), divided by lam."""
        weight = balance * (alpha + sigmoid(beta * (rarity / row_rarity - mu)))
        value, slope = focused_negative(lam * (z - shift), gamma, 1.0)
        return weight * value / lam, weight * slope


def checked_counts(label_counts: ArrayLike | Tensor) -> NDArray[np.float64]:
    """Label counts as float64, if they can be counts.

    Raises:
        OptionError: negative or not finite.
    """
    given: Any = label_counts.detach().cpu() if isinstance(label_counts, Tensor) else label_counts
    counts = np.atleast_1d(np.asarray(given, np.float64))
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise OptionError("label_counts must be finite and >= 0")
    return counts


def log_odds(counts: NDArray[np.float64], num_rows: int) -> NDArray[np.float64]:
    """Logit of each label's share of rows, kept within [1 / rows, 1 - 1 / rows] so that it is finite.

    Raises:
        OptionError: fewer than two rows, or more positives than rows.
    """
    _check.at_least("num_rows", num_rows, 2)
    if (counts > num_rows).any():
        raise OptionError(f"label_counts up to {counts.max():g} do not fit num_rows={num_rows}")
    prior = np.clip(counts / num_rows, 1 / num_rows, 1 - 1 / num_rows)
    return np.log(prior) - np.log1p(-prior)
