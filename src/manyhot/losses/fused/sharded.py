"""`ShardedFusedLinearLoss`: the labels of one layer spread over the processes of torch.distributed."""

from typing import Any

from torch import Tensor
from torch import distributed as dist
from typing_extensions import override

from manyhot.errors import OptionError
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.fused.linear import MEMORY, FusedLinearLoss
from manyhot.losses.fused.ranks import Group, placed
from manyhot.losses.fused.steps import ChunkStep


class ShardedFusedLinearLoss(FusedLinearLoss):
    """`FusedLinearLoss` of a weight of which every process holds a run of labels.

    Each process is called with the same batch (hidden vectors, and the targets of all labels: sparse ones are
    small) and with its own run of weight and bias; process 0 has the first labels, and runs may differ in
    length. Each gets the loss of all labels, the whole gradient of the hidden vectors, and that of its own
    weight and bias. So encoders that start alike stay alike, without further exchange.

    The processes tell each other the loss and the gradient of the hidden vectors, (rows, features) numbers,
    and for row-wise losses the sums of the rows (losses that read each positive beside them are refused);
    never weights or logits. Every process must make every call, forward and backward, in the same order.

    Args:
        loss: of all labels, the same everywhere; per-label parameters are those of all labels.
        memory: as for `FusedLinearLoss`, for each process.
        step_in_backward: as for `FusedLinearLoss`; remembers what belongs to the own run of labels.
        group: processes that share the labels; None (default) means all.

    Raises:
        OptionError: a loss that cannot be fused; at a call, `torch.distributed` was not started.
    """

    def __init__(
        self,
        loss: MultiLabelLoss | str,
        *,
        memory: int = MEMORY,
        step_in_backward: ChunkStep | None = None,
        group: Group = None,
    ) -> None:
        FusedLinearLoss.__init__(self, loss, memory=memory, step_in_backward=step_in_backward)
        self.group = group

    @override
    def placed(self, weight: Tensor) -> tuple[int, int, Any]:
        if not (dist.is_available() and dist.is_initialized()):
            raise OptionError(
                "no processes to share labels with: start the program with torchrun and call "
                "torch.distributed.init_process_group, or take FusedLinearLoss"
            )
        group = dist.group.WORLD if self.group is None else self.group
        return *placed(weight, group), group
