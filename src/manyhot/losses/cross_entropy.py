"""Binary cross-entropy, the loss that most others are a change of, and its nearest relatives."""

from typing import Unpack

from manyhot import _check
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.words import expm1, sigmoid, softplus
from manyhot.losses.base import Options
from manyhot.losses.pointwise import Pointwise


class BCE(Pointwise):
    """Binary cross-entropy of every label on its own: -y log p - (1 - y) log(1 - p), p = sigmoid(z).

    Proper: the best p is the probability of the label. Soft targets are meant. With `pos_weight` the best p
    is that of odds multiplied by the weight; `debias` takes it back.

    Formula: y sp(-z) + (1 - y) sp(z)
    Use: First, always: probabilities, any kind of target, any number of labels.

    Source:
        Maximum likelihood of independent Bernoulli labels; torch's `binary_cross_entropy_with_logits`.
    """

    @staticmethod
    def positive(z: Scalar) -> Curve:
        """-log p."""
        return softplus(-z), -sigmoid(-z)

    @staticmethod
    def negative(z: Scalar) -> Curve:
        """-log(1 - p)."""
        return softplus(z), sigmoid(z)


class Poly1(Pointwise):
    """Cross-entropy plus epsilon times the probability of being wrong: its first Taylor term, re-weighted.

    Formula: BCE + epsilon (1 - p of the truth)
    Use: BCE with one coefficient to tune.
    Trap: epsilon > 0 pulls harder on cells that are nearly right; probabilities lose their calibration.

    Args:
        epsilon: added weight of the linear term, >= -1; 2 on ImageNet, -1 in detection, in the paper.

    Source:
        Leng et al., "PolyLoss", ICLR 2022, arXiv:2204.12511; here with a sigmoid per label.
    """

    def __init__(self, epsilon: float = 2.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("epsilon", epsilon, -1.0)
        self.epsilon = epsilon

    @staticmethod
    def positive(z: Scalar, epsilon: Scalar) -> Curve:
        """-log p + epsilon (1 - p)."""
        p, miss = sigmoid(z), sigmoid(-z)
        return softplus(-z) + epsilon * miss, -miss * (1.0 + epsilon * p)

    @staticmethod
    def negative(z: Scalar, epsilon: Scalar) -> Curve:
        """-log(1 - p) + epsilon p."""
        p, rest = sigmoid(z), sigmoid(-z)
        return softplus(z) + epsilon * p, p * (1.0 + epsilon * rest)


class GCE(Pointwise):
    """Generalised cross-entropy (1 - t^q) / q of the probability t given to the truth: bounded by 1 / q.

    Between cross-entropy (q -> 0) and the mean absolute error (q = 1); wrong labels pull less the larger q.

    Formula: (1 - t^q) / q, t the p of the truth
    Use: Wrong labels in the training set: a cell that looks wrong pulls less.
    Trap: Gives rare labels up, whose positives look wrong: there q=0.3, or pos_weight='balanced'.

    Args:
        q: in (0, 1].

    Source:
        Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
        Labels", NeurIPS 2018, arXiv:1805.07836; here per label.
    """

    def __init__(self, q: float = 0.7, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.between("q", q, 1e-6, 1.0)
        self.q = q

    @staticmethod
    def positive(z: Scalar, q: Scalar) -> Curve:
        """(1 - p^q) / q."""
        change = expm1(-q * softplus(-z))
        return -change / q, -(1.0 + change) * sigmoid(-z)

    @staticmethod
    def negative(z: Scalar, q: Scalar) -> Curve:
        """(1 - (1 - p)^q) / q."""
        change = expm1(-q * softplus(z))
        return -change / q, (1.0 + change) * sigmoid(z)
