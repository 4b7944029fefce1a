"""Losses for positives that are missing with a known probability: labels seen with a propensity below 1."""

from collections.abc import Mapping
from typing import Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.formula import Curve, Formula, Scalar
from manyhot.kernels.words import maximum, sigmoid, softplus
from manyhot.losses.base import Options, PerLabel, by_name
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.weighting import effective_number


def propensities(
    label_counts: ArrayLike, num_rows: int, a: float = 0.55, b: float = 1.5
) -> NDArray[np.float64]:
    """(labels,) probability that a positive was seen: 1 / (1 + (ln N - 1)(b + 1)^a (n + b)^-a), in (0, 1].

    Args:
        label_counts: (labels,) positives of each label in the training set.
        num_rows: rows of the training set, >= 3.
        a: 0.5 for Wikipedia, 0.6 for Amazon.
        b: 0.4 for Wikipedia, 2.6 for Amazon.

    Source:
        Jain et al., "Extreme Multi-label Loss Functions for Recommendation, Tagging, Ranking & Other Missing
        Label Applications", KDD 2016.
    """
    _check.at_least("num_rows", num_rows, 3)
    _check.finite("a", a)
    _check.at_least("b", b, 0.0)
    c = (np.log(num_rows) - 1) * (b + 1) ** a
    return 1 / (1 + c * (checked_counts(label_counts) + b) ** -a)


