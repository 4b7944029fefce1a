"""A robust cost of unobserved cells that changes from doubt to trust in the model as training goes on."""

from typing import Literal, Unpack

from manyhot import _check
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.words import exp, expm1, sigmoid, softplus
from manyhot.losses.base import Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.unobserved import ZEROS, EveryCell


class GeneralizedRobust(EveryCell):
    """BCE of positives; unobserved cells are positive with the chance that the model gives them (GR).

    Such a cell costs v (k (1 - p^q2) / q2 + (1 - k) (1 - (1 - p)^q3) / q3), with a trust in the model
    k = sigmoid(w p + b) and a weight v = exp(-(p - mu)^2 / (2 s^2)) that leaves doubtful cells out. From the
    first to the last of `epochs`, w goes from 0 to 2, mu from 0.5 to 0.8, s from 2 to 0.5; b is -2. Needs
    `set_epoch`. "mean" is over all cells of the batch.

    Formula: BCE of positives; v (k (1 - p^q2) / q2 + (1 - k) (1 - (1 - p)^q3) / q3) of unobserved cells
    Use: One known positive a row; trusts the model more from epoch to epoch.
    Trap: Without set_epoch its schedule stays at the start.

    Args:
        epochs: how many the schedule takes, >= 1; afterwards it stays.
        q2: of the cost as a positive, in (0, 1]; near 0 it is cross-entropy.
        q3: of the cost as a negative, in (0, 1]; 1 is the absolute error.
        zeros: "unknown" (default), or "negative" for trusted zeros, which then cost what they cost in BCE.
        detach_weights: keep k and v constant in the slope, as the authors train; False is the derivative.

    Source:
        Chen et al., "Boosting Single Positive Multi-label Classification with Generalized Robust Loss", IJCAI
        2024, arXiv:2405.03501. Their code adds 1e-7 inside the logarithm.
    """

    traits = Traits(calls=("set_epoch",))

    def __init__(
        self,
        epochs: int = 10,
        q2: float = 0.01,
        q3: float = 1.0,
        zeros: Literal["unknown", "negative"] = "unknown",
        detach_weights: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("epochs", epochs, 1)
        _check.between("q2", q2, 1e-6, 1.0)
        _check.between("q3", q3, 1e-6, 1.0)
        self.zeros = _check.one_of("zeros", zeros, ZEROS)
        self.epochs, self.q2, self.q3 = epochs, q2, q3
        self.detach_weights, self.flow = detach_weights, 0.0 if detach_weights else 1.0
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Move the schedule on."""
        self.epoch = epoch
        done = min(epoch / max(self.epochs - 1, 1), 1.0)
        self.trust, self.centre, self.spread = 2.0 * done, 0.5 + 0.3 * done, 2.0 - 1.5 * done

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Zeros by what they mean."""
        kind = type(self)
        return kind.positive, kind.negative if self.zeros == "negative" else kind.doubtful, kind.doubtful

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    @staticmethod
    def doubtful(
        z: Scalar, q2: Scalar, q3: Scalar, trust: Scalar, centre: Scalar, spread: Scalar, flow: Scalar
    ) -> Curve:
        """The mixture of both costs."""
        p, rest = sigmoid(z), sigmoid(-z)
        up, down = expm1(-q2 * softplus(-z)), expm1(-q3 * softplus(z))
        share = sigmoid(trust * p - 2.0)
        off = (p - centre) / spread
        weight = exp(-0.5 * off * off)
        as_positive, as_negative = -up / q2, -down / q3
        mixed = share * as_positive + (1.0 - share) * as_negative
        slope = (1.0 - share) * (1.0 + down) * p - share * (1.0 + up) * rest
        change = share * (1.0 - share) * trust * (as_positive - as_negative) - mixed * off / spread
        return weight * mixed, weight * (slope + flow * change * p * rest)
