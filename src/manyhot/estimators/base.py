"""What manyhot's own scikit-learn classifiers share: labels in any form, and predictions in the same."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot.estimators.forms import LabelForm, one_hot, read_labels, widened
from manyhot.labels import LabelSpace, Targets


class LabelClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of label sets; a vector of classes is one exclusive choice a row.

    A subclass fits, gives probabilities and decides; this class keeps the form of y.

    Attributes:
        classes_: (labels,) names of the labels, in the order of every column; their numbers where y was a
            matrix without names; the classes where y was a vector.
        n_features_in_: number of columns of X.
        feature_names_in_: their names, if X was a DataFrame.
    """

    classes_: NDArray[Any]
    form_: LabelForm

    @abstractmethod
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of every label, (rows, labels), columns as `classes_`; rows need not add up to 1."""

    @abstractmethod
    def _decide(self, X: Any) -> Targets:
        """Label sets, (rows, labels); a cell is unknown where a rule leaves it open."""

    def predict(self, X: Any) -> Any:
        """Label sets in the form that y had in `fit`: name lists, 0/1 matrix, DataFrame, sparse, classes.

        Cells that a rule leaves open are NaN.

        Raises:
            InputError: open cells, where y was lists of names.
        """
        if self.form_of_fit.exclusive:
            return self.form_of_fit.choose(self._choose(X))
        return self.form_of_fit.write(self._decide(X), X)

    def predict_targets(self, X: Any) -> Targets:
        """Label sets as `Targets`, whatever form y had; cells that a rule leaves open are unknown."""
        if self.form_of_fit.exclusive:
            return one_hot(self._choose(X), len(self.classes_))
        return self._decide(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows whose labels are all right (known cells only), as everywhere in scikit-learn.

        A cell left open is not right, nor is a row with a label that `fit` has not seen.
        `manyhot.estimators.scorer` gives every other metric.
        """
        wanted = self.form_of_fit.read(y)
        check_consistent_length(X, y)
        given = widened(self.predict_targets(X), wanted.width)
        right = (wanted.to_dense(unknown=0) == given.to_dense()) | ~wanted.known_mask()
        return float(np.average(right.all(axis=1), weights=sample_weight))

    @property
    def form_of_fit(self) -> LabelForm:
        """How y was given to `fit`."""
        check_is_fitted(self)
        return self.form_

    def _read(self, X: Any, y: Any, space: LabelSpace | None = None, **checks: Any) -> tuple[Any, Targets]:
        """Checked X and y; sets the attributes that both give."""
        targets, form = read_labels(y, space)
        X = validate_data(self, X, **checks)
        check_consistent_length(X, targets.positives.indptr[1:])
        self.form_, self.classes_ = form, form.classes
        return X, targets

    def _shared_out(self, chances: NDArray[Any]) -> NDArray[Any]:
        """Chances (rows, labels) as they are; those of classes, of which a row has one, add up to 1."""
        if not self.form_.exclusive:
            return chances
        total = chances.sum(axis=1, keepdims=True)
        return np.where(total > 0, chances / np.where(total > 0, total, 1), 1 / len(self.classes_))

    def _choose(self, X: Any) -> NDArray[np.int64]:
        return np.argmax(self.predict_proba(X), axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags
