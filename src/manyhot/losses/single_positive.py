"""Few positives known and little else: losses that ask something of the cells that nobody has labelled.

Unknown is what the targets call unknown, and by default every 0 too, as in data where only what was seen was
written down. Where negatives are known, zeros="negative" says so: they cost what they cost in BCE.
"""

from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.kernels import words
from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.curves import Curves
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.pointwise import plain
from manyhot.kernels.torch_engine import cell_costs, computed, positive_costs
from manyhot.kernels.words import sigmoid, softplus, where
from manyhot.labels import as_targets
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import side_weights
from manyhot.losses.unobserved import ZEROS, EveryCell, zeros_unknown


class EntropyMaximization(EveryCell):
    """BCE of known cells; unknown ones cost -alpha times the entropy of p, so that the model stays open.

    "mean" is over all cells of the batch, known or not. Not bounded below by 0: an unknown cell may cost
    -alpha log 2.

    Formula: BCE of known cells, -alpha (entropy of p) of unknown ones
    Use: One known positive a row: the simplest thing that works.
    Trap: Zeros count as unknown: where they are known negatives, pass zeros='negative'.

    Args:
        alpha: >= 0; 0.1 to 0.2 in the paper.
        zeros: "unknown" (default) or "negative".

    Source:
        Zhou et al., "Acknowledging the Unknown for Multi-label Learning with Single Positive Labels", ECCV
        2022, arXiv:2203.16219.
    """

    def __init__(
        self,
        alpha: float = 0.1,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("alpha", alpha, 0.0)
        self.alpha, self.zeros = alpha, _check.one_of("zeros", zeros, ZEROS)

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Zeros that mean unknown cost what unknown cells cost, so that sparse targets stay so."""
        kind = type(self)
        return (
            kind.positive,
            kind.negative if self.zeros == "negative" else kind.unknown_cell,
            kind.unknown_cell,
        )

    def soft_formula(self) -> Formula | None:
        """What is soft is known."""
        return None if self.zeros == "negative" else type(self).soft

    def select(self, logits: Tensor, cells: Cells) -> Cells:  # noqa: ARG002
        """Unknown zeros are marked where smoothing would else reach them."""
        return zeros_unknown(cells) if self.zeros == "unknown" and any(self.smoothing) else cells

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, y: Scalar, alpha: Scalar
    ) -> Curve:
        """Cross-entropy of what is above 0."""
        p, rest, seen = sigmoid(z), sigmoid(-z), y > 0.0
        known = y * softplus(-z) + (1.0 - y) * softplus(z)
        unknown = -alpha * (p * softplus(-z) + rest * softplus(z))
        return where(seen, known, unknown), where(seen, (1.0 - y) * p - y * rest, alpha * z * p * rest)

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    @staticmethod
    def unknown_cell(z: Scalar, alpha: Scalar) -> Curve:  # pyright: ignore[reportIncompatibleVariableOverride]
        """alpha (p log p + (1 - p) log(1 - p))."""
        p, rest = sigmoid(z), sigmoid(-z)
        return -alpha * (p * softplus(-z) + rest * softplus(z)), alpha * z * p * rest


class ExpectedPositives(MultiLabelLoss):
    """BCE of known cells plus ((mean over rows of the sum of p) - k)^2 / labels^2: k labels a row on average.

    The penalty reads all cells, known or not, and lets the model choose where the positives are. "mean" is
    over all cells of the batch, "sum" that times their number; with "none" every cell carries the penalty.

    Formula: BCE of known cells + ((mean row sum of p) - k)^2 / labels^2
    Use: One known positive a row, and the mean number of labels is known.
    Trap: k of the training targets is too low if positives are missing; pass expected_positives. Zeros count
    as unknown.

    Args:
        expected_positives: k, labels of a row on average, if all were known; by default what the training
            targets have, which is too few if positives are missing.
        label_counts: (labels,) and
        num_rows: of the training set, for the default of k.
        zeros: "unknown" (default) or "negative".

    Source:
        Cole et al., "Multi-Label Learning from Single Positive Labels", CVPR 2021, arXiv:2106.09708 (EPR).
        Their code adds 1e-5 inside every logarithm.
    """

    shows_nan = True

    traits = Traits(batch=True, soft="the expected cost")

    ignores_unknown = False

    def __init__(
        self,
        expected_positives: float | None = None,
        label_counts: ArrayLike | None = None,
        num_rows: int | None = None,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.expected_positives = _expected(expected_positives, label_counts, num_rows)
        self.zeros = _check.one_of("zeros", zeros, ZEROS)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Known cells and penalty."""
        z = computed(logits)
        penalty = _penalty(torch.sigmoid(z), self.expected_positives)
        return _over_all_cells(known_costs(self, z, cells, self.zeros), penalty, self.reduction)


class ROLE(MultiLabelLoss):
    """The labels that nobody knows are learned along: a logit for every cell of the training set.

    With p of the model and s of the table, stop marking a constant: half the BCE of known cells of p and s,
    half the cross-entropies of p towards stop(s) and of s towards stop(p), half the penalties of
    `ExpectedPositives` of both. Needs `row_ids` in every call, and `loss.parameters()` in the optimiser. In
    evaluation (`loss.eval()`), of rows that are in no table, it costs what `ExpectedPositives` does.

    Formula: 1/2 (BCE of known p and s + CE(p, stop s) + CE(s, stop p) + penalties), s learned per cell
    Use: One known positive a row, small training sets.
    Trap: Holds a number for every cell of the training set.

    Args:
        num_rows: rows of the training set.
        label_counts: (labels,) positives of each label in the training set; here for their number, and for
            the default of expected_positives.
        expected_positives: labels of a row on average, if all were known.
        train_targets: (num_rows, labels) what is known at the start: its positives begin at s = 0.995, its
            known negatives at 0.005, everything else at 0.5.
        zeros: "unknown" (default) or "negative".

    Source:
        Cole et al., "Multi-Label Learning from Single Positive Labels", CVPR 2021, arXiv:2106.09708. Their
        table begins with random logits around 0, their code adds 1e-5 inside every logarithm.
    """

    traits = Traits(batch=True, calls=("row_ids", "parameters"), soft="the expected cost")

    ignores_unknown = False

    def __init__(
        self,
        num_rows: int,
        label_counts: ArrayLike,
        expected_positives: float | None = None,
        train_targets: Any = None,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("num_rows", num_rows, 1)
        self.num_rows, self.zeros = num_rows, _check.one_of("zeros", zeros, ZEROS)
        self.expected_positives = _expected(expected_positives, label_counts, num_rows)
        start = torch.zeros(num_rows, len(checked_counts(label_counts)))
        if train_targets is not None:
            start = _starting_logits(train_targets, start, zeros)
        self.label_logits = nn.Parameter(start)

    @property
    def width(self) -> int:
        """Number of labels of the table."""
        return self.label_logits.shape[1]

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Model and table, each with the other as its teacher."""
        z = computed(logits)
        p = torch.sigmoid(z)
        if not self.training:
            penalty = _penalty(p, self.expected_positives)
            return _over_all_cells(known_costs(self, z, cells, self.zeros), penalty, self.reduction)
        theta = self._theta(cells).to(z.dtype)
        s = torch.sigmoid(theta)
        weight = _row_and_cell_weight(cells, z.dtype)
        costs = known_costs(self, z, cells, self.zeros) + known_costs(self, theta, cells, self.zeros)
        costs = costs + weight * (_cross(s.detach(), z) + _cross(p.detach(), theta))
        penalty = _penalty(p, self.expected_positives) + _penalty(s, self.expected_positives)
        return _over_all_cells(costs / 2, penalty / 2, self.reduction)

    def _theta(self, cells: Cells) -> Tensor:
        ids = cells.row_ids
        if ids is None:
            raise InputError(
                "role remembers every row: call it with row_ids=, their numbers in the training set"
            )
        if plain(ids) and len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < self.num_rows):
            raise InputError(
                f"row_ids must be in [0, {self.num_rows}), got {int(ids.min())} to {int(ids.max())}"
            )
        return self.label_logits[ids]


def known_costs(loss: MultiLabelLoss, z: Tensor, cells: Cells, zeros: str) -> Tensor:
    """(rows, labels) weighted BCE, 0 where unknown, as zeros are too if they mean that."""
    curves = Curves(
        BCE.positive, BCE.negative, None, {}, *side_weights(loss, cells), smoothing=loss.smoothing
    )
    if zeros == "negative":
        return cell_costs(z, cells, curves)
    if isinstance(cells, SparseCells):
        return torch.zeros_like(z).index_put(cells.positive_index, positive_costs(z, cells, curves))
    return cell_costs(z, zeros_unknown(cells), curves)


def _cross(towards: Tensor, z: Tensor) -> Tensor:
    return towards * words.softplus(-z) + (1 - towards) * words.softplus(z)


def _penalty(p: Tensor, expected: float) -> Tensor:
    if not p.numel():
        return p.sum()
    return ((p.sum() / p.shape[0] - expected) / p.shape[1]).square()


def _over_all_cells(costs: Tensor, penalty: Tensor, reduction: str) -> Tensor:
    """Costs (rows, labels) and a penalty of the scale of their mean."""
    if reduction == "none":
        return costs + penalty
    mean = costs.sum() / max(costs.numel(), 1) + penalty
    return mean * {"mean": 1, "batchmean": costs.shape[1]}.get(reduction, costs.numel())


def _row_and_cell_weight(cells: Cells, dtype: torch.dtype) -> Tensor:
    weight = torch.ones((), dtype=dtype, device=cells.device)
    if cells.cell_weight is not None:
        weight = weight * cells.cell_weight.to(dtype)
    return weight if cells.row_weight is None else weight * cells.row_weight.to(dtype)[:, None]


def _expected(given: float | None, label_counts: ArrayLike | None, num_rows: int | None) -> float:
    if given is not None:
        _check.at_least("expected_positives", given, 0.0)
        return float(given)
    if label_counts is None or num_rows is None:
        raise OptionError("give expected_positives, or label_counts and num_rows to take it from")
    _check.at_least("num_rows", num_rows, 1)
    return float(checked_counts(label_counts).sum() / num_rows)


def _starting_logits(train_targets: Any, start: Tensor, zeros: str) -> Tensor:
    sure = float(np.log(0.995 / 0.005))
    given = as_targets(train_targets, start.shape[1])
    if given.shape != tuple(start.shape):
        raise ShapeError(f"train_targets must have shape {tuple(start.shape)}, got {given.shape}")
    values = torch.from_numpy(given.to_dense())
    start = torch.where(values > 0, sure, start)
    return start if zeros == "unknown" else torch.where(values == 0, -sure, start)
