"""One-vs-rest linear models of many labels at once: dual coordinate descent, vectorised over labels.

One pass over the rows serves a block of labels: a row's features are read once, and the weights of a feature
lie side by side for all labels of the block, so that every inner loop is a vector loop over labels. Blocks
are shared out to threads.

Sources: Hsieh et al., "A Dual Coordinate Descent Method for Large-scale Linear SVM", ICML 2008; for the
logistic loss the one-variable problem of Yu, Huang and Lin, "Dual coordinate descent methods for logistic
regression", Machine Learning 85, 2011, here by Newton's method in the residual, kept inside its bracket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.kernels.numba_math import words
from manyhot.kernels.threads import spread

BLOCK = 32  # labels: weights of a feature for a block are two cache lines
NEWTON = 30  # steps at most on one dual variable of the logistic loss; one or two are usual
ROUNDING = np.float32(1e-6)
EASED = np.float32(0.1)  # they end when the residual is this share of the first

sigmoid = words(np.float32)["sigmoid"]


@dataclass(frozen=True)
class Problem:
    """Training rows and what is positive, negative or left out in them.

    Attributes:
        features: CSR (rows, features) float32, sorted.
        positive: CSR (rows, labels), its stored cells are positive.
        hidden: CSR (rows, labels) of cells that take part in nothing, or None.
        row_weight: (rows,) >= 0; rows of weight 0 take part in nothing.
        positive_weight: (labels,) > 0, of the positive cells.
        bias: value of a constant further feature; 0 is no intercept.
        loss: "squared_hinge", "logistic" or "squared" (distance of the margin from 1, on both sides).
    """

    features: csr_array
    positive: csr_array
    hidden: csr_array | None
    row_weight: NDArray[np.float64]
    positive_weight: NDArray[np.float64]
    bias: float
    loss: str


@dataclass(frozen=True)
class Effort:
    """When to stop.

    Attributes:
        tolerance: of a label: its dual variables move less than this share of their sum in a pass.
        passes: over the rows, at most.
        fold_passes: over the rows of each fold, which starts from the solution for all rows, at most.
        seed: of the order of rows.
    """

    tolerance: float
    passes: int
    fold_passes: int
    seed: int


@dataclass(frozen=True)
class Solution:
    """Weights, and what each row would have scored had it been left out.

    Attributes:
        weights: (features, labels) float32.
        intercepts: (labels,) float32.
        out_of_fold: (rows, labels) float32, or None without folds.
        passes: (labels,) over the rows, for all rows.
    """

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    out_of_fold: NDArray[np.float32] | None
    passes: NDArray[np.int64]


def solve(
    problem: Problem,
    strengths: Sequence[float],
    effort: Effort,
    fold: NDArray[np.integer[Any]] | None = None,
) -> list[Solution]:
    """Minimise w.w / 2 + C * (sum of the cells' losses) for every label and every C.

    Args:
        problem: what to learn.
        strengths: values of C, ascending: each starts from the solution of the one before.
        effort: when to stop.
        fold: (rows,) number of each row's fold from 0, if out-of-fold scores are wanted: each fold's
            model starts from the solution with the fold's rows taken out.

    Returns:
        A solution for each C.
    """
    rows, labels = _shape(problem.positive)
    width = _shape(problem.features)[1]
    found = [
        Solution(
            np.empty((width, labels), np.float32),
            np.empty(labels, np.float32),
            None if fold is None else np.empty((rows, labels), np.float32),
            np.empty(labels, np.int64),
        )
        for _ in strengths
    ]
    # Labels of like frequency need a like number of passes and have like rows at work.
    order = np.argsort(-np.bincount(problem.positive.indices, minlength=labels), kind="stable")

    def work(first: int, last: int) -> None:
        for begin in range(first, last):
            _solve_block(problem, strengths, effort, fold, order[begin * BLOCK : (begin + 1) * BLOCK], found)

    spread(work, -(-labels // BLOCK))
    return found


def _solve_block(
    problem: Problem,
    strengths: Sequence[float],
    effort: Effort,
    fold: NDArray[np.integer[Any]] | None,
    columns: NDArray[np.intp],
    found: list[Solution],
) -> None:
    """All of it for some labels."""
    features = problem.features
    rows, width = _shape(features)
    cells = (features.indptr, features.indices, features.data)
    positive, hidden = _marks(problem.positive, columns), _marks(problem.hidden, columns, rows)
    usable = np.flatnonzero(problem.row_weight > 0).astype(np.int32)
    bias = np.float32(problem.bias)
    squares = np.zeros(rows, np.float32)
    _squared_norms(features.indptr, features.data, bias, squares)
    alpha = np.zeros((rows, len(columns)), np.float32)
    weights = np.zeros((width + 1, len(columns)), np.float32)
    positive_weight = problem.positive_weight[columns].astype(np.float32)
    for strength, solution in zip(strengths, found, strict=True):
        row_strength = (strength * problem.row_weight).astype(np.float32)
        kind = (problem.loss == "logistic", np.float32(-np.inf if problem.loss == "squared" else 0))
        task = (*cells, *positive, *hidden, bias, squares, *kind, row_strength, positive_weight)
        stop = (np.float32(effort.tolerance), effort.seed)
        arguments = (*task, usable.copy(), alpha, weights, effort.passes, *stop)
        solution.passes[columns] = _descend(*arguments)
        solution.weights[:, columns] = weights[:-1]
        solution.intercepts[columns] = weights[-1] * bias
        if fold is None or solution.out_of_fold is None:
            continue
        scores = np.empty((rows, len(columns)), np.float32)
        for number in range(int(fold.max(initial=-1)) + 1):
            outside = np.flatnonzero(fold == number).astype(np.int32)
            inside = usable[fold[usable] != number]
            own_alpha, own_weights = alpha.copy(), weights.copy()
            arguments = (*cells, *positive, bias, outside, own_alpha, own_weights)
            _take_out(*arguments)
            arguments = (*task, inside, own_alpha, own_weights, effort.fold_passes, *stop)
            _descend(*arguments)
            arguments = (*cells, bias, outside, own_weights, scores)
            _score(*arguments)
        solution.out_of_fold[:, columns] = scores


def _marks(
    matrix: csr_array | None, columns: NDArray[np.intp], rows: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Row starts and block-local columns of the stored cells of some labels."""
    if matrix is None:
        return np.zeros(rows + 1, np.int32), np.zeros(0, np.int32)
    part = csr_array(matrix[:, columns])
    return part.indptr.astype(np.int32), part.indices.astype(np.int32)


def _shape(matrix: Any) -> tuple[int, int]:
    return matrix.shape


@njit(nogil=True, cache=True, error_model="numpy")
def _squared_norms(starts, values, bias, squares):
    for i in range(len(squares)):
        total = np.float64(bias) * bias
        for p in range(starts[i], starts[i + 1]):
            total += np.float64(values[p]) * values[p]
        squares[i] = total


@njit(nogil=True, cache=True, error_model="numpy")
def _shuffle(order, state):
    for i in range(len(order) - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        j = np.int64(state % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]
    return state


@njit(nogil=True, cache=True, error_model="numpy")
def _logistic_steps(margin, sign, factor, own, strength, square, low_end, high_end, first, step):
    """Changes of a row's dual variables: roots of C sigmoid(-(margin + square x)) - own - x.

    Each is brought so near that its residual is `EASED` of what it was, from the side where it began: the
    dual is concave, so it cannot fall there, while beyond the root it may.
    """
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    width = len(own)
    for j in range(width):
        low_end[j] = -own[j]
        high_end[j] = strength * factor[j] - own[j]
        step[j] = zero
    for turn in range(NEWTON):
        worst = -one
        for j in range(width):
            high, change = strength * factor[j], step[j]
            chance = sigmoid(-(sign[j] * margin[j] + square * change))
            residual = high * chance - own[j] - change
            rising = residual > zero
            low = change if rising else low_end[j]
            top = high_end[j] if rising else change
            newton = change + residual / (one + high * square * chance * (one - chance))
            first[j] = residual if turn == 0 else first[j]
            eased = (abs(residual) <= EASED * abs(first[j])) & (residual * first[j] >= zero)
            near = ((turn > 0) & eased) | (abs(residual) <= ROUNDING * high)
            worst = max(worst, -one if near else abs(residual))
            better = newton if (newton > low) & (newton < top) else half * (low + top)
            step[j] = change if near else better
            low_end[j] = low
            high_end[j] = top
        if worst <= zero:
            break


@njit(nogil=True, cache=True, error_model="numpy")
def _descend(
    starts,
    columns,
    values,
    positive_starts,
    positive_columns,
    hidden_starts,
    hidden_columns,
    bias,
    squares,
    logistic,
    floor,
    row_strength,
    positive_weight,
    order,
    alpha,
    weights,
    passes,
    tolerance,
    seed,
):
    """Passes over the rows of `order` until no label moves; alpha >= floor and weights are changed in place.

    Returns the passes that each label took.
    """
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    width = weights.shape[1]
    last = len(weights) - 1
    margin, step = np.empty(width, np.float32), np.empty(width, np.float32)
    low_end, high_end = np.empty(width, np.float32), np.empty(width, np.float32)
    first = np.empty(width, np.float32)
    sign = np.full(width, -one, np.float32)
    factor = np.ones(width, np.float32)  # of the cells' weights: 0 hides a cell
    moved, total = np.empty(width, np.float64), np.zeros(width, np.float64)
    for i in order:
        for j in range(width):
            total[j] += abs(alpha[i, j])
    needed = np.full(width, passes, np.int64)
    state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x2545F4914F6CDD1D)
    for done in range(1, passes + 1):
        state = _shuffle(order, state)
        moved[:] = 0.0
        for i in order:
            for p in range(positive_starts[i], positive_starts[i + 1]):
                j = positive_columns[p]
                sign[j] = one
                factor[j] = positive_weight[j]
            for p in range(hidden_starts[i], hidden_starts[i + 1]):
                factor[hidden_columns[p]] = zero
            line = weights[last]
            for j in range(width):
                margin[j] = line[j] * bias
            for p in range(starts[i], starts[i + 1]):
                line, value = weights[columns[p]], values[p]
                for j in range(width):
                    margin[j] += value * line[j]
            own, strength, square = alpha[i], row_strength[i], squares[i]
            if logistic:
                _logistic_steps(margin, sign, factor, own, strength, square, low_end, high_end, first, step)
            else:
                for j in range(width):
                    cost = two * strength * factor[j]
                    # slope and curvature times the cost, so that a hidden cell (cost 0) stays at 0
                    slope = cost * (sign[j] * margin[j] - one) + own[j]
                    after = max(own[j] - slope / (cost * square + one), floor)
                    step[j] = after - own[j]
            largest = zero
            for j in range(width):
                change, before = step[j], own[j]
                own[j] += change
                moved[j] += abs(change)
                total[j] += abs(own[j]) - abs(before)
                largest = max(largest, abs(change))
                step[j] = change * sign[j]
            if largest > zero:
                for p in range(starts[i], starts[i + 1]):
                    line, value = weights[columns[p]], values[p]
                    for j in range(width):
                        line[j] += value * step[j]
                line = weights[last]
                for j in range(width):
                    line[j] += bias * step[j]
            for p in range(positive_starts[i], positive_starts[i + 1]):
                j = positive_columns[p]
                sign[j] = -one
                factor[j] = one
            for p in range(hidden_starts[i], hidden_starts[i + 1]):
                factor[hidden_columns[p]] = one
        settled = True
        for j in range(width):
            if moved[j] <= tolerance * max(total[j], 1e-30):
                needed[j] = min(needed[j], done)
            else:
                needed[j] = passes
                settled = False
        if settled:
            break
    return needed


@njit(nogil=True, cache=True, error_model="numpy")
def _take_out(starts, columns, values, positive_starts, positive_columns, bias, rows, alpha, weights):
    """Set alpha of these rows to 0 and take their part out of the weights."""
    width = weights.shape[1]
    last = len(weights) - 1
    share = np.empty(width, np.float32)
    for i in rows:
        for j in range(width):
            share[j] = alpha[i, j]
            alpha[i, j] = 0
        for p in range(positive_starts[i], positive_starts[i + 1]):
            share[positive_columns[p]] *= -1
        for p in range(starts[i], starts[i + 1]):
            line, value = weights[columns[p]], values[p]
            for j in range(width):
                line[j] += value * share[j]
        line = weights[last]
        for j in range(width):
            line[j] += bias * share[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _score(starts, columns, values, bias, rows, weights, scores):
    """Scores of these rows, written into their lines."""
    width = weights.shape[1]
    last = len(weights) - 1
    for i in rows:
        out = scores[i]
        for j in range(width):
            out[j] = bias * weights[last, j]
        for p in range(starts[i], starts[i + 1]):
            line, value = weights[columns[p]], values[p]
            for j in range(width):
                out[j] += value * line[j]
