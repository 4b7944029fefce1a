"""From what a user writes, `"asl(gamma_neg=2)"`, to a loss; and the one loss for a label space."""

import ast
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.kernels.reduction import Reduction
from manyhot.labels import LabelSpace
from manyhot.losses.base import MultiLabelLoss, PerLabel, arguments
from manyhot.losses.door import read_targets
from manyhot.losses.groups import GroupSoftmax
from manyhot.losses.mixed import INDEPENDENT, Mixed
from manyhot.losses.table import LOSSES
from manyhot.losses.weighting import label_weights

TRAINING_COUNTS = ("label_counts", "num_rows", "propensity")
"""What is known of every training set, and of use to some losses."""


def make_loss(spec: str | type[MultiLabelLoss] | MultiLabelLoss, **context: Any) -> MultiLabelLoss:
    """A loss from its short name with or without arguments, its class, or itself.

    Args:
        spec: "asl", "asl(gamma_neg=2, reduction='sum')", `Asymmetric`, or an instance, returned as it is.
        context: further arguments; those in the spec go first. What is known of the training set
            (label_counts, num_rows, propensity) is left out where the loss has no argument for it, and
            so is what is None.

    Raises:
        OptionError: no such loss (the nearest names are listed), no such argument, or a spec that is no call.
    """
    if isinstance(spec, MultiLabelLoss):
        return spec
    if isinstance(spec, str):
        name, given = parse(spec)
        kind = LOSSES[name]
    elif isinstance(spec, type) and issubclass(spec, MultiLabelLoss):
        kind, given = spec, {}
    else:
        raise OptionError(f"loss must be a name, a class or an instance, got {spec!r}")
    accepted = arguments(kind)
    useless = set(TRAINING_COUNTS) - set(accepted)
    known = {name: value for name, value in context.items() if value is not None and name not in useless}
    for argument in (*known, *given):
        _check.one_of(f"an argument of {kind.__name__}", argument, accepted)
    given = {**known, **given}
    missing = [name for name in required(kind) if name not in given]
    if missing:
        wanted = ", ".join(f"{name}=..." for name in missing)
        raise OptionError(
            f"{kind.__name__} needs {' and '.join(missing)} of the training set: make_loss(..., {wanted})"
        )
    return kind(**given)


def required(kind: type[MultiLabelLoss]) -> list[str]:
    """Names of the arguments that a loss cannot do without."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    return [p.name for p in parameters if p.name not in ("self", "options") and p.default is p.empty]


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """Short name and arguments of "name" or "name(argument=literal, ...)", the name short or of a class.

    Raises:
        OptionError: no such loss, or anything else.
    """
    name, bracket, inside = spec.strip().partition("(")
    short = short_name(name.strip())
    if not bracket:
        return short, {}
    try:
        call = ast.parse(f"_({inside}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not all(k.arg for k in call.keywords):
            raise ValueError
        return short, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError):
        raise OptionError(f"expected a loss like 'asl' or 'asl(gamma_neg=2)', got {spec!r}") from None


def short_name(name: str) -> str:
    """The name in `LOSSES` of a loss called by it or by its class, in letters of any case.

    Raises:
        OptionError: no such loss; the nearest names are listed.
    """
    by_class = {kind.__name__.lower(): short for short, kind in LOSSES.items()}
    found = name.lower().replace("_", "-")
    return by_class.get(name.lower()) or _check.one_of("loss", found, LOSSES)


def losses_for(
    space: LabelSpace,
    spec: str | type[MultiLabelLoss] | MultiLabelLoss = "bce",
    train_targets: Any = None,
    *,
    pos_weight: str | PerLabel | None = None,
    weights: Mapping[str, float] | str | None = None,
    reduction: Reduction = "mean",
    strict: bool = False,
    **context: Any,
) -> MultiLabelLoss:
    """The loss of a whole label space: `spec` on independent labels, a softmax in each exclusive group.

    Args:
        space: the label space.
        spec: the loss of the independent labels, as `make_loss` takes it.
        train_targets: where class frequencies and weights come from; needed by some losses.
        pos_weight: a scheme of `label_weights` such as "balanced", (labels,) or {name: weight}; for
            independent labels.
        weights: of the parts, as `Mixed` takes them.
        reduction: as for every loss.
        strict: what is else warned of once, probabilities in place of logits and several labels in one group,
            is an error.
        context: further arguments for the loss of the independent labels.

    Raises:
        OptionError: an unknown loss, argument or weight; weights by scheme without training targets;
            arguments for a loss that is made already, or where no label is independent.
        ShapeError: weights for another number of labels.
    """
    columns = space.columns(space.independent)
    context = {**context, "pos_weight": pos_weight}
    for name in (name for name, value in context.items() if value is not None):
        if isinstance(spec, MultiLabelLoss):
            raise OptionError(f"{name}= comes too late for a loss that is made already; make it with {name}=")
        if not len(columns):
            raise OptionError(f"{name}= is for independent labels, and all of these are in exclusive groups")
    targets = None if train_targets is None else read_targets(train_targets, len(space))
    single: MultiLabelLoss | None = None
    if len(columns):
        own = None if targets is None else targets.columns(columns)
        known: dict[str, Any] = {"names": space.independent, "reduction": reduction, "strict": strict}
        if own is not None:
            known.update(label_counts=own.label_sums(), num_rows=len(own))
        weighed = {"pos_weight": _weights(pos_weight, own, space, columns)}
        single = make_loss(spec, **{**known, **context, **weighed})
    if not space.groups:
        assert single is not None
        return single
    if single is None and weights is None:
        return GroupSoftmax.of(space, reduction=reduction, strict=strict)
    parts = {} if single is None else {INDEPENDENT: single}
    return Mixed(space, parts, weights, reduction=reduction, strict=strict)  # type: ignore[arg-type]


def _weights(pos_weight: Any, own: Any, space: LabelSpace, columns: Any) -> Any:
    if isinstance(pos_weight, str):
        if own is None:
            raise OptionError(f"pos_weight={pos_weight!r} needs the training targets")
        return label_weights(own, pos_weight, space.independent)  # type: ignore[arg-type]
    if isinstance(pos_weight, Mapping):
        return {name: weight for name, weight in pos_weight.items() if name not in _grouped(space)}
    if pos_weight is None or np.ndim(pos_weight) == 0:
        return pos_weight
    weights = np.asarray(pos_weight)
    if weights.shape != (len(space),):
        raise ShapeError(f"pos_weight must have shape ({len(space)},), one per label, got {weights.shape}")
    return weights[columns]


def _grouped(space: LabelSpace) -> set[str]:
    return set(space.names) - set(space.independent)
