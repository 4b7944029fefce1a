"""Scores as anybody holds them, made one of two forms: dense, or CSR whose absent cells are the lowest."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot.errors import InputError, ShapeError
from manyhot.labels import formats

# A float array (rows, labels) or a csr_array; no union, as SciPy annotates the latter's shape as optional.
ScoreMatrix: TypeAlias = Any


def score_matrix(scores: Any, names: Sequence[str] | None = None) -> ScoreMatrix:
    """Scores as a float array (rows, labels) or a canonical CSR; not copied where it need not be.

    Args:
        scores: NumPy array, torch tensor (any device, dense or sparse), SciPy sparse, DataFrame, lists of
            equal length, or a list of one (rows, 2) array a label, as scikit-learn's forests give their
            probabilities. Numbers of 8 bytes become float64, smaller ones float32.
        names: the labels wanted. The columns of a DataFrame that has names are found by these; one without
            (pandas' integers, polars' `column_0`) is read by position.

    Raises:
        InputError: values that are not numbers, or rows of unequal length.
        ShapeError: not a matrix, or a DataFrame without a column for some label.
    """
    if isinstance(scores, (list, tuple)):
        listed = scores and all(getattr(each, "ndim", 0) == 2 for each in scores)
        scores = _second_columns(scores, names) if listed else _array(scores)
    if formats.is_tensor(scores) and "sparse" in str(scores.layout):
        scores = formats.csr_of_tensor(scores)
    if issparse(scores):
        return _sparse_floats(scores)
    values = _by_name(scores, names).to_numpy() if formats.is_frame(scores) else _array(scores)
    if values.ndim != 2:
        raise ShapeError(f"expected scores of shape (rows, labels), got {values.shape}")
    if values.dtype.kind not in "biuf":
        raise InputError(f"expected scores (rows, labels) of numbers, got {values.dtype} {values.shape}")
    return values.astype(_float_type(values), copy=False)


def _second_columns(classes: Sequence[Any], names: Sequence[str] | None) -> NDArray[Any]:
    """The probabilities of "yes", of one array (rows, classes) for each label."""
    columns = []
    for place, each in enumerate(classes):
        own = formats.array_of(each)
        label = repr(names[place]) if names is not None and place < len(names) else str(place)
        if own.shape[1] == 1:
            raise InputError(
                f"label {label}: expected probabilities (rows, 2) of no and yes, got one column: only one "
                "class occurred in training, and the array does not say which; manyhot.estimators.adapt(...) "
                "around the classifier gives (rows, labels)"
            )
        if own.shape[1] != 2 or not np.allclose(own.sum(axis=1), 1.0, atol=1e-3):
            raise InputError(
                f"label {label}: expected probabilities (rows, 2) of no and yes that add up to 1, got shape "
                f"{own.shape}; pass scores as one matrix (rows, labels)"
            )
        columns.append(own[:, 1])
    if len({len(column) for column in columns}) > 1:
        raise ShapeError(f"expected equally many rows for each label, got {[len(c) for c in columns]}")
    return np.column_stack(columns)


def _by_name(frame: Any, names: Sequence[str] | None) -> Any:
    columns = list(frame.columns)
    if names is None or columns == list(names) or not formats.has_names(frame):
        return frame
    missing = [name for name in names if name not in set(columns)]
    if missing:
        raise ShapeError(
            f"the scores have no column for {len(missing)} labels, among them {missing[0]!r}; rename the "
            "columns, or pass the frame's to_numpy() if they stand in the order of the labels"
        )
    return frame[list(names)]


def _array(scores: Any) -> NDArray[Any]:
    try:
        return formats.array_of(scores)
    except ValueError:
        raise InputError(
            f"expected scores (rows, labels), got rows of unequal length in a {type(scores).__name__}; "
            "every row needs a score for each label"
        ) from None


def _sparse_floats(scores: Any) -> csr_array:
    if scores.ndim != 2:
        raise ShapeError(f"expected scores of shape (rows, labels), got {scores.shape}")
    matrix: Any = csr_array(scores, copy=False)
    if matrix.dtype.kind not in "biuf":
        raise InputError(f"expected sparse scores of numbers, got {matrix.dtype}")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix.astype(_float_type(matrix), copy=False)


def _float_type(matrix: Any) -> type[np.floating[Any]]:
    return np.float64 if matrix.dtype.itemsize > 4 else np.float32
