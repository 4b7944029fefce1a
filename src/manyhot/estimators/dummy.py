"""DummyManyHot: predictors that learn nothing, the first line of every table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_is_fitted, validate_data

from manyhot import _check
from manyhot.estimators.base import LabelClassifier
from manyhot.labels import Targets

STRATEGIES = ("prior", "zero", "top_k", "random")


class DummyManyHot(LabelClassifier):
    """A classifier that looks at y only.

    Its probabilities are the share of known rows that have each label, whatever it decides.

    Args:
        strategy: "prior" assigns the labels that most rows have; "zero" assigns none; "top_k" the k most
            frequent; "random" each label by chance, as often as it occurs.
        k: of "top_k".
        random_state: seed or generator of "random".

    Attributes:
        prior_: (labels,) share of rows.

    Example:
        >>> DummyManyHot("top_k", k=1).fit([[0], [1], [2]], [["a"], ["a", "b"], ["b"]]).predict([[5]])
        [['a']]
    """

    prior_: NDArray[np.float64]

    def __init__(self, strategy: str = "prior", *, k: int = 1, random_state: Any = 0) -> None:
        self.strategy = strategy
        self.k = k
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DummyManyHot":
        """Count the labels of y, any form; X is not looked at but for its number of rows."""
        _check.one_of("strategy", self.strategy, STRATEGIES)
        _check.at_least("k", self.k, 0)
        X, targets = self._read(X, y, **_UNSEEN)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        known = targets.known_mask()
        positive = weight @ targets.to_dense(np.float64, unknown=0)
        self.prior_ = positive / np.maximum(weight @ known, np.finfo(float).tiny)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of each label, the same in every row, (rows, labels)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **_UNSEEN)
        return np.tile(self.prior_, (_num_samples(X), 1))

    def _decide(self, X: Any) -> Targets:
        chances = self.predict_proba(X)
        decided = np.zeros(chances.shape, bool)
        if self.strategy == "random":
            decided = check_random_state(self.random_state).random_sample(chances.shape) < chances
        elif self.strategy == "prior":
            decided[:, self.prior_ > 0.5] = True
        elif self.strategy == "top_k":
            decided[:, np.argsort(-self.prior_, kind="stable")[: self.k]] = True
        return Targets.from_dense(decided)

    def _choose(self, X: Any) -> NDArray[np.int64]:
        chances = self.predict_proba(X)
        if self.strategy != "random":
            return np.full(len(chances), np.argmax(self.prior_))
        random = check_random_state(self.random_state)
        return np.searchsorted(np.cumsum(self.prior_), random.random_sample(len(chances))).clip(
            max=len(self.prior_) - 1
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        tags.non_deterministic = self.strategy == "random" and not isinstance(self.random_state, int)
        tags.input_tags.sparse = tags.input_tags.allow_nan = tags.no_validation = True
        return tags


_UNSEEN: dict[str, Any] = {"skip_check_array": True}  # names and number of columns are checked all the same
