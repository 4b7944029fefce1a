"""Scores at the door of a rule: one of two forms, no NaN, the labels wanted; and how cells are walked."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot.errors import InputError, ShapeError
from manyhot.labels import ScoreMatrix, Targets, score_matrix

RowWeight: TypeAlias = NDArray[np.float64] | None  # (rows,) >= 0; None = every row counts once


def as_scores(scores: Any, names: Sequence[str] | None = None) -> ScoreMatrix:
    """Scores as a float array (rows, labels) or CSR, checked.

    Args:
        scores: any form of `score_matrix`; absent cells of SciPy sparse are lower than every stored one.
            Higher means more likely; any real number.
        names: the labels wanted. A DataFrame that has names is put into their order.

    Raises:
        InputError: a NaN, named by row and label, or values that are not numbers.
        ShapeError: not a matrix, or another number of labels than `names`.
    """
    matrix = score_matrix(scores, names)
    if names is not None and matrix.shape[1] != len(names):
        raise ShapeError(f"expected scores for {len(names)} labels, got {matrix.shape[1]} columns")
    _refuse_nan(matrix, names)
    return matrix


def shape_of(matrix: ScoreMatrix | csr_array) -> tuple[int, int]:
    """(rows, labels)."""
    rows, width = matrix.shape  # type: ignore[misc]
    return rows, width


def row_numbers(matrix: csr_array) -> NDArray[np.int64]:
    """(stored cells,) the row of each stored cell."""
    return np.repeat(np.arange(shape_of(matrix)[0]), np.diff(matrix.indptr))


def cell_numbers(matrix: csr_array) -> NDArray[np.int64]:
    """(stored cells,) row * width + column of each stored cell, ascending."""
    return row_numbers(matrix) * shape_of(matrix)[1] + matrix.indices


def absent_lowest(matrix: ScoreMatrix) -> NDArray[np.floating[Any]]:
    """Dense (rows, labels); absent CSR cells become -inf."""
    if not isinstance(matrix, csr_array):
        return matrix
    dense = np.full(shape_of(matrix), -np.inf, matrix.dtype)
    dense[row_numbers(matrix), matrix.indices] = matrix.data
    return dense


def known_cells(
    scores: ScoreMatrix, targets: Targets, weight: RowWeight = None
) -> Iterator[tuple[NDArray, NDArray, NDArray[np.float64]]]:
    """Of each label the scores, values and weights of its known (and stored) cells."""
    positives = csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    stored = csc_array(scores) if isinstance(scores, csr_array) else None
    mass = np.ones(len(targets)) if weight is None else weight
    for j in range(targets.width):
        truth = np.zeros(len(targets))
        own = slice(positives.indptr[j], positives.indptr[j + 1])
        truth[positives.indices[own]] = positives.data[own]
        known = np.ones(len(targets), bool)
        if unknown is not None:
            known[unknown.indices[unknown.indptr[j] : unknown.indptr[j + 1]]] = False
        if stored is None:
            yield scores[known, j].astype(np.float64), truth[known], mass[known]
        else:
            cells = slice(stored.indptr[j], stored.indptr[j + 1])
            rows = stored.indices[cells]
            kept = rows[known[rows]]
            yield stored.data[cells][known[rows]].astype(np.float64), truth[kept], mass[kept]


def require_probabilities(matrix: ScoreMatrix, names: Sequence[str] | None) -> None:
    """Raise `InputError` unless all scores lie in [0, 1]."""
    values = matrix.data if isinstance(matrix, csr_array) else matrix
    if not values.size or (values.min() >= 0 and values.max() <= 1):
        return
    dense = matrix.toarray() if isinstance(matrix, csr_array) else matrix
    row, column = np.argwhere((dense < 0) | (dense > 1))[0]
    label = names[column] if names is not None else str(column)
    raise InputError(
        f"expected probabilities in [0, 1], got {dense[row, column]:g} in row {row} for label {label!r}; "
        "pass logits through the sigmoid, other scores through a calibration (Calibrated)"
    )


def _refuse_nan(matrix: ScoreMatrix, names: Sequence[str] | None) -> None:
    values = matrix.data if isinstance(matrix, csr_array) else matrix
    # A sum is NaN whenever a value is: one pass without a mask, and the mask only for the message.
    with np.errstate(invalid="ignore", over="ignore"):
        suspicious = bool(np.isnan(values.sum())) if values.size else False
    if not suspicious:
        return
    places = np.argwhere(np.isnan(matrix.toarray() if isinstance(matrix, csr_array) else matrix))
    if len(places):
        row, column = places[0]
        label = names[column] if names is not None else str(column)
        raise InputError(
            f"{len(places)} scores are NaN, the first in row {row} for label {label!r}; "
            "scores must be numbers (a model that diverged, or a label it does not know?)"
        )
