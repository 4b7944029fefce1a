"""What a loss looks for in its batches beyond their shapes: NaN, probabilities, numbers that are no targets.

NaN among the logits is looked for in every batch. What takes another pass over all numbers is looked for at
calls 1, 2, 4, 8, ... of a loss, so that it costs a training nothing.
"""

import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manyhot.errors import InputError, ManyhotWarning
from manyhot.kernels.cells import Cells, DenseCells

ENDS_IN_ACTIVATION = ("SigmoidBackward", "SoftmaxBackward", "LogSoftmaxBackward", "LogSigmoidBackward")
ENOUGH = 32  # cells: fewer may lie in [0, 1] by chance
INFINITE = 1e15  # what an infinite logit counts as; its square is finite in float32
THROUGH = ("manyhot", "torch", "keras")  # packages whose lines did not make the mistake


@dataclass(slots=True)
class Watch:
    """What a loss remembers of its checks. Not attributes of the loss: those take a module 10 us to set.

    Args:
        trusting: look no further for probabilities in place of logits.
        due: the call that has begun is the 1st, 2nd, 4th, 8th, ...
        indices: whether integers in the shape of the logits are label indices; None while nothing has told.
    """

    trusting: bool = False
    due: bool = False
    indices: bool | None = None
    _calls: int = 0
    _within: int = 0  # logits since the last one outside of [0, 1]

    def begin_call(self) -> None:
        """Count a call."""
        self._calls += 1
        self.due = self._calls & (self._calls - 1) == 0

    def check(self, logits: Tensor, cells: Cells, names: Sequence[str] | None, strict: bool) -> None:
        """Look for weights and targets that can be none, and for probabilities in place of logits.

        Of probabilities it warns once; with `strict` they are looked for in every batch, and an error.

        Raises:
            InputError: targets outside [0, 1], negative weights, NaN among weights; probabilities.
        """
        if self.due:
            _check_weight("cell_weight", cells.cell_weight)
            if isinstance(cells, DenseCells) and cells.values.dtype.is_signed:
                _check_values(cells.values, cells.unknown, names)
        if self.due or logits.device.type == "cpu":
            _check_weight("row_weight", cells.row_weight)
        if self.trusting or not (self.due or strict):
            return
        sign = self._sign_of_probabilities(logits.detach(), type(logits.grad_fn).__name__)
        if sign is None:
            return
        message = f"logits look like probabilities: {sign}; pass what comes before the activation"
        if strict:
            raise InputError(message)
        warnings.warn(message, ManyhotWarning, stacklevel=level_of_caller())
        self.trusting = True

    def _sign_of_probabilities(self, logits: Tensor, made_by: str) -> str | None:
        activation = made_by.rstrip("0123456789")
        if activation in ENDS_IN_ACTIVATION:
            return f"the model ends in {activation.removesuffix('Backward')}"
        low, high = _range(logits[:1])  # the first row tells nearly always
        if 0 <= low <= high <= 1:
            low, high = _range(logits)
        if not 0 <= low <= high <= 1:
            self._within = 0
            return None
        if low == high:  # a new head puts out equal numbers, which is no sign of anything
            return None
        self._within += logits.numel()
        return f"all {self._within} lie in [0, 1]" if self._within >= ENOUGH else None


def is_finite(numbers: Tensor) -> bool:
    """True if all numbers are finite; also False, rarely, where their sum is too large for their dtype."""
    if numbers.ndim == 0:
        return math.isfinite(numbers.item())
    wide = torch.promote_types(numbers.dtype, torch.float32)
    return math.isfinite(numbers.detach().sum(dtype=wide).item())


def bounded(logits: Tensor) -> Tensor:
    """Logits with their infinities made what they count as."""
    limit = min(INFINITE, torch.finfo(logits.dtype).max)
    return logits.clamp(-limit, limit)


def refuse_nan(
    logits: Tensor,
    known: Tensor | None,
    names: Sequence[str] | None,
    what: str = "logits",
    columns: str = "labels",
) -> None:
    """Raise an error that names the cells, if a known one's logit is NaN.

    Args:
        logits: (rows, labels).
        known: (rows, labels), False where a logit is never read; None where all are.
        names: label names.
        what: the numbers are.
        columns: what they have one of in each row.

    Raises:
        InputError: as said.
    """
    bad = logits.isnan() if known is None else logits.isnan() & known
    if bad.any():
        rows, labels = torch.nonzero(bad, as_tuple=True)
        raise InputError(
            f"{len(rows)} of {logits.numel()} {what} are NaN: rows {listed(rows.unique().tolist())}, "
            f"{columns} {listed([label_name(j, names) for j in labels.unique().tolist()])}; "
            "lower the learning rate or clip gradients, and look for NaN in the inputs"
        )


def level_of_caller() -> int:
    """How far above the calling function the first line lies that is in none of the packages `THROUGH`."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in THROUGH:
        frame, level = frame.f_back, level + 1
    return level


def label_name(label: int, names: Sequence[str] | None) -> str:
    """Number and, where there is one, name."""
    return str(label) if names is None else f"{label} ({names[label]!r})"


def listed(items: Sequence[Any]) -> str:
    """The first five, and how many more."""
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(map(str, items[:5])) + more


def _check_values(values: Tensor, unknown: Tensor | None, names: Sequence[str] | None) -> None:
    wrong = (values > 1) | ((values < 0) & (values != -1))
    if unknown is not None:
        wrong &= ~unknown
    if wrong.any():
        row, label = (int(index[0]) for index in torch.nonzero(wrong, as_tuple=True))
        raise InputError(
            f"targets must be in [0, 1], or NaN or -1 for unknown; got {float(values[row, label]):g} "
            f"in row {row}, label {label_name(label, names)}"
        )


def _check_weight(name: str, weight: Tensor | None) -> None:
    if weight is None:
        return
    wrong = ~((weight >= 0) & weight.isfinite())
    if wrong.any():
        place = ", ".join(str(int(index[0])) for index in torch.nonzero(wrong, as_tuple=True))
        raise InputError(
            f"{name} must be finite and >= 0, got {float(weight[wrong][0]):g} at {place}; "
            "0 leaves a row or cell out"
        )


def _range(logits: Tensor) -> tuple[float, float]:
    """Least and largest; NaN where there is none."""
    if not logits.numel():
        return math.nan, math.nan
    low, high = torch.aminmax(logits)
    return low.item(), high.item()
