"""`FusedLinearLoss`: hidden vectors and a weight in, a loss out, and no logits in between."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.kernels.cells import wide
from manyhot.kernels.pointwise import plain
from manyhot.losses import door
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.fused.chunks import chunk_width
from manyhot.losses.fused.costs import Costs, costs_of, refusal
from manyhot.losses.fused.head import Gradients, Head, Sink
from manyhot.losses.fused.ranks import Group, summed
from manyhot.losses.fused.steps import ChunkStep, Updates
from manyhot.losses.make import make_loss
from manyhot.losses.watch import Watch

MEMORY = 16 << 20
"""Bytes that the chunk in work may take by default."""


class FusedLinearLoss(nn.Module):
    """loss(hidden @ weight.T + bias, targets) without rows x labels logits.

    The labels are walked in chunks: logits of a chunk, their cost, their slopes, both products with them;
    then the next. So the memory beside the arguments is that of one chunk and of the gradients, however many
    labels there are. Sparse targets stay sparse. The gradients are made in the forward pass, which knows the
    logits; the backward pass scales them.

    Taken is every pointwise loss, and every row-wise loss that is a function of row sums and positives (it is
    walked twice); `refusal(loss)` says of any other why not. Per-label parameters, weights, smoothing and
    reductions of the loss hold as they do without fusion. Products are in the wider dtype of hidden and
    weight, or in that of an active autocast: bfloat16 weights with float32 vectors are widened chunk by
    chunk. Values and sums over chunks are in float32 at least.

    With an optimiser in `step_in_backward` no gradient of weight and bias is made at all: the backward pass,
    which knows what the loss was multiplied with, walks again and updates each chunk once its gradient is
    there. Weight and bias must be leaves, used by nothing else, and belong to no other optimiser; each
    backward pass is a step by this process's rows, so nothing is accumulated, and norms of the whole gradient
    cannot be clipped.

    Args:
        loss: a loss, or its name as `make_loss` takes it.
        memory: bytes that a chunk's logits, slopes and weights may take, default 16 MiB. A chunk has at least
            256 labels.
        step_in_backward: `SGDStep`, `AdamWStep` or `AdafactorStep` of this package; None (default) leaves
            gradients for an optimiser of torch.

    Raises:
        OptionError: a loss that cannot be fused.
    """

    def __init__(
        self,
        loss: MultiLabelLoss | str,
        *,
        memory: int = MEMORY,
        step_in_backward: ChunkStep | None = None,
    ) -> None:
        super().__init__()
        self.loss = make_loss(loss)
        reason = refusal(self.loss)
        if reason is not None:
            raise OptionError(reason)
        _check.at_least("memory", memory, 1)
        self.memory, self.step_in_backward = memory, step_in_backward
        self._watch = Watch(trusting=True)  # hidden vectors may well lie in [0, 1]

    def forward(
        self,
        hidden: Tensor,
        weight: Tensor,
        targets: Any,
        bias: Tensor | None = None,
        unknown: Any = None,
        *,
        row_weight: Any = None,
        cell_weight: Any = None,
    ) -> Tensor:
        """Cost of a batch, reduced.

        Args:
            hidden: (rows, features), any float dtype.
            weight: (labels, features), as of `nn.Linear`; any float dtype.
            targets: as every loss takes them; sparse forms (`Targets`, SciPy CSR, index lists) save the most.
            bias: (labels,) or None.
            unknown: (rows, labels), true where nobody knows the value; beside what `targets` says.
            row_weight: (rows,), multiplies the cost of a row.
            cell_weight: (rows, labels), multiplies the cost of a cell.

        Returns:
            0-d, float32 or, for float64 products, float64. Differentiable once by hidden, weight and bias.

        Raises:
            InputError: numbers that cannot be targets; on the CPU, NaN among the logits of known cells (on
                other devices the loss is NaN: to look would wait for the device in every step).
            ShapeError: shapes that do not fit each other.
            OptionError: a step in the backward pass, but a weight that does not allow it.
        """
        check_head(hidden, weight, bias)
        first, labels, group = self.placed(weight)
        if self.loss.width not in (None, labels):
            raise ShapeError(f"expected a weight of {self.loss.width} labels, got {labels}")
        cells = self._cells(hidden, labels, targets, unknown, row_weight, cell_weight)
        dtype = product_dtype(hidden, weight)
        width = chunk_width(len(hidden), hidden.shape[1], self.memory, dtype, hidden.device)
        costs = costs_of(self.loss, cells, first, len(weight), width, group)
        if self.step_in_backward is not None and torch.is_grad_enabled():
            check_leaves(weight, bias)
        work = Work(costs, dtype, group, self.step_in_backward)
        result: Any = _Fused.apply(hidden, weight, bias, work)
        return result

    def placed(self, weight: Tensor) -> tuple[int, int, Group]:
        """Where the weight's labels begin, how many labels there are, and who holds the others."""
        return 0, len(weight), None

    def set_epoch(self, epoch: int) -> None:
        """Tell the loss which epoch begins, from 0."""
        self.loss.set_epoch(epoch)

    def _cells(
        self, hidden: Tensor, labels: int, targets: Any, unknown: Any, row_weight: Any, cell_weight: Any
    ) -> Any:
        # The door asks logits for shape, dtype and device only: one number, seen from every cell.
        like = hidden.detach().new_zeros(()).expand(len(hidden), labels)
        self._watch.begin_call()
        cells = door.read_cells(like, targets, unknown, row_weight, cell_weight, watch=self._watch)
        if cells.learned:
            raise InputError(
                "a fused loss gives no gradient of its targets; detach them, or call the loss on the logits"
            )
        self._watch.check(hidden.detach()[:0], cells, self.loss.names, self.loss.strict)
        return cells

    def extra_repr(self) -> str:
        """The memory."""
        return f"memory={self.memory}"