class PropensityScored(Pointwise):
    """BCE whose positives are weighted by 1 / propensity, as precision and nDCG are in their PSP forms.

    Formula: y sp(-z) / propensity + (1 - y) sp(z)
    Use: Extreme label sets, judged by precision@k in its propensity-scored form.
    Trap: Inverse propensities of rare labels are large; lower the learning rate.

    Args:
        propensity: (labels,) or by name, in (0, 1], 1 for labels not named; or instead
        label_counts: (labels,) and
        num_rows: from which `propensities` makes them.
        a: of `propensities`.
        b: of `propensities`.
        weighting: "inverse" (default); "pw" for 2 / propensity - 1, scaled to a mean of 1 over labels;
            "pw-cb" for that times the inverse effective number of the label's positives, scaled likewise (no
            bound any more, as the scale has no reason); needs label_counts.
        beta: of the effective number, in [0, 1).

    Source:
        Jain et al., KDD 2016; "pw" and "pw-cb": the program of Qaraei et al., WWW 2021.
    """

    def __init__(
        self,
        propensity: PerLabel | None = None,
        label_counts: ArrayLike | None = None,
        num_rows: int | None = None,
        a: float = 0.55,
        b: float = 1.5,
        weighting: Literal["inverse", "pw", "pw-cb"] = "inverse",
        beta: float = 0.9,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.weighting = _check.one_of("weighting", weighting, ("inverse", "pw", "pw-cb"))
        _check.between("beta", beta, 0.0, 1.0 - 1e-12)
        self.a, self.b, self.beta = a, b, beta
        weights = 1 / _given(self, propensity, label_counts, num_rows)
        if weighting != "inverse":
            weights = 2 * weights - 1
            if weighting == "pw-cb":
                weights = weights * _rarity(label_counts, beta)
            weights = weights / max(weights.mean(), 1e-30) if len(weights) else weights
        self.per_label("inverse", weights)

    @staticmethod
    def positive(z: Scalar, inverse: Scalar) -> Curve:
        """-log p / propensity."""
        return inverse * softplus(-z), -inverse * sigmoid(-z)

    negative = staticmethod(BCE.negative)


class Unbiased(Pointwise):
    """A base loss whose mean over seen labels is the mean over the true ones, or bounds it from above.

    With base costs l+ and l- and the propensity t of a label: "unbiased" costs a seen positive
    (l+ - l-) / t + l-, which may be negative without bound; "upper-bound" (2 / t - 1) l+, convex. Negatives
    cost l-.

    Formula: y ((l+ - l-) / propensity + l-) + (1 - y) l-
    Use: Missing positives with a known chance of being seen.
    Trap: Unbounded below: rare labels can diverge; form='upper-bound' cannot.

    Args:
        propensity: (labels,) or by name, in (0, 1], 1 for labels not named; or instead
        label_counts: (labels,) and
        num_rows: from which `propensities` makes them.
        a: of `propensities`.
        b: of `propensities`.
        form: "unbiased" (default) or "upper-bound".
        base: "bce" (default) or "squared-hinge".

    Source:
        Jain et al., KDD 2016; Qaraei et al., "Convex Surrogates for Unbiased Loss Functions in Extreme
        Classification With Missing Labels", WWW 2021; Schultheis and Babbar, arXiv:2109.11282.
    """

    def __init__(
        self,
        propensity: PerLabel | None = None,
        label_counts: ArrayLike | None = None,
        num_rows: int | None = None,
        a: float = 0.55,
        b: float = 1.5,
        form: Literal["unbiased", "upper-bound"] = "unbiased",
        base: Literal["bce", "squared-hinge"] = "bce",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.form = _check.one_of("form", form, ("unbiased", "upper-bound"))
        self.base = _check.one_of("base", base, ("bce", "squared-hinge"))
        self.a, self.b = a, b
        self.per_label("inverse", 1 / _given(self, propensity, label_counts, num_rows))

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """The curves of form and base."""
        kind = type(self)
        if self.base == "bce":
            return (kind.positive if self.form == "unbiased" else kind.bounded), kind.negative, None
        return (
            (kind.hinge_positive if self.form == "unbiased" else kind.hinge_bounded),
            kind.hinge_negative,
            None,
        )

    @staticmethod
    def positive(z: Scalar, inverse: Scalar) -> Curve:
        """(l+ - l-) / t + l-; of cross-entropies the difference is -z."""
        return softplus(z) - inverse * z, sigmoid(z) - inverse

    @staticmethod
    def bounded(z: Scalar, inverse: Scalar) -> Curve:
        """(2 / t - 1) l+."""
        weight = 2.0 * inverse - 1.0
        return weight * softplus(-z), -weight * sigmoid(-z)

    negative = staticmethod(BCE.negative)

    @staticmethod
    def hinge_positive(z: Scalar, inverse: Scalar) -> Curve:
        """(l+ - l-) / t + l- of squared hinges."""
        short, over = maximum(1.0 - z, 0.0), maximum(1.0 + z, 0.0)
        value = inverse * short * short + (1.0 - inverse) * over * over
        return value, 2.0 * ((1.0 - inverse) * over - inverse * short)

    @staticmethod
    def hinge_bounded(z: Scalar, inverse: Scalar) -> Curve:
        """(2 / t - 1) max(0, 1 - z)^2."""
        weight, short = 2.0 * inverse - 1.0, maximum(1.0 - z, 0.0)
        return weight * short * short, -2.0 * weight * short

    @staticmethod
    def hinge_negative(z: Scalar) -> Curve:
        """max(0, 1 + z)^2."""
        over = maximum(1.0 + z, 0.0)
        return over * over, 2.0 * over


def _rarity(label_counts: ArrayLike | None, beta: float) -> NDArray[np.float64]:
    """(labels,) inverse effective number; 0 for a label without positives, as in the authors' program."""
    if label_counts is None:
        raise OptionError("weighting='pw-cb' needs label_counts")
    counts = checked_counts(label_counts)
    return np.where(counts > 0, 1 / effective_number(np.maximum(counts, 1.0), beta), 0.0)


def _given(
    loss: "PropensityScored | Unbiased",
    propensity: PerLabel | None,
    label_counts: ArrayLike | None,
    num_rows: int | None,
) -> NDArray[np.float64]:
    if propensity is None:
        if label_counts is None or num_rows is None:
            raise OptionError("give propensity, or label_counts and num_rows to make it from")
        return propensities(label_counts, num_rows, loss.a, loss.b)
    if isinstance(propensity, Mapping):
        propensity = by_name("propensity", propensity, loss.names)
    values = np.atleast_1d(np.asarray(propensity, np.float64))
    if not ((values > 0) & (values <= 1)).all():
        raise OptionError(f"propensity must be in (0, 1], got {values.min():g} to {values.max():g}")
    return values
