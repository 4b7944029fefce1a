"""Baselines that measure a distance, of the probability or of the logit, from the truth."""

from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.pointwise import plain
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import RowReading, masses
from manyhot.kernels.words import maximum, sigmoid
from manyhot.losses.pointwise import Pointwise, side_weights


class Brier(Pointwise):
    """Squared error of the probability, (p - y)^2 with p = sigmoid(z): proper, in [0, 1], no nats.

    Its slope fades where the model is sure, also where it is surely wrong. It is 0 where p meets a soft
    target, also with weights: the least expected score is taken from the score that is expected under it.

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

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """y (1 - p)^2 + (1 - y) p^2 is (p - y)^2 and what no p can save, y (1 - y) for weights of 1."""
        expected = super().evaluate(logits, cells)
        if not any(self.smoothing) and _surely_hard(cells):
            return expected
        up, down = side_weights(self, cells)
        reading = RowReading(positive_weight=up, negative_weight=down, smoothing=self.smoothing)
        positive, negative = masses(cells, reading, expected.dtype)
        whole = positive + negative
        least = positive * negative / whole.where(whole > 0, 1.0)
        if cells.row_weight is not None:
            least = least * cells.row_weight.to(expected.dtype)[:, None]
        return expected - reduce_units(least, self.reduction, logits.shape[0], cells.known_count())


class MSE(Brier):
    """Mean squared error of the probability: `Brier` under its other name."""


class MAE(Pointwise):
    """Absolute error of the probability, |p - y| with p = sigmoid(z), in [0, 1].

    Robust to wrong labels and slow to learn: its slope p (1 - p) fades on both sides. Not proper: the best p
    is 0 or 1. A soft target has the error expected under it, y (1 - p) + (1 - y) p.
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


class SquaredHinge(Pointwise):
    """max(0, 1 - z)^2 for a positive, max(0, 1 + z)^2 for a negative: one linear SVM per label.

    Cells beyond the margin cost nothing, which makes weights sparse over many labels. Decide z > 0; the
    logits are no log-odds.

    Source:
        Babbar and Schölkopf, "DiSMEC", WSDM 2017, among many.
    """

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


def _surely_hard(cells: Cells) -> bool:
    """True for targets that are all 0 or 1, as far as that can be told without waiting for a device."""
    if isinstance(cells, SparseCells):
        return cells.values is None
    values = cells.dense().values
    if not values.is_floating_point():
        return True
    return plain(values) and values.device.type == "cpu" and not ((values > 0) & (values < 1)).any().item()
