"""How a loss is walked over chunks of labels.

A pointwise loss looks at one cell at a time: one walk gives its value and all slopes. A row-wise loss is a
function of sums of a row, and maybe of its positives: one walk gathers them from all chunks, a second hands
out their slopes.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from manyhot.errors import InputError, OptionError
from manyhot.kernels.cells import Cells, wide
from manyhot.kernels.curves import Curves
from manyhot.kernels.pointwise import pointwise
from manyhot.kernels.positives import Positives, positives
from manyhot.kernels.reduction import scale_of
from manyhot.kernels.row_sums import CONSTANT, LOGARITHMIC, ROW_SUMS, RowReading, row_sums
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.correction import SPLC
from manyhot.losses.count import CountDistribution
from manyhot.losses.fused.chunks import Chunk, Chunks
from manyhot.losses.fused.head import Head, Sink
from manyhot.losses.fused.ranks import Group, log_summed, summed
from manyhot.losses.partial import ClassAwareSelective, PartialBCE
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.positive_costs import PositiveCosts
from manyhot.losses.rowwise import RowCosts, Rowwise
from manyhot.losses.single_positive import EntropyMaximization
from manyhot.losses.softmax import DecoupledSoftmax
from manyhot.losses.unobserved import EveryCell
from manyhot.losses.watch import INFINITE

Sight = Literal["cell", "row"]

SELECTS: Mapping[type[MultiLabelLoss], Sight] = MappingProxyType(
    {SPLC: "cell", EntropyMaximization: "cell", PartialBCE: "row", ClassAwareSelective: "row"}
)
"""What a loss looks at that changes targets in `select`: single cells, or the targets of whole rows."""

EVALUATES = (
    Pointwise.evaluate,
    EveryCell.evaluate,
    PartialBCE.evaluate,
    RowCosts.evaluate,
    Rowwise.evaluate,
    DecoupledSoftmax.evaluate,
    CountDistribution.evaluate,
)
"""The ways from costs to one number that are known here."""


def refusal(loss: MultiLabelLoss) -> str | None:
    """Why a loss cannot be fused, with the mend; None for one that can."""
    name, kind = type(loss).__name__, type(loss)
    unfused = f"call it on the logits: {name}(...)(hidden @ weight.T, targets)"
    if not isinstance(loss, (Pointwise, Rowwise, PositiveCosts)) or kind.evaluate not in EVALUATES:
        return (
            f"{name} reads more of a row than single cells and sums of them, so it cannot go label by label; "
            f"{unfused}, or take a pointwise loss or one like ZLPR"
        )
    if isinstance(loss, DecoupledSoftmax) and loss.average == "positive":
        return f"{name} with average='positive' is no mean of rows; take average='row', or {unfused}"
    if isinstance(loss, CountDistribution) and loss.count_source != "lse":
        return f"{name} takes the count from elsewhere than the sums; take count_source='lse', or {unfused}"
    if any(True for _ in loss.parameters()):
        return f"{name} has parameters of its own, which a fused loss would not train; {unfused}"
    if loss.training_state():
        return f"{name} remembers earlier batches by their logits, which a fused loss never has; {unfused}"
    if kind.select is not MultiLabelLoss.select and kind not in SELECTS:
        return f"{name} chooses among the logits of the whole batch, which a fused loss never has; {unfused}"
    if isinstance(loss, ClassAwareSelective) and loss.mode == "selective":
        return (
            f"{name} in the mode 'selective' chooses among the logits of the whole batch, which a fused loss "
            f"never has; take mode='negative', 'ignore' or 'ignore_normalize', or {unfused}"
        )
    if loss.reduction in ("none", "positives"):
        return (
            f"the reduction {loss.reduction!r} needs all cells at once; "
            f"take 'mean', 'batchmean' or 'sum', or {unfused}"
        )
    return None


def costs_of(loss: MultiLabelLoss, cells: Cells, first: int, count: int, width: int, group: Group) -> "Costs":
    """The walk of one batch.

    Args:
        loss: the loss.
        cells: targets of all its labels.
        first: where the labels of the weight begin among them.
        count: labels of the weight.
        width: labels of a chunk.
        group: processes that hold the other labels, or None.

    Raises:
        OptionError: a loss that cannot be fused.
    """
    reason = refusal(loss)
    if reason is not None:
        raise OptionError(reason)
    if group is not None and isinstance(loss, PositiveCosts):
        raise OptionError(
            f"{type(loss).__name__} costs each positive against its row, and processes tell each other only "
            "sums of rows; take FusedLinearLoss in one process, or a loss like ZLPR or SoftmaxMultiHot"
        )
    kind = PointwiseCosts if isinstance(loss, Pointwise) else RowSumCosts
    return kind(loss, cells, first, count, width, group)


class Costs(ABC):
    """One batch of one loss.

    Args:
        loss: the loss.
        cells: targets of all its labels.
        first: where the labels of the weight begin among them.
        count: labels of the weight.
        width: labels of a chunk.
        group: processes that hold the other labels, or None.
    """

    scale: Tensor | float
    """What the slopes that a sink takes are still to be multiplied with."""

    def __init__(
        self, loss: MultiLabelLoss, cells: Cells, first: int, count: int, width: int, group: Group
    ) -> None:
        self.loss, self.group = loss, group
        self.by_cell = SELECTS.get(type(loss)) == "cell"
        if not self.by_cell:
            # What selects by row reads the shape of the logits and none of them.
            cells = loss.prepare(
                torch.zeros((), dtype=wide(cells.device), device=cells.device).expand(cells.shape), cells
            )
        self.cells = cells
        self.chunks = Chunks(cells, first, count, width)

    @abstractmethod
    def value(self, head: Head) -> Tensor:
        """Reduced cost, 0-d in the device's widest float."""

    @abstractmethod
    def slopes(self, head: Head, sink: Sink) -> None:
        """Hand the slopes of every chunk to the sink; `value` has been called before."""

    @abstractmethod
    def both(self, head: Head, sink: Sink) -> Tensor:
        """Value and slopes in as few walks as there can be."""

    def mended(self, head: Head) -> Head:
        """The head with infinite logits cut to what they count as.

        Raises:
            InputError: NaN among the logits of known cells.
        """
        bad = torch.zeros((), dtype=torch.int64, device=head.hidden.device)
        for chunk in self.chunks:
            missing = head.logits(chunk.part, head.weights(chunk.part)).isnan()
            known = chunk.cells.known()
            bad += (missing if known is None else missing & known).sum()
        number = int(summed(bad, self.group))
        if number:
            raise InputError(
                f"{number} of {math.prod(self.cells.shape)} logits are NaN; lower the learning rate or clip "
                "gradients, and look for NaN in hidden, weight and bias"
            )
        return replace(head, limit=min(INFINITE, torch.finfo(head.dtype).max))


