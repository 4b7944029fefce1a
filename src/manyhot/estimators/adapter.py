"""One shape of scores for all of scikit-learn's multi-output classifiers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from manyhot.errors import InputError
from manyhot.labels import Targets

SCORING = ("predict_proba", "decision_function")


def label_scores(estimator: Any, X: Any, labels: int, method: str | None = None) -> NDArray[Any]:
    """Scores (rows, labels) of a fitted multi-output classifier, higher is more likely.

    scikit-learn has many shapes for them: a matrix (OneVsRestClassifier, MLPClassifier), a list of one
    (rows, classes) matrix a label (forests, neighbours, MultiOutputClassifier), a vector for a single label.

    Args:
        estimator: fitted on a 0/1 matrix.
        X: rows.
        labels: their number.
        method: "predict_proba" or "decision_function"; None takes the first that it has.

    Raises:
        InputError: it has neither, or gives another number of labels.
    """
    method = method or scoring_method(estimator)
    given = getattr(estimator, method)(X)
    if isinstance(given, list):
        classes = _classes_by_label(estimator, len(given))
        scores = np.column_stack([_positive(*pair) for pair in zip(given, classes, strict=True)])
    else:
        scores = np.asarray(given.toarray() if issparse(given) else given)
        if scores.ndim == 1:
            scores = scores[:, None]
        elif labels == 1 and scores.shape[1] == 2:
            scores = scores[:, 1:]
    if scores.shape[1] != labels:
        raise InputError(
            f"{type(estimator).__name__}.{method} gave {scores.shape[1]} columns for {labels} labels; "
            "wrap it in sklearn.multioutput.MultiOutputClassifier or OneVsRestClassifier"
        )
    return scores


def plain_matrix(targets: Targets) -> NDArray[np.int64]:
    """What classifiers take that know nothing of unknown cells: 0/1 (rows, labels), one label as a vector."""
    matrix = targets.assume_negative().to_dense(np.int64)
    return matrix.ravel() if matrix.shape[1] == 1 else matrix


def copy_features_seen(fitted: Any, wrapper: Any) -> None:
    """Give a wrapper what its estimator knows of the columns of X."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(fitted, name):
            setattr(wrapper, name, getattr(fitted, name))


def scoring_method(estimator: Any) -> str:
    """The first of predict_proba and decision_function that an estimator has."""
    for method in SCORING:
        if hasattr(estimator, method):
            return method
    raise InputError(
        f"{type(estimator).__name__} has neither predict_proba nor decision_function; "
        "wrap it in CalibratedClassifierCV, or take a classifier that scores"
    )


def _classes_by_label(estimator: Any, labels: int) -> list[Any]:
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) != labels or np.ndim(classes[0]) == 0:
        return [None] * labels
    return list(classes)


def _positive(chances: NDArray[Any], classes: Any) -> NDArray[Any]:
    """Chance of class 1 from the chances of a label's classes; only one is there if all rows had it."""
    chances = np.asarray(chances)
    if chances.ndim == 1:
        return chances
    if chances.shape[1] == 1:
        return chances[:, 0] if classes is not None and classes[0] == 1 else 1 - chances[:, 0]
    return chances[:, 1]


def _has(*names: str) -> Any:
    def check(self: Any) -> bool:
        return any(hasattr(getattr(self, "estimator_", self.estimator), name) for name in names)

    return check


class adapt(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # noqa: N801 - used as a verb
    """Any multi-output classifier, with `predict_proba` always (rows, labels).

    Args:
        estimator: a classifier that is fitted on a 0/1 matrix.

    Attributes:
        estimator_: the fitted classifier.
        classes_: (labels,) column numbers, or the columns of a DataFrame.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> tree = adapt(DecisionTreeClassifier()).fit([[0], [1]], [[1, 0], [0, 1]])
        >>> tree.predict_proba([[1]])
        array([[0., 1.]])
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, **fit_params: Any) -> "adapt":
        """Fit a clone to X and the 0/1 matrix y (rows, labels)."""
        from manyhot.estimators.forms import read_labels

        targets, form = read_labels(y)
        if form.exclusive:
            raise InputError("adapt is for label sets; y is a vector of classes, whose scores have one shape")
        self.form_, self.classes_ = form, form.classes
        estimator: Any = clone(self.estimator)
        self.estimator_ = estimator.fit(X, plain_matrix(targets), **fit_params)
        copy_features_seen(self.estimator_, self)
        return self

    def predict(self, X: Any) -> Any:
        """What the classifier predicts, in the form that y had."""
        check_is_fitted(self)
        found = self.estimator_.predict(X)
        matrix = found.toarray() if issparse(found) else np.asarray(found)
        return self.form_.write(matrix.reshape(len(matrix), -1) > 0, X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities (rows, labels)."""
        check_is_fitted(self)
        return label_scores(self.estimator_, X, len(self.classes_), "predict_proba")

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """Scores (rows, labels), any real."""
        check_is_fitted(self)
        return label_scores(self.estimator_, X, len(self.classes_), "decision_function")

    def __sklearn_tags__(self) -> Any:
        return _multi_label_tags(super().__sklearn_tags__(), self.estimator)


def _multi_label_tags(tags: Any, estimator: Any) -> Any:
    """Tags of a wrapper for label sets only, which takes what its estimator takes."""
    from sklearn.utils import get_tags

    tags.input_tags = get_tags(estimator).input_tags
    tags.target_tags.multi_output, tags.target_tags.single_output = True, False
    tags.classifier_tags.multi_label, tags.classifier_tags.multi_class = True, False
    return tags
