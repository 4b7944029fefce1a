"""ThresholdTuned: cuts for any scikit-learn estimator, tuned on scores of rows that it has not seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_consistent_length, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from manyhot._typing import BoolArray
from manyhot.decide import Decision, Rule, rule_for
from manyhot.errors import InputError
from manyhot.estimators.adapter import (
    _has,
    _multi_label_tags,
    copy_features_seen,
    label_scores,
    plain_matrix,
    scoring_method,
)
from manyhot.estimators.folds import fold_of_rows
from manyhot.estimators.forms import LabelForm, read_labels
from manyhot.estimators.strongest import strongest


class ThresholdTuned(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier of label sets whose cuts are tuned on cross-fitted scores.

    Each row is scored by a clone that was fitted without its fold; the rule is tuned on these scores; the
    estimator that predicts is fitted on all rows.

    Args:
        estimator: any classifier of 0/1 matrices with predict_proba or decision_function.
        goal: what the cuts are tuned for: a goal of `manyhot.decide`, or one for each label.
        cv: number of folds, a splitter, (training, test) rows, or "prefit": the estimator is fitted already,
            and the rows given to `fit` are new to it.
        rule: a rule of `manyhot.decide`; None is a cut for each label.
        method: "auto", "predict_proba" or "decision_function".
        n_jobs: folds that run at once, as in joblib.
        random_state: seed of the folds.

    Attributes:
        estimator_: the fitted estimator.
        rule_: the fitted rule.
        cuts_: (labels,) where the rule has cuts.
        classes_: (labels,) names of the labels.

    Example:
        >>> from sklearn.datasets import make_multilabel_classification
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X, y = make_multilabel_classification(random_state=0)
        >>> ThresholdTuned(RandomForestClassifier(10, random_state=0), goal="f1_micro").fit(X, y).cuts_.shape
        (5,)
    """

    rule_: Decision
    form_: LabelForm

    def __init__(
        self,
        estimator: Any,
        *,
        goal: Any = "f1_macro",
        cv: Any = 5,
        rule: Rule | None = None,
        method: str = "auto",
        n_jobs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.goal = goal
        self.cv = cv
        self.rule = rule
        self.method = method
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **fit_params: Any) -> "ThresholdTuned":
        """Cross-fit, tune, fit on all rows.

        Args:
            X: rows, as the estimator takes them.
            y: label sets in any form; unknown cells are negative to the estimator, and unknown to the rule.
            fit_params: sample_weight, groups for the splitter, and whatever else is routed to the estimator;
                values with one entry a row are cut with the folds.

        Raises:
            InputError: y is a vector of classes, or an estimator that does not score.
        """
        (X,) = indexable(X)
        targets, form = read_labels(y)
        check_consistent_length(X, targets.positives.indptr[1:])
        if form.exclusive:
            raise InputError("cuts are for label sets; y is a vector of classes, of which arg-max takes one")
        routed, split = self._routed(fit_params)
        matrix = plain_matrix(targets)
        self.form_, self.classes_ = form, form.classes
        if isinstance(self.cv, str) and self.cv == "prefit":
            check_is_fitted(self.estimator)
            self.estimator_ = self.estimator
            scores = self._scores(self.estimator_, X)
        else:
            fold = fold_of_rows(self.cv, X, matrix, self.random_state, **split)
            scores = self._cross_fitted(X, matrix, fold, routed)
            self.estimator_ = self._clone().fit(X, matrix, **routed)
        space = form.space
        rule = self.rule if self.rule is not None else rule_for(space)
        self.rule_ = rule.fit(strongest(scores, targets), targets, space=space, goal=self.goal)
        self.cuts_ = getattr(self.rule_, "cuts", np.full(len(space), np.nan))
        copy_features_seen(self.estimator_, self)
        return self

    def predict(self, X: Any) -> Any:
        """Label sets in the form that y had in `fit`."""
        return self.form_of_fit.write(self._decide(X), X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The estimator's probabilities, (rows, labels)."""
        check_is_fitted(self)
        return label_scores(self.estimator_, X, len(self.classes_), "predict_proba")

    @available_if(_has("predict_proba", "decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """The scores that the rule decides on, (rows, labels)."""
        check_is_fitted(self)
        return self._scores(self.estimator_, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of rows whose labels are all right."""
        wanted = self.form_of_fit.read(y)
        right = wanted.positives.toarray() == self._decide(X)
        return float(np.average((right | ~wanted.known_mask()).all(axis=1), weights=sample_weight))

    @property
    def form_of_fit(self) -> LabelForm:
        """How y was given to `fit`."""
        check_is_fitted(self)
        return self.form_

    def get_metadata_routing(self) -> Any:
        """Which metadata goes where: to the estimator's fit, and to the splitter."""
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        router = MetadataRouter(owner=type(self).__name__).add(
            estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _routed(self, fit_params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments of the estimator's fit, and of the splitter's split."""
        from sklearn import get_config
        from sklearn.utils.metadata_routing import process_routing

        if get_config()["enable_metadata_routing"]:
            routed: Any = process_routing(self, "fit", **fit_params)
            splits = hasattr(self.cv, "get_metadata_routing")
            return dict(routed.estimator.fit), dict(routed.splitter.split) if splits else {}
        given = dict(fit_params)
        groups = given.pop("groups", None)
        return given, {} if groups is None else {"groups": groups}

    def _cross_fitted(
        self, X: Any, matrix: NDArray[np.int64], fold: NDArray[np.int64], routed: dict[str, Any]
    ) -> NDArray[Any]:
        from sklearn.utils.parallel import Parallel, delayed

        numbers = range(int(fold.max()) + 1)
        parts: Any = Parallel(n_jobs=self.n_jobs)(
            delayed(_fold_scores)(self, self._clone(), X, matrix, fold, number, routed) for number in numbers
        )
        scores = np.empty((len(matrix), len(self.classes_)), np.result_type(*(part.dtype for part in parts)))
        for number, part in zip(numbers, parts, strict=True):
            scores[fold == number] = part
        return scores

    def _clone(self) -> Any:
        return clone(self.estimator)

    def _scores(self, fitted: Any, X: Any) -> NDArray[Any]:
        method = scoring_method(fitted) if self.method == "auto" else self.method
        return label_scores(fitted, X, len(self.classes_), method)

    def _decide(self, X: Any) -> BoolArray:
        check_is_fitted(self)
        return self.rule_.decide(self._scores(self.estimator_, X)).to_dense(bool)

    def __sklearn_tags__(self) -> Any:
        return _multi_label_tags(super().__sklearn_tags__(), self.estimator)


def _fold_scores(
    tuned: ThresholdTuned,
    estimator: Any,
    X: Any,
    matrix: NDArray[np.int64],
    fold: NDArray[np.int64],
    number: int,
    routed: dict[str, Any],
) -> NDArray[Any]:
    """Scores of a fold's rows by a model of the others."""
    from sklearn.utils import _safe_indexing
    from sklearn.utils.validation import _check_method_params

    inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    own = _check_method_params(X, params=routed, indices=inside)
    fitted = estimator.fit(_safe_indexing(X, inside), matrix[inside], **own)
    return tuned._scores(fitted, _safe_indexing(X, outside))
