"""AUC by a margin that is fought for: a loss with parameters of its own, one of which is maximised."""

from typing import Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import Sides, product, visible
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import side_weights


class AUCM(MultiLabelLoss):
    """AUC margin loss of a label: positives gather at a, negatives at b, and alpha drives them apart.

    With s = sigmoid(z), r the share of positives in the training set and E the mean over the label's known
    rows of the batch: (1 - r) E[y (s - a)^2] + r E[(1 - y) (s - b)^2]
    + 2 alpha (r (1 - r) margin + E[r (1 - y) s - (1 - r) y s]) - r (1 - r) alpha^2, least in the model, a and
    b, greatest in alpha >= 0. a, b, alpha (labels,) are parameters for the optimiser; the gradient that it is
    given for alpha is turned round, so that any optimiser climbs. The unit is a label.

    Formula: (1 - r) E[y (p - a)^2] + r E[(1 - y) (p - b)^2] + 2 alpha (r (1 - r) margin + ...) - r (1 - r)
    alpha^2
    Use: The area under the ROC curve of each label, with small batches too.
    Trap: a, b and alpha have to be in the optimiser; p moves slowly until alpha has grown.

    Args:
        label_counts: (labels,) positives of each label in the training set.
        num_rows: rows of the training set, >= 2.
        margin: by which positives have to lead, > 0.

    Source:
        Yuan et al., "Large-scale Robust Deep AUC Maximization", ICCV 2021, arXiv:2012.03173. The authors'
        optimiser is not needed; means are over known rows, where their code divides by counts of cells that
        are not 0.
    """

    shows_nan = True

    traits = Traits(batch=True, calls=("parameters",))

    def __init__(
        self, label_counts: ArrayLike, num_rows: int, margin: float = 1.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("num_rows", num_rows, 2)
        _check.at_least("margin", margin, 1e-6)
        counts = checked_counts(label_counts)
        if (counts > num_rows).any():
            raise OptionError(f"label_counts up to {counts.max():g} do not fit num_rows={num_rows}")
        self.margin = margin
        self.per_label("prior", counts / num_rows)
        self.a, self.b, self.alpha = (nn.Parameter(torch.zeros(len(counts))) for _ in range(3))

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Costs of the labels, reduced."""
        z = computed(logits)
        s, r = torch.sigmoid(visible(z, cells)), torch.as_tensor(self.prior).to(z.dtype)
        known = cells.known()
        number = torch.full_like(r, len(z)) if known is None else known.sum(0).to(z.dtype)
        by_row = None if cells.row_weight is None else cells.row_weight[:, None]
        sides = Sides(cells, self.smoothing, product(known, cells.cell_weight, by_row), z.dtype)
        a, b = self.a.to(z.dtype), self.b.to(z.dtype)
        if self.training:
            with torch.no_grad():
                self.alpha.clamp_(min=0)
        alpha = (2 * self.alpha.detach() - self.alpha).to(z.dtype)
        up, down = (1.0 if w is None else w.to(z.dtype) for w in side_weights(self, cells))
        spread, share = (
            [part / number.clamp(min=1) for part in sides.sums(*amounts)]
            for amounts in (((s - a) ** 2, (s - b) ** 2), (s, s))
        )
        apart = up * (1 - r) * spread[0] + down * r * spread[1]
        lead = r * (1 - r) * self.margin + down * r * share[1] - up * (1 - r) * share[0]
        costs = apart + 2 * alpha * lead - r * (1 - r) * alpha**2 + 0.0 * s.sum(0)
        costs = torch.where(number > 0, costs, 0.0)
        return reduce_units(costs, self.reduction, z.shape[0], (number > 0).sum())
