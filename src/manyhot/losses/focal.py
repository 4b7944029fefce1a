"""Focal losses: cross-entropy times a power of how wrong the model is, so that easy cells count little.

Powers of a probability are `sigmoid_power`, which stays exact where the probability rounds to 0, and has a
slope there for every exponent.
"""

from typing import Unpack

from manyhot import _check
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.words import log, maximum, power, sigmoid, sigmoid_power, softplus, where
from manyhot.losses.base import Options
from manyhot.losses.pointwise import Pointwise


def focused_positive(z: Scalar, gamma: Scalar, flow: Scalar) -> Curve:
    """-(1 - p)^gamma log p; `flow` is the share of the slope that passes through the power."""
    focus, cost = sigmoid_power(-z, gamma), softplus(-z)
    return focus * cost, -focus * (flow * gamma * sigmoid(z) * cost + sigmoid(-z))


def focused_negative(z: Scalar, gamma: Scalar, flow: Scalar) -> Curve:
    """-p^gamma log(1 - p)."""
    focus, cost = sigmoid_power(z, gamma), softplus(z)
    return focus * cost, focus * (flow * gamma * sigmoid(-z) * cost + sigmoid(z))


def focused_soft(z: Scalar, y: Scalar, gamma: Scalar, flow: Scalar) -> Curve:
    """Cross-entropy with a soft target y, times a power of the chance of an error, y (1 - p) + (1 - y) p."""
    p, rest = sigmoid(z), sigmoid(-z)
    cost, slope = y * softplus(-z) + (1.0 - y) * softplus(z), (1.0 - y) * p - y * rest
    return powered(y * rest + (1.0 - y) * p, (1.0 - 2.0 * y) * p * rest, gamma, flow, cost, slope)


def asymmetric_soft(
    z: Scalar, y: Scalar, gamma: tuple[Scalar, Scalar], clip: Scalar, flow: Scalar, sides: tuple[Curve, Curve]
) -> Curve:
    """Costs of both sides (positive, negative) mixed by y, times a power of y (1 - p) + (1 - y) q.

    Of both powers `gamma` (positive, negative), too, each has its share in the exponent.
    """
    p, rest = sigmoid(z), sigmoid(-z)
    active = p > clip
    wrong = y * rest + (1.0 - y) * where(active, p - clip, 0.0)
    change = p * rest * (where(active, 1.0 - y, 0.0) - y)
    of_positive, of_negative = sides
    up, up_slope = of_positive
    down, down_slope = of_negative
    cost, slope = y * up + (1.0 - y) * down, y * up_slope + (1.0 - y) * down_slope
    return powered(wrong, change, y * gamma[0] + (1.0 - y) * gamma[1], flow, cost, slope)


def powered(wrong: Scalar, change: Scalar, gamma: Scalar, flow: Scalar, cost: Scalar, slope: Scalar) -> Curve:
    """cost times wrong^gamma, from the derivatives `change` of wrong and `slope` of cost."""
    kept = maximum(wrong, 1e-30)  # where it is less, the cost is so too
    focus = power(kept, gamma)
    return focus * cost, focus * (flow * gamma * change / kept * cost + slope)


def clipped_negative(z: Scalar, gamma: Scalar, clip: Scalar, flow: Scalar) -> Curve:
    """-q^gamma log(1 - q) with q = max(p - clip, 0)."""
    p, rest = sigmoid(z), sigmoid(-z)
    active = p > clip
    q = where(active, p - clip, 1.0)
    kept = where(active, rest + clip, 1.0)  # 1 - q, without the rounding of a p near 1
    focus, cost = power(q, gamma), -log(kept)
    slope = focus * (flow * gamma * cost / q + 1.0 / kept) * p * rest
    return focus * cost, where(active, slope, 0.0)


