"""The targets of one batch as the engines read them: dense, or only the cells that are not plain negatives.

A cell is positive (value in (0, 1]), negative (0) or unknown. Beside the values a batch carries what else
belongs to its rows and cells: weights and row numbers.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, final

import torch
from torch import Tensor
from typing_extensions import override

from manyhot.labels import Targets


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells(ABC):
    """What both layouts carry and answer.

    Args:
        row_weight: (rows,), multiplies every cost of the row.
        cell_weight: (rows, labels), multiplies the cost of the cell.
        row_ids: (rows,) int64, number of each row in the training set, for losses that remember rows.
        outputs: (rows, numbers), what the model puts out beside the logits, for losses that read it.
    """

    row_weight: Tensor | None = None
    cell_weight: Tensor | None = None
    row_ids: Tensor | None = None
    outputs: Tensor | None = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(rows, labels)."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the values are."""

    @property
    def learned(self) -> bool:
        """True where the target values want a gradient themselves."""
        return False

    @abstractmethod
    def known(self) -> Tensor | None:
        """(rows, labels) bool, False where nobody knows the value; None when every cell is known."""

    @abstractmethod
    def known_per_row(self) -> Tensor:
        """(rows,) number of known cells, in float32."""

    @abstractmethod
    def positive_sums(self, per_label: Tensor | None = None) -> Tensor:
        """(rows,) sum over labels of target value times `per_label` (labels,), which is 1 when absent."""

    @abstractmethod
    def label_sums(self, amounts: Tensor | None = None) -> Tensor:
        """(labels,) sum over rows of target value times `amounts` (rows, labels), which is 1 when absent.

        In the device's widest float.
        """

    @abstractmethod
    def dense(self) -> "DenseCells":
        """The dense layout: itself, or built, where a loss cannot do without."""

    @abstractmethod
    def columns(self, index: Tensor) -> Self:
        """The labels of `index` (int64, distinct), in its order."""

    @abstractmethod
    def rows(self, part: slice) -> Self:
        """A run of rows (a slice without a step)."""

    def known_count(self) -> Tensor:
        """Number of known cells of the batch, 0-d float64 or the widest the device has."""
        return self.known_per_row().sum(dtype=wide(self.device))

    def with_values(self, values: Tensor, unknown: Tensor | None = None) -> "DenseCells":
        """Other targets (rows, labels) with the same weights and row numbers."""
        return DenseCells(values=values, unknown=unknown, **self._carried())

    def _carried(self) -> dict[str, Tensor | None]:
        return {name: getattr(self, name) for name in ("row_weight", "cell_weight", "row_ids", "outputs")}

    def _beside(self, index: Tensor) -> dict[str, Tensor | None]:
        cell_weight = None if self.cell_weight is None else self.cell_weight[:, index]
        return {**self._carried(), "cell_weight": cell_weight}

    def _beside_rows(self, part: slice) -> dict[str, Tensor | None]:
        return {name: None if value is None else value[part] for name, value in self._carried().items()}


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class DenseCells(Cells):
    """A full matrix of target values.

    Args:
        values: (rows, labels) of any dtype, in [0, 1]; NaN and negative values are unknown.
        unknown: (rows, labels) bool, True where unknown, on top of what `values` says.
    """

    values: Tensor
    unknown: Tensor | None = None

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    @override
    def device(self) -> torch.device:
        return self.values.device

    @property
    @override
    def learned(self) -> bool:
        return self.values.requires_grad and torch.is_grad_enabled()

    @override
    def known(self) -> Tensor | None:
        stated = None if self.unknown is None else ~self.unknown
        if not self.values.dtype.is_signed:  # bool and uint8 have no code for unknown
            return stated
        told = self.values >= 0  # False for NaN
        return told if stated is None else told & stated

    @override
    def known_per_row(self) -> Tensor:
        known = self.known()
        if known is None:
            return torch.full(self.shape[:1], float(self.shape[1]), device=self.device)
        return known.sum(1).float()

    @override
    def positive_sums(self, per_label: Tensor | None = None) -> Tensor:
        mass = self.mass(torch.float32 if per_label is None else per_label.dtype)
        return mass.sum(1) if per_label is None else mass @ per_label

    @override
    def label_sums(self, amounts: Tensor | None = None) -> Tensor:
        mass = self.mass()
        return (mass if amounts is None else mass * amounts).sum(0, dtype=wide(self.device))

    def mass(self, dtype: torch.dtype | None = None) -> Tensor:
        """(rows, labels) target values, 0 where unknown; float32 or, if they are that, float64 by default."""
        dtype = dtype or torch.promote_types(self.values.dtype, torch.float32)
        known, values = self.known(), self.values.to(dtype)
        return values if known is None else torch.where(known, values, 0.0)

    @override
    def dense(self) -> "DenseCells":
        return self

    @override
    def columns(self, index: Tensor) -> "DenseCells":
        unknown = None if self.unknown is None else self.unknown[:, index]
        return DenseCells(values=self.values[:, index], unknown=unknown, **self._beside(index))

    @override
    def rows(self, part: slice) -> "DenseCells":
        unknown = None if self.unknown is None else self.unknown[part]
        return DenseCells(values=self.values[part], unknown=unknown, **self._beside_rows(part))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SparseCells(Cells):
    """Compressed rows of the positives and of the unknown cells; every other cell is negative.

    Row i owns labels[starts[i]:starts[i + 1]]; integers are int32 or int64, sorted within a row, distinct.

    Args:
        width: number of labels.
        starts: (rows + 1,).
        labels: (positives,).
        values: (positives,) in (0, 1]; None when all are 1.
        unknown_starts: (rows + 1,); None when every cell is known.
        unknown_labels: (unknown cells,).
    """

    width: int
    starts: Tensor
    labels: Tensor
    values: Tensor | None = None
    unknown_starts: Tensor | None = None
    unknown_labels: Tensor | None = None

    @property
    @override
    def shape(self) -> tuple[int, int]:
        return self.starts.shape[0] - 1, self.width

    @property
    @override
    def device(self) -> torch.device:
        return self.starts.device

    @cached_property
    def positive_index(self) -> tuple[Tensor, Tensor]:
        """Row and label of every positive, int64."""
        return row_numbers(self.starts, len(self.labels)), self.labels.long()

    @cached_property
    def unknown_index(self) -> tuple[Tensor, Tensor] | None:
        """Row and label of every unknown cell, int64; None when there is none."""
        if self.unknown_starts is None or self.unknown_labels is None or not len(self.unknown_labels):
            return None
        return row_numbers(self.unknown_starts, len(self.unknown_labels)), self.unknown_labels.long()

    @override
    def known(self) -> Tensor | None:
        if self.unknown_index is None:
            return None
        known = torch.ones(self.shape, dtype=torch.bool, device=self.device)
        known[self.unknown_index] = False
        return known

    @override
    def known_per_row(self) -> Tensor:
        full = torch.full(self.shape[:1], float(self.width), device=self.device)
        return full if self.unknown_starts is None else full - self.unknown_starts.diff()

    @override
    def positive_sums(self, per_label: Tensor | None = None) -> Tensor:
        rows, labels = self.positive_index
        dtype = torch.float32 if per_label is None else per_label.dtype
        amounts = (
            torch.ones(len(rows), dtype=dtype, device=self.device) if per_label is None else per_label[labels]
        )
        if self.values is not None:
            amounts = amounts * self.values.to(dtype)
        return torch.zeros(self.shape[0], dtype=dtype, device=self.device).index_add_(0, rows, amounts)

    @override
    def label_sums(self, amounts: Tensor | None = None) -> Tensor:
        none = torch.zeros(self.width, dtype=wide(self.device), device=self.device)
        found = torch.ones_like(none[:1]) if amounts is None else amounts[self.positive_index].to(none.dtype)
        found = found if self.values is None else found * self.values.to(none.dtype)
        return none.index_add_(0, self.positive_index[1], found.expand(len(self.labels)))

    @override
    def dense(self) -> DenseCells:
        values = torch.zeros(self.shape, device=self.device)
        values[self.positive_index] = (
            torch.ones((), device=self.device) if self.values is None else self.values.float()
        )
        known = self.known()
        return self.with_values(values, None if known is None else ~known)

    @override
    def columns(self, index: Tensor) -> "SparseCells":
        place = torch.full((self.width,), -1, dtype=torch.int64, device=self.device)
        place[index] = torch.arange(len(index), device=self.device)
        starts, labels, values = _chosen(self.positive_index, self.values, place, self.shape[0])
        hidden: dict[str, Any] = {}
        if self.unknown_index is not None:
            unknown_starts, unknown_labels, _ = _chosen(self.unknown_index, None, place, self.shape[0])
            hidden = {"unknown_starts": unknown_starts, "unknown_labels": unknown_labels}
        return SparseCells(
            width=len(index), starts=starts, labels=labels, values=values, **hidden, **self._beside(index)
        )

    @override
    def rows(self, part: slice) -> "SparseCells":
        first, last, _ = part.indices(self.shape[0])
        starts, owned = _run(self.starts, first, last)
        hidden: dict[str, Any] = {}
        if self.unknown_starts is not None and self.unknown_labels is not None:
            unknown_starts, unknown_owned = _run(self.unknown_starts, first, last)
            hidden = {"unknown_starts": unknown_starts, "unknown_labels": self.unknown_labels[unknown_owned]}
        return SparseCells(
            width=self.width,
            starts=starts,
            labels=self.labels[owned],
            values=None if self.values is None else self.values[owned],
            **hidden,
            **self._beside_rows(part),
        )

    def without_unknown(self) -> "SparseCells":
        """The same with every unknown cell negative."""
        return replace(self, unknown_starts=None, unknown_labels=None)

    @classmethod
    def of(cls, targets: Targets, device: torch.device, **beside: Tensor | None) -> "SparseCells":
        """The cells of `Targets`, sharing memory on the CPU."""
        positives, unknown = targets.positives, targets.unknown
        hidden: dict[str, Any] = {}
        if unknown is not None:
            hidden = {
                "unknown_starts": _tensor(unknown.indptr, device),
                "unknown_labels": _tensor(unknown.indices, device),
            }
        return cls(
            width=targets.width,
            starts=_tensor(positives.indptr, device),
            labels=_tensor(positives.indices, device),
            values=_tensor(positives.data, device) if targets.is_soft else None,
            **hidden,
            **beside,
        )


def row_numbers(starts: Tensor, stored: int) -> Tensor:
    """Row of every stored cell, int64; told their number, a GPU need not be waited for."""
    counts = starts.diff().long()
    return torch.arange(len(counts), device=starts.device).repeat_interleave(counts, output_size=stored)


def wide(device: torch.device) -> torch.dtype:
    """The widest float that a device sums in."""
    return torch.float32 if device.type == "mps" else torch.float64


def _tensor(array: Any, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.to(device, non_blocking=True)


def _run(starts: Tensor, first: int, last: int) -> tuple[Tensor, slice]:
    """Row pointer of a run of rows, and the stored cells that it owns."""
    begin, end = int(starts[first]), int(starts[last])
    return starts[first : last + 1] - begin, slice(begin, end)


def _chosen(
    index: tuple[Tensor, Tensor], values: Tensor | None, place: Tensor, rows: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Starts, labels and values of the stored cells whose label has a place, sorted again."""
    moved = place[index[1]]
    kept = torch.nonzero(moved >= 0)[:, 0]
    kept = kept[torch.argsort(index[0][kept] * len(place) + moved[kept])]
    counts = torch.bincount(index[0][kept], minlength=rows)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return starts, moved[kept], None if values is None else values[kept]
