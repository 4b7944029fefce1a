"""The words of a loss formula as keras.ops says them, and numbers as torch has them, whatever the backend."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import torch

from manyhot.kernels.pointwise import plain

ops: Any = keras.ops
"""Keras's operations, whose own annotations allow for None where there is none."""


def softplus(z: Any) -> Any:
    """log(1 + exp(z)), exact in both tails."""
    return -ops.log_sigmoid(-ops.convert_to_tensor(z))


def sigmoid_power(z: Any, exponent: Any) -> Any:
    """sigmoid(z) to the exponent >= 0, exact also where sigmoid(z) rounds to 0."""
    return ops.exp(-exponent * softplus(-z))


def numbers_of(tensor: Any) -> torch.Tensor | None:
    """A tensor of Keras's backend as one of torch; None while the backend traces and has no numbers."""
    backend = keras.backend.backend()
    if backend == "torch":
        return tensor if plain(tensor) and tensor.device.type != "meta" else None
    if backend == "jax":
        from jax.core import Tracer  # pyright: ignore[reportMissingImports]

        if isinstance(tensor, Tracer):
            return None
    if backend == "tensorflow":
        import tensorflow as tf  # pyright: ignore[reportMissingImports]

        if not tf.executing_eagerly():
            return None
    return torch.from_numpy(np.array(keras.ops.convert_to_numpy(tensor)))


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
