"""Learning from positives and cells that are not labelled at all, label by label."""

from typing import Literal, Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels import words
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import Sides, product
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss, Options, PerLabel, Traits
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import side_weights


class NonNegativePU(MultiLabelLoss):
    """Risk of a label from its positives and its unlabelled cells, kept from falling below 0 (nnPU).

    pi E+[l+] + max(0, Eu[l-] - pi E+[l-]), with costs l+ and l- of being taken for a positive or a negative,
    E+ the mean over the label's positives in the batch, Eu that over all its other cells, known or not. A
    mean over no cell is 0. The unit is a label; it depends on which rows are in the batch: use large ones.

    Formula: pi E+[l+] + max(0, Eu[l-] - pi E+[l-]) of a label, E over its positives (+) and other cells (u)
    Use: Positives and unlabelled cells, with the share of missing positives known.
    Trap: Needs that share, prior; the training set's own is too low. Use large batches.

    Args:
        prior: pi, share of the unlabelled cells of a label to which it applies: a number, (labels,) or by
            name, in [0, 1]; or instead
        label_counts: (labels,) and
        num_rows: of the training set, whose shares of positives stand in for it; too low where most
            positives are missing.
        base: "bce" (default) or "sigmoid", whose costs 1 - p and p are bounded, as in the paper.

    Source:
        Kiryo et al., "Positive-Unlabeled Learning with Non-Negative Risk Estimator", NeurIPS 2017,
        arXiv:1703.00593; one binary problem there, one for each label here.
    """

    shows_nan = True

    traits = Traits(batch=True)

    ignores_unknown = False

    def __init__(
        self,
        prior: PerLabel | None = None,
        label_counts: ArrayLike | None = None,
        num_rows: int | None = None,
        base: Literal["bce", "sigmoid"] = "bce",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.base = _check.one_of("base", base, ("bce", "sigmoid"))
        if prior is None:
            if label_counts is None or num_rows is None:
                raise OptionError("give prior, or label_counts and num_rows to take it from")
            _check.at_least("num_rows", num_rows, 1)
            prior = checked_counts(label_counts) / num_rows
        self.per_label("prior", prior, low=0.0)
        if bool((torch.as_tensor(self.prior) > 1).any()):
            raise OptionError(f"prior must be in [0, 1], got {float(torch.as_tensor(self.prior).max()):g}")

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Risks of the labels, reduced."""
        z = computed(logits)
        by_row = None if cells.row_weight is None else cells.row_weight[:, None]
        sides = Sides(cells, self.smoothing, product(cells.cell_weight, by_row), z.dtype)
        (wrong, right), each = self._costs(z), z.new_ones(()).expand(z.shape)
        seen, others = (total.where(total > 0, 1.0) for total in sides.sums(each, each))
        missed, doubtful = sides.sums(right, wrong)
        taken, _ = sides.sums(wrong, each)
        prior = torch.as_tensor(self.prior, dtype=z.dtype, device=z.device)
        doubtful = (doubtful / others - prior * taken / seen).clamp(min=0)
        up, down = (1.0 if weight is None else weight.to(z.dtype) for weight in side_weights(self, cells))
        risks = (
            up * prior * missed / seen + down * doubtful + 0.0 * z.sum(0)
        )  # so that what is not finite shows
        return reduce_units(risks, self.reduction, z.shape[0], z.shape[1])

    def _costs(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, labels) costs of being a negative and of being a positive."""
        if self.base == "bce":
            return words.softplus(z), words.softplus(-z)
        return torch.sigmoid(z), torch.sigmoid(-z)