class PointwiseCosts(Costs):
    """Single cells: one walk."""

    loss: Pointwise

    def __init__(
        self, loss: MultiLabelLoss, cells: Cells, first: int, count: int, width: int, group: Group
    ) -> None:
        Costs.__init__(self, loss, cells, first, count, width, group)
        self.curves = self.loss.curves(self.cells)
        self.scale = scale_of(self.loss.reduction, self.cells.shape[0], _units(self.loss, self.cells))

    @override
    def value(self, head: Head) -> Tensor:
        return self._walk(head, None)

    @override
    def slopes(self, head: Head, sink: Sink) -> None:
        self._walk(head, sink)

    @override
    def both(self, head: Head, sink: Sink) -> Tensor:
        return self._walk(head, sink)

    def _walk(self, head: Head, sink: Sink | None) -> Tensor:
        device = head.hidden.device
        total = torch.zeros((), dtype=wide(device), device=device)
        for chunk in self.chunks:
            weights = head.weights(chunk.part)
            z = head.logits(chunk.part, weights)
            cells = self.loss.prepare(z, chunk.cells) if self.by_cell else chunk.cells
            curves = _cut(self.curves, chunk.labels)
            if sink is None:
                total += pointwise(head.limited(z), cells, curves, "sum")
                continue
            with torch.enable_grad():
                cost = pointwise(head.limited(z.requires_grad_()), cells, curves, "sum")
            total += cost.detach()
            sink.take(chunk.part, torch.autograd.grad(cost, z)[0], weights)
        return summed(total, self.group) * self.scale


