"""Optimisers that update a run of labels as soon as its gradient is there, so that no gradient is kept.

Each is a module: what it remembers are its buffers, so it moves and is saved with the loss. It serves one
weight and its bias. The learning rate is the attribute `lr`: a number that may be set at any time, or a
function of the number of steps done.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from manyhot import _check
from manyhot.errors import ShapeError
from manyhot.losses.fused.chunks import BLOCK
from manyhot.losses.fused.head import Head, Sink

Rate: TypeAlias = float | Callable[[int], float]
Memory: TypeAlias = Mapping[str, Tensor]

UPPER_BITS, LOW_BITS = -65536, 65535  # of a float32; bfloat16 has the upper ones


class ChunkStep(nn.Module, ABC):
    """An optimiser of a weight (labels, features) and its bias (labels,), a run of labels at a time.

    Args:
        lr: learning rate > 0, or a function from steps done (0 at first) to it.
        weight_decay: share of a parameter, times the learning rate, that is taken off in a step, >= 0.
        rounding: how an updated bfloat16 parameter is rounded: "stochastic" (default), to either neighbour
            with the chance that leaves its mean exact, since most updates are too small to reach the nearest
            other number; or "nearest". Follows `torch.manual_seed`.
    """

    steps: Tensor

    def __init__(
        self, lr: Rate, weight_decay: float = 0.0, rounding: Literal["stochastic", "nearest"] = "stochastic"
    ) -> None:
        super().__init__()
        if not callable(lr):
            _check.at_least("lr", lr, 0.0)
        _check.at_least("weight_decay", weight_decay, 0.0)
        self.lr, self.weight_decay = lr, weight_decay
        self.rounding = _check.one_of("rounding", rounding, ("stochastic", "nearest"))
        self.loss_scale = 1.0
        """What the loss is multiplied with before `backward`, as a gradient scaler does; updates undo it."""
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.rate, self.number = 0.0, 0
        self._noise = np.random.default_rng(0)
        self.register_load_state_dict_pre_hook(_make_room)

    @abstractmethod
    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """What is remembered of a parameter of this shape: name -> shape."""

    @abstractmethod
    def apply_to(self, own: Tensor, gradient: Tensor, memory: Memory) -> None:
        """Change some labels of a parameter, and what is remembered of them, in place.

        Args:
            own: (labels of the part, ...) in float32 or float64.
            gradient: of the same shape and dtype; may be overwritten.
            memory: what `shapes` names, of these labels.
        """

    def per_label(self, name: str) -> bool:  # noqa: ARG002
        """True for what is remembered of every label, False for what is of every block of labels."""
        return True

    def begin(self, parameters: Mapping[str, Tensor]) -> None:
        """A step begins; room is made for what is remembered.

        Raises:
            ShapeError: the parameters are not those of the steps before.
        """
        self.number = int(self.steps)
        self.rate = self.lr(self.number) if callable(self.lr) else self.lr
        self.steps += 1
        if self.rounding == "stochastic":
            seed = int(torch.randint(2**62, (1,)))
            self._noise = np.random.Generator(np.random.SFC64(seed))
        for parameter, value in parameters.items():
            dtype = torch.promote_types(value.dtype, torch.float32)
            for name, shape in self.shapes(tuple(value.shape)).items():
                kept = getattr(self, f"{parameter}_{name}", None)
                if kept is None:
                    zeros = torch.zeros(shape, dtype=dtype, device=value.device)
                    self.register_buffer(f"{parameter}_{name}", zeros)
                elif kept.shape != shape:
                    raise ShapeError(
                        f"this optimiser has {name} of shape {tuple(kept.shape)} for {parameter}, which is "
                        f"now {tuple(value.shape)}; give each layer a loss and an optimiser of its own"
                    )

    @torch.no_grad()
    def update(self, name: str, parameter: Tensor, part: slice, gradient: Tensor) -> None:
        """Change some labels of a parameter in place.

        Args:
            name: "weight" or "bias".
            parameter: the whole of it.
            part: the labels.
            gradient: of these labels, in float32 or float64.
        """
        blocks = slice(part.start // BLOCK, -(-part.stop // BLOCK))
        memory = {
            kept: getattr(self, f"{name}_{kept}")[part if self.per_label(kept) else blocks]
            for kept in self.shapes(tuple(parameter.shape))
        }
        own = parameter[part]
        precise = torch.promote_types(own.dtype, torch.float32)  # as what is remembered
        exact = own.to(precise)
        self.apply_to(exact, gradient.to(precise), memory)
        if exact.dtype != own.dtype:
            stochastic = self.rounding == "stochastic" and own.dtype == torch.bfloat16
            own.copy_(self._rounded(exact) if stochastic else exact)

    def _rounded(self, exact: Tensor) -> Tensor:
        """A tensor as one whose float32 numbers bfloat16 has: up or down by chance, right on average."""
        bits = exact.float().view(torch.int32)
        return self._noise_like(bits).add_(bits).bitwise_and_(UPPER_BITS).view(torch.float32)

    def _noise_like(self, bits: Tensor) -> Tensor:
        """Numbers of 16 random bits."""
        if bits.device.type != "cpu":
            return torch.randint_like(bits, LOW_BITS + 1)
        words = self._noise.integers(
            0, 2**64, -(-bits.numel() // 4), np.uint64
        )  # torch takes ten times as long
        return torch.from_numpy(words.view(np.uint16)[: bits.numel()]).to(torch.int32).view(bits.shape)

    def extra_repr(self) -> str:
        """Learning rate and decay."""
        return f"lr={self.lr}, weight_decay={self.weight_decay}"


class SGDStep(ChunkStep):
    """Stochastic gradient descent, as `torch.optim.SGD`; without momentum it remembers nothing.

    Args:
        lr: learning rate, or a function from steps done to it.
        momentum: share of the last step that is added to the next, in [0, 1).
        weight_decay: times the parameter, is added to the gradient.
        rounding: of bfloat16 parameters, see `ChunkStep`.
    """

    def __init__(
        self,
        lr: Rate,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        rounding: Literal["stochastic", "nearest"] = "stochastic",
    ) -> None:
        ChunkStep.__init__(self, lr, weight_decay, rounding)
        _check.between("momentum", momentum, 0.0, 1.0 - 1e-9)
        self.momentum = momentum

    @override
    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"momentum": shape} if self.momentum else {}

    @override
    def apply_to(self, own: Tensor, gradient: Tensor, memory: Memory) -> None:
        if self.weight_decay:
            gradient.add_(own, alpha=self.weight_decay)
        if self.momentum:
            gradient = memory["momentum"].mul_(self.momentum).add_(gradient)
        own.add_(gradient, alpha=-self.rate)


class AdamWStep(ChunkStep):
    """Adam with decoupled weight decay, as `torch.optim.AdamW`; remembers two numbers a weight.

    Args:
        lr: learning rate, or a function from steps done to it.
        betas: decay of the mean and of the mean square of the gradients, each in [0, 1).
        eps: added to the root of the mean square, > 0.
        weight_decay: see `ChunkStep`.
        rounding: of bfloat16 parameters, see `ChunkStep`.

    Source:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, arXiv:1711.05101.
    """

    def __init__(
        self,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        rounding: Literal["stochastic", "nearest"] = "stochastic",
    ) -> None:
        ChunkStep.__init__(self, lr, weight_decay, rounding)
        for beta in betas:
            _check.between("betas", beta, 0.0, 1.0 - 1e-12)
        _check.at_least("eps", eps, 1e-30)
        self.betas, self.eps = betas, eps

    @override
    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"mean": shape, "square": shape}

    @override
    def apply_to(self, own: Tensor, gradient: Tensor, memory: Memory) -> None:
        fast, slow = self.betas
        done = self.number + 1
        mean = memory["mean"].lerp_(gradient, 1 - fast)
        square = memory["square"].mul_(slow).addcmul_(gradient, gradient, value=1 - slow)
        size = (square / (1 - slow**done)).sqrt_().add_(self.eps)
        own.mul_(1 - self.rate * self.weight_decay)
        own.addcdiv_(mean, size, value=-self.rate / (1 - fast**done))


class AdafactorStep(ChunkStep):
    """Adam's scaling from sums of rows and columns of the squared gradient: next to nothing is remembered.

    Labels are taken in blocks of 256, each as a matrix of its own, for which this is `torch.optim.Adafactor`:
    one number a label and, of every block, one a feature. A step is a share `lr` of the size of the block's
    parameters, and no larger than 1 / sqrt(steps).

    Args:
        lr: relative learning rate, or a function from steps done to it.
        decay: c in the weight t^c of the t-th squared gradient in its mean, < 0.
        least: size that parameters count as at least, > 0.
        clip: largest root mean square of a block's update, before the rate, > 0.
        weight_decay: see `ChunkStep`.
        rounding: of bfloat16 parameters, see `ChunkStep`.

    Source:
        Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018,
        arXiv:1804.04235.
    """

    def __init__(
        self,
        lr: Rate = 1e-2,
        decay: float = -0.8,
        least: float = 1e-3,
        clip: float = 1.0,
        weight_decay: float = 0.0,
        rounding: Literal["stochastic", "nearest"] = "stochastic",
    ) -> None:
        ChunkStep.__init__(self, lr, weight_decay, rounding)
        _check.between("decay", decay, -10.0, 0.0)
        _check.at_least("least", least, 1e-30)
        _check.at_least("clip", clip, 1e-30)
        self.decay, self.least, self.clip = decay, least, clip

    @override
    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        if len(shape) == 1:
            return {"rows": shape}
        return {"rows": shape[:1], "columns": (-(-shape[0] // BLOCK), shape[1])}

    @override
    def per_label(self, name: str) -> bool:
        return name == "rows"

    @override
    def apply_to(self, own: Tensor, gradient: Tensor, memory: Memory) -> None:
        for labels, blocks in _blocks(len(own)):
            shape = (blocks.stop - blocks.start, -1, *own.shape[1:])
            rows = memory["rows"][labels].view(shape[:2])
            columns = memory["columns"][blocks] if "columns" in memory else None
            self._apply_to_blocks(own[labels].view(shape), gradient[labels].view(shape), rows, columns)

    def _apply_to_blocks(self, own: Tensor, gradient: Tensor, rows: Tensor, columns: Tensor | None) -> None:
        """Parameters (blocks, labels, features) or (blocks, labels), each block by itself."""
        done, tiny = self.number + 1, torch.finfo(own.dtype).eps
        weight = done**self.decay
        axes = tuple(range(1, own.ndim))
        share = min(self.rate, done**-0.5)
        reach = _root_mean_square(own, axes).clamp(min=self.least).mul_(share)
        own.mul_(1 - self.rate * self.weight_decay)
        squared = gradient.square()
        if columns is None:
            square = rows.lerp_(squared, weight).clone()
        else:
            rows.lerp_(squared.mean(2), weight)
            columns.lerp_(squared.mean(1), weight)
            level = rows.mean(1, keepdim=True).clamp_(min=tiny)
            square = torch.mul((rows / level)[:, :, None], columns[:, None, :], out=squared)
        update = square.clamp_(min=tiny * tiny).rsqrt_().mul_(gradient)
        reach /= (_root_mean_square(update, axes) / self.clip).clamp_(min=1.0)
        own.sub_(update.mul_(reach))


class Updates(Sink):
    """Steps in place of gradients: of the weight and, where there is one, the bias."""

    def __init__(
        self,
        head: Head,
        want_hidden: bool,
        scale: Tensor | float,
        step: ChunkStep,
        parameters: Mapping[str, Tensor],
    ) -> None:
        Sink.__init__(self, head, want_hidden, scale)
        self.step, self.parameters = step, parameters
        step.begin(parameters)

    @override
    def keep(self, part: slice, slopes: Tensor) -> None:
        self._step("weight", part, self.of_weight(slopes))
        if "bias" in self.parameters:
            self._step("bias", part, self.of_bias(slopes))

    def _step(self, name: str, part: slice, gradient: Tensor) -> None:
        gradient = gradient if self.step.loss_scale == 1 else gradient.div_(self.step.loss_scale)
        self.step.update(name, self.parameters[name], part, gradient)


def _make_room(step: nn.Module, state: Mapping[str, Any], prefix: str, *_: Any) -> None:
    """Room for what another optimiser remembered, before it is read."""
    for key, value in state.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and "." not in name and not hasattr(step, name):
            step.register_buffer(name, torch.empty_like(value))


def _blocks(size: int) -> Iterator[tuple[slice, slice]]:
    """The labels of all whole blocks with the numbers of the blocks, then those of a last smaller one."""
    whole = size // BLOCK
    if whole:
        yield slice(0, whole * BLOCK), slice(0, whole)
    if size > whole * BLOCK:
        yield slice(whole * BLOCK, size), slice(whole, whole + 1)


def _root_mean_square(tensor: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Of every block, with axes kept."""
    count = tensor[0].numel()
    return torch.linalg.vector_norm(tensor, dim=axes, keepdim=True) / max(count, 1) ** 0.5
