"""Asymmetric losses whose cross-entropies have other Taylor terms, or fade where the model is sure."""

from typing import Literal, Unpack

from manyhot import _check
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.words import log, maximum, power, sigmoid, sigmoid_power, softplus, where
from manyhot.losses.base import Options
from manyhot.losses.focal import asymmetric_soft, clipped_negative
from manyhot.losses.pointwise import Pointwise


def polynomial_positive(
    z: Scalar, gamma: Scalar, epsilon_1: Scalar, epsilon_2: Scalar, flow: Scalar
) -> Curve:
    """(1 - p)^gamma (-log p - epsilon_1 (1 - p) - epsilon_2 / 2 (1 - p)^2)."""
    p, miss = sigmoid(z), sigmoid(-z)
    focus = sigmoid_power(-z, gamma)
    cost = softplus(-z) - miss * (epsilon_1 + 0.5 * epsilon_2 * miss)
    own = miss * (p * (epsilon_1 + epsilon_2 * miss) - 1.0)
    return focus * cost, focus * (own - flow * gamma * p * cost)


class AsymmetricPolynomial(Pointwise):
    """Asymmetric polynomial loss (APL): ASL whose cross-entropies have their first Taylor terms changed.

    Positives (1 - p)^gamma_pos (-log p - epsilon_1 (1 - p) - epsilon_2 / 2 (1 - p)^2), negatives
    q^gamma_neg (-log(1 - q) - epsilon_neg (1 - q)), q = max(p - clip, 0). A positive epsilon removes weight
    from its term: epsilon_1 = 1 cancels the linear one. Not bounded below by 0.

    Formula: ASL with -log p - e1 (1 - p) - e2 / 2 (1 - p)^2 on the positive side
    Use: ASL with more to tune.
    Trap: A positive epsilon takes weight away, the opposite sign of poly1.

    Args:
        gamma_neg: focus on hard negatives, >= 0.
        gamma_pos: focus on hard positives, >= 0.
        clip: probability below which a negative counts as 0, in (0, 1).
        epsilon_1: taken from the linear term of the positives.
        epsilon_2: taken from the quadratic term of the positives, twice.
        epsilon_neg: taken from the negatives.
        detach_focus: keep the powers constant in the slope, as the authors train.

    Source:
        Huang et al., "Asymmetric Polynomial Loss for Multi-Label Classification", ICASSP 2023,
        arXiv:2304.05361, with the signs of the authors' code.
    """

    def __init__(
        self,
        gamma_neg: float = 4.0,
        gamma_pos: float = 0.0,
        clip: float = 0.05,
        epsilon_1: float = 1.0,
        epsilon_2: float = -2.5,
        epsilon_neg: float = 0.0,
        detach_focus: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma_neg", gamma_neg, 0.0)
        _check.at_least("gamma_pos", gamma_pos, 0.0)
        _check.between("clip", clip, 1e-9, 1.0 - 1e-9)
        epsilons = {"epsilon_1": epsilon_1, "epsilon_2": epsilon_2, "epsilon_neg": epsilon_neg}
        for name, value in epsilons.items():
            _check.finite(name, value)
        self.gamma_neg, self.gamma_pos, self.clip, self.detach_focus = (
            gamma_neg,
            gamma_pos,
            clip,
            detach_focus,
        )
        self.epsilon_1, self.epsilon_2, self.epsilon_neg = epsilon_1, epsilon_2, epsilon_neg
        self.flow = 0.0 if detach_focus else 1.0
        self.at_rest = -epsilon_neg if gamma_neg == 0 else 0.0  # cost of a negative below the clip: 0^gamma

    @staticmethod
    def positive(z: Scalar, gamma_pos: Scalar, epsilon_1: Scalar, epsilon_2: Scalar, flow: Scalar) -> Curve:
        """(1 - p)^gamma_pos times the changed -log p."""
        return polynomial_positive(z, gamma_pos, epsilon_1, epsilon_2, flow)

    @staticmethod
    def negative(
        z: Scalar, gamma_neg: Scalar, clip: Scalar, epsilon_neg: Scalar, flow: Scalar, at_rest: Scalar
    ) -> Curve:
        """q^gamma_neg times the changed -log(1 - q)."""
        p, rest = sigmoid(z), sigmoid(-z)
        active = p > clip
        q = where(active, p - clip, 1.0)
        kept = where(active, rest + clip, 1.0)
        focus, cost = power(q, gamma_neg), -log(kept) - epsilon_neg * kept
        slope = focus * (flow * gamma_neg * cost / q + 1.0 / kept + epsilon_neg) * p * rest
        return where(active, focus * cost, at_rest), where(active, slope, 0.0)

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar,
        y: Scalar,
        gamma_pos: Scalar,
        gamma_neg: Scalar,
        clip: Scalar,
        epsilon_1: Scalar,
        epsilon_2: Scalar,
        epsilon_neg: Scalar,
        flow: Scalar,
    ) -> Curve:
        """Both changed cross-entropies mixed, under one power."""
        up = polynomial_positive(z, 0.0, epsilon_1, epsilon_2, 0.0)
        cost, slope = clipped_negative(z, 0.0, clip, 0.0)
        p, rest = sigmoid(z), sigmoid(-z)
        kept, fall = where(p > clip, rest + clip, 1.0), where(p > clip, p * rest, 0.0)
        down = cost - epsilon_neg * kept, slope + epsilon_neg * fall
        return asymmetric_soft(z, y, (gamma_pos, gamma_neg), clip, flow, (up, down))


