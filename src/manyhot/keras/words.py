"""The words of a loss formula as keras.ops says them, on whatever backend Keras runs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras

ops: Any = keras.ops
"""Keras's operations, whose own annotations allow for None where there is none."""


def softplus(z: Any) -> Any:
    """log(1 + exp(z)), exact in both tails."""
    return -ops.log_sigmoid(-ops.convert_to_tensor(z))


def sigmoid_power(z: Any, exponent: Any) -> Any:
    """sigmoid(z) to the exponent >= 0, exact also where sigmoid(z) rounds to 0."""
    return ops.exp(-exponent * softplus(-z))


KERAS_WORDS: Mapping[str, Any] = MappingProxyType(
    {
        "exp": ops.exp,
        "expm1": ops.expm1,
        "log": ops.log,
        "log1p": ops.log1p,
        "where": ops.where,
        "maximum": ops.maximum,
        "minimum": ops.minimum,
        "absolute": ops.absolute,
        "power": ops.power,
        "sigmoid": ops.sigmoid,
        "sigmoid_power": sigmoid_power,
        "softplus": softplus,
        "tanh": ops.tanh,
    }
)
