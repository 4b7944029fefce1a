"""A linear layer as the chunks of a fused loss read it, and what gathers its gradients."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from typing_extensions import override

from manyhot.kernels.memory import room_like
from manyhot.kernels.torch_engine import computed

HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Head:
    """Hidden vectors and the weight that makes logits of them.

    Args:
        hidden: (rows, features).
        weight: (labels, features), on the same device; may be of another dtype.
        bias: (labels,) or None.
        dtype: of the products; the sums within them are in float32 at least.
        limit: size that logits are cut to; None leaves them as they are.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    dtype: torch.dtype
    limit: float | None = None

    @cached_property
    def rows(self) -> Tensor:
        """The hidden vectors in the dtype of the products."""
        return self.hidden.to(self.dtype)

    def weights(self, part: slice) -> Tensor:
        """Some rows of the weight in the dtype of the products; no copy where they have it."""
        return self.weight[part].to(self.dtype)

    def logits(self, part: slice, weights: Tensor) -> Tensor:
        """(rows, labels of the part)."""
        if self.bias is None:
            return torch.mm(self.rows, weights.t())
        return torch.addmm(self.bias[part].to(self.dtype), self.rows, weights.t())

    def limited(self, z: Tensor) -> Tensor:
        """Logits with those cut, and their slopes put to 0, that are larger than the limit."""
        return z if self.limit is None else z.clamp(-self.limit, self.limit)


class Sink(ABC):
    """Takes the slopes of a chunk's logits and makes gradients of them.

    Args:
        head: the layer.
        want_hidden: whether the hidden vectors need a gradient.
        scale: multiplies every slope.
    """

    def __init__(self, head: Head, want_hidden: bool, scale: Tensor | float) -> None:
        self.head, self.scale = head, scale
        full = torch.promote_types(head.dtype, torch.float32)
        self.hidden = torch.zeros_like(head.rows, dtype=full) if want_hidden else None
        # A scale far below 1 is put on the vectors beforehand, but for halves, which would lose it.
        self.early = head.dtype not in HALVES
        self.rows = head.rows * scale if self.early else head.rows

    def take(self, part: slice, slopes: Tensor, weights: Tensor) -> None:
        """Add one chunk's share.

        Args:
            part: its rows of the weight.
            slopes: (rows, labels of the part), before the scale.
            weights: the weights of the part, in the dtype of the products.
        """
        if self.hidden is not None and self.head.dtype in HALVES:
            self.hidden += slopes @ weights
        elif self.hidden is not None:
            self.hidden.addmm_(slopes, weights)
        self.keep(part, slopes)

    def release_scale(self) -> Tensor | float:
        """What slopes are scaled with before they are taken: in half precision they may vanish without."""
        if self.early:
            return 1.0
        scale, self.scale = self.scale, 1.0
        return scale

    @abstractmethod
    def keep(self, part: slice, slopes: Tensor) -> None:
        """What is done for the weight and the bias."""

    def hidden_gradient(self) -> Tensor | None:
        """(rows, features) once all chunks were taken, in float32 or float64."""
        return None if self.hidden is None else self.hidden.mul_(self.scale)

    def of_weight(self, slopes: Tensor, out: Tensor | None = None) -> Tensor:
        """(labels of the part, features) gradient, in float32 or float64; into `out` where that fits."""
        if not self.early:
            return (slopes.t() @ self.rows).float().mul_(self.scale)
        fits = out is not None and out.dtype == slopes.dtype
        return torch.mm(slopes.t(), self.rows, out=out if fits else None)

    def of_bias(self, slopes: Tensor) -> Tensor:
        """(labels of the part,) gradient, in float32 or float64."""
        return computed(slopes).sum(0).mul_(self.scale)


class Gradients(Sink):
    """Keeps the gradients of weight and bias, as far as they are wanted."""

    def __init__(self, head: Head, wanted: tuple[bool, bool, bool], scale: Tensor | float) -> None:
        Sink.__init__(self, head, wanted[0], scale)
        self.weight = _room_like(head.weight) if wanted[1] else None
        self.bias = torch.empty_like(head.bias) if wanted[2] and head.bias is not None else None

    @override
    def keep(self, part: slice, slopes: Tensor) -> None:
        if self.weight is not None:
            out = self.weight[part]
            found = self.of_weight(slopes, out)
            if found is not out:
                out.copy_(found)
        if self.bias is not None:
            self.bias[part] = self.of_bias(slopes)


def _room_like(tensor: Tensor) -> Tensor:
    """Uninitialised memory; on the CPU on large pages, which a gradient of hundreds of megabytes needs."""
    return room_like(tensor) if tensor.device.type == "cpu" else torch.empty_like(tensor)
