"""What comes in at a loss's door: targets of every form become `Cells`; what cannot be meant is refused.

Checks that look at every number run at calls 1, 2, 4, 8, ... of a loss, so that they cost a training nothing.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, issparse
from torch import Tensor

from manyhot.errors import InputError, ManyhotWarning, ShapeError
from manyhot.kernels.cells import Cells, DenseCells, SparseCells
from manyhot.labels import Targets, as_targets

ENDS_IN_ACTIVATION = ("SigmoidBackward", "SoftmaxBackward", "LogSoftmaxBackward", "LogSigmoidBackward")
INFINITE = 1e15  # what an infinite logit counts as; its square is finite in float32


def check_logits(logits: Any, width: int | None) -> Tensor:
    """The logits, if they are a float tensor (rows, labels) of the right width."""
    if not isinstance(logits, Tensor):
        raise InputError(
            f"logits must be a torch tensor (rows, labels), got {type(logits).__name__}; torch.as_tensor"
        )
    if not logits.is_floating_point():
        raise InputError(
            f"logits must be floating point, got {logits.dtype}; are logits and targets swapped?"
        )
    if logits.ndim != 2:
        raise ShapeError(
            f"logits must have shape (rows, labels), got {tuple(logits.shape)}; reshape to two axes"
        )
    if width is not None and logits.shape[1] != width:
        raise ShapeError(f"expected logits for {width} labels, got {logits.shape[1]} columns")
    return logits


def read_cells(
    logits: Tensor,
    targets: Any,
    unknown: Any = None,
    row_weight: Any = None,
    cell_weight: Any = None,
    row_ids: Any = None,
) -> Cells:
    """The targets of a batch, in the layout they came in, on the device of the logits.

    Args:
        logits: (rows, labels).
        targets: a torch tensor of the same shape (0/1 of any dtype, soft, NaN or -1 for unknown), or any form
            that `manyhot.labels.as_targets` takes.
        unknown: (rows, labels), true where nobody knows the value; tensor, array or SciPy sparse.
        row_weight: (rows,).
        cell_weight: (rows, labels).
        row_ids: (rows,) integers.

    Raises:
        ShapeError: a shape that does not fit the logits.
        InputError: numbers that could be read in two ways.
    """
    rows, width = logits.shape
    beside = {
        "row_weight": _beside("row_weight", row_weight, (rows,), logits),
        "cell_weight": _beside("cell_weight", cell_weight, (rows, width), logits),
        "row_ids": None if row_ids is None else torch.as_tensor(row_ids, device=logits.device).long(),
    }
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "buif":
        targets = torch.from_numpy(np.ascontiguousarray(targets))
    if isinstance(targets, Tensor) and targets.layout == torch.strided and _is_dense(targets, logits):
        hidden = None if unknown is None else _mask(unknown, logits)
        return DenseCells(values=targets.to(logits.device), unknown=hidden, **beside)
    found = as_targets(targets, width)
    if found.shape != (rows, width):
        raise ShapeError(
            f"logits have {rows} rows, targets {found.shape[0]}; one row of targets per row of logits"
        )
    if unknown is not None:
        found = Targets(found.positives, _sparse_mask(unknown, (rows, width)))
    return SparseCells.of(found, logits.device, **beside)


@dataclass(slots=True)
class Watch:
    """What a loss remembers of its checks. Not attributes of the loss: those take a module 10 us to set."""

    calls: int = 0
    warned: bool = False

    def is_due(self) -> bool:
        """Count a call; True for the 1st, 2nd, 4th, 8th, ..."""
        self.calls += 1
        return self.calls & (self.calls - 1) == 0

    def check_contract(self, logits: Tensor, cells: Cells, names: Sequence[str] | None, strict: bool) -> None:
        """Look for probabilities in place of logits, of which it warns once, and for targets outside [0, 1].

        Raises:
            InputError: targets outside [0, 1]; with `strict` also probabilities.
        """
        if isinstance(cells, DenseCells) and cells.values.dtype.is_signed:
            _check_values(cells.values, cells.unknown, names)
        sign = _sign_of_probabilities(logits)
        if sign is None or self.warned:
            return
        message = f"logits look like probabilities: {sign}; pass what comes before the activation"
        if strict:
            raise InputError(message)
        warnings.warn(message, ManyhotWarning, stacklevel=4)
        self.warned = True


def explain_nonfinite(logits: Tensor, cells: Cells, names: Sequence[str] | None) -> Tensor:
    """Logits with their infinities made finite, or an error that names the cells that are NaN.

    Raises:
        InputError: a known cell's logit is NaN.
    """
    known = cells.known()
    bad = logits.isnan() if known is None else logits.isnan() & known
    if bad.any():
        rows, labels = torch.nonzero(bad, as_tuple=True)
        raise InputError(
            f"{len(rows)} of {logits.numel()} logits are NaN: rows {_listed(rows.unique().tolist())}, "
            f"labels {_listed([_name(j, names) for j in labels.unique().tolist()])}; "
            "lower the learning rate or clip gradients, and look for NaN in the inputs"
        )
    limit = min(INFINITE, torch.finfo(logits.dtype).max)
    return logits.clamp(-limit, limit)


def _is_dense(targets: Tensor, logits: Tensor) -> bool:
    """True for a value per cell, False for label indices."""
    if targets.shape != logits.shape:
        if targets.ndim == 2 and targets.shape[0] == logits.shape[0] and _is_multi_hot(targets):
            raise ShapeError(
                f"expected targets of shape {tuple(logits.shape)} like the logits, got a 0/1 matrix of shape "
                f"{tuple(targets.shape)}; encode with the same LabelSpace, or pass "
                f"Targets.from_padded(matrix, {logits.shape[1]}) if these are label indices"
            )
        if targets.ndim == 2 and targets.is_floating_point():
            raise ShapeError(
                f"expected targets of shape {tuple(logits.shape)} like the logits, got {tuple(targets.shape)}"
            )
        if targets.ndim == 1:
            raise ShapeError(
                f"expected targets of shape {tuple(logits.shape)} like the logits, "
                f"got {tuple(targets.shape)}; one class per row is targets[:, None] here"
            )
        return False
    if targets.is_floating_point() or not targets.dtype.is_signed:
        return True
    return not targets.numel() or (int(targets.max()) <= 1 and not _could_be_padded(targets))


def _is_multi_hot(targets: Tensor) -> bool:
    """True for 0 and 1 repeated within a row, as label indices never are."""
    if targets.dtype == torch.bool:
        return True
    return bool(((targets == 0) | (targets == 1)).all()) and targets.shape[1] > 2


def _could_be_padded(targets: Tensor) -> bool:
    """True when a -1 occurs and every row could be a list of distinct indices filled up with -1."""
    if int(targets.min()) >= 0:
        return False
    ended = (targets < 0).cumsum(1) > 0
    distinct = ((targets == 0).sum(1) <= 1) & ((targets == 1).sum(1) <= 1)
    return bool((distinct & (ended == (targets < 0)).all(1)).all())


def _check_values(values: Tensor, unknown: Tensor | None, names: Sequence[str] | None) -> None:
    wrong = (values > 1) | ((values < 0) & (values != -1))
    if unknown is not None:
        wrong &= ~unknown
    if wrong.any():
        row, label = (int(index[0]) for index in torch.nonzero(wrong, as_tuple=True))
        raise InputError(
            f"targets must be in [0, 1], or NaN or -1 for unknown; got {float(values[row, label]):g} "
            f"in row {row}, label {_name(label, names)}"
        )


def _sign_of_probabilities(logits: Tensor) -> str | None:
    activation = type(logits.grad_fn).__name__.rstrip("0123456789")
    if activation in ENDS_IN_ACTIVATION:
        return f"the model ends in {activation.removesuffix('Backward')}"
    if logits.numel() < 32:  # so few may lie in [0, 1] by chance
        return None
    low, high = (float(bound) for bound in torch.aminmax(logits.detach()))
    # A new head puts out equal numbers, which is no sign of anything.
    return f"all {logits.numel()} lie in [{low:.3g}, {high:.3g}]" if 0 <= low < high <= 1 else None


def _beside(name: str, value: Any, shape: tuple[int, ...], logits: Tensor) -> Tensor | None:
    if value is None:
        return None
    tensor = torch.as_tensor(value, device=logits.device)
    if tuple(tensor.shape) != shape:
        raise ShapeError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
    return tensor.to(torch.promote_types(logits.dtype, torch.float32))


def _mask(unknown: Any, logits: Tensor) -> Tensor:
    dense = unknown.toarray() if issparse(unknown) else unknown
    mask = torch.as_tensor(dense, device=logits.device).bool()
    if mask.shape != logits.shape:
        raise ShapeError(
            f"unknown must have the shape of the logits {tuple(logits.shape)}, got {tuple(mask.shape)}"
        )
    return mask


def _sparse_mask(unknown: Any, shape: tuple[int, int]) -> csr_array:
    if isinstance(unknown, Tensor):
        unknown = unknown.detach().cpu().numpy()
    mask = csr_array(unknown, dtype=bool)
    if mask.shape != shape:
        raise ShapeError(f"unknown must have the shape of the logits {shape}, got {mask.shape}")
    return mask


def _name(label: int, names: Sequence[str] | None) -> str:
    return str(label) if names is None else f"{label} ({names[label]!r})"


def _listed(items: list[Any]) -> str:
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return ", ".join(map(str, items[:5])) + more
