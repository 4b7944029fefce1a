"""The words a loss formula may be written in, as torch says them.

A formula calls these bare names and Python's arithmetic, nothing else, so that the same source runs on
tensors here and as machine code elsewhere (`manyhot.kernels.formula`). Numbers and tensors mix freely.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from manyhot.kernels.vocabulary import WORDS as WORDS


def exp(x: Any) -> Any:
    """e to the x; also of a plain number."""
    return torch.exp(_tensor(x))


def expm1(x: Any) -> Any:
    """exp(x) - 1, exact for small x."""
    return torch.expm1(_tensor(x))


def log(x: Any) -> Any:
    """Natural logarithm of x > 0."""
    return torch.log(_tensor(x))


def log1p(x: Any) -> Any:
    """log(1 + x) for x > -1, exact for small x."""
    return torch.log1p(_tensor(x))


def tanh(x: Any) -> Any:
    """Hyperbolic tangent, in (-1, 1)."""
    return torch.tanh(_tensor(x))


def where(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`; both are computed, so both must be finite."""
    return torch.where(condition, yes, no)


def maximum(x: Any, low: Any) -> Any:
    """The larger of the two."""
    return torch.clamp(x, min=low)


def minimum(x: Any, high: Any) -> Any:
    """The smaller of the two."""
    return torch.clamp(x, max=high)


def absolute(x: Any) -> Any:
    """Size without sign."""
    return torch.abs(x)


def power(x: Any, exponent: Any) -> Any:
    """x to the exponent for x > 0; for x = 0 use `where`, the slope has no value there."""
    return torch.pow(_tensor(x), exponent)


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)); 1 - sigmoid(z) is written sigmoid(-z)."""
    return torch.sigmoid(_tensor(z))


def sigmoid_power(z: Any, exponent: Any) -> Any:
    """sigmoid(z) to the exponent >= 0, exact and with a slope also where sigmoid(z) rounds to 0."""
    return exp(-exponent * softplus(-z))


def softplus(z: Any) -> Any:
    """log(1 + exp(z)); -log(sigmoid(z)) is written softplus(-z)."""
    # logsigmoid keeps full precision in both tails; functional.softplus cuts over to z at 20.
    return -functional.logsigmoid(-_tensor(z))


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else torch.as_tensor(x, dtype=torch.float64)
