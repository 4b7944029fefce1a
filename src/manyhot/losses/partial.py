"""Losses for targets of which a part is unknown, and whose authors do something about it."""

from dataclasses import replace
from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.pointwise import pointwise
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import Options, PerLabel, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.focal import clipped_negative, focused_negative, focused_positive
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.unobserved import EveryCell, likeliest, row_scaled

MODES = ("selective", "negative", "ignore", "ignore_normalize")


class PartialBCE(Pointwise):
    """BCE of known cells, divided by all labels and multiplied by a factor of the row's known share r.

    The factor alpha r^gamma + beta makes up for rows of which little is known; by default it is 5 at r = 0.1
    and 1 at r = 1. "mean" is over all labels, known or not, of the rows of which something is known.

    Formula: (alpha r^gamma + beta) BCE of known cells / labels, r the known share of the row
    Use: Targets of which much is unknown, in rows of different shares.
    Trap: Divides by all labels: its size falls with what is known.

    Args:
        alpha: slope of the factor.
        beta: factor of a row of which nothing is known.
        gamma: bend of the factor, > 0.

    Source:
        Durand, Mehrasa and Mori, "Learning a Deep ConvNet for Multi-label Classification with Partial
        Labels", CVPR 2019, arXiv:1902.09720.
    """

    ignores_unknown = False  # it leaves them out, but counts them

    def __init__(
        self,
        alpha: float = -4.45,
        beta: float = 5.45,
        gamma: float = 1.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma", gamma, 1e-6)
        _check.finite("alpha", alpha)
        _check.finite("beta", beta)
        if min(beta, alpha + beta) < 0:
            raise OptionError(f"alpha={alpha}, beta={beta} give rows a negative weight")
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """The factor goes onto the rows."""
        share = cells.known_per_row().to(computed(logits[:0]).dtype) / max(logits.shape[1], 1)
        return row_scaled(cells, self.alpha * share**self.gamma + self.beta)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell."""
        curves = self.curves(cells)
        if self.reduction != "mean":
            return pointwise(logits, cells, curves, self.reduction)
        counted = (cells.known_per_row() > 0).sum().clamp(min=1) * max(logits.shape[1], 1)
        return pointwise(logits, cells, curves, "sum") / counted


class ClassAwareSelective(EveryCell):
    """ASL with a third curve for unknown cells: negatives, but less so, and the likeliest not at all (P-ASL).

    With q = max(p - clip, 0): positives -(1 - p)^gamma_pos log p, negatives -q^gamma_neg log(1 - q), unknown
    ones -alpha_unknown q^gamma_unknown log(1 - q). "mean" is over all cells, known or not.

    Formula: ASL, and alpha_unknown p^gamma_unknown sp(z) for unknown cells
    Use: Partly labelled images, where most unknown cells are negative.
    Trap: Needs cells that are marked unknown; zeros count as seen.

    Args:
        gamma_pos: focus of positives, >= 0.
        gamma_neg: focus of negatives, >= 0; 1 to 3 in the paper.
        gamma_unknown: focus of unknown cells, >= 0.
        alpha_pos: weight of positives, >= 0.
        alpha_neg: weight of negatives, >= 0.
        alpha_unknown: weight of unknown cells, >= 0.
        clip: probability below which a negative or unknown cell costs nothing, in [0, 1).
        mode: "selective" (default) leaves out the unknown cells of a batch that the model holds for the
            likeliest positives, and those of frequent labels; "negative" leaves none out; "ignore" all;
            "ignore_normalize" all, and multiplies a row with n known cells by 1 + 1 / (1 + n).
        likelihood_topk: how many unknown cells of a batch "selective" leaves out for each of its rows.
        label_prior: (labels,) share of rows that each label truly applies to, in [0, 1]; optional.
        prior_threshold: "selective" leaves out unknown cells of labels with a larger prior.
        detach_focus: keep the powers constant in the slope, as the authors train; False is the derivative.

    Source:
        Ben-Baruch et al., "Multi-label Classification with Partial Annotations using Class-aware Selective
        Loss", CVPR 2022, arXiv:2110.10955.
    """

    traits = Traits(batch=True)

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 1.0,
        gamma_unknown: float = 4.0,
        alpha_pos: float = 1.0,
        alpha_neg: float = 1.0,
        alpha_unknown: float = 1.0,
        clip: float = 0.0,
        mode: Literal["selective", "negative", "ignore", "ignore_normalize"] = "selective",
        likelihood_topk: int = 5,
        label_prior: PerLabel | None = None,
        prior_threshold: float = 0.05,
        detach_focus: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        powers = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "gamma_unknown": gamma_unknown}
        weights = {"alpha_pos": alpha_pos, "alpha_neg": alpha_neg, "alpha_unknown": alpha_unknown}
        for name, value in {**powers, **weights}.items():
            _check.at_least(name, value, 0.0)
            setattr(self, name, value)
        _check.at_least("likelihood_topk", likelihood_topk, 0)
        self.likelihood_topk = likelihood_topk
        _check.between("clip", clip, 0.0, 1.0 - 1e-9)
        _check.between("prior_threshold", prior_threshold, 0.0, 1.0)
        self.mode = _check.one_of("mode", mode, MODES)
        self.per_label("label_prior", label_prior, low=0.0)
        self.clip, self.prior_threshold = clip, prior_threshold
        self.detach_focus, self.flow = detach_focus, 0.0 if detach_focus else 1.0

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Without a clip, log(1 - p) is exact however large the logit."""
        kind = type(self)
        negative, unknown = (
            (kind.negative, kind.unknown_cell)
            if self.clip
            else (kind.unclipped_negative, kind.unclipped_unknown)
        )
        return kind.positive, negative, None if self.mode.startswith("ignore") else unknown

    @staticmethod
    def positive(z: Scalar, gamma_pos: Scalar, alpha_pos: Scalar, flow: Scalar) -> Curve:
        """-alpha_pos (1 - p)^gamma_pos log p."""
        value, slope = focused_positive(z, gamma_pos, flow)
        return alpha_pos * value, alpha_pos * slope

    @staticmethod
    def negative(z: Scalar, gamma_neg: Scalar, alpha_neg: Scalar, clip: Scalar, flow: Scalar) -> Curve:
        """-alpha_neg q^gamma_neg log(1 - q)."""
        value, slope = clipped_negative(z, gamma_neg, clip, flow)
        return alpha_neg * value, alpha_neg * slope

    @staticmethod
    def unknown_cell(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, gamma_unknown: Scalar, alpha_unknown: Scalar, clip: Scalar, flow: Scalar
    ) -> Curve:
        """-alpha_unknown q^gamma_unknown log(1 - q)."""
        value, slope = clipped_negative(z, gamma_unknown, clip, flow)
        return alpha_unknown * value, alpha_unknown * slope

    @staticmethod
    def unclipped_negative(z: Scalar, gamma_neg: Scalar, alpha_neg: Scalar, flow: Scalar) -> Curve:
        """-alpha_neg p^gamma_neg log(1 - p)."""
        value, slope = focused_negative(z, gamma_neg, flow)
        return alpha_neg * value, alpha_neg * slope

    @staticmethod
    def unclipped_unknown(z: Scalar, gamma_unknown: Scalar, alpha_unknown: Scalar, flow: Scalar) -> Curve:
        """-alpha_unknown p^gamma_unknown log(1 - p)."""
        value, slope = focused_negative(z, gamma_unknown, flow)
        return alpha_unknown * value, alpha_unknown * slope

    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """Weights of 0 for the unknown cells that are left out."""
        if self.mode == "ignore_normalize":
            return row_scaled(cells, 1 + 1 / (1 + cells.known_per_row().to(computed(logits[:0]).dtype)))
        known = cells.known() if self.mode == "selective" else None
        if known is None:
            return cells
        dropped = likeliest(logits, ~known, self.likelihood_topk * logits.shape[0])
        if self.label_prior is not None:
            frequent = torch.as_tensor(self.label_prior, device=logits.device) > self.prior_threshold
            dropped = dropped | (~known & frequent)
        weight = (~dropped).to(torch.promote_types(logits.dtype, torch.float32))
        if cells.cell_weight is not None:
            weight = weight * cells.cell_weight
        return replace(cells, cell_weight=weight)
