"""Linear models of sparse rows, solved instead of trained step by step: one minimum, found in seconds.

A linear model with the squared hinge is a convex problem a label. Dual coordinate descent finds its minimum
in a few passes over the rows, and scores every row by a model that has not seen it on the way. Margins become
logits by one scale and one shift for all labels, fitted on these out-of-fold scores (Platt 1999), so that
the head's sigmoid gives probabilities.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.special import expit

from manyhot._typing import FloatArray, IntArray
from manyhot.data.index import shape_of
from manyhot.errors import OptionError
from manyhot.labels import Targets
from manyhot.metrics import evaluate
from manyhot.models import Model, SparseRows
from manyhot.models.encoders import Linear
from manyhot.train.diagnosis import diagnose
from manyhot.train.events import Diagnosed, Ended, nobody
from manyhot.train.history import EpochRecord, History

if TYPE_CHECKING:
    from manyhot.kernels.linear_solver import Problem, Solution

TOLERANCE = 0.01
PASSES = 100
FOLD_PASSES = 8  # from the solution for all rows
SCALE_CELLS = 2_000_000  # scale and shift are two numbers; so many cells tell them to three digits
NEWTON_STEPS = 50


@dataclass(frozen=True)
class Solved:
    """What became of it; the model holds the weights.

    Attributes:
        history: one record, whose epochs are the passes over the rows, and what the held-out scores show.
        out_of_fold: (rows, labels) scores in [0, 1], each by a model that has not seen the row.
        options: what was solved and how, JSON-able.
    """

    history: History
    out_of_fold: FloatArray
    options: dict[str, Any]


def solve_linear(
    model: Model,
    inputs: Any,
    targets: Targets,
    fold: IntArray,
    *,
    positive_weight: NDArray[np.floating[Any]] | None = None,
    strengths: Sequence[float] = (1.0,),
    seed: int = 0,
    on_event: Callable[[Any], None] = nobody,
) -> Solved:
    """Set a linear model's weights to the minimum of the squared hinge plus half the square of the weights.

    Args:
        model: its encoder is `Linear`, its rows are sparse; no exclusive groups.
        inputs: training rows, raw.
        targets: (rows, labels), hard; unknown cells take part in nothing.
        fold: (rows,) number of each row's fold, from 0.
        positive_weight: (labels,) of the cost of positive cells; 1 by default.
        strengths: inverse regularisation for rows of length 1, ascending; divided by the mean squared length
            of the rows. Of several that is taken whose held-out scores rank best (micro average precision).
        seed: of the order of rows.
        on_event: told what the held-out scores show, and when it has ended.

    Raises:
        OptionError: another kind of model or targets.
    """
    from manyhot.kernels.linear_solver import Effort, solve

    rows = model.prepare(inputs)
    if not isinstance(model.encoder, Linear) or not isinstance(rows, SparseRows) or model.space.groups:
        raise OptionError(
            "only a linear model of sparse rows without exclusive groups can be solved: train it"
        )
    if targets.is_soft:
        raise OptionError("soft targets have no squared hinge: train the model with the loss bce")
    started = time.perf_counter()
    squared = float(np.square(rows.matrix.data, dtype=np.float64).sum()) / max(1, len(rows))
    problem, fold = _problem(model, rows, targets, fold, positive_weight)
    effort = Effort(TOLERANCE, PASSES, FOLD_PASSES, seed)
    tried = solve(problem, [strength / (squared or 1.0) for strength in strengths], effort, fold)
    held_out = [_held_out(each, len(rows)) for each in tried]
    best = max(range(len(tried)), key=lambda number: _micro_ap(held_out[number], targets)) if tried[1:] else 0
    found, margins = tried[best], held_out[best]
    scale, shift = platt(margins, targets, seed)
    with torch.no_grad():
        model.head.layer.weight.copy_(torch.from_numpy(found.weights) * scale)
        model.head.layer.bias.copy_(torch.from_numpy(found.intercepts) * scale + shift)
    left_out = expit(margins * np.float32(scale) + np.float32(shift))
    passes = int(found.passes.max(initial=0))
    history = _history(len(targets), passes, time.perf_counter() - started)
    for finding in diagnose(left_out, targets, weighted=positive_weight is not None):
        history.diagnoses.append(finding)
        on_event(Diagnosed(finding))
    on_event(Ended(history))
    options = {
        "solved": "squared hinge, dual coordinate descent",
        "strength": strengths[best],
        "passes": passes,
        "folds": int(fold.max()) + 1,
    }
    return Solved(history, left_out, options)


def _held_out(found: "Solution", rows: int) -> FloatArray:
    assert found.out_of_fold is not None
    return found.out_of_fold[-rows:]


def _micro_ap(margins: FloatArray, targets: Targets) -> float:
    return float(evaluate(targets, margins, metrics=["ap_micro"], baseline=False)["ap_micro"])


def _problem(
    model: Model, rows: SparseRows, targets: Targets, fold: IntArray, weight: NDArray[np.floating[Any]] | None
) -> "tuple[Problem, IntArray]":
    """What is to be solved, and the fold of each of its rows.

    Where held-out rows look otherwise than training rows, they follow these once more with no weight: they
    take no part in the solution, but are scored by the models of the other folds.
    """
    from manyhot.kernels.linear_solver import Problem

    features, positives, hidden = rows.matrix, targets.positives, targets.unknown
    row_weight = np.ones(len(rows))
    apart: Any = model.preparation.held_out(rows, fold)
    if apart is not rows:
        features = csr_array(vstack([features, apart.matrix], format="csr"))
        positives = _with_empty_rows(positives)
        hidden = None if hidden is None else _with_empty_rows(hidden)
        row_weight = np.concatenate([row_weight, np.zeros(len(rows))])
        fold = np.concatenate([fold, fold])
    positive_weight = np.ones(targets.width) if weight is None else np.asarray(weight, np.float64)
    problem = Problem(
        features=features,
        positive=positives,
        hidden=hidden,
        row_weight=row_weight,
        positive_weight=positive_weight,
        bias=1.0,
        loss="squared_hinge",
    )
    return problem, fold


def _with_empty_rows(matrix: csr_array) -> csr_array:
    """The matrix, and as many rows again without a cell."""
    starts = np.concatenate([matrix.indptr, np.full(len(matrix.indptr) - 1, matrix.indptr[-1])])
    height, width = shape_of(matrix)
    return csr_array((matrix.data, matrix.indices, starts), shape=(2 * height, width))


def platt(margins: FloatArray, targets: Targets, seed: int = 0) -> tuple[float, float]:
    """Scale > 0 and shift that make margins logits, by maximum likelihood over the known cells of all labels.

    Args:
        margins: (rows, labels).
        targets: of the same rows.
        seed: of the rows that are drawn where there are more than 2 million cells.

    Source:
        Platt, "Probabilistic outputs for support vector machines", 1999; targets pulled in by his prior.
    """
    rows, width = margins.shape
    most = max(1, SCALE_CELLS // max(1, width))
    chosen = np.random.default_rng(seed).permutation(rows)[:most]
    truth = targets.rows(np.sort(chosen)).to_dense().ravel()
    margin = margins[np.sort(chosen)].ravel()[~np.isnan(truth)].astype(np.float64)
    truth = truth[~np.isnan(truth)] > 0
    positives = np.count_nonzero(truth)
    wanted = np.where(truth, (positives + 1) / (positives + 2), 1 / (len(truth) - positives + 2))
    scale, shift = 1.0, 0.0
    design = np.stack([margin, np.ones_like(margin)])
    for _ in range(NEWTON_STEPS):
        chance = expit(scale * margin + shift)
        slope = design @ (chance - wanted)
        curvature = (design * (chance * (1 - chance))) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        scale, shift = max(scale - float(step[0]), 1e-3), shift - float(step[1])
        if np.abs(step).max() < 1e-8:
            break
    return scale, shift


def _history(rows: int, passes: int, seconds: float) -> History:
    record = EpochRecord(
        epoch=passes,
        step=passes * rows,
        seconds=seconds,
        learning_rate=0.0,
        train_loss=None,
        valid_loss=None,
        metrics={},
        best=True,
    )
    return History(options=None, records=[record], ending="finished", best_epoch=passes)
