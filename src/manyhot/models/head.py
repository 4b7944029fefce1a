"""The head: hidden vectors to logits, logits to scores; it alone knows which labels exclude each other."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from manyhot.kernels.best_labels import best_labels
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models.layers import SparseLinear

WIDE = 2_000
"""From so many labels on a space is wide: its logits, scores and targets are never held as whole matrices."""

OPEN = (2.0**-126, 1 - 2.0**-24)
"""The smallest normal float32, and the largest below 1."""

CHUNK_CELLS = 2**22
"""Logits that `Head.best` holds at once: 16 MB."""


class Head(nn.Module):
    """One linear layer over all labels, sigmoid on independent ones, softmax inside exclusive groups.

    A group that allows none of its labels has one more class, whose logit is 0 and which has no column.

    Args:
        space: the labels, in column order.
        width: width of the hidden vectors.
        sparse: whether they come as a `SparseBatch`.
        spread: standard deviation of the first weights; with 0 every row starts at the prior exactly.
    """

    def __init__(self, space: LabelSpace, width: int, sparse: bool = False, spread: float = 0.0) -> None:
        super().__init__()
        self.layer = SparseLinear(width, len(space)) if sparse else nn.Linear(width, len(space))
        if not self.layer.weight.is_meta:
            nn.init.normal_(self.layer.weight, std=spread)
        nn.init.zeros_(self.layer.bias)
        self._groups = [(torch.from_numpy(space.columns(g.labels)), g.allow_none) for g in space.groups]

    def forward(self, hidden: Any) -> Tensor:
        """Logits (rows, labels), any real."""
        return self.layer(hidden)

    def scores(self, logits: Tensor) -> Tensor:
        """Probabilities (rows, labels) float32 in (0, 1); those of an exclusive group add up to at most 1.

        None is 0 or 1, whatever rounding makes of it: a probability that is no more than a decision has no
        logarithm, and is taken for one.
        """
        logits = logits.float()
        scores = torch.sigmoid(logits)
        for columns, allow_none in self._groups:
            inside = logits[:, columns]
            if allow_none:
                inside = torch.cat([inside, inside.new_zeros(len(inside), 1)], dim=1)
            scores = scores.index_copy(1, columns, torch.softmax(inside, dim=1)[:, : len(columns)])
        return scores.clamp(*OPEN)

    def best(self, hidden: Any, k: int) -> tuple[Tensor, Tensor]:
        """Columns and scores (rows, k) of the k highest labels of each row, highest first.

        The highest label of each exclusive group comes before all others, since a rule chooses one of a group
        however low it is.

        The labels are walked in chunks; only exclusive groups and compressed rows need all logits of these
        rows at once.

        Args:
            hidden: (rows, width), or a `SparseBatch`.
            k: at most the number of labels.
        """
        if self._groups or isinstance(self.layer, SparseLinear):
            scores = self.scores(self(hidden))
            columns = self._groups_first(scores).topk(k).indices
            return columns, scores.gather(1, columns)
        weight, bias = self.layer.weight, self.layer.bias
        chunk = max(k, CHUNK_CELLS // max(1, len(hidden)))
        parts = (slice(start, start + chunk) for start in range(0, len(weight), chunk))
        logits = ((part.start, nn.functional.linear(hidden, weight[part], bias[part])) for part in parts)
        values, columns = best_labels(logits, k)
        return columns, torch.sigmoid(values.float()).clamp(*OPEN)

    def _groups_first(self, scores: Tensor) -> Tensor:
        """The scores with 1 added to the highest label of each exclusive group."""
        for columns, _ in self._groups:
            columns = columns.to(scores.device)
            highest = columns[scores[:, columns].argmax(dim=1, keepdim=True)]
            scores = scores.scatter_add(1, highest, torch.ones_like(highest, dtype=scores.dtype))
        return scores

    @torch.no_grad()
    def start_at_prior(self, space: LabelSpace, targets: Targets) -> None:
        """Set the bias so that a hidden vector of zeros scores each label's share in the targets."""
        prior = torch.from_numpy(prior_logits(space, targets).astype(np.float32))
        self.layer.bias.copy_(prior)


def prior_logits(space: LabelSpace, targets: Targets) -> NDArray[np.float64]:
    """Logits (labels,) whose scores are each label's share of its known cells, half a row added per class.

    The half row keeps the logit of a label in no row, or in all rows, finite.
    """
    positive, known = targets.label_sums(), targets.known_counts()
    logits = np.log(positive + 0.5) - np.log(known - positive + 0.5)
    for group in space.groups:
        columns = space.columns(group.labels)
        logits[columns] = _group_logits(group, positive[columns], known[columns])
    return logits


def _group_logits(group: Group, positive: NDArray[Any], known: NDArray[Any]) -> NDArray[np.float64]:
    if not group.allow_none:
        return np.log((positive + 0.5) / (positive.sum() + 0.5 * len(positive)))
    none = max(float(known.max(initial=0)) - positive.sum(), 0.0)
    return np.log(positive + 0.5) - np.log(none + 0.5)
