"""`trace`: what a loss costs, and how it pulls, while one logit moves and the others rest; `plot` of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manyhot.errors import MissingExtraError
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.facts import describe
from manyhot.losses.make import make_loss
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.table import LOSSES

# A batch of four rows with four labels. The logit of the first cell moves; its target is filled in.
LOGITS = ((0.0, 1.0, -1.0, 0.0), (1.0, -1.0, 0.0, -2.0), (-1.0, 2.0, -2.0, 1.0), (0.5, -1.0, 1.0, -1.0))
TARGETS = ((0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0))
LABEL_COUNTS, NUM_ROWS = (5, 40, 20, 10), 100  # the moving label is the rarest
SIDES = {"applies": 1.0, "does not apply": 0.0, "unknown": float("nan")}
RANGE = tuple(np.linspace(-6, 6, 97).tolist())


@dataclass(frozen=True, eq=False)
class Trace:
    """Cost and gradient along one logit.

    Args:
        side: "applies", "does not apply" or "unknown".
        logits: (points,).
        costs: (points,), of the cell for a pointwise loss, of its row for a row-wise one, else of the batch.
        gradients: (points,), of the cost by the logit, as training sees it.
    """

    side: str
    logits: NDArray[np.float64]
    costs: NDArray[np.float64]
    gradients: NDArray[np.float64]


def trace(spec: str | type[MultiLabelLoss], logits: Sequence[float] = RANGE) -> list[Trace]:
    """A loss along the logit of one cell of a small batch, in its second epoch.

    Args:
        spec: "asl", "asl(gamma_neg=2)" or a class; made for 4 labels of which the moving one is in 5 of 100
            rows.
        logits: values that the moving logit takes.

    Returns:
        a trace for a label that applies, one for a label that does not, and one for an unknown cell where
        the loss learns from those.

    Raises:
        OptionError: no such loss or argument.
    """
    sides = list(SIDES)[: 2 if _made(spec).ignores_unknown else 3]
    return [_trace(spec, side, np.asarray(logits, np.float64)) for side in sides]


def plot(traces: Sequence[Trace], axes: Sequence[Any]) -> None:
    """Draw the costs on the first and the gradients on the second of two matplotlib axes."""
    styles = {"applies": ("#0072b2", "-"), "does not apply": ("#d55e00", "--"), "unknown": ("#009e73", ":")}
    for one in traces:
        colour, style = styles[one.side]
        for axis, values in zip(axes, (one.costs, one.gradients), strict=True):
            axis.plot(one.logits, values, color=colour, linestyle=style, label=one.side)
    for axis, title in zip(axes, ("cost", "gradient"), strict=True):
        axis.set(title=title, xlabel="logit")
        axis.axhline(0, color="#808080", linewidth=0.6)
        axis.axvline(0, color="#808080", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)


def new_figure(title: str) -> tuple[Any, Sequence[Any]]:
    """A matplotlib figure with two axes side by side, bound to no window.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "a plot of a loss") from None
    figure = Figure(figsize=(8, 3), layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots(1, 2)


def _trace(spec: str | type[MultiLabelLoss], side: str, logits: NDArray[np.float64]) -> Trace:
    kind = type(_made(spec))
    if kind in LOSSES.values() and not describe(kind).batch:
        return Trace(side, logits, *_at_once(spec, SIDES[side], logits))
    costs, gradients = zip(*(_at(spec, SIDES[side], float(z)) for z in logits), strict=True)
    return Trace(side, logits, np.array(costs), np.array(gradients))


def _at_once(
    spec: str | type[MultiLabelLoss], target: float, logits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Costs and gradients from a batch of copies of the first row, for rows that do not see each other."""
    z, y = (torch.tensor(rows[:1], dtype=torch.float64).repeat(len(logits), 1) for rows in (LOGITS, TARGETS))
    z[:, 0], y[:, 0] = torch.from_numpy(logits), target
    z.requires_grad_()
    costs = _made(spec)(z, y)
    (gradients,) = torch.autograd.grad(costs.sum(), z)
    own = costs.detach() if costs.ndim == 1 else costs.detach()[:, 0]
    return own.numpy(), gradients[:, 0].numpy()


def _at(spec: str | type[MultiLabelLoss], target: float, logit: float) -> tuple[float, float]:
    """Cost and gradient in the whole batch, with a fresh loss, so that none remembers the point before."""
    loss = _made(spec)
    z, y = (torch.tensor(rows, dtype=torch.float64) for rows in (LOGITS, TARGETS))
    z[0, 0], y[0, 0] = logit, target
    z.requires_grad_()
    costs = loss(z, y, row_ids=torch.arange(len(LOGITS)))
    (gradient,) = torch.autograd.grad(costs.sum(), z)
    own = costs.detach()[0, 0] if isinstance(loss, Pointwise) else costs.detach().sum()
    return float(own), float(gradient[0, 0])


def _made(spec: str | type[MultiLabelLoss]) -> MultiLabelLoss:
    context = {"label_counts": LABEL_COUNTS, "num_rows": NUM_ROWS, "reduction": "none"}
    loss = make_loss(spec, **context)
    loss.set_epoch(1)
    return loss.eval()
