"""ML-kNN: what the labels of the nearest rows say, weighed by how often such neighbours were right before.

Source: Zhang and Zhou, "ML-KNN: a lazy learning approach to multi-label learning", Pattern Recognition 40,
2007.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot import _check
from manyhot._typing import BoolArray
from manyhot.errors import InputError
from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.folds import rows_that_count
from manyhot.labels import Targets


class MLkNN(LabelClassifier):
    """Nearest neighbours with a Bayesian vote for each label; rows and labels may be sparse.

    Args:
        k: neighbours.
        smoothing: pseudo-count of each event, > 0.
        metric: as in scikit-learn's NearestNeighbors.
        n_jobs: of the neighbour search.

    Attributes:
        prior_: (labels,) chance of each label.
        chance_: (labels, k + 1) chance of each label, given how many neighbours have it.

    Example:
        >>> MLkNN(k=1).fit([[0], [1], [9], [10]], [["a"], ["a"], ["b"], ["b"]]).predict([[2], [8]])
        [['a'], ['b']]
    """

    prior_: NDArray[np.float64]
    chance_: NDArray[np.float64]

    def __init__(
        self, k: int = 10, *, smoothing: float = 1.0, metric: Any = "minkowski", n_jobs: int | None = None
    ) -> None:
        self.k = k
        self.smoothing = smoothing
        self.metric = metric
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLkNN":
        """Count, for each label, how many neighbours of rows with and without it have it.

        Args:
            X: rows, dense or sparse.
            y: label sets in any form.
            sample_weight: (rows,) how much a row counts as an example of its neighbours' vote. In the vote
                itself all neighbours are alike; rows of weight 0 are left out of both.

        Raises:
            InputError: fewer rows than neighbours, or unknown cells.
        """
        _check.at_least("k", self.k, 1)
        _check.at_least("smoothing", self.smoothing, np.finfo(float).tiny)
        X, targets = self._read(X, y, accept_sparse="csr")
        if targets.has_unknown:
            raise InputError("ML-kNN cannot leave unknown cells out; drop rows, or assume_negative()")
        X, targets, weight = rows_that_count(X, targets, sample_weight)
        rows = len(targets)
        if rows <= self.k:
            raise InputError(f"n_samples={rows} rows are too few for k={self.k} neighbours of each; lower k")
        weight = np.ones(rows) if weight is None else weight
        self.neighbours_ = NearestNeighbors(n_neighbors=self.k, metric=self.metric, n_jobs=self.n_jobs).fit(X)
        self.labels_ = csr_array(targets.positives, dtype=np.float64)
        counts = self._counts(self.neighbours_.kneighbors(return_distance=False))
        truth = targets.to_dense(bool)
        with_label = _tallies(counts, truth, self.k, weight)
        without = _tallies(counts, ~truth, self.k, weight)
        s, total, positives = self.smoothing, weight.sum(), weight @ truth
        self.prior_ = (s + positives) / (2 * s + total)
        like = (s + with_label) / (s * (self.k + 1) + positives[:, None])
        unlike = (s + without) / (s * (self.k + 1) + (total - positives)[:, None])
        odds = self.prior_[:, None] * like
        self.chance_ = odds / (odds + (1 - self.prior_[:, None]) * unlike)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Posterior chance of every label, (rows, labels)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        counts = self._counts(self.neighbours_.kneighbors(X, return_distance=False))
        return self._shared_out(self.chance_[np.arange(len(self.classes_)), counts])

    def _decide(self, X: Any) -> Targets:
        return Targets.from_dense(self.predict_proba(X) > 0.5)

    def _counts(self, neighbours: NDArray[np.intp]) -> NDArray[np.int64]:
        """How many of each row's neighbours have each label, (rows, labels)."""
        rows = len(neighbours)
        starts = np.arange(rows + 1) * self.k
        chosen = csr_array(
            (np.ones(neighbours.size), neighbours.ravel(), starts),
            shape=(rows, self.labels_.shape[0]),  # type: ignore[index]
        )
        counted: Any = chosen @ self.labels_
        return counted.toarray().astype(np.int64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _tallies(
    counts: NDArray[np.int64], mask: BoolArray, k: int, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(labels, k + 1): of the rows in the mask, the weight with each number of neighbours with the label."""
    found = [np.bincount(counts[own, j], weight[own], k + 1) for j, own in enumerate(mask.T)]
    return np.stack(found).astype(np.float64)  # without a row in it NumPy counts in integers
