"""LinearManyHot: one-vs-rest linear models, all labels at once, with cuts tuned on scores of unseen rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot import _check
from manyhot.decide import Decision, Rule
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.folds import folds_of_part, weights_and_rows
from manyhot.estimators.landmarks import Landmarks
from manyhot.estimators.rules import fitted_rule, goal_value, row_ids, wants_probabilities
from manyhot.estimators.seeds import seed_of
from manyhot.estimators.solvers import FOLD_PASSES, Task, solve_task
from manyhot.kernels.linear_solver import Effort
from manyhot.labels import LabelSpace, Targets

TAIL = 0.05  # probability from which on the squared hinge's go on as a tail


class LinearManyHot(LabelClassifier):
    """One linear model a label, L2-regularised: minimises w.w / 2 + C * (sum of the rows' losses).

    The intercept is part of w, as in LIBLINEAR, whose solutions are the same. Unknown cells (NaN in y) take
    part in nothing. With a goal, each row is scored by models that have not seen it, and a cut for each label
    is tuned on these scores.

    Rows of weight 0 are left out: of folds, landmarks, cuts and the choice of C as well.

    Args:
        loss: "squared_hinge" (ranks best, fastest on sparse rows), "logistic" (calibrated probabilities) or
            "squared" (fastest on few features: all labels at once).
        C: inverse strength of the regularisation, > 0. Of several values, each is solved from the last, and
            the one with the best `goal` (without a goal: f1_macro) on out-of-fold scores is kept.
        goal: what the cuts are tuned for: a goal of `manyhot.decide`, such as "f1_macro" or
            "precision >= 0.9", or a goal for each label. None leaves it to the rule, if there is one, and
            cuts where the model does if not: at margin 0.
        landmarks: 0 is linear in the features. Else so many training rows are drawn, those with many labels
            and stored features sooner, and the model is linear in a row's Gaussian similarities to them: of a
            kernel machine what a linear model can afford. Wants features of like scale, and loss "squared".
        rule: a rule of `manyhot.decide` in place of a cut for each label. One that takes scores for
            probabilities is given these, others margins.
        pos_weight: of the positive cells' losses: None, "balanced", "sqrt", "effective", (labels,) or
            {name: weight}.
        intercept_scaling: value of the constant column; 0 is no intercept.
        cv: folds of the out-of-fold scores: their number, a splitter, or (training, test) rows. "newton"
            needs none: its scores are leave-one-out.
        solver: "newton" (few features; exact), "dual" (coordinate descent), or "auto" by their cost; the
            squared loss with landmarks is always solved exactly.
        tol: of "dual": a label is solved when its dual variables move less than this share in a pass.
        max_iter: passes over the rows, at most.
        random_state: seed of the order of rows and of the folds: an integer, a RandomState or None.
        space: labels with groups, parents or rules, which decisions then obey; None takes independent labels
            from y.

    Attributes:
        coef_: (labels, features), or (labels, landmarks); one row for two classes.
        intercept_: (labels,).
        cuts_: (labels,) a label is assigned where its margin reaches its cut; NaN where the rule has none.
        rule_: the fitted rule, None where margins are cut at 0. It remembers its rows by the index of X, if
            that is a DataFrame, else by their number.
        decides_on_: what the rule decides on, "decision_function" or "predict_proba".
        C_: the C that was kept.
        path_: for each C its figure on out-of-fold scores, where several were given.
        n_iter_: most passes (steps of Newton's method) that a label took.
        landmarks_: the fitted `Landmarks`, None without any.

    Example:
        >>> clf = LinearManyHot().fit([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [["b"], ["a"], ["a", "b"]])
        >>> clf.predict([[0.0, 2.0], [2.0, 2.0]])
        [['b'], ['a', 'b']]
    """

    coef_: NDArray[Any]
    intercept_: NDArray[Any]
    cuts_: NDArray[np.float64]
    rule_: Decision | None
    landmarks_: Landmarks | None

    def __init__(
        self,
        loss: str = "squared_hinge",
        *,
        C: float | Sequence[float] = 1.0,
        goal: Any = None,
        rule: Rule | None = None,
        landmarks: int = 0,
        pos_weight: Any = None,
        intercept_scaling: float = 1.0,
        cv: Any = 4,
        solver: str = "auto",
        tol: float = 0.02,
        max_iter: int = 100,
        random_state: Any = 0,
        space: LabelSpace | None = None,
    ) -> None:
        self.loss = loss
        self.C = C
        self.goal = goal
        self.rule = rule
        self.landmarks = landmarks
        self.pos_weight = pos_weight
        self.intercept_scaling = intercept_scaling
        self.cv = cv
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.space = space

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LinearManyHot":
        """Fit to rows X (rows, features), dense or sparse.

        Args:
            X: numbers without NaN.
            y: lists of names, 0/1 matrix (dense, sparse, DataFrame; NaN where unknown), `Targets`, or a
                vector of classes.
            sample_weight: (rows,) >= 0, weight of each row's losses.

        Raises:
            InputError: y cannot be understood, or has one class only.
            OptionError: an option outside its range.
        """
        strengths, seed, ids = self._checked_options(), seed_of(self.random_state), row_ids(X)
        X, targets = self._read(X, y, self.space, accept_sparse="csr", dtype=[np.float64, np.float32])
        weight, rows = weights_and_rows(sample_weight, X)
        cv = self.cv
        if len(rows) < len(weight):
            X, targets, weight, ids = X[rows], targets.rows(rows), weight[rows], ids[rows]
            cv = folds_of_part(cv, rows)
        targets, tunes = self._to_learn(targets)
        self.landmarks_ = self._drawn(X, targets, seed)
        found = solve_task(
            Task(
                X if self.landmarks_ is None else self.landmarks_.features(X),
                targets,
                weight,
                self._positive_weights(targets),
                float(self.intercept_scaling),
                self.loss,
            ),
            strengths,
            solver=self.solver if self.landmarks_ is None or self.loss != "squared" else "newton",
            effort=Effort(self.tol, self.max_iter, min(FOLD_PASSES, self.max_iter), seed),
            cv=cv,
            leave_out=tunes or len(strengths) > 1,
        )
        self.decides_on_ = (
            "predict_proba" if tunes and wants_probabilities(self.rule) else "decision_function"
        )
        kept = 0
        if len(strengths) > 1:
            figures = [self._figure(each.left_out, targets, weight) for each in found]
            self.path_ = dict(zip(strengths, figures, strict=True))
            kept = int(np.argmax(figures))
        best = found[kept]
        self.C_, self.n_iter_ = strengths[kept], best.steps
        self.coef_, self.intercept_ = np.ascontiguousarray(best.coefficients), best.intercepts
        self.cuts_, self.rule_ = np.zeros(len(self.intercept_)), None
        if tunes:
            self.rule_ = self._tuned(best.left_out, targets, weight, ids)
            self.cuts_ = getattr(self.rule_, "cuts", np.full(targets.width, np.nan))
        return self

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Margins (rows, labels), any real; (rows,) of the second class where y was a vector of two."""
        margins = self._margins(X)
        return margins[:, 0] if self.form_.exclusive and len(self.classes_) == 2 else margins

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities (rows, labels); those of classes add up to 1.

        The logistic function of margins; or for squared losses (1 + m) / 2, which their minima estimate,
        with tails that never reach 0 and 1, so that they rank as the margins do.

        Source: Zhang, "Statistical behavior and consistency of classification methods", Ann. Stat. 32, 2004.
        """
        chances = self._chances(self._margins(X))
        if self.form_.exclusive and len(self.classes_) == 2:
            return np.column_stack([1 - chances, chances])
        return self._shared_out(chances)

    def sparsify(self) -> "LinearManyHot":
        """Keep the coefficients as CSR, which is smaller where most of them are 0."""
        check_is_fitted(self)
        self.coef_ = csr_array(self.coef_)  # type: ignore[assignment]
        return self

    def _margins(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        coefficients = self.coef_.T
        if self.landmarks_ is not None:
            X = self.landmarks_.features(X)
        if issparse(X) and X.dtype != coefficients.dtype:
            X = X.astype(coefficients.dtype)
        product = X @ coefficients
        return np.asarray(product.toarray() if issparse(product) else product) + self.intercept_

    def _decide(self, X: Any) -> Targets:
        margins = self._margins(X)
        if self.rule_ is None:
            return Targets.from_dense(margins > 0)
        return self.rule_.decide(self._ruled(margins))

    def _choose(self, X: Any) -> NDArray[np.int64]:
        margins = self._margins(X)
        if len(self.classes_) == 2:
            return (margins[:, 0] > 0).astype(np.int64)
        return np.argmax(margins, axis=1)

    def _checked_options(self) -> list[float]:
        """The values of C, ascending."""
        _check.one_of("loss", self.loss, ("squared_hinge", "logistic", "squared"))
        _check.one_of("solver", self.solver, ("auto", "newton", "dual"))
        _check.at_least("max_iter", self.max_iter, 1)
        _check.at_least("tol", self.tol, 0)
        _check.at_least("intercept_scaling", self.intercept_scaling, 0)
        _check.at_least("landmarks", self.landmarks, 0)
        strengths = sorted(map(float, np.atleast_1d(self.C)))
        if not strengths or not strengths[0] > 0 or not np.isfinite(strengths[-1]):
            raise OptionError(f"C must be > 0 and finite, got {self.C}")
        return strengths

    def _to_learn(self, targets: Targets) -> tuple[Targets, bool]:
        """What is learned, of two classes the second; and whether a rule decides, as none does on classes."""
        if not self.form_.exclusive:
            shaped = self.space is not None and (self.space.groups or self.space.parents or self.space.rules)
            return targets, bool(shaped) or self.goal is not None or self.rule is not None
        present = np.count_nonzero(targets.label_counts())
        if present < 2:
            raise InputError(f"y has {present} class with a weight above 0; a classifier wants two or more")
        return (targets.columns([1]) if targets.width == 2 else targets), False

    def _drawn(self, X: Any, targets: Targets, seed: int) -> Landmarks | None:
        if not self.landmarks:
            return None
        stored = np.diff(X.indptr) if issparse(X) else np.ones(len(targets))
        chance = (1.0 + targets.row_counts()) * (1.0 + stored)
        return Landmarks.drawn(X, self.landmarks, chance, seed)

    def _positive_weights(self, targets: Targets) -> NDArray[np.float64]:
        if self.pos_weight is None:
            return np.ones(targets.width)
        from manyhot.losses import label_weights

        names = LabelSpace(tuple(map(str, self.classes_[-targets.width :])))
        found = label_weights(targets, self.pos_weight, names)
        if len(found) != targets.width:
            raise ShapeError(f"expected {targets.width} values of pos_weight, got {len(found)}")
        return found

    def _chances(self, margins: NDArray[Any]) -> NDArray[Any]:
        return expit(margins) if self.loss == "logistic" else _squared_chances(margins)

    def _ruled(self, margins: NDArray[Any]) -> NDArray[Any]:
        """The scores that the rule decides on."""
        return self._chances(margins) if self.decides_on_ == "predict_proba" else margins

    def _tuned(
        self, left_out: Any, targets: Targets, weight: NDArray[np.float64], ids: NDArray[Any] | None = None
    ) -> Decision:
        rule, space = (None, _columns(targets)) if self.form_.exclusive else (self.rule, self.form_.space)
        return fitted_rule(
            rule, self._ruled(left_out), targets, space, goal=self.goal, weight=weight, rows=ids
        )

    def _figure(self, left_out: Any, targets: Targets, weight: NDArray[np.float64]) -> float:
        """The goal of a C: the rule tuned and judged on the same out-of-fold scores, alike for each C."""
        rule = self._tuned(left_out, targets, weight)
        goal = "f1_macro" if self.goal is None else self.goal
        return goal_value(goal, rule.decide(self._ruled(left_out)), targets, rule.space, weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _squared_chances(margins: NDArray[Any]) -> NDArray[np.float64]:
    """(1 + m) / 2 between the tails, which go on with the same value and slope, slowly so as not to tie."""
    size = np.abs(margins.astype(np.float64))
    beyond = np.maximum(size - (1 - 2 * TAIL), 0)
    small = np.where(beyond > 0, TAIL / (1 + beyond / (2 * TAIL)), (1 - size) / 2)
    return np.where(margins > 0, 1 - small, small)


def _columns(targets: Targets) -> LabelSpace:
    """Classes that are judged one by one."""
    return LabelSpace(tuple(map(str, range(targets.width))))
