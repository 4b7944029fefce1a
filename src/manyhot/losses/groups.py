"""`GroupSoftmax`: exactly one label of each group applies, or at most one."""

import warnings
from collections.abc import Sequence
from typing import Any, Self, Unpack

import torch
from torch import Tensor

from manyhot.errors import InputError, ManyhotWarning, OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.pointwise import plain
from manyhot.kernels.reduction import reduce_units
from manyhot.labels import LabelSpace
from manyhot.losses.base import MultiLabelLoss, Options
from manyhot.losses.watch import label_name, level_of_caller, listed


class GroupSoftmax(MultiLabelLoss):
    """Cross-entropy of a softmax over each group of columns; a unit is one group of one row.

    - Where a group may be empty it has one more answer, "none", of logit 0.
    - Unknown cells beside a positive are negative, for only one label applies. Without a positive every
      unknown label of the group (and "none") is possible, and the cost is -log of their joint probability.
    - A row without an answer in a group that needs one is unknown there. Several positives of a group share
      the answer in proportion to their values, of which it warns once; with `strict` that is an error.
    - `label_weight` and `cell_weight` weigh an answer by its label; "none" has the weight 1.

    Args:
        groups: columns of each group.
        allow_none: one flag, or one per group.

    Source:
        Multinomial logistic regression; the unknown case is its marginal likelihood.
    """

    columns: Tensor
    segment: Tensor
    has_none: Tensor

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        allow_none: bool | Sequence[bool] = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        if self.pos_weight is not None:
            raise OptionError("pos_weight has no meaning in an exclusive group; use label_weight")
        flags = [allow_none] * len(groups) if isinstance(allow_none, bool) else list(allow_none)
        if len(flags) != len(groups):
            raise OptionError(
                f"allow_none must have one flag for each of {len(groups)} groups, got {len(flags)}"
            )
        self._warned = False
        sizes = torch.tensor([len(group) for group in groups])
        self.register_buffer("columns", torch.tensor([int(c) for group in groups for c in group]))
        self.register_buffer("segment", torch.arange(len(groups)).repeat_interleave(sizes))
        self.register_buffer("has_none", torch.tensor(flags, dtype=torch.bool))

    @classmethod
    def of(cls, space: LabelSpace, **options: Unpack[Options]) -> Self:
        """The loss of all exclusive groups of a label space."""
        groups = [space.columns(group.labels).tolist() for group in space.groups]
        options = {**options, "names": space.names}  # type: ignore[assignment]
        return cls(groups, [group.allow_none for group in space.groups], **options)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" (rows, groups)."""
        members = cells.columns(self.columns)
        z = logits[:, self.columns]
        z = z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
        answers = members.dense().mass(z.dtype)
        known = members.known()
        hidden = torch.zeros_like(z, dtype=torch.bool) if known is None else ~known

        given = self._sums(answers)
        if plain(logits) and (self.strict or (not self._warned and logits.device.type == "cpu")):
            self._check_single(given, answers)
        scale = torch.where(self.has_none, given.clamp(min=1), torch.where(given > 0, given, 1.0))
        answers = self._smoothed(answers / scale[:, self.segment])
        possible = self._sums(hidden.to(z.dtype)) > 0
        answered = (given > 0) | (self.has_none & ~possible)
        open_question = ~answered & possible
        known_units = answered | (open_question & (self._sums((~hidden).to(z.dtype)) > 0))

        everything = self._log_sum(z, torch.ones_like(hidden))
        cost = torch.where(
            answered, everything - self._sums(answers * z), everything - self._log_sum(z, hidden)
        )
        cost = torch.where(known_units, cost * self._unit_weight(answers, members), 0.0)
        if members.row_weight is not None:
            cost = cost * members.row_weight.to(z.dtype)[:, None]
        return reduce_units(cost, self.reduction, z.shape[0], known_units.sum())

    def _check_single(self, given: Tensor, answers: Tensor) -> None:
        """Several labels of a group in one row are an error, or warned of once."""
        crowded = given > 1 + 1e-6
        if not crowded.any():
            return
        rows = torch.nonzero(crowded.any(1))[:, 0].tolist()
        cells = torch.nonzero((answers > 0) & crowded[:, self.segment])[:, 1]
        labels = [label_name(j, self.names) for j in self.columns[cells].unique().tolist()]
        message = f"several labels of one exclusive group in rows {listed(rows)}: labels {listed(labels)}"
        if self.strict:
            raise InputError(f"{message}; mend the targets, or drop the group")
        warnings.warn(f"{message}; they share the answer", ManyhotWarning, stacklevel=level_of_caller())
        self._warned = True

    def _sums(self, per_cell: Tensor) -> Tensor:
        """(rows, groups) sums over the members of each group."""
        empty = per_cell.new_zeros(per_cell.shape[0], len(self.has_none))
        return empty.index_add(1, self.segment, per_cell)

    def _log_sum(self, z: Tensor, member: Tensor) -> Tensor:
        """(rows, groups) log of the summed exponentials of the members and of "none"; 0 for no member."""
        floor = torch.where(self.has_none, 0.0, -torch.inf).to(z.dtype).expand(z.shape[0], -1)
        kept = torch.where(member, z.detach(), -torch.inf)
        highest = floor.scatter_reduce(1, self.segment.expand_as(kept), kept, "amax")
        shift = torch.where(highest.isinf(), 0.0, highest)
        exponentials = torch.where(
            member, torch.exp(torch.where(member, z - shift[:, self.segment], 0.0)), 0.0
        )
        summed = self._sums(exponentials) + torch.where(self.has_none, torch.exp(-shift), 0.0)
        return shift + torch.log(torch.where(summed > 0, summed, 1.0))

    def _smoothed(self, answers: Tensor) -> Tensor:
        share = sum(self.smoothing)
        if not share:
            return answers
        sizes = torch.bincount(self.segment, minlength=len(self.has_none)) + self.has_none
        return answers * (1 - share) + share / sizes[self.segment]

    def _unit_weight(self, answers: Tensor, members: Cells) -> Tensor:
        weights: list[Any] = []
        if self.label_weight is not None:
            given = torch.as_tensor(self.label_weight, dtype=answers.dtype, device=answers.device)
            weights.append(given[self.columns] if given.ndim else given)
        if members.cell_weight is not None:
            weights.append(members.cell_weight.to(answers.dtype))
        if not weights:
            return answers.new_ones(())
        product = weights[0] if len(weights) == 1 else weights[0] * weights[1]
        return self._sums(answers * product) + 1 - self._sums(answers)