def damped_negative(z: Scalar, gamma: Scalar, clip: Scalar, lam: Scalar) -> Curve:
    """-q^gamma log(1 - q) (lam - p)."""
    value, slope = clipped_negative(z, gamma, clip, 1.0)
    p = sigmoid(z)
    return value * (lam - p), slope * (lam - p) - value * p * sigmoid(-z)


def twice_damped_negative(z: Scalar, gamma: Scalar, clip: Scalar, lam: Scalar) -> Curve:
    """-q^gamma log(1 - q) (lam - p) p^2 (lam - 1 + q)."""
    value, slope = clipped_negative(z, gamma, clip, 1.0)
    p, rest = sigmoid(z), sigmoid(-z)
    damping, reach = (lam - p) * p * p, lam - 1.0 + maximum(p - clip, 0.0)
    change = p * p * rest * (2.0 * lam - 3.0 * p) * reach + damping * p * rest
    return value * damping * reach, slope * damping * reach + value * change


class RobustAsymmetric(Pointwise):
    """Robust asymmetric loss (RAL): APL's positives; negatives damped where the model is sure they apply.

    Formula: APL's positives; ASL's negatives times (lam - p) p^2 (lam - 1 + q)
    Use: Long tails with missing positives.
    Trap: variant='paper' and the authors' code differ by two factors.

    Args:
        gamma_neg: focus on hard negatives, >= 0.
        gamma_pos: focus on hard positives, >= 0.
        clip: probability below which a negative costs nothing, in (0, 1).
        lam: of the damping factor, >= 1.
        epsilon_1: as in `AsymmetricPolynomial`.
        epsilon_2: as in `AsymmetricPolynomial`.
        variant: "code" (default) has the negatives of the authors' program, q^gamma_neg (-log(1 - q))
            (lam - p) p^2 (lam - 1 + q); "paper" those of the article, q^gamma_neg (-log(1 - q)) (lam - p).

    Source:
        Park et al., "Robust Asymmetric Loss for Multi-Label Long-Tailed Learning", ICCV-W 2023,
        arXiv:2308.05542. Which of the two variants made their results is not said; their program has "code".
    """

    def __init__(
        self,
        gamma_neg: float = 4.0,
        gamma_pos: float = 0.0,
        clip: float = 0.05,
        lam: float = 1.5,
        epsilon_1: float = 1.0,
        epsilon_2: float = -2.5,
        variant: Literal["code", "paper"] = "code",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma_neg", gamma_neg, 0.0)
        _check.at_least("gamma_pos", gamma_pos, 0.0)
        _check.between("clip", clip, 1e-9, 1.0 - 1e-9)
        _check.at_least("lam", lam, 1.0)
        _check.finite("epsilon_1", epsilon_1)
        _check.finite("epsilon_2", epsilon_2)
        self.gamma_neg, self.gamma_pos, self.clip, self.lam = gamma_neg, gamma_pos, clip, lam
        self.epsilon_1, self.epsilon_2 = epsilon_1, epsilon_2
        self.variant = _check.one_of("variant", variant, ("code", "paper"))

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """The negatives of the chosen variant."""
        negative = type(self).negative if self.variant == "code" else type(self).as_published
        return type(self).positive, negative, None

    @staticmethod
    def positive(z: Scalar, gamma_pos: Scalar, epsilon_1: Scalar, epsilon_2: Scalar) -> Curve:
        """As in `AsymmetricPolynomial`."""
        return polynomial_positive(z, gamma_pos, epsilon_1, epsilon_2, 1.0)

    def soft_formula(self) -> Formula | None:
        """That of the chosen variant."""
        return type(self).soft if self.variant == "code" else type(self).soft_as_published

    @staticmethod
    def negative(z: Scalar, gamma_neg: Scalar, clip: Scalar, lam: Scalar) -> Curve:
        """ASL's negative times (lam - p) p^2 (lam - 1 + q)."""
        return twice_damped_negative(z, gamma_neg, clip, lam)

    @staticmethod
    def as_published(z: Scalar, gamma_neg: Scalar, clip: Scalar, lam: Scalar) -> Curve:
        """ASL's negative times (lam - p)."""
        return damped_negative(z, gamma_neg, clip, lam)

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar,
        y: Scalar,
        gamma_pos: Scalar,
        gamma_neg: Scalar,
        clip: Scalar,
        lam: Scalar,
        epsilon_1: Scalar,
        epsilon_2: Scalar,
    ) -> Curve:
        """Both sides mixed, under one power."""
        up = polynomial_positive(z, 0.0, epsilon_1, epsilon_2, 0.0)
        sides = up, twice_damped_negative(z, 0.0, clip, lam)
        return asymmetric_soft(z, y, (gamma_pos, gamma_neg), clip, 1.0, sides)

    @staticmethod
    def soft_as_published(
        z: Scalar,
        y: Scalar,
        gamma_pos: Scalar,
        gamma_neg: Scalar,
        clip: Scalar,
        lam: Scalar,
        epsilon_1: Scalar,
        epsilon_2: Scalar,
    ) -> Curve:
        """The same with the damping of the article."""
        up = polynomial_positive(z, 0.0, epsilon_1, epsilon_2, 0.0)
        return asymmetric_soft(
            z, y, (gamma_pos, gamma_neg), clip, 1.0, (up, damped_negative(z, 0.0, clip, lam))
        )
