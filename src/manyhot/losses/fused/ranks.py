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


def placed(weight: Tensor, group: Group) -> tuple[int, int]:
    """Where this process's labels begin, and how many there are in all."""
    if group is None:
        return 0, len(weight)
    counts = torch.zeros(dist.get_world_size(group), dtype=torch.int64, device=weight.device)
    own = dist.get_rank(group)
    counts[own] = len(weight)
    held = summed(counts, group).tolist()
    return sum(held[:own]), sum(held)
