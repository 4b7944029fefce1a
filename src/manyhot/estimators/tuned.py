"""ThresholdTuned: cuts for any scikit-learn estimator, tuned on scores of rows that it has not seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_consistent_length, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from manyhot.decide import Decision, Rule
from manyhot.errors import InputError
from manyhot.estimators.cross_fit import cross_fitted
from manyhot.estimators.folds import fold_of_rows, folds_of_part, weights_and_rows
from manyhot.estimators.forms import read_labels
from manyhot.estimators.label_scores import plain_matrix, scoring_method
from manyhot.estimators.rules import fitted_rule, row_ids
from manyhot.estimators.seeds import seed_of
from manyhot.estimators.wrapper import LabelSetWrapper, scored_by
from manyhot.labels import LabelSpace, Targets


class ThresholdTuned(LabelSetWrapper):
    """A classifier of label sets whose cuts are tuned on cross-fitted scores.

    Each row is scored by a clone that was fitted without its fold; the rule is tuned on these scores; the
    estimator that predicts is fitted on all rows.

    Args:
        estimator: any classifier of 0/1 matrices with predict_proba or decision_function.
        goal: what the cuts are tuned for: a goal of `manyhot.decide`, or one for each label. None is the
            rule's own, for cuts f1_macro.
        cv: number of folds, a splitter, (training, test) rows, or "prefit": the estimator is fitted already,
            and the rows given to `fit` are new to it.
        rule: a rule of `manyhot.decide`; None is a cut for each label, and what the groups, parents and rules
            of `space` ask for.
        method: "auto", "predict_proba" or "decision_function".
        n_jobs: folds that run at once, as in joblib.
        random_state: seed of the folds: an integer, a RandomState or None.
        space: labels with groups, parents or rules, which decisions then obey; None takes independent labels
            from y.

    Attributes:
        estimator_: the fitted estimator.
        rule_: the fitted rule. It remembers its rows by the index of X, if that is a DataFrame, else by their
            number.
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

    def __init__(
        self,
        estimator: Any,
        *,
        goal: Any = None,
        cv: Any = 5,
        rule: Rule | None = None,
        method: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = 0,
        space: LabelSpace | None = None,
    ) -> None:
        self.estimator = estimator
        self.goal = goal
        self.cv = cv
        self.rule = rule
        self.method = method
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.space = space

    def fit(self, X: Any, y: Any, **fit_params: Any) -> "ThresholdTuned":
        """Cross-fit, tune, fit on all rows.

        Args:
            X: rows, as the estimator takes them.
            y: label sets in any form; unknown cells are negative to the estimator, and unknown to the rule.
            fit_params: sample_weight, groups for the splitter, and whatever else is routed to the estimator;
                values with one entry a row are cut with the folds. Weights count for the rule too, and rows
                of weight 0 are left out.

        Raises:
            InputError: y is a vector of classes, or an estimator that does not score.
            OptionError: a goal for a rule that has its own.
        """
        (X,) = indexable(X)
        targets, form = read_labels(y, self.space)
        check_consistent_length(X, targets.positives.indptr[1:])
        if form.exclusive:
            raise InputError("cuts are for label sets; y is a vector of classes, of which arg-max takes one")
        routed, split = self._routed(fit_params)
        ids, cv = row_ids(X), self.cv
        weight, rows = weights_and_rows(_weight_of(routed), X)
        if len(rows) < len(weight):
            routed, split = (_check_method_params(X, params=each, indices=rows) for each in (routed, split))
            X, targets, weight, ids = _safe_indexing(X, rows), targets.rows(rows), weight[rows], ids[rows]
            cv = folds_of_part(cv, rows)
        self.form_, self.classes_ = form, form.classes
        if isinstance(cv, str) and cv == "prefit":
            check_is_fitted(self.estimator)
            self._keep(self.estimator)
            scores = self._scores(X, self._method(self.estimator))
        else:
            matrix = plain_matrix(targets, self.estimator)
            fold = fold_of_rows(cv, X, matrix, seed_of(self.random_state), **split)
            method = None if self.method == "auto" else self.method
            scores = cross_fitted(
                self.estimator, X, matrix, fold, method=method, fit_params=routed, n_jobs=self.n_jobs
            )
            fresh: Any = clone(self.estimator)
            self._keep(fresh.fit(X, matrix, **routed))
        self.rule_ = fitted_rule(
            self.rule, scores, targets, form.space, goal=self.goal, weight=weight, rows=ids
        )
        self.cuts_ = getattr(self.rule_, "cuts", np.full(len(form.space), np.nan))
        return self

    @available_if(scored_by("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[Any]:  # type: ignore[override]
        """The estimator's probabilities, (rows, labels)."""
        check_is_fitted(self)
        return self._scores(X, "predict_proba")

    @available_if(scored_by("predict_proba", "decision_function"))
    def decision_function(self, X: Any) -> NDArray[Any]:
        """The scores that the rule decides on, (rows, labels)."""
        check_is_fitted(self)
        return self._scores(X, self._method(self.estimator_))

    def _method(self, fitted: Any) -> str:
        return scoring_method(fitted) if self.method == "auto" else self.method

    def _decide(self, X: Any) -> Targets:
        return self.rule_.decide(self.decision_function(X))


def _weight_of(fit_params: dict[str, Any]) -> Any:
    """Weights of the rows among the estimator's arguments; a pipeline's carry the name of their step."""
    for name, value in fit_params.items():
        if name == "sample_weight" or name.endswith("__sample_weight"):
            return value
    return None
