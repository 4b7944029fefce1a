"""Label sets as classes: the label powerset, and RAkEL, an ensemble of powersets over few labels each.

Source: Tsoumakas, Katakis and Vlahavas, "Random k-labelsets for multilabel classification", IEEE TKDE 23,
2011.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot import _check
from manyhot.errors import InputError
from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.folds import rows_that_count
from manyhot.estimators.seeds import seed_of
from manyhot.labels import Targets


class LabelPowerset(MetaEstimatorMixin, LabelClassifier):
    """Each label set that occurs is a class of one multi-class classifier.

    Args:
        estimator: a multi-class classifier; with predict_proba the labels' chances are the sums over sets,
            without it they are 0 or 1.

    Attributes:
        estimator_: the fitted classifier, None where only one label set occurs.
        sets_: (classes, labels) of 0/1, the label sets that occur.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> clf = LabelPowerset(DecisionTreeClassifier()).fit([[0], [1], [2]], [["a"], ["a", "b"], []])
        >>> clf.predict([[2], [1]])
        [[], ['a', 'b']]
    """

    sets_: NDArray[np.int8]

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LabelPowerset":
        """Fit to label sets in any form; rows with an unknown cell are left out."""
        X, targets = self._read(X, y, accept_sparse="csr")
        X, targets, weight = rows_that_count(X, targets, sample_weight)
        rows = np.flatnonzero(targets.known_mask().all(axis=1))
        if not len(rows):
            raise InputError("every row has an unknown cell; a powerset needs rows that are known in full")
        truth, own = targets.rows(rows).to_dense(np.int8), None if weight is None else weight[rows]
        self.sets_, self.estimator_ = _fit_sets(self.estimator, X[rows], truth, own)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Chance of every label, (rows, labels): the sum over the label sets that have it."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        return self._shared_out(_set_chances(self.estimator_, self.sets_, X) @ self.sets_.astype(np.float64))

    def _decide(self, X: Any) -> Targets:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        chosen = _set_chances(self.estimator_, self.sets_, X).argmax(axis=1)
        return Targets.from_dense(self.sets_[chosen])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


class RAkEL(MetaEstimatorMixin, LabelClassifier):
    """Powersets over random sets of k labels; each label is assigned by the mean of those that know it.

    Args:
        estimator: a multi-class classifier.
        k: labels in each powerset.
        models: number of powersets; None is twice the labels. With `disjoint` each label is in one.
        disjoint: share the labels out instead of drawing overlapping sets (RAkELd).
        random_state: seed of the draws: an integer, a RandomState or None.

    Attributes:
        models_: (columns, sets, classifier) of each powerset.
    """

    models_: list[tuple[NDArray[np.intp], NDArray[np.int8], Any]]

    def __init__(
        self,
        estimator: Any,
        *,
        k: int = 3,
        models: int | None = None,
        disjoint: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.k = k
        self.models = models
        self.disjoint = disjoint
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "RAkEL":
        """Fit to label sets in any form; rows where one of its labels is unknown do not train a powerset."""
        _check.at_least("k", self.k, 1)
        X, targets = self._read(X, y, accept_sparse="csr")
        X, targets, weight = rows_that_count(X, targets, sample_weight)
        known = targets.known_mask()
        truth = targets.assume_negative().to_dense(np.int8)
        self.models_ = []
        for columns in self._draws(targets.width):
            rows = np.flatnonzero(known[:, columns].all(axis=1))
            if not len(rows):
                raise InputError(f"no row knows all of the labels {self.classes_[columns].tolist()}; lower k")
            own = None if weight is None else weight[rows]
            self.models_.append((columns, *_fit_sets(self.estimator, X[rows], truth[rows][:, columns], own)))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Chance of every label, (rows, labels): the mean over the powersets that know it."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        total = np.zeros((X.shape[0], len(self.classes_)))
        asked = np.zeros(len(self.classes_))
        for columns, sets, model in self.models_:
            total[:, columns] += _set_chances(model, sets, X) @ sets.astype(np.float64)
            asked[columns] += 1
        return self._shared_out(total / asked)

    def _decide(self, X: Any) -> Targets:
        return Targets.from_dense(self.predict_proba(X) > 0.5)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags

    def _draws(self, labels: int) -> list[NDArray[np.intp]]:
        """Columns of each powerset; every label is in one at least."""
        random = np.random.default_rng(seed_of(self.random_state))
        k = min(self.k, labels)
        parts = -(-labels // k)
        shuffled = np.array_split(random.permutation(labels), parts)
        if self.disjoint:
            return [np.sort(part) for part in shuffled]
        wanted = max(2 * labels if self.models is None else self.models, parts)
        first = [np.sort(_filled(part, k, labels, random)) for part in shuffled]
        return first + [np.sort(random.choice(labels, k, replace=False)) for _ in range(wanted - len(first))]


def _filled(part: NDArray[np.intp], k: int, labels: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The part with further labels, so that it has k."""
    others = np.setdiff1d(np.arange(labels), part)
    return np.concatenate([part, random.choice(others, k - len(part), replace=False)])


def _fit_sets(
    estimator: Any, X: Any, truth: NDArray[np.int8], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.int8], Any]:
    """The label sets that occur, and a classifier of them; None for a single one."""
    sets, codes = np.unique(truth, axis=0, return_inverse=True)
    if len(sets) == 1:
        return sets, None
    options = {} if weight is None else {"sample_weight": weight}
    fresh: Any = clone(estimator)
    return sets, fresh.fit(X, codes.ravel(), **options)


def _set_chances(model: Any, sets: NDArray[np.int8], X: Any) -> NDArray[np.float64]:
    """Chance of every label set, (rows, sets)."""
    if model is None:
        return np.ones((X.shape[0], 1))
    chances = np.zeros((X.shape[0], len(sets)))
    if hasattr(model, "predict_proba"):
        chances[:, model.classes_] = model.predict_proba(X)
    else:
        chances[np.arange(len(chances)), model.predict(X)] = 1.0
    return chances
