"""What comes in at a loss's door: targets of every form become `Cells`; what cannot be meant is refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, issparse
from torch import Tensor

from manyhot.errors import InputError, ShapeError
from manyhot.kernels.cells import Cells, DenseCells, SparseCells
from manyhot.labels import Targets, as_targets
from manyhot.losses.watch import Watch


def read_targets(values: Any, width: int | None = None) -> Targets:
    """Targets outside of a batch, by `as_targets`; among floats -1 means unknown, as the losses take it."""
    floats = isinstance(values, np.ndarray) and values.dtype.kind == "f"
    floats |= isinstance(values, Tensor) and values.is_floating_point() and values.layout == torch.strided
    return as_targets(Targets.from_dense(values, unknown_code=-1) if floats else values, width)


def check_logits(logits: Any, width: int | None, names: Sequence[str] | None) -> Tensor:
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
    if names is not None and logits.shape[1] != len(names):
        raise ShapeError(f"expected logits for the {len(names)} names, got {logits.shape[1]} columns")
    return logits


def read_cells(
    logits: Tensor,
    targets: Any,
    unknown: Any = None,
    row_weight: Any = None,
    cell_weight: Any = None,
    row_ids: Any = None,
    watch: Watch | None = None,
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
        watch: what the loss remembers of earlier batches; None where no number can be looked at, and integers
            in the shape of the logits are taken for a value per cell.

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
    if isinstance(targets, Tensor) and targets.layout == torch.strided:
        if _is_dense(targets, logits, watch):
            hidden = None if unknown is None else _mask(unknown, logits)
            return DenseCells(values=targets.to(logits.device), unknown=hidden, **beside)
        if watch is not None and watch.indices and targets.shape == logits.shape:
            targets = Targets.from_padded(targets.cpu().numpy(), width)
    found = as_targets(targets, width)
    if found.shape != (rows, width):
        raise ShapeError(
            f"logits have {rows} rows, targets {found.shape[0]}; one row of targets per row of logits"
        )
    if unknown is not None:
        found = Targets(found.positives, _sparse_mask(unknown, (rows, width)))
    return SparseCells.of(found, logits.device, **beside)


def _is_dense(targets: Tensor, logits: Tensor, watch: Watch | None) -> bool:
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
    if targets.is_complex():
        raise InputError(f"targets must be 0/1, soft or label indices, got {targets.dtype}; targets.real")
    if targets.is_floating_point() or not targets.dtype.is_signed or not targets.numel() or watch is None:
        return True
    return _holds_values(targets, watch)


def _holds_values(targets: Tensor, watch: Watch) -> bool:
    """True for a value per cell among integers in the shape of the logits, False for label indices.

    What an earlier batch has told holds for the next ones. It is read off all numbers again when that is due
    or the first row says otherwise.

    Raises:
        InputError: the batch says otherwise than those before.
    """
    told = watch.indices
    if told is not None and not watch.due and (told or int(targets[0].max()) <= 1):
        return not told
    if int(targets.max()) > 1:
        indices = True
    elif _could_be_padded(targets):
        return told is False  # either; where nothing has told yet, it is refused as ambiguous
    else:
        indices = False
    if told is not None and indices != told:
        kinds = ("a value per cell", "label indices")
        raise InputError(
            f"earlier targets of this loss held {kinds[told]}, these hold {kinds[indices]}, up to "
            f"{int(targets.max())}; make a loss for each, or pass Targets.from_padded(matrix, "
            f"{targets.shape[1]}) for indices"
        )
    watch.indices = indices
    return not indices


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
