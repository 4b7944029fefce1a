"""adapt: any multi-output classifier of scikit-learn, with probabilities of one shape."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils import check_consistent_length, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from manyhot.decide import Calibration
from manyhot.errors import InputError
from manyhot.estimators.cross_fit import cross_fitted
from manyhot.estimators.folds import fold_of_rows
from manyhot.estimators.forms import read_labels
from manyhot.estimators.label_scores import SCORING, gives, plain_matrix
from manyhot.estimators.splitters import MultilabelStratifiedKFold
from manyhot.estimators.wrapper import LabelSetWrapper, scored_by
from manyhot.labels import Targets

LEAST = 1e-3  # of the scale: margins that rank no better than chance still keep their order


class adapt(LabelSetWrapper):  # noqa: N801 - used as a verb
    """Any multi-output classifier, with `predict_proba` always (rows, labels).

    A classifier with a decision_function alone gets probabilities from it: the logistic function of margins
    times one scale, which is fitted on margins of rows that were not trained on. So probabilities are above
    one half where the classifier assigns.

    Args:
        estimator: a classifier that is fitted on a 0/1 matrix.
        cv: folds of these margins, their number, a splitter or (training, test) rows; not used where the
            estimator has probabilities.

    Attributes:
        estimator_: the fitted classifier.
        scale_: of margins, None where the estimator has probabilities.
        classes_: (labels,) names of the labels, or column numbers.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> tree = adapt(DecisionTreeClassifier()).fit([[0], [1]], [[1, 0], [0, 1]])
        >>> tree.predict_proba([[1]])
        array([[0., 1.]])
    """

    scale_: float | None

    def __init__(self, estimator: Any, *, cv: Any = 3) -> None:
        self.estimator = estimator
        self.cv = cv

    def fit(self, X: Any, y: Any, **fit_params: Any) -> "adapt":
        """Fit a clone to X and label sets y in any form; unknown cells are negative to it.

        Args:
            X: rows, as the estimator takes them.
            y: label sets in any form.
            fit_params: what the estimator's fit takes besides, such as sample_weight.

        Raises:
            InputError: y is a vector of classes.
        """
        (X,) = indexable(X)
        targets, form = read_labels(y)
        check_consistent_length(X, targets.positives.indptr[1:])
        if form.exclusive:
            raise InputError("adapt is for label sets; y is a vector of classes, whose scores have one shape")
        self.form_, self.classes_ = form, form.classes
        routed, split = self._routed(fit_params)
        matrix = plain_matrix(targets, self.estimator)
        fresh: Any = clone(self.estimator)
        self._keep(fresh.fit(X, matrix, **routed))
        self.scale_ = None
        if not gives(self.estimator_, "predict_proba") and gives(self.estimator_, "decision_function"):
            fold = _folds(self.cv, X, targets, split)
            margins = cross_fitted(
                self.estimator, X, matrix, fold, method="decision_function", fit_params=routed
            )
            self.scale_ = _scale(margins, targets)
        return self

    @available_if(scored_by(*SCORING))
    def predict_proba(self, X: Any) -> NDArray[Any]:  # type: ignore[override]
        """Probabilities (rows, labels)."""
        check_is_fitted(self)
        if self.scale_ is None:
            return self._scores(X, "predict_proba")
        return expit(self.scale_ * self._scores(X, "decision_function"))

    @available_if(scored_by("decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Scores (rows, labels), any real."""
        check_is_fitted(self)
        return self._scores(X, "decision_function")

    def _decide(self, X: Any) -> Targets:
        check_is_fitted(self)
        found = self.estimator_.predict(X)
        matrix = found.toarray() if issparse(found) else np.asarray(found)
        return Targets.from_dense(matrix.reshape(len(matrix), -1) > 0)


def _folds(cv: Any, X: Any, targets: Targets, split: dict[str, Any]) -> NDArray[np.int64]:
    """Stratified where only their number is said, as each training part needs rows of each label."""
    if isinstance(cv, Integral) and not split and len(targets) >= cv:
        cv = MultilabelStratifiedKFold(int(cv))
    return fold_of_rows(cv, X, targets, 0, **split)


def _scale(margins: NDArray[Any], targets: Targets) -> float:
    """The factor on margins with which the logistic function is likeliest, all labels together."""
    unit = float(np.abs(margins).mean()) or 1.0
    one_for_all = Calibration("temperature", pool_below=len(targets) + 1)
    map_ = one_for_all.fit(expit(margins / unit), targets).maps[0]
    return max(float(map_.parameters[0]), LEAST) / unit