def check_head(hidden: Any, weight: Any, bias: Any) -> None:
    """Raise unless hidden, weight and bias are float tensors of one device that fit each other.

    Raises:
        InputError: no float tensor, or one that torch is transforming.
        ShapeError: shapes that do not fit each other.
    """
    for name, tensor in {"hidden": hidden, "weight": weight, "bias": bias}.items():
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise InputError(f"{name} must be a torch tensor of floats, got {kind}")
        if tensor.device != hidden.device:
            raise InputError(
                f"{name} is on {tensor.device}, hidden on {hidden.device}; move both to one device"
            )
    if not plain(hidden):
        raise InputError(
            "a fused loss writes its gradients itself and runs outside of torch.compile and torch.func only; "
            "call it from code that is not transformed"
        )
    if hidden.ndim != 2 or weight.ndim != 2 or hidden.shape[1] != weight.shape[1]:
        raise ShapeError(
            "hidden must be (rows, features) and weight (labels, features), "
            f"got {tuple(hidden.shape)} and {tuple(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(f"bias must have shape {tuple(weight.shape[:1])}, got {tuple(bias.shape)}")


def check_leaves(weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless weight and bias can be updated in the backward pass.

    Raises:
        OptionError: one is the result of an operation, or wants no gradient.
    """
    for name, tensor in {"weight": weight, "bias": bias}.items():
        if tensor is not None and not (tensor.is_leaf and tensor.requires_grad):
            raise OptionError(
                f"step_in_backward updates {name} itself: it must be a parameter that requires a gradient, "
                "not the result of an operation; pass the parameter"
            )


def product_dtype(hidden: Tensor, weight: Tensor) -> torch.dtype:
    """The wider dtype of both, or that of an active autocast, which leaves float64 alone."""
    kind, wider = hidden.device.type, torch.promote_types(hidden.dtype, weight.dtype)
    if wider != torch.float64 and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return wider


@dataclass(frozen=True, eq=False)
class Work:
    """What a call has beside its tensors.

    Args:
        costs: the walk.
        dtype: of the products.
        group: processes that hold the other labels, or None.
        step: what updates weight and bias in the backward pass, or None.
    """

    costs: Costs
    dtype: torch.dtype
    group: Group
    step: ChunkStep | None


class _Fused(torch.autograd.Function):
    """A cost whose forward pass makes the gradients."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, work: Work) -> Tensor:
        """Value, and gradients of what needs them unless they have to wait for the backward pass."""
        head = Head(hidden.detach(), weight.detach(), None if bias is None else bias.detach(), work.dtype)
        wanted = tuple(ctx.needs_input_grad[:3])
        # Gradients in float16 vanish unless the loss was scaled up, and that is known in the backward pass.
        late = work.step is not None or not any(wanted) or torch.float16 in (hidden.dtype, weight.dtype)
        with torch.autocast(hidden.device.type, enabled=False):
            value, head, ctx.gradients = _forward(head, work, None if late else wanted)
        ctx.save_for_backward(hidden, weight, bias)
        ctx.work, ctx.limit = work, head.limit
        return value.to(torch.promote_types(work.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Hand the gradients over; make them now if that was put off, or has happened before."""
        if torch.is_grad_enabled():
            raise InputError(
                "a fused loss is differentiable once; where create_graph=True is needed, call the loss on "
                "the logits hidden @ weight.T"
            )
        hidden, weight, bias = ctx.saved_tensors
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is not None:
            scaled = [None if g is None else _times(g, gradient) for g in gradients]
        else:
            head = Head(hidden, weight, bias, ctx.work.dtype, ctx.limit)
            scaled = _late(head, ctx.work, ctx.needs_input_grad[:3], gradient)
        like = (hidden, weight, bias)
        return (*(None if g is None else g.to(t.dtype) for g, t in zip(scaled, like, strict=True)), None)


def _forward(head: Head, work: Work, wanted: Any) -> tuple[Tensor, Head, list[Tensor | None] | None]:
    """Value and gradients; once more with infinities cut if the value is not finite."""
    sink = None if wanted is None else Gradients(head, wanted, work.costs.scale)
    value = work.costs.value(head) if sink is None else work.costs.both(head, sink)
    # On other devices this would wait for the device in every step.
    if head.limit is None and value.device.type == "cpu" and not math.isfinite(value.item()):
        return _forward(work.costs.mended(head), work, wanted)
    return value, head, None if sink is None else _results(sink, work.group)


def _late(head: Head, work: Work, wanted: Any, gradient: Tensor) -> list[Tensor | None]:
    """Gradients made, or steps taken, in the backward pass."""
    scale = work.costs.scale * gradient.to(wide(gradient.device))
    if work.step is None:
        sink: Sink = Gradients(head, wanted, scale)
    else:
        parameters = (
            {"weight": head.weight} if head.bias is None else {"weight": head.weight, "bias": head.bias}
        )
        sink = Updates(head, wanted[0], scale, work.step, parameters)
    with torch.autocast(head.hidden.device.type, enabled=False):
        work.costs.slopes(head, sink)
    return _results(sink, work.group)


def _results(sink: Sink, group: Group) -> list[Tensor | None]:
    of_hidden = sink.hidden_gradient()
    own = (sink.weight, sink.bias) if isinstance(sink, Gradients) else (None, None)
    return [None if of_hidden is None else summed(of_hidden, group), *own]


def _times(tensor: Tensor, factor: Tensor) -> Tensor:
    if factor.device.type == "cpu" and factor.item() == 1.0:
        return tensor
    return tensor.mul_(factor)
