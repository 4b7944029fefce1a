"""Which rows count, and the fold of each: by number of folds, by scikit-learn splitter or by rows."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import InputError
from manyhot.labels import Targets


def fold_of_rows(cv: Any, X: Any, y: Any, seed: int, **split: Any) -> NDArray[np.int64]:
    """Number of each row's fold, (rows,), from 0.

    Args:
        cv: number of folds, cut at random; or a splitter, or (training rows, test rows) pairs, that test
            every row once.
        X: rows.
        y: what the splitter is given.
        seed: of random folds.
        split: further arguments of the splitter, such as groups.

    Raises:
        InputError: too few rows, or a row that is tested never or twice.
        OptionError: fewer than two folds.
    """
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if isinstance(cv, Integral):
        cv = int(cv)
        _check.at_least("cv", cv, 2)
        if rows < cv:
            raise InputError(
                f"n_samples={rows} cannot be parted into cv={cv} folds; give a lower cv or more rows"
            )
        if split.get("groups") is None:
            return np.random.default_rng(seed).permutation(rows) % cv
        from sklearn.model_selection import GroupKFold

        cv = GroupKFold(cv)
    fold = np.full(rows, -1, np.int64)
    for number, (_, outside) in enumerate(cv.split(X, y, **split) if hasattr(cv, "split") else cv):
        if (fold[outside] >= 0).any():
            raise InputError(
                f"cv tests row {outside[fold[outside] >= 0][0]} twice; use folds that do not meet"
            )
        fold[outside] = number
    if (fold < 0).any():
        raise InputError(f"cv never tests row {int(np.argmax(fold < 0))}; use folds that cover every row")
    return fold


def weights_and_rows(sample_weight: Any, X: Any) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Checked weights (rows,), 1 without any, and the rows whose weight is above 0.

    Only these may be learned from, drawn, folded or tuned on: to give a row of weight 0 is to leave it out.

    Raises:
        InputError: no weight is above 0.
        ValueError: weights that are not one number >= 0 a row.
    """
    from sklearn.utils.validation import _check_sample_weight

    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    rows = np.flatnonzero(weight)
    if len(weight) and not len(rows):
        raise InputError("every row has sample_weight 0; give at least one row a weight")
    return weight, rows


def rows_that_count(X: Any, targets: Targets, sample_weight: Any) -> tuple[Any, Targets, Any]:
    """The rows of X and of the targets whose weight is above 0, and these weights, None without any."""
    weight, rows = weights_and_rows(sample_weight, X)
    if len(rows) < len(weight):
        X, targets, weight = X[rows], targets.rows(rows), weight[rows]
    return X, targets, None if sample_weight is None else weight


def folds_of_part(cv: Any, rows: NDArray[np.intp]) -> Any:
    """The same folds for some of the rows; where `cv` is a list of rows, these are numbered anew."""
    if isinstance(cv, (Integral, str)) or hasattr(cv, "split"):
        return cv
    pairs = [tuple(np.asarray(side) for side in pair) for pair in cv]
    place = np.full(1 + max(int(side.max(initial=0)) for pair in pairs for side in pair), -1)
    inside = rows[rows < len(place)]
    place[inside] = np.arange(len(inside))
    return [tuple(place[side][place[side] >= 0] for side in pair) for pair in pairs]
