"""How many labels, and which: losses that learn the size of the label set with its members."""

import math
from typing import Any, Literal, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.kernels import words
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.positives import Positives, visible
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import row_sums
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.words import log, maximum, minimum, sigmoid, softplus, where
from manyhot.losses.base import Options, Traits
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.positive_costs import PositiveCosts

LOG_RATE_LIMIT = 10.0
"""From here, 22,026 labels, a rate exp(s) goes on as its tangent: exp(s) overflows, also as a gradient."""

TINY = 1e-30  # least target value

COUNTS = ("poisson", "mse", "mse_log", "negbin", "categorical")
SOURCES = ("lse", "head", "sum_sigmoid", "count_logits")


class CountDistribution(PositiveCosts):
    """A row's labels as a count Z times a distribution: KL to softmax(z) plus a loss of the count.

    Z is the sum of the row's target values, the model's rate of it is exp(s). The count costs,
    always finite for Z = 0 and, but for the last, 0 where exp(s) = Z:

    poisson      Z log Z - Z s + exp(s) - Z
    mse          (exp(s) - Z)^2
    mse_log      (log(1 + exp(s)) - log(1 + Z))^2
    negbin       the Poisson cost for a variance of exp(s) + dispersion exp(s)^2
    categorical  -log q_Z, q = softmax over k = 0 ... max_count of k s - log k! + bias_k, or of own logits

    Gradients of the first two grow with the rate, up to 22,026, where exp(s) goes on as its tangent. The KL
    part is 0 for Z = 0. With count="poisson", count_source="lse", z_weighting=True this is exactly
    `GeneralizedKL`. `expected_counts` gives exp(s) for new rows: predict that many labels.

    Formula: KL(y / Z || softmax(z)) + weight times the cost of the count Z
    Use: The number of labels is to be predicted beside their order.
    Trap: Scores are rates, not probabilities; `expected_counts` gives the number.

    Args:
        count: see above.
        count_source: where s comes from: "lse" the log-sum-exp of the logits; "head" an own output of the
            model, call the loss with the pair (logits, s), s (rows,); "sum_sigmoid" the log of the summed
            probabilities; "count_logits", of "categorical" only, needs no s: call the loss with the pair
            (logits, logits of the counts), the latter (rows, max_count + 1).
        weight: of the count's cost, >= 0.
        z_weighting: multiply the KL part by Z.
        dispersion: of "negbin", > 0.
        max_count: of "categorical", counts above it are taken for it. Its bias (max_count + 1,), where it has
            one, is a parameter for the optimiser; at its start of 0 the distribution is Poisson's, cut off.

    Source:
        Cross Validated, question 207794; the identity with the Poisson likelihood is the factorisation of
        independent Poisson counts into their sum and a multinomial. Cardinalities: Rezatofighi et al.,
        "DeepSetNet", ICCV 2017, arXiv:1611.08998.
    """

    traits = Traits(bounded=False)

    def __init__(
        self,
        count: Literal["poisson", "mse", "mse_log", "negbin", "categorical"] = "poisson",
        count_source: Literal["lse", "head", "sum_sigmoid", "count_logits"] = "lse",
        weight: float = 1.0,
        z_weighting: bool = False,
        dispersion: float = 1.0,
        max_count: int = 20,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.count = _check.one_of("count", count, COUNTS)
        self.count_source = _check.one_of("count_source", count_source, SOURCES)
        _check.at_least("weight", weight, 0.0)
        _check.at_least("dispersion", dispersion, 1e-6)
        _check.at_least("max_count", max_count, 1)
        self.weight, self.z_weighting, self.dispersion = weight, z_weighting, dispersion
        self.max_count = max_count
        apart = count_source == "count_logits"
        if apart and count != "categorical":
            raise OptionError(f"count_source='count_logits' is for count='categorical', got count={count!r}")
        biased = count == "categorical" and not apart
        self.bias = nn.Parameter(torch.zeros(max_count + 1)) if biased else None

    def joined(self, logits: Any) -> Any:
        """With a head, logits whose log-sum-exp is the head's: softmax does not see the difference."""
        if self.count_source not in ("head", "count_logits"):
            return logits
        labels, beside = self._pair(logits)
        if self.count_source == "count_logits":
            return labels
        return labels + (beside - torch.logsumexp(labels, dim=1))[:, None]

    def outputs(self, logits: Any) -> Tensor | None:
        """The logits of the counts, where they come from a head of their own."""
        if self.count_source != "count_logits":
            return None
        labels, counts = self._pair(logits)
        wanted = (labels.shape[0], self.max_count + 1)
        if tuple(counts.shape) != wanted:
            raise ShapeError(f"logits of the counts must have shape {wanted}, got {tuple(counts.shape)}")
        return counts

    def _pair(self, logits: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(logits, tuple):
            beside = {"head": "log of the count"}.get(self.count_source, "logits of the counts")
            raise OptionError(
                f"count_source={self.count_source!r} is called with the pair (logits, {beside}), "
                "got logits alone"
            )
        return logits  # type: ignore[return-value]

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """As for every row-wise loss; what counts with logits of their own cost is added."""
        cost = super().evaluate(logits, cells)
        if self.count_source != "count_logits":
            return cost
        if cells.outputs is None:
            raise OptionError(
                "count_source='count_logits' is for a loss that is called itself, not for a part"
            )
        shares = torch.log_softmax(computed(cells.outputs), dim=1)
        total = row_sums(computed(logits).detach(), cells, self.reading(cells), ("n_pos",))["n_pos"]
        counted = self.counted(cells)
        costs = torch.where(counted, self.weight * self._log_loss(shares, total), 0.0)
        if cells.row_weight is not None:
            costs = costs * cells.row_weight.to(costs.dtype)
        return cost + reduce_units(costs, self.reduction, len(costs), counted.sum()).to(cost.dtype)

    sum_names = ("lse_all", "dot_pos", "n_pos", "neg_entropy")

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Distribution and count."""
        sums = row_sums(z, cells, self.reading(cells), self.sum_names)
        if self.count_source != "sum_sigmoid":
            return self._cost(sums, sums["lse_all"])
        chances = functional.logsigmoid(visible(z, cells))
        return self._cost(sums, row_sums(chances, cells, self.reading(cells), ("lse_all",))["lse_all"])

    def of_sums(self, sums: dict[str, Tensor], own: Positives) -> Tensor:  # noqa: ARG002
        """Distribution and a count that is the log-sum-exp."""
        return self._cost(sums, sums["lse_all"])

    def _cost(self, sums: dict[str, Tensor], log_rate: Tensor) -> Tensor:
        total = sums["n_pos"]
        size = total.where(total > 0, 1.0)
        divergence = sums["lse_all"] + (sums["neg_entropy"] - sums["dot_pos"]) / size - torch.log(size)
        # An infinite logit has to show also in a row without positives, or its gradient would be a NaN.
        divergence = torch.where(total > 0, divergence, 0.0 * sums["lse_all"])
        if self.z_weighting:
            divergence = total * divergence
        if self.count_source == "count_logits":
            return divergence
        return divergence + self.weight * self._count_cost(log_rate, total)

    def expected_counts(self, logits: Any) -> Tensor:
        """(rows,) expected number of labels.

        Args:
            logits: as the loss takes them.
        """
        counts = self.outputs(logits)
        if counts is not None:
            return self._mean_count(torch.log_softmax(counts, dim=1))
        z = self.joined(logits)
        s = torch.logsumexp(functional.logsigmoid(z) if self.count_source == "sum_sigmoid" else z, dim=1)
        if self.bias is None:
            return rate_of(s)
        return self._mean_count(self._log_shares(s))

    def _mean_count(self, log_shares: Tensor) -> Tensor:
        return log_shares.exp() @ torch.arange(self.max_count + 1).to(log_shares)

    def _count_cost(self, s: Tensor, total: Tensor) -> Tensor:
        if self.count == "mse":
            return (rate_of(s) - total).square()
        if self.count == "mse_log":
            return (words.softplus(s) - torch.log1p(total)).square()
        if self.count == "categorical":
            return self._log_loss(self._log_shares(s), total)
        own = torch.special.xlogy(total, total) - total * s
        if self.count == "poisson":
            return own + rate_of(s) - total
        trials = total + 1 / self.dispersion
        spread = torch.log1p(self.dispersion * total) - words.softplus(s + math.log(self.dispersion))
        return own - trials * spread

    def _log_loss(self, log_shares: Tensor, total: Tensor) -> Tensor:
        """(rows,) -log of the share of the count that is true."""
        place = total.detach().round().clamp(max=self.max_count).long()
        return -log_shares.gather(1, place[:, None])[:, 0]

    def _log_shares(self, s: Tensor) -> Tensor:
        """(rows, max_count + 1) log-probability of each count."""
        assert self.bias is not None
        counts = torch.arange(self.max_count + 1, device=s.device, dtype=s.dtype)
        level = self.bias.to(s.dtype) - torch.lgamma(counts + 1)
        return torch.log_softmax(s[:, None] * counts + level, dim=1)


class GeneralizedKL(PositiveCosts):
    """Sum over labels of y log(y / q) - y + q with q = exp(z): a Poisson likelihood for every label.

    The outputs are rates, not probabilities; their sum is the expected number of labels. 0 where q = y. The
    gradient grows with the rates, up to a sum of 22,026, where the cost goes on as its tangent.

    Formula: sum of y log y - y z + exp(z) - y
    Use: Rates: expected counts per label, whose sum is the expected number of labels.
    Trap: exp(z) is a rate; begin with logits of rare labels below 0.

    Source:
        Csiszar's I-divergence; the older answer to Cross Validated, question 207794.
    """

    traits = Traits(bounded=False)

    sum_names = ("lse_all",)

    def of_sums(self, sums: dict[str, Tensor], own: Positives) -> Tensor:
        """All rates less what the positives explain."""
        rates = rate_of(sums["lse_all"])
        return rates + own.added(own.mass * (torch.log(own.values.clamp(min=TINY)) - own.z - 1))


class AbsKL(Pointwise):
    """|(t - q) log(t / q)| with q = sigmoid(z), target t and q kept at or above epsilon.

    Symmetric in t and q. The choice of epsilon is part of the loss: at q = 0.5 a negative costs 7.7 with 1e-7
    and 3.1 with 1e-3. A positive below epsilon has no slope.

    Formula: |(t - q) log(t / q)|, t = max(y, epsilon), q = max(p, epsilon)
    Use: To compare with work that used it.
    Trap: epsilon changes costs and gradients; a positive below it learns nothing.

    Args:
        epsilon: in (0, 0.1].

    Source:
        An older answer to Cross Validated, question 207794.
    """

    def __init__(self, epsilon: float = 1e-7, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.between("epsilon", epsilon, 1e-30, 0.1)
        self.epsilon = epsilon
        self.depth = -math.log(epsilon)

    @staticmethod
    def positive(z: Scalar, epsilon: Scalar, depth: Scalar) -> Curve:
        """-(1 - q) log q."""
        p, miss, cost = sigmoid(z), sigmoid(-z), softplus(-z)
        value = minimum(miss, 1.0 - epsilon) * minimum(cost, depth)
        return value, where(cost < depth, -miss * (p * cost + miss), 0.0)

    @staticmethod
    def negative(z: Scalar, epsilon: Scalar, depth: Scalar) -> Curve:
        """(q - epsilon) log(q / epsilon)."""
        p, rest, ratio = sigmoid(z), sigmoid(-z), depth - softplus(-z)
        inside = ratio > 0.0
        value = where(inside, (p - epsilon) * ratio, 0.0)
        return value, where(inside, rest * (p * ratio + p - epsilon), 0.0)

    @staticmethod
    def soft(  # pyright: ignore[reportIncompatibleVariableOverride]
        z: Scalar, y: Scalar, epsilon: Scalar, depth: Scalar
    ) -> Curve:
        """(t - q) log(t / q): both factors have one sign."""
        p, rest, cost, t = sigmoid(z), sigmoid(-z), softplus(-z), maximum(y, epsilon)
        inside = cost < depth
        q = where(inside, p, epsilon)
        lead = where(y > 0.5, (t - 1.0) + where(inside, rest, 1.0 - epsilon), t - q)
        ratio = log(t) + minimum(cost, depth)
        return lead * ratio, where(inside, -rest * (p * ratio + lead), 0.0)


def rate_of(s: Tensor) -> Tensor:
    """exp(s), from `LOG_RATE_LIMIT` on its tangent."""
    bent = math.exp(LOG_RATE_LIMIT) * (1 + s - LOG_RATE_LIMIT)
    return torch.where(s > LOG_RATE_LIMIT, bent, torch.exp(s.clamp(max=LOG_RATE_LIMIT)))
