"""What nobody has observed is taken for a negative: the baselines for incompletely observed labels."""

from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.base import Options
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.unobserved import ZEROS, EveryCell, marked


class AssumeNegative(EveryCell):
    """BCE in which every unobserved cell is a negative of a weight (AN); "mean" is over all cells.

    With the weight 1 it is `BCE` with unknown="negative"; with smoothing=(0.1, 0.1) the authors' AN-LS.

    Formula: y sp(-z) + weight (1 - y) sp(z)
    Use: The baseline for unlabelled cells: what nobody saw is not there.
    Trap: Teaches that missing positives are negatives.

    Args:
        weight: of an unobserved cell, >= 0; None is 1 / (labels - 1), that of `WeakAssumeNegative`.
        zeros: "unknown" (default) counts every 0 as unobserved; "negative" trusts zeros, which then have the
            weight 1.

    Source:
        Cole et al., "Multi-Label Learning from Single Positive Labels", CVPR 2021, arXiv:2106.09708 (AN,
        AN-LS, WAN).
    """

    def __init__(
        self,
        weight: float | None = 1.0,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("weight", 0.0 if weight is None else weight, 0.0)
        self.weight, self.zeros = weight, _check.one_of("zeros", zeros, ZEROS)

    def row_constants(self, cells: Cells) -> dict[str, Tensor]:
        """The weight, which may depend on the number of labels."""
        weight = 1 / max(cells.shape[1] - 1, 1) if self.weight is None else self.weight
        return {"share": torch.full(cells.shape[:1], weight, dtype=torch.float64, device=cells.device)}

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Zeros by what they mean."""
        kind = type(self)
        return (
            kind.positive,
            kind.unknown_cell if self.zeros == "unknown" else kind.negative,
            kind.unknown_cell,
        )

    def select(self, logits: Tensor, cells: Cells) -> Cells:  # noqa: ARG002
        """Unknown cells become zeros where both mean the same, so that smoothing reaches them too."""
        known = cells.known()
        return cells if self.zeros == "negative" or known is None else marked(cells, torch.zeros_like(known))

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    @staticmethod
    def unknown_cell(z: Scalar, share: Scalar) -> Curve:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-weight log(1 - p)."""
        return share * softplus(z), share * sigmoid(z)


class WeakAssumeNegative(AssumeNegative):
    """`AssumeNegative` with the weight 1 / (labels - 1): a positive weighs as the rest of its row (WAN).

    Formula: y sp(-z) + (1 - y) sp(z) / (labels - 1)
    Use: One known positive a row: it weighs as all unlabelled cells together.
    Trap: Probabilities come out far too high: tune the cuts.

    Args:
        weight: of an unobserved cell, >= 0; None (default) is 1 / (labels - 1), 1 for a single label.
        zeros: as in `AssumeNegative`.

    Source:
        Cole et al., "Multi-Label Learning from Single Positive Labels", CVPR 2021, arXiv:2106.09708; Mac
        Aodha et al., "Presence-Only Geographical Priors for Fine-Grained Image Classification", ICCV 2019.
    """

    def __init__(
        self,
        weight: float | None = None,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(weight, zeros, **options)
