"""One-vs-rest linear models by whichever solver fits: least squares, Newton's method, coordinate descent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot.estimators.folds import fold_of_rows
from manyhot.estimators.narrow import solve_narrow
from manyhot.estimators.squared import solve_squared
from manyhot.kernels.linear_solver import Effort, Problem, solve
from manyhot.labels import Targets

NARROW_WORK = 1e10  # multiplications that Newton's method may cost: a second or so
FOLD_PASSES = 2


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Attributes:
        features: (rows, features), dense or CSR.
        targets: of the same rows.
        row_weight: (rows,) >= 0, of the rows' losses.
        positive_weight: (labels,) > 0, of the positive cells' losses.
        bias: value of a constant further feature; 0 is no intercept.
        loss: "squared_hinge", "logistic" or "squared".
    """

    features: Any
    targets: Targets
    row_weight: NDArray[np.float64]
    positive_weight: NDArray[np.float64]
    bias: float
    loss: str

    @property
    def shared(self) -> bool:
        """Whether all labels have the same cost for the same row, so that one factor solves them all."""
        even = self.targets.unknown is None or not self.targets.unknown.nnz
        return self.loss == "squared" and even and bool((self.positive_weight == 1).all())

    def wide_rows(self) -> NDArray[Any]:
        """Features with the constant column, dense."""
        dense = self.features.toarray() if issparse(self.features) else self.features
        kind = dense.dtype if self.loss == "squared" else np.float64
        return np.column_stack([dense, np.full(len(dense), self.bias, kind)]).astype(kind, copy=False)


@dataclass(frozen=True)
class Fitted:
    """A model of all labels.

    Attributes:
        coefficients: (labels, features).
        intercepts: (labels,).
        left_out: (rows, labels) scores by models that have not seen the row, if wanted.
        steps: most passes or steps that a label took.
    """

    coefficients: NDArray[Any]
    intercepts: NDArray[Any]
    left_out: NDArray[Any] | None
    steps: int


def solve_task(
    task: Task, strengths: Sequence[float], *, solver: str, effort: Effort, cv: Any, leave_out: bool
) -> list[Fitted]:
    """A model for each C, ascending.

    Args:
        task: what is to be learned.
        strengths: values of C, each solved from the last.
        solver: "newton", "dual", or "auto" by their cost.
        effort: of "dual".
        cv: folds of "dual", for the scores of left-out rows; "newton" leaves out one row at a time.
        leave_out: whether these scores are wanted.
    """
    if solver == "newton" or (solver == "auto" and _newton_work(task) * len(strengths) <= NARROW_WORK):
        return (
            _by_squares(task, strengths, leave_out) if task.shared else _by_newton(task, strengths, leave_out)
        )
    matrix = csr_array(task.features, dtype=np.float32)
    matrix.sort_indices()
    targets = task.targets
    problem = Problem(
        matrix,
        targets.positives,
        targets.unknown,
        task.row_weight,
        task.positive_weight,
        task.bias,
        task.loss,
    )
    fold = fold_of_rows(cv, matrix, targets.positives, effort.seed) if leave_out else None
    return [
        Fitted(each.weights.T, each.intercepts, each.out_of_fold, int(each.passes.max(initial=0)))
        for each in solve(problem, strengths, effort, fold)
    ]


def _newton_work(task: Task) -> float:
    """Multiplications of one C; a tenth as dear where all labels are multiplied at once, in float32."""
    rows, width = task.features.shape[0], task.features.shape[1] + 1
    if task.shared:
        return 0.1 * (2.0 * width**2 * rows + width**3 + 2.0 * rows * width * task.targets.width)
    return float(task.targets.width) * (width**2 * rows * 6 + width**3)


def _by_squares(task: Task, strengths: Sequence[float], leave_out: bool) -> list[Fitted]:
    rows = task.wide_rows()
    found = solve_squared(rows, task.targets.positives, task.row_weight, strengths, leave_out=leave_out)
    kind = rows.dtype
    return [
        Fitted(each.weights[:, :-1].astype(kind), each.weights[:, -1] * task.bias, each.left_out, 1)
        for each in found
    ]


def _by_newton(task: Task, strengths: Sequence[float], leave_out: bool) -> list[Fitted]:
    rows, targets = task.wide_rows().astype(np.float64), task.targets
    signs, known = 2 * targets.to_dense(np.float64, unknown=0) - 1, targets.known_mask()
    found = []
    weights = np.zeros((targets.width, rows.shape[1]))
    for strength in strengths:
        left_out = np.zeros(signs.shape) if leave_out else None
        steps = 0
        for label in range(targets.width):
            sign = signs[:, label]
            positive = np.where(sign > 0, task.positive_weight[label], 1.0)
            solution = solve_narrow(
                rows,
                sign,
                strength * task.row_weight * known[:, label] * positive,
                loss=task.loss,
                start=weights[label],
                leave_out=leave_out,
            )
            weights[label], steps = solution.weights, max(steps, solution.steps)
            if left_out is not None:
                left_out[:, label] = solution.left_out
        found.append(Fitted(weights[:, :-1].copy(), weights[:, -1] * task.bias, left_out, steps))
    return found
