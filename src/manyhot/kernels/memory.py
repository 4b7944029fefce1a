"""Memory for gradients as large as the logits: touching a new page costs more than the sums on it."""

import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LINE = 64  # bytes of a cache line, at which vectors of results begin
WORTH_KEEPING = (1 << 20, 1 << 26)  # bytes: less is fast to get, more is too much to hold between two steps
ALONE = 2  # references to a block that nobody else holds: a variable's and the counting call's

_kept: list[NDArray[Any]] = []  # the block given out last, which a step of training asks for again


def room_like(tensor: Tensor) -> Tensor:
    """Uninitialised CPU memory of the tensor's shape and dtype, contiguous.

    The block of the last call is given again once nobody holds it. A new one has pages of 2 MB, for which
    NumPy asks Linux and torch does not: that takes a third of the time.
    """
    size = tensor.numel() * tensor.itemsize
    if size < WORTH_KEEPING[0]:
        return torch.empty(tensor.shape, dtype=tensor.dtype)
    block = _block(size + LINE) if size <= WORTH_KEEPING[1] else np.empty(size + LINE, np.uint8)
    begin = -block.ctypes.data % LINE
    return torch.from_numpy(block[begin : begin + size]).view(tensor.dtype).view(tensor.shape)


def _block(size: int) -> NDArray[Any]:
    block = _kept.pop() if _kept else np.empty(0, np.uint8)  # taken out, so that no other thread finds it
    if len(block) != size or sys.getrefcount(block) > ALONE:
        block = np.empty(size, np.uint8)
    _kept[:] = [block]
    return block
