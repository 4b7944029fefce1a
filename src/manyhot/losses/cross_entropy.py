"""Binary cross-entropy: the loss that most others are a change of."""

from typing import Any

from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.pointwise import Pointwise


class BCE(Pointwise):
    """Binary cross-entropy of every label on its own: -y log p - (1 - y) log(1 - p), p = sigmoid(z).

    Proper: the best p is the probability of the label. Soft targets are meant. With `pos_weight` the best p
    is that of odds multiplied by the weight; `debias` takes it back.

    Source:
        Maximum likelihood of independent Bernoulli labels; torch's `binary_cross_entropy_with_logits`.
    """

    @staticmethod
    def positive(z: Any) -> tuple[Any, Any]:
        """-log p."""
        return softplus(-z), -sigmoid(-z)

    @staticmethod
    def negative(z: Any) -> tuple[Any, Any]:
        """-log(1 - p)."""
        return softplus(z), sigmoid(z)