class Focal(Pointwise):
    """Focal loss: positives -(1 - p)^gamma log p, negatives -p^gamma log(1 - p).

    Formula: y (1 - p)^gamma sp(-z) + (1 - y) p^gamma sp(z)
    Use: Many easy negatives, few hard cells.
    Trap: alpha=0.25 of object detection weighs positives down; probabilities lean towards 1/2.

    Args:
        gamma: >= 0; 0 is BCE.
        alpha: weighs positives with alpha and negatives with 1 - alpha, in [0, 1]; None (default) weighs both
            with 1. The 0.25 of object detection weighs positives down.

    Source:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, arXiv:1708.02002. torchvision has
        alpha=0.25 by default. A soft target is mixed inside the power, as there: the probability of the truth
        is y p + (1 - y) (1 - p).
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = None, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("gamma", gamma, 0.0)
        _check.between("alpha", 0.5 if alpha is None else alpha, 0.0, 1.0)
        self.gamma = gamma
        self.alpha = alpha
        self.share_pos, self.share_neg = (1.0, 1.0) if alpha is None else (alpha, 1.0 - alpha)

    @staticmethod
    def positive(z: Scalar, gamma: Scalar, share_pos: Scalar) -> Curve:
        """-alpha (1 - p)^gamma log p."""
        value, slope = focused_positive(z, gamma, 1.0)
        return share_pos * value, share_pos * slope

    @staticmethod
    def negative(z: Scalar, gamma: Scalar, share_neg: Scalar) -> Curve:
        """-(1 - alpha) p^gamma log(1 - p)."""
        value, slope = focused_negative(z, gamma, 1.0)
        return share_neg * value, share_neg * slope

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, y: Scalar, gamma: Scalar, share_pos: Scalar, share_neg: Scalar
    ) -> Curve:
        """The power of the probability of an error, times the mixed cross-entropy."""
        value, slope = focused_soft(z, y, gamma, 1.0)
        share = y * share_pos + (1.0 - y) * share_neg
        return share * value, share * slope


class Asymmetric(Pointwise):
    """Asymmetric loss (ASL): a focal power for each side, and negatives below a probability left alone.

    With q = max(p - clip, 0): positives -(1 - p)^gamma_pos log p, negatives -q^gamma_neg log(1 - q). A
    negative costs at most -log(clip). A soft target y has the power
    (y (1 - p) + (1 - y) q)^(y gamma_pos + (1 - y) gamma_neg) of the mixed cross-entropies.

    Formula: y (1 - p)^gamma_pos sp(-z) - (1 - y) q^gamma_neg log(1 - q), q = max(p - clip, 0)
    Use: Few positives among many labels, above all in images; some missing positives.
    Trap: Probabilities come out too high: tune the cuts. By default the slope is not the derivative
    (detach_focus).

    Args:
        gamma_neg: focus on hard negatives, >= 0.
        gamma_pos: focus on hard positives, >= 0; the paper's main results have 0.
        clip: probability below which a negative costs nothing, in [0, 1).
        detach_focus: keep the powers constant in the slope, as the authors train; False is the derivative.

    Source:
        Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021, arXiv:2009.14119. Of the
        authors' classes `AsymmetricLoss` detaches and `AsymmetricLossOptimized` does not; both sum over all
        cells and clamp log at 1e-8, so that a positive below z = -18 has no slope. Neither is done here.
    """

    def __init__(
        self,
        gamma_neg: float = 4.0,
        gamma_pos: float = 1.0,
        clip: float = 0.05,
        detach_focus: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma_neg", gamma_neg, 0.0)
        _check.at_least("gamma_pos", gamma_pos, 0.0)
        _check.between("clip", clip, 0.0, 1.0 - 1e-9)
        self.gamma_neg, self.gamma_pos, self.clip, self.detach_focus = (
            gamma_neg,
            gamma_pos,
            clip,
            detach_focus,
        )
        self.flow = 0.0 if detach_focus else 1.0

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Without a clip, log(1 - p) is exact however large the logit."""
        negative = type(self).negative if self.clip else type(self).unclipped
        return type(self).positive, negative, type(self).unknown_cell

    @staticmethod
    def positive(z: Scalar, gamma_pos: Scalar, flow: Scalar) -> Curve:
        """-(1 - p)^gamma_pos log p."""
        return focused_positive(z, gamma_pos, flow)

    @staticmethod
    def negative(z: Scalar, gamma_neg: Scalar, clip: Scalar, flow: Scalar) -> Curve:
        """-q^gamma_neg log(1 - q)."""
        return clipped_negative(z, gamma_neg, clip, flow)

    @staticmethod
    def unclipped(z: Scalar, gamma_neg: Scalar, flow: Scalar) -> Curve:
        """-p^gamma_neg log(1 - p)."""
        return focused_negative(z, gamma_neg, flow)

    def soft_formula(self) -> Formula | None:
        """Without a clip, log(1 - p) is exact however large the logit."""
        return type(self).soft if self.clip else type(self).unclipped_soft

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, y: Scalar, gamma_pos: Scalar, gamma_neg: Scalar, clip: Scalar, flow: Scalar
    ) -> Curve:
        """Both cross-entropies mixed, under one power."""
        sides = focused_positive(z, 0.0, 0.0), clipped_negative(z, 0.0, clip, 0.0)
        return asymmetric_soft(z, y, (gamma_pos, gamma_neg), clip, flow, sides)

    @staticmethod
    def unclipped_soft(z: Scalar, y: Scalar, gamma_pos: Scalar, gamma_neg: Scalar, flow: Scalar) -> Curve:
        """The same without a clip."""
        sides = (softplus(-z), -sigmoid(-z)), (softplus(z), sigmoid(z))
        return asymmetric_soft(z, y, (gamma_pos, gamma_neg), 0.0, flow, sides)


class Hill(Pointwise):
    """Negatives (lam - p) p^2, whose slope fades as p nears 1; positives a focal loss with a margin.

    For targets with missing positives: a negative that the model is sure of is taken for one and left alone.

    Formula: y (1 - p_m)^gamma sp(-(z - margin)) + (1 - y) (lam - p) p^2, p_m = sigmoid(z - margin)
    Use: Missing positives, nothing known about which: needs no schedule and no state.
    Trap: A negative that the model is surely wrong about is given up, also where it is right.

    Args:
        lam: >= 1; 1.5 puts the summit of the negative's cost exactly at p = 1.
        margin: taken from the logit of positives, 0.5 to 1 in the paper.
        gamma: focus of the positives, >= 0.

    Source:
        Zhang et al., "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels", 2021,
        arXiv:2112.07368.
    """

    def __init__(
        self, lam: float = 1.5, margin: float = 1.0, gamma: float = 2.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("lam", lam, 1.0)
        _check.at_least("gamma", gamma, 0.0)
        _check.finite("margin", margin)
        self.lam, self.margin, self.gamma = lam, margin, gamma

    @staticmethod
    def positive(z: Scalar, margin: Scalar, gamma: Scalar) -> Curve:
        """Focal cost of z - margin."""
        return focused_positive(z - margin, gamma, 1.0)

    @staticmethod
    def negative(z: Scalar, lam: Scalar) -> Curve:
        """(lam - p) p^2."""
        p, rest = sigmoid(z), sigmoid(-z)
        return (lam - p) * p * p, p * p * rest * (2.0 * lam - 3.0 * p)
