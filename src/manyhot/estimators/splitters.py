"""scikit-learn splitters over `manyhot.data.split`: every label in its share in every part."""

from collections.abc import Generator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from manyhot import _check
from manyhot.data import folds, stratify
from manyhot.errors import InputError, OptionError
from manyhot.estimators.forms import read_labels
from manyhot.estimators.seeds import seed_of

MOST_FOLDS = 127  # parts that `manyhot.data.stratify` can number
Parts = Generator[tuple[NDArray[np.intp], NDArray[np.intp]], Any, None]


class MultilabelStratifiedKFold(BaseCrossValidator):
    """Folds in which every label, and every frequent pair of labels, has its share.

    Args:
        n_splits: number of folds, >= 2.
        shuffle: whether equals are shared out by the seed; False always takes seed 0.
        random_state: seed: an integer, a RandomState or None, which both split anew each time.
        order: 1 for labels, 2 for pairs of labels too.

    Source: Sechidis, Tsoumakas and Vlahavas, ECML 2011; pairs: Szymański and Kajdanowicz, PMLR 74, 2017.
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None, order: int = 2
    ) -> None:
        _check.between("n_splits", n_splits, 2, MOST_FOLDS)
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.order = order

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Parts:  # noqa: ARG002
        """(training rows, test rows) of each fold.

        Args:
            X: only its length matters.
            y: label sets in any form of the estimators, or a vector of classes.
            groups: not used.
        """
        yield from self._folds(y, None)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # type: ignore[override]  # noqa: ARG002
        """Number of folds."""
        return self.n_splits

    def _folds(self, y: Any, groups: Any) -> Parts:
        targets, _ = read_labels(y)
        seed = seed_of(self.random_state) if self.shuffle else 0
        yield from folds(targets, self.n_splits, groups=groups, order=self.order, seed=seed)


class MultilabelStratifiedGroupKFold(MultilabelStratifiedKFold):
    """The same with whole groups: rows of one group are never in two folds. Arguments as there."""

    __metadata_request__split: ClassVar = {"groups": True}  # read by scikit-learn's metadata routing

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Parts:  # noqa: ARG002
        """(training rows, test rows) of each fold; `groups` is (rows,) and needed."""
        if groups is None:
            raise InputError("expected a group for every row, got groups=None; pass groups=")
        yield from self._folds(y, groups)


class MultilabelStratifiedShuffleSplit(BaseCrossValidator):
    """Repeated stratified splits into training and test rows, each with a seed of its own.

    Args:
        n_splits: number of splits, >= 1.
        test_size: share of the test rows in (0, 1), or their number.
        train_size: share or number of the training rows; None takes all others.
        random_state: seed of the splits: an integer, a RandomState or None, which both split anew each time.
        order: 1 for labels, 2 for pairs of labels too.
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: Any = None,
        order: int = 2,
    ) -> None:
        _check.at_least("n_splits", n_splits, 1)
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state
        self.order = order

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Parts:  # noqa: ARG002
        """(training rows, test rows) of each split; rows of a group, if groups are given, stay together."""
        targets, _ = read_labels(y)
        rows = len(targets)
        train, test = _shares(self.train_size, self.test_size, rows)
        rest = 1 - train - test
        fractions = (train, test) if rest < 0.5 / rows else (train, test, rest)
        seed = seed_of(self.random_state)
        for number in range(self.n_splits):
            part = stratify(targets, fractions, groups=groups, order=self.order, seed=seed + number).part
            yield np.flatnonzero(part == 0), np.flatnonzero(part == 1)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # type: ignore[override]  # noqa: ARG002
        """Number of splits."""
        return self.n_splits


def _share(size: float, rows: int) -> float:
    return size / rows if size >= 1 and size == int(size) else float(size)


def _shares(train: float | None, test: float | None, rows: int) -> tuple[float, float]:
    """Shares of training and test rows that add up to at most 1; test 0.1 unless told."""
    first, second = (None if size is None else _share(size, rows) for size in (train, test))
    if second is None:
        second = 0.1 if first is None else 1 - first
    if first is None:
        first = 1 - second
    if not (0 < first < 1 and 0 < second < 1 and first + second <= 1 + 1e-9):
        raise OptionError(
            f"train_size={train} and test_size={test} of {rows} rows must be above 0 and at most all rows"
        )
    total = max(first + second, 1.0)
    return first / total, second / total
