"""Scores of rows by models that have not seen them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from manyhot.estimators.label_scores import label_scores


def cross_fitted(
    estimator: Any,
    X: Any,
    matrix: NDArray[np.int64],
    fold: NDArray[np.int64],
    *,
    method: str | None,
    fit_params: dict[str, Any],
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """Scores (rows, labels) of each row, by a clone that was fitted without the row's fold.

    Args:
        estimator: a multi-output classifier, not fitted.
        X: rows.
        matrix: 0/1 as the estimator takes it.
        fold: (rows,) number of each row's fold.
        method: of `label_scores`.
        fit_params: of the estimator's fit; values with one entry a row are cut with the folds.
        n_jobs: folds that run at once.
    """
    from sklearn.utils.parallel import Parallel, delayed

    numbers = range(int(fold.max()) + 1)
    parts: Any = Parallel(n_jobs=n_jobs)(
        delayed(_fold_scores)(clone(estimator), X, matrix, fold == number, method, fit_params)
        for number in numbers
    )
    scores = np.empty((len(fold), parts[0].shape[1]), np.result_type(*(part.dtype for part in parts)))
    for number, part in zip(numbers, parts, strict=True):
        scores[fold == number] = part
    return scores


def _fold_scores(
    estimator: Any,
    X: Any,
    matrix: NDArray[np.int64],
    outside: NDArray[np.bool_],
    method: str | None,
    fit_params: dict[str, Any],
) -> NDArray[Any]:
    from sklearn.utils.validation import _check_method_params

    rows, inside = np.flatnonzero(outside), np.flatnonzero(~outside)
    own = _check_method_params(X, params=fit_params, indices=inside)
    fitted = estimator.fit(_safe_indexing(X, inside), matrix[inside], **own)
    labels = 1 if matrix.ndim == 1 else matrix.shape[1]
    return label_scores(fitted, _safe_indexing(X, rows), labels, method)
