"""`Mixed`: one loss for a label space of exclusive groups and independent labels."""

from collections.abc import Mapping
from copy import copy
from typing import Any, Literal, Unpack

import torch
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.kernels.cells import Cells
from manyhot.labels import LabelSpace
from manyhot.losses.base import MultiLabelLoss, Options
from manyhot.losses.groups import GroupSoftmax

INDEPENDENT = "independent"  # the part of all labels that are in no group


class Mixed(MultiLabelLoss):
    """Weighted sum of a loss per exclusive group and one for the independent labels.

    Args:
        space: the label space; its groups name the parts.
        parts: {group name or "independent": loss}; a group without one has `GroupSoftmax`. Every part sees
            the columns of its own labels only, in their order.
        weights: {part: weight}, 1 where not named; "learned" for weights by uncertainty, which are parameters
            for the optimiser; None (default) gives each part under the reduction "mean" its share of the
            decisions in a row (one for a group, one for each independent label), else 1.
        options: as for every loss, but smoothing and weights of labels, which are given to the parts. Every
            part is reduced as this loss is, whatever it would do alone.

    Source:
        Learned weights: Kendall et al., "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018.
    """

    weights: Tensor

    def __init__(
        self,
        space: LabelSpace,
        parts: Mapping[str, MultiLabelLoss],
        weights: Mapping[str, float] | Literal["learned"] | None = None,
        **options: Unpack[Options],
    ) -> None:
        for name in ("smoothing", "pos_weight", "label_weight"):
            if name in options:
                raise OptionError(
                    f"{name} belongs to the parts of a mixed loss: Mixed(space, "
                    f"{{'{INDEPENDENT}': BCE({name}=...)}})"
                )
        super().__init__(**{**options, "names": space.names})
        if self.reduction == "none":
            raise OptionError(
                "the parts of a mixed loss have no unit in common; call each with reduction='none'"
            )
        labels = {group.name: group.labels for group in space.groups}
        if space.independent:
            labels[INDEPENDENT] = space.independent
        for name in parts:
            _check.one_of("a part", name, labels)
        allow_none = {group.name: group.allow_none for group in space.groups}
        self.part_names = tuple(labels)
        self.space_width = len(space)
        self.parts = nn.ModuleList()
        for place, (name, members) in enumerate(labels.items()):
            part = parts.get(name)
            if part is None:
                if name == INDEPENDENT:
                    raise OptionError(f"parts must give a loss for the {len(members)} independent labels")
                part = GroupSoftmax(
                    [range(len(members))], allow_none[name], names=members, strict=self.strict
                )
            part = copy(part)  # it keeps its parameters and buffers, and the caller's object its reduction
            part.reduction = self.reduction
            self.parts.append(part)
            self.register_buffer(
                f"columns_{place}", torch.as_tensor(space.columns(members)), persistent=False
            )
        self._set_weights(weights, {name: len(m) if name == INDEPENDENT else 1 for name, m in labels.items()})

    @property
    def width(self) -> int:
        """Number of labels of the space."""
        return self.space_width

    def part(self, name: str) -> MultiLabelLoss:
        """The loss of a group, or of the independent labels."""
        place = self.part_names.index(_check.one_of("a part", name, self.part_names))
        return self.parts[place]  # type: ignore[return-value]

    def joined(self, logits: Any) -> Any:
        """One matrix of the outputs of several heads, given by the name of their part."""
        if not isinstance(logits, Mapping):
            return logits
        missing = set(self.part_names) ^ set(logits)
        if missing:
            raise InputError(
                f"expected heads {', '.join(self.part_names)}, got {', '.join(map(str, logits))}"
            )
        for place, name in enumerate(self.part_names):
            if logits[name].ndim != 2 or logits[name].shape[1] != len(self._columns(place)):
                raise ShapeError(
                    f"the head {name} must have shape (rows, {len(self._columns(place))}), "
                    f"got {tuple(logits[name].shape)}"
                )
        order = torch.cat([self._columns(place) for place in range(len(self.parts))])
        return torch.cat([logits[name] for name in self.part_names], dim=1)[:, torch.argsort(order)]

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Weighted sum of the parts' reduced costs."""
        costs = torch.stack([cost for _, cost in self.by_part(logits, cells)])
        if self.log_variance is None:
            return costs @ self.weights.to(costs.dtype)
        return (torch.exp(-self.log_variance) * costs + self.log_variance / 2).sum()

    def by_part(self, logits: Tensor, cells: Cells) -> list[tuple[str, Tensor]]:
        """Reduced cost of every part, unweighted, by name."""
        costs = []
        for place, (name, part) in enumerate(zip(self.part_names, self.parts, strict=True)):
            columns = self._columns(place)
            own, z = cells.columns(columns), logits[:, columns]
            costs.append((name, part.evaluate(z, part.prepare(z, own))))  # type: ignore[operator]
        return costs

    def set_epoch(self, epoch: int) -> None:
        """Tell every part which epoch begins."""
        super().set_epoch(epoch)
        for part in self.parts:
            part.set_epoch(epoch)  # type: ignore[operator]

    def training_state(self) -> bool:
        """True where a part remembers earlier batches."""
        return any(part.training_state() for part in self.parts)  # type: ignore[operator]

    def _columns(self, place: int) -> Tensor:
        return self.get_buffer(f"columns_{place}")

    def _set_weights(self, weights: Mapping[str, float] | str | None, decisions: Mapping[str, int]) -> None:
        self.log_variance = nn.Parameter(torch.zeros(len(decisions))) if weights == "learned" else None
        if isinstance(weights, str) and weights != "learned":
            raise OptionError(f"weights must be a mapping, 'learned' or None, got {weights!r}")
        if isinstance(weights, Mapping):
            for name, weight in weights.items():
                _check.one_of("a part", name, decisions)
                _check.at_least(f"weight of {name}", weight, 0.0)
            given = [float(weights.get(name, 1.0)) for name in decisions]
        else:
            whole = sum(decisions.values()) if self.reduction == "mean" else None
            given = [count / whole if whole else 1.0 for count in decisions.values()]
        self.register_buffer("weights", torch.tensor(given))
