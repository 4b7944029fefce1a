"""Classifier chains: labels that learn from one another, with probabilities summed over what may come before.

Sources: Read, Pfahringer, Holmes and Frank, "Classifier chains for multi-label classification", Machine
Learning 85, 2011; probabilistic: Dembczyński, Cheng and Hüllermeier, ICML 2010; search over the likeliest
label sets: Kumar, Vembu, Menon and Elkan, "Beam search algorithms for multilabel learning", ML 92, 2013.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot import _check
from manyhot._typing import BoolArray
from manyhot.errors import InputError, OptionError
from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.folds import rows_that_count
from manyhot.estimators.label_scores import label_scores
from manyhot.estimators.seeds import seed_of
from manyhot.labels import Targets


class ProbabilisticChain(MetaEstimatorMixin, LabelClassifier):
    """An ensemble of classifier chains that keeps the likeliest label sets while it walks down a chain.

    In a chain each label's classifier sees the features and the labels before it. Prediction walks with the
    `beam` likeliest sets so far; with 1 it is the greedy chain of Read et al., with 2 ** labels exact.

    Args:
        estimator: a binary classifier with predict_proba.
        chains: how many, each in an order of its own; their probabilities are averaged.
        beam: label sets kept at each step, >= 1.
        order: of the labels, "random" or column numbers (then of the first chain).
        decide: "marginal" assigns labels of probability >= 0.5; "mode" the likeliest whole set, which is best
            for exact match (the chains vote).
        random_state: seed of the orders: an integer, a RandomState or None.

    Attributes:
        chains_: for each chain its order and its classifiers.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [[0, 0], [0, 0], [1, 1], [1, 1]]
        >>> ProbabilisticChain(LogisticRegression(C=100)).fit(X, y).predict([[0.0], [3.0]])
        array([[0, 0],
               [1, 1]])
    """

    chains_: list[tuple[NDArray[np.intp], list[Any]]]

    def __init__(
        self,
        estimator: Any,
        *,
        chains: int = 1,
        beam: int = 8,
        order: Literal["random"] | Sequence[int] = "random",
        decide: str = "marginal",
        random_state: Any = 0,
    ) -> None:
        self.estimator = estimator
        self.chains = chains
        self.beam = beam
        self.order = order
        self.decide = decide
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ProbabilisticChain":
        """Fit one classifier a label and chain; rows whose label is unknown do not train its classifier.

        Raises:
            InputError: y cannot be understood, or the estimator has no predict_proba.
            OptionError: an order that is not one of the labels.
        """
        _check.one_of("decide", self.decide, ("marginal", "mode"))
        for name in ("chains", "beam"):
            _check.at_least(name, getattr(self, name), 1)
        if not hasattr(self.estimator, "predict_proba"):
            name = type(self.estimator).__name__
            raise InputError(
                f"a chain multiplies probabilities and {name} has no predict_proba; "
                f"pass sklearn.calibration.CalibratedClassifierCV({name}())"
            )
        X, targets = self._read(X, y, accept_sparse="csr")
        X, targets, weight = rows_that_count(X, targets, sample_weight)
        truth, known = targets.assume_negative().to_dense(np.int64), targets.known_mask()
        random = np.random.default_rng(seed_of(self.random_state))
        self.chains_ = []
        for number in range(self.chains):
            order = self._order(truth.shape[1], number, random)
            models = []
            for place, label in enumerate(order):
                rows = np.flatnonzero(known[:, label])
                seen = _joined(X, truth[:, order[:place]])
                own = {} if weight is None else {"sample_weight": weight[rows]}
                models.append(_fitted(self.estimator, seen[rows], truth[rows, label], own))
            self.chains_.append((order, models))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Marginal probabilities (rows, labels), over the sets that the beam kept."""
        sets, chances = self._sets(X)
        total = sum(
            (np.einsum("rk,rkl->rl", chance, each) for each, chance in zip(sets, chances, strict=True)),
            np.zeros(sets[0].shape[::2]),
        )
        return self._shared_out(total / len(sets))

    def _decide(self, X: Any) -> Targets:
        if self.decide == "marginal":
            return Targets.from_dense(self.predict_proba(X) >= 0.5)
        sets, chances = self._sets(X)
        best = [
            each[np.arange(len(each)), chance.argmax(axis=1)]
            for each, chance in zip(sets, chances, strict=True)
        ]
        return Targets.from_dense(_most_voted(best, [chance.max(axis=1) for chance in chances]))

    def _sets(self, X: Any) -> tuple[list[NDArray[np.int8]], list[NDArray[np.float64]]]:
        """Of each chain the sets that the beam kept, (rows, kept, labels), and their chances (rows, kept)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        pairs = [self._walk(X, order, models) for order, models in self.chains_]
        return [sets for sets, _ in pairs], [chances for _, chances in pairs]

    def _walk(
        self, X: Any, order: NDArray[np.intp], models: list[Any]
    ) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        rows, labels = X.shape[0], len(order)
        sets, logs = np.zeros((rows, 1, labels), np.int8), np.zeros((rows, 1))
        for place, (label, model) in enumerate(zip(order, models, strict=True)):
            kept = sets.shape[1]
            before = sets.reshape(rows * kept, labels)[:, order[:place]]
            chance = label_scores(model, _joined(_repeated(X, kept), before), 1, "predict_proba")
            chance = np.clip(chance.reshape(rows, kept), 1e-12, 1 - 1e-12)
            with_label = sets.copy()
            with_label[:, :, label] = 1
            sets = np.concatenate([sets, with_label], axis=1)
            logs = np.concatenate([logs + np.log1p(-chance), logs + np.log(chance)], axis=1)
            if sets.shape[1] > self.beam:
                best = np.argsort(-logs, axis=1, kind="stable")[:, : self.beam]
                sets = np.take_along_axis(sets, best[:, :, None], axis=1)
                logs = np.take_along_axis(logs, best, axis=1)
        chances = np.exp(logs - logs.max(axis=1, keepdims=True))
        return sets, chances / chances.sum(axis=1, keepdims=True)

    def _order(self, labels: int, number: int, random: np.random.Generator) -> NDArray[np.intp]:
        if isinstance(self.order, str) or number:
            return random.permutation(labels)
        order = np.asarray(self.order)
        if not np.array_equal(np.sort(order), np.arange(labels)):
            raise OptionError(f"order must be a permutation of the {labels} labels, got {self.order}")
        return order

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


class _Always:
    """The classifier of a label that never changed."""

    def __init__(self, value: int) -> None:
        self.value = value

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        return np.full((X.shape[0], 2), [1 - self.value, self.value], np.float64)


def _fitted(estimator: Any, X: Any, y: NDArray[np.int64], options: dict[str, Any]) -> Any:
    if not len(y) or y.min() == y.max():
        return _Always(int(y[0]) if len(y) else 0)
    fresh: Any = clone(estimator)
    return fresh.fit(X, y, **options)


def _joined(X: Any, labels: NDArray[Any]) -> Any:
    """Features with labels as further columns."""
    if not labels.shape[1]:
        return X
    if issparse(X):
        return csr_array(hstack([X, csr_array(labels.astype(X.dtype))], format="csr"))
    return np.concatenate([X, labels.astype(X.dtype)], axis=1)


def _repeated(X: Any, times: int) -> Any:
    return X if times == 1 else X[np.repeat(np.arange(X.shape[0]), times)]


def _most_voted(sets: list[NDArray[np.int8]], chances: list[NDArray[np.float64]]) -> BoolArray:
    """For each row the set that most votes, weighted by their chance, are for."""
    stacked, weight = np.stack(sets, axis=1), np.stack(chances, axis=1)
    same = (stacked[:, :, None] == stacked[:, None]).all(axis=3)
    best = (same * weight[:, None]).sum(axis=2).argmax(axis=1)
    return stacked[np.arange(len(stacked)), best] > 0