class RowSumCosts(Costs):
    """Sums of rows, and positives for some losses: a walk that reads them, and one that hands out slopes."""

    loss: Rowwise | PositiveCosts
    scale = 1.0

    def __init__(
        self, loss: MultiLabelLoss, cells: Cells, first: int, count: int, width: int, group: Group
    ) -> None:
        Costs.__init__(self, loss, cells, first, count, width, group)
        self.reading = self.loss.reading(self.cells)
        if isinstance(self.loss, PositiveCosts):
            self.names = list(self.loss.sum_names)
        else:
            self.names = [name for name in _arguments(self.loss) if name in ROW_SUMS]
        self.moving = [name for name in self.names if name not in CONSTANT]
        self.sums: dict[str, Tensor] = {}
        self.sum_slopes: dict[str, Tensor] = {}
        self.own: list[Positives] = []  # of every chunk, for losses that read them
        self.own_slopes: list[Tensor] = []

    @override
    def value(self, head: Head) -> Tensor:
        with torch.no_grad():
            self.sums = self._read(head)
        given = {name: value.requires_grad_(name in self.moving) for name, value in self.sums.items()}
        own = _together(self.own)
        moving = [given[name] for name in self.moving]
        with torch.enable_grad():
            total = self._reduced(given, own)
            moving += [] if own is None else [own.z]
            found = torch.autograd.grad(total, moving, allow_unused=True, materialize_grads=True)
        self.sum_slopes = dict(zip(self.moving, found, strict=False))
        if own is not None:
            self.own_slopes = list(found[-1].split([len(part.z) for part in self.own]))
        return total.detach()

    @override
    def slopes(self, head: Head, sink: Sink) -> None:
        factor = sink.release_scale()
        for place, chunk in enumerate(self.chunks):
            weights = head.weights(chunk.part)
            z = head.logits(chunk.part, weights)
            with torch.enable_grad():
                read = head.limited(z.requires_grad_())
                sums, own = self._chunk_sums(read, chunk), self._chunk_positives(read, chunk)
            outputs = [sums[name] for name in self.moving]
            shares = [self._share(name, sums[name].detach()) for name in self.moving]
            if own is not None:
                outputs.append(own.z)
                shares.append(self.own_slopes[place])
            shares = [(s * factor).to(o.dtype) for s, o in zip(shares, outputs, strict=True)]
            sink.take(chunk.part, torch.autograd.grad(outputs, z, shares)[0], weights)

    @override
    def both(self, head: Head, sink: Sink) -> Tensor:
        value = self.value(head)
        self.slopes(head, sink)
        return value

    def _read(self, head: Head) -> dict[str, Tensor]:
        """The sums of all labels, in the device's widest float."""
        sums: dict[str, Tensor] = {}
        self.own = []
        for chunk in self.chunks:
            z = head.limited(head.logits(chunk.part, head.weights(chunk.part)))
            own = self._chunk_positives(z, chunk)
            self.own += [] if own is None else [own]
            for name, value in self._chunk_sums(z, chunk).items():
                value = value.to(wide(value.device))
                if name not in sums:
                    sums[name] = value
                else:
                    sums[name] = _joined(name, sums[name], value)
        return {
            name: log_summed(value, self.group) if name in LOGARITHMIC else summed(value, self.group)
            for name, value in sums.items()
        }

    def _chunk_sums(self, z: Tensor, chunk: Chunk) -> dict[str, Tensor]:
        reading = _cut_reading(self.reading, chunk.labels)
        return row_sums(computed(z), chunk.cells, reading, self.names)

    def _chunk_positives(self, z: Tensor, chunk: Chunk) -> Positives | None:
        if not isinstance(self.loss, PositiveCosts):
            return None
        return positives(computed(z), chunk.cells, _cut_reading(self.reading, chunk.labels))

    def _reduced(self, sums: dict[str, Tensor], own: Positives | None) -> Tensor:
        """As `RowCosts.evaluate`, from the sums."""
        if isinstance(self.loss, PositiveCosts):
            assert own is not None
            costs = self.loss.of_sums(sums, own)
        else:
            names = _arguments(self.loss)
            costs, _ = type(self.loss).row(
                *(sums.get(name, getattr(self.loss, name, None)) for name in names)
            )
        counted = self.loss.counted(self.cells)
        costs = torch.where(counted, costs, 0.0)
        if self.cells.row_weight is not None:
            costs = costs * self.cells.row_weight.to(costs.dtype)
        return costs.sum() * scale_of(self.loss.reduction, len(costs), counted.sum())

    def _share(self, name: str, of_chunk: Tensor) -> Tensor:
        """Slope of the cost by a chunk's sum: of a logarithm, its share of the whole times the slope."""
        slope = self.sum_slopes[name]
        if name not in LOGARITHMIC:
            return slope
        return slope * torch.exp(of_chunk.to(slope.dtype) - self.sums[name].detach())


def _arguments(loss: Rowwise) -> tuple[str, ...]:
    code = type(loss).row.__code__
    return code.co_varnames[: code.co_argcount]


def _together(parts: list[Positives]) -> Positives | None:
    """The positives of all chunks, in the device's widest float, their logits as a leaf."""
    if not parts:
        return None
    precise = wide(parts[0].z.device)
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in ("rows", "labels")}
    real = {n: torch.cat([getattr(p, n) for p in parts]).to(precise) for n in ("z", "values", "mass")}
    real["z"] = real["z"].detach().requires_grad_()
    return Positives(size=parts[0].size, **joined, **real)


def _units(loss: Pointwise, cells: Cells) -> Tensor | float:
    """What the reduction "mean" of a loss divides by."""
    if loss.reduction != "mean":
        return 1.0
    if isinstance(loss, EveryCell):
        return float(cells.shape[0] * cells.shape[1])
    if isinstance(loss, PartialBCE):
        return (cells.known_per_row() > 0).sum() * cells.shape[1]
    return cells.known_count()


def _cut(curves: Curves, labels: slice) -> Curves:
    """The curves of a run of labels."""

    def cut(value: float | Tensor) -> float | Tensor:
        return value[labels] if isinstance(value, Tensor) and value.ndim == 1 else value

    return replace(
        curves,
        constants={name: cut(value) for name, value in curves.constants.items()},
        positive_weight=_cut_weight(curves.positive_weight, labels),
        negative_weight=_cut_weight(curves.negative_weight, labels),
    )


def _cut_reading(reading: RowReading, labels: slice) -> RowReading:
    return replace(
        reading,
        positive_weight=_cut_weight(reading.positive_weight, labels),
        negative_weight=_cut_weight(reading.negative_weight, labels),
    )


def _cut_weight(weight: Tensor | None, labels: slice) -> Tensor | None:
    return None if weight is None else weight[labels]


def _joined(name: str, one: Tensor, other: Tensor) -> Tensor:
    return torch.logaddexp(one, other) if name in LOGARITHMIC else one + other
