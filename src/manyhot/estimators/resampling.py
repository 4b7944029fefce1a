"""Resampling that knows co-labels: a row that is cloned or dropped takes all its labels with it.

Sources: ML-ROS and ML-RUS, Charte et al., Neurocomputing 163, 2015; MLSMOTE, Charte et al., Knowledge-Based
Systems 89, 2015; REMEDIAL, Charte et al., HAIS 2015.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse, vstack
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_consistent_length, indexable

from manyhot import _check
from manyhot.errors import InputError
from manyhot.estimators.forms import read_labels
from manyhot.estimators.imbalance import concurrence, imbalance, label_table, mean_imbalance
from manyhot.estimators.seeds import seed_of
from manyhot.labels import Targets


class Resampler(BaseEstimator):
    """Changes training rows; `fit_resample` as in imbalanced-learn, so its pipelines take it.

    Attributes:
        sample_indices_: (rows after,) the row that each came from.
        table_: a record a label: rows, share and imbalance before and after.
    """

    sample_indices_: NDArray[np.intp]
    table_: list[dict[str, Any]]

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """X and y with other rows, y in the form that it had.

        Raises:
            InputError: a vector of classes, or unknown cells.
        """
        (X,) = indexable(X)
        targets, form = read_labels(y)
        check_consistent_length(X, targets.positives.indptr[1:])
        if form.exclusive:
            raise InputError("resampling of label sets needs label sets; y is a vector of classes")
        if targets.has_unknown:
            raise InputError("labels are counted to resample; assume_negative() says what unknown cells are")
        X, after = self._resampled(X, targets)
        self.table_ = label_table(targets, after, form.classes.tolist())
        return X, form.write(after, X)

    @abstractmethod
    def _resampled(self, X: Any, targets: Targets) -> tuple[Any, Targets]: ...


class MLROS(Resampler):
    """Clones random rows of labels rarer than the mean, until the share is reached or none is rarer.

    Args:
        share: of the rows, at most so many clones are added, > 0.
        random_state: seed of the draws: an integer, a RandomState or None.
    """

    def __init__(self, share: float = 0.25, *, random_state: Any = 0) -> None:
        self.share = share
        self.random_state = random_state

    def _resampled(self, X: Any, targets: Targets) -> tuple[Any, Targets]:
        _check.at_least("share", self.share, 0.0)
        random = np.random.default_rng(seed_of(self.random_state))
        mean, counts = mean_imbalance(targets), targets.label_counts().astype(float)
        bags = _bags(targets, np.flatnonzero(_rare(targets)))
        added: list[int] = []
        wanted = int(self.share * len(targets))
        while bags and len(added) < wanted:
            for label in list(bags):
                if counts.max() / counts[label] <= mean:
                    del bags[label]
                elif len(added) < wanted:
                    row = int(random.choice(bags[label]))
                    added.append(row)
                    counts[_labels_of(targets, row)] += 1
        self.sample_indices_ = np.concatenate([np.arange(len(targets)), np.array(added, np.intp)])
        return _safe_indexing(X, self.sample_indices_), targets.rows(self.sample_indices_)


class MLRUS(Resampler):
    """Drops random rows of labels more frequent than the mean; rows with a rarer label, or none, stay.

    Args:
        share: of the rows, at most so many are dropped, in [0, 1].
        random_state: seed of the draws: an integer, a RandomState or None.
    """

    def __init__(self, share: float = 0.25, *, random_state: Any = 0) -> None:
        self.share = share
        self.random_state = random_state

    def _resampled(self, X: Any, targets: Targets) -> tuple[Any, Targets]:
        _check.between("share", self.share, 0.0, 1.0)
        random = np.random.default_rng(seed_of(self.random_state))
        rare = _rare(targets)
        mean, counts = mean_imbalance(targets), targets.label_counts().astype(float)
        kept = targets.columns(rare).row_counts() > 0
        bags = {
            label: random.permutation(rows[~kept[rows]]).tolist()
            for label, rows in _bags(targets, np.flatnonzero(~rare)).items()
        }
        dropped: set[int] = set()
        wanted = int(self.share * len(targets))
        while bags and len(dropped) < wanted:
            for label in list(bags):
                while bags[label] and bags[label][-1] in dropped:
                    bags[label].pop()
                if not bags[label] or counts.max() / counts[label] >= mean:
                    del bags[label]
                elif len(dropped) < wanted:
                    row = bags[label].pop()
                    dropped.add(row)
                    counts[_labels_of(targets, row)] -= 1
        self.sample_indices_ = np.setdiff1d(np.arange(len(targets)), np.array(sorted(dropped), np.intp))
        return _safe_indexing(X, self.sample_indices_), targets.rows(self.sample_indices_)


class MLSMOTE(Resampler):
    """Makes new rows of rare labels, between a row with the label and one of its neighbours that has it too.

    A new row has the labels that at least half of the row and its neighbours have.

    Args:
        k: neighbours, >= 1.
        random_state: seed of the draws: an integer, a RandomState or None.
    """

    def __init__(self, k: int = 5, *, random_state: Any = 0) -> None:
        self.k = k
        self.random_state = random_state

    def _resampled(self, X: Any, targets: Targets) -> tuple[Any, Targets]:
        from sklearn.neighbors import NearestNeighbors
        from sklearn.utils import check_array

        _check.at_least("k", self.k, 1)
        numbers: Any = check_array(X, accept_sparse=["csr"])  # type: ignore[arg-type]
        random = np.random.default_rng(seed_of(self.random_state))
        made, origins, labels = [], [], []
        for rows in _bags(targets, np.flatnonzero(_rare(targets))).values():
            if len(rows) < 2:
                continue  # nothing lies between one row and itself
            k = min(self.k, len(rows) - 1)
            places = NearestNeighbors(n_neighbors=k).fit(numbers[rows]).kneighbors(return_distance=False)
            near = rows[places]
            chosen = near[np.arange(len(rows)), random.integers(0, k, len(rows))]
            part = random.random((len(rows), 1))
            made.append(_between(numbers[rows], numbers[chosen], part))
            votes = targets.rows(near.ravel()).to_dense().reshape(len(rows), k, -1).sum(axis=1)
            labels.append((votes + targets.rows(rows).to_dense()) * 2 >= k + 1)
            origins.append(rows)
        self.sample_indices_ = np.concatenate([np.arange(len(targets)), *origins])
        after = Targets.concat([targets, *(Targets.from_dense(each) for each in labels)])
        whole = [numbers, *made]
        joined = csr_array(vstack(whole, format="csr")) if issparse(numbers) else np.concatenate(whole)
        return _like(joined, X), after


class REMEDIAL(Resampler):
    """Parts rows in which rare and frequent labels meet more than on average: one row with each kind.

    Source: Charte, Rivera, del Jesus and Herrera, "Resampling multilabel datasets by decoupling highly
    imbalanced labels", HAIS 2015.
    """

    def _resampled(self, X: Any, targets: Targets) -> tuple[Any, Targets]:
        meeting = concurrence(targets)
        parted = np.flatnonzero(meeting > meeting.mean()) if len(meeting) else np.zeros(0, np.intp)
        rare = _rare(targets)
        dense = targets.to_dense(bool)
        frequent_only, rare_only = dense.copy(), dense[parted]
        frequent_only[np.ix_(parted, np.flatnonzero(rare))] = False
        rare_only[:, ~rare] = False
        self.sample_indices_ = np.concatenate([np.arange(len(targets)), parted])
        after = Targets.from_dense(np.concatenate([frequent_only, rare_only]))
        return _safe_indexing(X, self.sample_indices_), after


def _rare(targets: Targets) -> NDArray[np.bool_]:
    """(labels,) mask of labels that occur, but more rarely than the mean."""
    ratios = imbalance(targets)
    return np.isfinite(ratios) & (ratios > mean_imbalance(targets))


def _bags(targets: Targets, labels: NDArray[np.intp]) -> dict[int, NDArray[np.intp]]:
    """Rows of each label."""
    by_label = targets.positives.tocsc()
    return {
        label: by_label.indices[by_label.indptr[label] : by_label.indptr[label + 1]].astype(np.intp)
        for label in labels.tolist()
        if by_label.indptr[label + 1] > by_label.indptr[label]
    }


def _labels_of(targets: Targets, row: int) -> NDArray[Any]:
    cells = targets.positives
    return cells.indices[cells.indptr[row] : cells.indptr[row + 1]]


def _between(first: Any, second: Any, part: NDArray[np.float64]) -> Any:
    if issparse(first):
        return csr_array(first + (second - first).multiply(part))
    return first + (second - first) * part


def _like(numbers: Any, X: Any) -> Any:
    return type(X)(numbers, columns=X.columns) if hasattr(X, "columns") else numbers
