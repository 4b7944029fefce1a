"""Baselines that measure a distance, of the probability or of the logit, from the truth."""

from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.words import absolute, maximum, sigmoid, where
from manyhot.losses.base import Traits
from manyhot.losses.pointwise import Pointwise


class Brier(Pointwise):
    """Squared error of the probability, (p - y)^2 with p = sigmoid(z): proper, in [0, 1], no nats.

    Its slope fades where the model is sure, also where it is surely wrong. The distance is that from a soft
    target too: 0 where p meets it.

    Formula: (p - y)^2
    Use: Calibrated probabilities with bounded costs.
    Trap: No slope where the model is surely wrong: begin near 0.

    Source:
        Brier, "Verification of Forecasts Expressed in Terms of Probability", 1950.
    """

    @staticmethod
    def positive(z: Scalar) -> Curve:
        """(1 - p)^2."""
        p, miss = sigmoid(z), sigmoid(-z)
        return miss * miss, -2.0 * miss * miss * p

    @staticmethod
    def negative(z: Scalar) -> Curve:
        """p^2."""
        p, rest = sigmoid(z), sigmoid(-z)
        return p * p, 2.0 * p * p * rest

    @staticmethod
    def soft(z: Scalar, y: Scalar) -> Curve:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(p - y)^2, exact also where p rounds to 1."""
        p, rest = sigmoid(z), sigmoid(-z)
        over = (1.0 - y) * p - y * rest
        return over * over, 2.0 * over * p * rest


class MSE(Brier):
    """Mean squared error of the probability: `Brier` under its other name.

    Formula: (p - y)^2
    Use: A baseline: brier under its other name.
    Trap: No slope where the model is surely wrong: begin near 0.
    """


class MAE(Pointwise):
    """Absolute error of the probability, |p - y| with p = sigmoid(z), in [0, 1].

    Robust to wrong labels and slow to learn: its slope p (1 - p) fades on both sides. Not proper: the best p
    is 0 or 1.

    Formula: |p - y|
    Use: A baseline that wrong labels hardly move.
    Trap: Trains slowly and gives rare labels up; pos_weight='balanced' helps.
    """

    @staticmethod
    def positive(z: Scalar) -> Curve:
        """1 - p."""
        p, miss = sigmoid(z), sigmoid(-z)
        return miss, -p * miss

    @staticmethod
    def negative(z: Scalar) -> Curve:
        """p."""
        p, rest = sigmoid(z), sigmoid(-z)
        return p, p * rest

    @staticmethod
    def soft(z: Scalar, y: Scalar) -> Curve:  # pyright: ignore[reportIncompatibleVariableOverride]
        """|p - y|, with the slope 0 where p = y."""
        p, rest = sigmoid(z), sigmoid(-z)
        over = (1.0 - y) * p - y * rest
        return absolute(over), where(over > 0.0, 1.0, where(over < 0.0, -1.0, 0.0)) * p * rest


class SquaredHinge(Pointwise):
    """max(0, 1 - z)^2 for a positive, max(0, 1 + z)^2 for a negative: one linear SVM per label.

    Cells beyond the margin cost nothing, which makes weights sparse over many labels. Decide z > 0; the
    logits are no log-odds.

    Formula: y max(0, 1 - z)^2 + (1 - y) max(0, 1 + z)^2
    Use: Sparse linear models of extreme label sets.
    Trap: Scores are margins, not probabilities, and outliers pull without bound.

    Source:
        Babbar and Schölkopf, "DiSMEC", WSDM 2017, among many.
    """

    traits = Traits(bounded=False)

    @staticmethod
    def positive(z: Scalar) -> Curve:
        """max(0, 1 - z)^2."""
        short = maximum(1.0 - z, 0.0)
        return short * short, -2.0 * short

    @staticmethod
    def negative(z: Scalar) -> Curve:
        """max(0, 1 + z)^2."""
        over = maximum(1.0 + z, 0.0)
        return over * over, 2.0 * over
