"""Softmax over all labels of a row with more than one right answer."""

from typing import Any, Literal, Unpack

from torch import Tensor

from manyhot import _check
from manyhot.kernels import words
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import Positives, positives
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.words import log, where
from manyhot.losses.base import Options
from manyhot.losses.positive_costs import PositiveCosts
from manyhot.losses.rowwise import RowCosts, Rowwise


class SoftmaxMultiHot(Rowwise):
    """Cross-entropy of softmax(z / T) against the row's labels, each with an equal share.

    -sum over positives of y / k log softmax(z / T), where k is the sum of the row's target values. Consistent
    for recall@k. Rows without positives cost 0. Says which labels come first, not how many there are.

    Formula: LSE(z) - mean over P of z
    Use: Very many labels, few apply; recall@k.
    Trap: Several labels compete: none can be sure beyond 1/k.

    Args:
        temperature: T, > 0.

    Source:
        Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining", ECCV 2018, arXiv:1805.00932;
        Menon et al., "Multilabel reductions: what is my loss optimising?", NeurIPS 2019.
    """

    def __init__(self, temperature: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature

    @staticmethod
    def row(lse_all: Any, dot_pos: Any, n_pos: Any, temperature: Any) -> tuple[Any, tuple[Any, ...]]:
        """The log of the normaliser less the mean logit of the positives."""
        some = n_pos > 0
        size = where(some, n_pos, 1.0) * temperature
        counts = where(some, 1.0, 0.0)
        return counts * lse_all - dot_pos / size, (counts, -counts / size)


class PickAllLabels(Rowwise):
    """Sum over positives of y of the softmax cross-entropy that would be theirs if they were alone.

    As `SoftmaxMultiHot`, but a row counts once for each of its labels; consistent for precision@k.

    Formula: k LSE(z) - sum over P of z
    Use: Very many labels; precision@k.
    Trap: Rows with many labels dominate; several labels compete.

    Args:
        temperature: divides the logits, > 0.

    Source:
        Reddi et al., "Stochastic Negative Mining for Learning with Large Output Spaces", AISTATS 2019; named
        in Menon et al., "Multilabel reductions: what is my loss optimising?", NeurIPS 2019.
    """

    def __init__(self, temperature: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature

    @staticmethod
    def row(lse_all: Any, dot_pos: Any, n_pos: Any, temperature: Any) -> tuple[Any, tuple[Any, ...]]:
        """The log of the normaliser for each positive, less their logits."""
        return n_pos * lse_all - dot_pos / temperature, (n_pos, -1.0 / temperature)


class LabelDistributionKL(Rowwise):
    """Kullback-Leibler divergence of softmax(z / T) from the row's target values, scaled to a distribution.

    For label distributions (soft targets that say how much of each label); 0 where the softmax meets them.
    The gradient is that of `SoftmaxMultiHot`. Rows without positives cost 0.

    Formula: KL(y / sum y || softmax(z))
    Use: Soft targets that say how much of each label.
    Trap: Says nothing of how many labels apply.

    Args:
        temperature: T, > 0.

    Source:
        Geng, "Label Distribution Learning", IEEE TKDE 2016.
    """

    def __init__(self, temperature: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature

    @staticmethod
    def row(
        lse_all: Any, dot_pos: Any, n_pos: Any, neg_entropy: Any, temperature: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        """Cross-entropy less the entropy of the target distribution."""
        some = n_pos > 0
        size = where(some, n_pos, 1.0)
        counts = where(some, 1.0, 0.0)
        value = counts * (lse_all - log(size)) + (neg_entropy - dot_pos / temperature) / size
        return value, (counts, -counts / (size * temperature))


class DecoupledSoftmax(PositiveCosts):
    """Mean over a row's positives of a softmax cross-entropy against the negatives only.

    A positive p costs log(1 + sum over negatives n of exp((z_n - z_p) / T)): other positives are not in its
    normaliser, so that several can be sure at once. A soft target counts on both sides by its share.

    Formula: mean over p in P of sp(LSE over N of z - z_p)
    Use: Extreme label sets with several positives a row; dual encoders.
    Trap: Gives no cut.

    Args:
        temperature: T, > 0.
        average: "row" (default) takes the mean over a row's positives, then over rows; "positive" the mean
            over all positives of the batch (wLSEP; `label_weight` gives its weights).

    Source:
        Gupta et al., "Dual-Encoders for Extreme Multi-Label Classification", ICLR 2024, arXiv:2310.10636;
        wLSEP: Monfort et al., "Multi-Moments in Time", TPAMI 2021, arXiv:1911.00232.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        average: Literal["row", "positive"] = "row",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.average = _check.one_of("average", average, ("row", "positive"))
        self.temperature = self.temperature_neg = temperature

    sum_names = ("lse_neg",)

    def of_sums(self, sums: dict[str, Tensor], own: Positives) -> Tensor:
        """Mean over positives, or their sum where the mean is over the batch."""
        against = sums["lse_neg"]
        summed = own.added(own.mass * words.softplus(against[own.rows] - own.z / self.temperature))
        # An infinite logit has to show also in a row without positives, or its gradient would be a NaN.
        summed = summed + 0.0 * against
        if self.average == "positive":
            return summed
        size = own.added(own.values)
        return summed / size.where(size > 0, 1.0)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """As for every row-wise loss, or with "positive" the mean over all positives."""
        if self.average == "row" or self.reduction != "mean":
            return RowCosts.evaluate(self, logits, cells)
        z = computed(logits)
        costs = self.rows(z, cells)
        if cells.row_weight is not None:
            costs = costs * cells.row_weight.to(z.dtype)
        number = positives(z.detach(), cells, self.reading(cells)).values.sum()
        return reduce_units(costs, "mean", z.shape[0], number)
