"""What processes that hold different labels tell each other; alone, there is nothing to say."""

from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch import distributed as dist

Group: TypeAlias = Any  # a torch.distributed process group, or None for one process alone


def summed(tensor: Tensor, group: Group) -> Tensor:
    """The sum over all processes, in place."""
    if group is not None:
        dist.all_reduce(tensor, dist.ReduceOp.SUM, group=group)
    return tensor


def log_summed(logarithms: Tensor, group: Group) -> Tensor:
    """The logarithm of the sum, over all processes, of what these are the logarithms of."""
    if group is None:
        return logarithms
    highest = logarithms.clone()
    dist.all_reduce(highest, dist.ReduceOp.MAX, group=group)
    return highest + torch.log(summed(torch.exp(logarithms - highest), group))
