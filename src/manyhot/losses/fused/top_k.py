"""The best labels of every row, found chunk by chunk."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.best_labels import best_labels, merged
from manyhot.losses.fused.chunks import chunk_width
from manyhot.losses.fused.head import Head
from manyhot.losses.fused.linear import MEMORY, check_head, product_dtype
from manyhot.losses.fused.ranks import Group, placed


@torch.no_grad()
def top_k_labels(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    k: int,
    *,
    memory: int = MEMORY,
    group: Group = None,
) -> tuple[Tensor, Tensor]:
    """The k largest of hidden @ weight.T + bias of every row, without rows x labels logits.

    What torch.topk finds in the full product; which of equal logits come first is left open, as it is there.

    Args:
        hidden: (rows, features).
        weight: (labels, features).
        bias: (labels,) or None.
        k: in [1, labels].
        memory: bytes that a chunk may take.
        group: processes of `torch.distributed` that each hold a run of labels, in order; every process gets
            the best of all labels. None (default) for one process alone.

    Returns:
        Logits (rows, k), descending, in the dtype of the product, and their labels (rows, k) int64.

    Raises:
        OptionError: k out of range.
        ShapeError: shapes that do not fit each other.
    """
    check_head(hidden, weight, bias)
    _check.at_least("k", k, 1)
    first, labels = placed(weight, group)
    if k > labels:
        raise OptionError(f"k must be at most the number of labels, got {k} of {labels}")
    head = Head(hidden, weight, bias, product_dtype(hidden, weight))
    width = chunk_width(len(hidden), hidden.shape[1], memory, head.dtype, hidden.device)

    def chunks() -> Iterator[tuple[int, Tensor]]:
        for start in range(0, max(len(weight), 1), width):  # also of no labels there is one, empty
            part = slice(start, min(start + width, len(weight)))
            yield first + start, head.logits(part, head.weights(part))

    with torch.autocast(hidden.device.type, enabled=False):
        scores, columns = best_labels(chunks(), k)
    if group is None:
        return scores, columns
    short = (0, k - scores.shape[1])  # a process may hold fewer than k labels
    scores, columns = functional.pad(scores, short, value=-torch.inf), functional.pad(columns, short)
    return merged([(_gathered(scores, group), _gathered(columns, group))], k)


def _gathered(tensor: Tensor, group: Group) -> Tensor:
    """The columns of all processes side by side."""
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, tensor.contiguous(), group=group)
    return torch.cat(parts, 1)
