"""Losses of a linear layer that never hold its logits, for label spaces that are wide.

A batch of 128 rows over a million labels has 512 MB of logits, and as much again for their gradient and for
each step of a formula. They are never needed all at one time: the logits of some thousand labels are
multiplied out, costed, turned into gradients and forgotten, chunk after chunk.

`chunks`   which labels and which target cells a chunk has, and how many fit into the memory given
`head`     hidden vectors, weight and bias as the products read them; where gradients go
`costs`    how a loss is walked: once if it looks at single cells, twice if it reads sums of a row first
`linear`   `FusedLinearLoss`
`steps`    optimisers that update a chunk of the weight as soon as its gradient is there
`sharded`  the same with the labels spread over processes
`top_k`    the best labels of every row, without the logits of the others
"""

from manyhot.losses.fused.costs import refusal
from manyhot.losses.fused.linear import FusedLinearLoss
from manyhot.losses.fused.sharded import ShardedFusedLinearLoss
from manyhot.losses.fused.steps import AdafactorStep, AdamWStep, ChunkStep, SGDStep
from manyhot.losses.fused.top_k import top_k_labels

__all__ = [
    "AdafactorStep",
    "AdamWStep",
    "ChunkStep",
    "FusedLinearLoss",
    "SGDStep",
    "ShardedFusedLinearLoss",
    "refusal",
    "top_k_labels",
]
