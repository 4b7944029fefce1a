"""One shape of scores for all of scikit-learn's multi-output classifiers, and of y for each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from manyhot.errors import InputError
from manyhot.estimators.forms import LabelForm
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
    if not gives(estimator, method):
        raise InputError(f"{type(last_step(estimator)).__name__} has no {method}; {_mend(estimator)}")
    scores = _scores(*_reached(estimator, X), labels, method)
    if scores.shape[1] != labels:
        raise InputError(
            f"{type(estimator).__name__}.{method} gave {scores.shape[1]} columns for {labels} labels; "
            "wrap it in sklearn.multioutput.MultiOutputClassifier or OneVsRestClassifier"
        )
    return scores


def gives(estimator: Any, method: str) -> bool:
    """Whether `label_scores` can have a method of an estimator, fitted or not."""
    inner = last_step(estimator)
    if hasattr(inner, method) or not isinstance(inner, MultiOutputClassifier):
        return hasattr(inner, method)
    return all(hasattr(each, method) for each in getattr(inner, "estimators_", [inner.estimator]))


def scoring_method(estimator: Any) -> str:
    """The first of predict_proba and decision_function that an estimator has."""
    for method in SCORING:
        if gives(estimator, method):
            return method
    raise InputError(
        f"{type(last_step(estimator)).__name__} has neither predict_proba nor decision_function; "
        "take a classifier that scores"
    )


def last_step(estimator: Any) -> Any:
    """The estimator inside of pipelines, searches and frozen ones that knows the labels."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif _is_search(estimator) or isinstance(estimator, FrozenEstimator):
            estimator = getattr(estimator, "best_estimator_", estimator.estimator)
        else:
            return estimator


def plain_matrix(targets: Targets, estimator: Any) -> NDArray[np.int64]:
    """What classifiers take that know nothing of unknown cells: 0/1 (rows, labels).

    A single label is a vector, but for those that want a matrix in any case, such as MultiOutputClassifier.
    """
    matrix = targets.assume_negative().to_dense(np.int64)
    single = matrix.shape[1] == 1 and get_tags(last_step(estimator)).target_tags.single_output
    return matrix.ravel() if single else matrix


def _is_search(estimator: Any) -> bool:
    # those of other libraries need not be scikit-learn's, but have what is asked for once they are fitted
    return isinstance(estimator, BaseSearchCV) or hasattr(estimator, "best_estimator_")


def _mend(estimator: Any) -> str:
    if gives(estimator, "decision_function"):
        return "manyhot.estimators.adapt(estimator) makes probabilities of its decision_function"
    return "take a classifier that has it"


def _reached(estimator: Any, X: Any) -> tuple[Any, Any]:
    """The last step of an estimator, and the rows as they come to it."""
    inner = last_step(estimator)
    while estimator is not inner:
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator.steps[-1][1]
        else:
            estimator = getattr(estimator, "best_estimator_", estimator.estimator)
    return inner, X


def _scores(estimator: Any, X: Any, labels: int, method: str) -> NDArray[Any]:
    if isinstance(estimator, MultiOutputClassifier) and not hasattr(estimator, method):
        # it hands on predict_proba alone
        return np.column_stack([label_scores(each, X, 1, method) for each in estimator.estimators_])
    classes = getattr(estimator, "classes_", None)
    if isinstance(estimator, StackingClassifier) and isinstance(classes, list):
        return _stacked(estimator, X, labels, method)
    given = getattr(estimator, method)(X)
    if isinstance(given, list):
        sides = classes if isinstance(classes, list) else [None] * len(given)
        return np.column_stack([_positive(*pair) for pair in zip(given, sides, strict=True)])
    scores = np.asarray(given.toarray() if issparse(given) else given)
    if scores.ndim == 1:
        return scores[:, None]
    return (
        _positive(scores, classes)[:, None] if labels == 1 and not _are_sets(estimator, classes) else scores
    )


def _stacked(estimator: Any, X: Any, labels: int, method: str) -> NDArray[Any]:
    """Scores of the final estimator, as predict_proba around it gives class 0's (seen from 1.6 to 1.9)."""
    scores = label_scores(estimator.final_estimator_, estimator.transform(X), labels, method)
    # the final estimator has classes numbered from 0, also where a label has no other class than 1
    always = [list(classes) == [1] for classes in estimator.classes_]
    scores[:, always] = 1 - scores[:, always] if method == "predict_proba" else -scores[:, always]
    return scores


def _are_sets(estimator: Any, classes: Any) -> bool:
    """Whether a matrix of one column is that of a label, and not of the only class of a vector."""
    form = getattr(estimator, "form_", None)
    return not form.exclusive if isinstance(form, LabelForm) else isinstance(classes, list)


def _positive(chances: NDArray[Any], classes: Any) -> NDArray[Any]:
    """Chance of class 1 from the chances of a label's classes; it is 0 where no row had the label."""
    chances = np.asarray(chances)
    if chances.ndim == 1:
        return chances
    if classes is None:
        return chances[:, -1]
    place = np.flatnonzero(np.asarray(classes) == 1)
    return chances[:, place[0]] if len(place) else np.zeros(len(chances), chances.dtype)
