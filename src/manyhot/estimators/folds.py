"""Folds by number, by scikit-learn splitter or by their rows, as the fold of every row."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import InputError


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
