"""Every loss as a function: functional.asl(logits, targets, gamma_neg=2).

A function has the short name of its loss, with _ for -, or that of its class in snake case: `asl`,
`asymmetric`, `soft_f1`. It takes what a call of the loss takes, then the loss's parameters by name:

    functional.asymmetric(logits, targets, row_weight=weights, gamma_neg=2, reduction="sum")

Losses that remember earlier batches, or have parameters for the optimiser, have no such form.
"""

import re
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.losses.base import MultiLabelLoss, arguments
from manyhot.losses.table import LOSSES


class FunctionalLoss(Protocol):
    """A loss as a function."""

    def __call__(
        self,
        logits: Tensor,
        targets: Any,
        unknown: Any = None,
        *,
        row_weight: Any = None,
        cell_weight: Any = None,
        row_ids: Any = None,
        epoch: int = 0,
        **parameters: Any,
    ) -> Tensor:
        """Cost of a batch, reduced.

        Args:
            logits: as for `MultiLabelLoss.forward`, like the five that follow.
            targets: the truth.
            unknown: cells that nobody knows.
            row_weight: (rows,).
            cell_weight: (rows, labels).
            row_ids: (rows,).
            epoch: training epoch from 0, for losses with a schedule.
            parameters: of the loss, and the options that every loss has.

        Raises:
            OptionError: no such parameter; a loss that remembers or learns.
        """
        ...


def __getattr__(name: str) -> FunctionalLoss:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return _function(NAMES[_check.one_of("a functional loss", name, NAMES)])
    except OptionError as error:
        raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return sorted(NAMES)


@cache
def _function(kind: type[MultiLabelLoss]) -> FunctionalLoss:
    def function(
        logits: Tensor,
        targets: Any,
        unknown: Any = None,
        *,
        row_weight: Any = None,
        cell_weight: Any = None,
        row_ids: Any = None,
        epoch: int = 0,
        **parameters: Any,
    ) -> Tensor:
        loss = _loss(kind, epoch, parameters)
        beside = {"row_weight": row_weight, "cell_weight": cell_weight, "row_ids": row_ids}
        return loss(logits, targets, unknown, **beside)

    function.__name__ = function.__qualname__ = _snake(kind.__name__)
    function.__doc__ = kind.__doc__
    return function


def _loss(kind: type[MultiLabelLoss], epoch: int, parameters: dict[str, Any]) -> MultiLabelLoss:
    if all(value is None or isinstance(value, (str, int, float, tuple)) for value in parameters.values()):
        return _kept(kind, epoch, **parameters)
    return _made(kind, epoch, **parameters)  # an array may be changed between two calls


def _made(kind: type[MultiLabelLoss], epoch: int, **parameters: Any) -> MultiLabelLoss:
    for name in parameters:
        _check.one_of(f"an argument of {_snake(kind.__name__)}", name, arguments(kind))
    loss = kind(**parameters)
    if loss.training_state() or any(True for _ in loss.parameters()):
        raise OptionError(
            f"{kind.__name__} remembers or learns and has no functional form; make one and keep it"
        )
    loss.set_epoch(epoch)
    return loss


_kept = lru_cache(maxsize=256)(
    _made
)  # so that a loss in a training loop checks its input as rarely as others


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


NAMES = MappingProxyType(
    {
        **{_snake(kind.__name__): kind for kind in LOSSES.values()},
        **{short.replace("-", "_"): kind for short, kind in LOSSES.items()},
    }
)
