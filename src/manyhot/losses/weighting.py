"""Weights of labels from the training targets, and how to take them back from the scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.labels import LabelSpace
from manyhot.losses.base import by_name
from manyhot.losses.door import read_targets

SCHEMES = ("balanced", "sqrt", "inverse", "sqrt_inverse", "effective")
Array = TypeVar("Array")


def label_weights(
    targets: Any,
    scheme: Literal["balanced", "sqrt", "inverse", "sqrt_inverse", "effective"]
    | ArrayLike
    | Mapping[str, float] = "balanced",
    space: LabelSpace | Sequence[str] | None = None,
    *,
    cap: float = 100.0,
    beta: float = 0.999,
) -> NDArray[np.float64]:
    """Weights (labels,) for the positive side of a loss, finite also for labels without positives.

    - balanced: negatives / positives among the known cells, so that both sides of a label weigh the same;
    - sqrt: its square root;
    - inverse: known cells / positives;
    - sqrt_inverse: its square root;
    - effective: inverse effective number of positives (1 - beta) / (1 - beta^n), scaled to a mean of 1;
    - an array or {name: weight} is taken as it is, 1 for labels not named.

    A label without positives counts as if it had one.

    Args:
        targets: the training targets, any form of `as_targets`, -1 for unknown among floats; unknown cells
            count on neither side.
        scheme: as above.
        space: a label space or the label names, needed for weights by name.
        cap: largest weight, > 0.
        beta: of the effective number, in [0, 1).

    Raises:
        OptionError: unknown scheme or label name, weights that are negative or not finite.
        ShapeError: another number of weights than labels.

    Source:
        Effective number: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019.
    """
    names = space.names if isinstance(space, LabelSpace) else space
    if isinstance(scheme, Mapping):
        return _checked(by_name("label weights", scheme, names), None)
    found = read_targets(targets)
    if not isinstance(scheme, str):
        return _checked(np.asarray(scheme, np.float64), found.width)
    _check.one_of("scheme", scheme, SCHEMES)
    _check.at_least("cap", cap, np.finfo(float).tiny)
    positives = np.maximum(found.label_sums(), 1.0)
    if scheme == "effective":
        weights = 1 / effective_number(positives, beta)
        return np.minimum(weights / weights.mean(), cap) if len(weights) else weights
    if scheme.endswith("inverse"):
        rarity = np.maximum(found.known_counts(), 1.0) / positives
        return np.minimum(np.sqrt(rarity) if scheme == "sqrt_inverse" else rarity, cap)
    odds = np.maximum(found.known_counts() - positives, 0.0) / positives
    # A label that is positive in every known row keeps a small weight: 0 would switch it off.
    odds = np.maximum(odds, 1 / np.maximum(positives, 1.0))
    return np.minimum(np.sqrt(odds) if scheme == "sqrt" else odds, cap)


def effective_number(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """(1 - beta^n) / (1 - beta): how many of n rows count as different from each other."""
    _check.between("beta", beta, 0.0, 1.0 - 1e-12)
    if beta == 0:
        return np.ones_like(counts)
    return -np.expm1(counts * np.log(beta)) / (1 - beta)


def summary(weights: ArrayLike, targets: Any = None, cap: float = 100.0) -> str:
    """One line on a set of label weights: range, middle, how many at the cap, how many without positives."""
    values = np.asarray(weights, np.float64)
    if not len(values):
        return "weights of 0 labels"
    line = f"weights of {len(values)} labels: {values.min():.3g} to {values.max():.3g}"
    line += f", median {np.median(values):.3g}"
    at_cap = int((values >= cap).sum())
    line += f"; {at_cap} capped at {cap:g}" if at_cap else ""
    if targets is not None:
        empty = int((read_targets(targets).label_counts() == 0).sum())
        line += f"; {empty} without a positive" if empty else ""
    return line


@overload
def debias(logits: NDArray[Any], pos_weight: ArrayLike) -> NDArray[Any]: ...
@overload
def debias(logits: Array, pos_weight: Any) -> Array: ...
def debias(logits: Any, pos_weight: Any) -> Any:
    """Logits of a model trained by BCE with `pos_weight`, made those of the unweighted loss: z - log(w).

    Exact for BCE: there the best z is logit(p) + log(w). NumPy array or torch tensor (rows, labels) in, the
    same out, of its dtype; integers become float64.

    Args:
        logits: (rows, labels).
        pos_weight: a number or (labels,).

    Raises:
        OptionError: a weight that is not positive, from which nothing can be learned back; weights by name.
        ShapeError: weights for another number of labels.
    """
    if isinstance(pos_weight, Mapping):
        raise OptionError(
            "debias takes weights in label order, got them by name; debias(logits, label_weights(targets, "
            "weights, space))"
        )
    weights = np.asarray(pos_weight, np.float64)
    if not (weights > 0).all():
        raise OptionError(f"pos_weight must be > 0 to be taken back, got {weights.min():g}")
    if weights.ndim and weights.shape != tuple(logits.shape[-1:]):
        raise ShapeError(f"expected {logits.shape[-1]} weights, one per label, got shape {weights.shape}")
    shift = np.log(weights)
    if isinstance(logits, np.ndarray):
        return logits - shift.astype(logits.dtype if logits.dtype.kind == "f" else np.float64)
    whole = logits if logits.is_floating_point() else logits.double()
    return whole - whole.new_tensor(shift)


def _checked(weights: NDArray[np.float64], width: int | None) -> NDArray[np.float64]:
    if weights.ndim != 1 or (width is not None and len(weights) != width):
        raise ShapeError(f"expected {width} label weights, got shape {weights.shape}")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise OptionError("label weights must be finite and >= 0")
    return weights
