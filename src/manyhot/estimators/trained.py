"""ManyHotClassifier: any encoder, any loss, any rule, as one scikit-learn estimator."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from manyhot import _check
from manyhot.data import stratify
from manyhot.decide import Decision, Rule, at_half
from manyhot.errors import InputError
from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.folds import weights_and_rows
from manyhot.estimators.forms import read_labels
from manyhot.estimators.rules import fitted_rule, row_ids
from manyhot.estimators.seeds import seed_of
from manyhot.labels import LabelSpace, Targets
from manyhot.losses import losses_for
from manyhot.models import Model
from manyhot.train import TrainOptions, train


class ManyHotClassifier(LabelClassifier):
    """A model of manyhot, trained, with cuts tuned on rows that it was not trained on.

    Args:
        encoder: "auto" (tables: mlp; texts and sparse matrices: linear), a name in
            `manyhot.models.ENCODERS`, or a torch module, of which each fit trains a copy.
        loss: a name in `manyhot.losses.LOSSES`, with arguments if need be: "asl(gamma_neg=2)"; or a loss, of
            which each fit takes a copy.
        goal: what the cuts are tuned for: a goal of `manyhot.decide`, or one for each label. None is the
            rule's own, for cuts f1_macro.
        rule: a rule of `manyhot.decide`; None is a cut for each label, and what groups and rules ask for.
        space: labels with groups, parents or rules; None takes independent labels from y.
        pos_weight: "balanced", "sqrt", "effective", (labels,) or {name: weight}.
        encoder_options: of the named encoder, such as {"hidden": [512]}.
        preparation: "auto", or a name such as "tfidf" or "hashed".
        preparation_options: of the preparation.
        valid: share of the rows, stratified, that choose the best epoch and tune the cuts; 0 trains on all
            rows for all epochs, cuts at one half and takes the highest label of an exclusive group.
        epochs: passes over the training rows; None is chosen for the inputs.
        batch_size: rows in a step; None is chosen for the inputs.
        learning_rate: at its highest; None is chosen for the inputs.
        training: further fields of `manyhot.train.TrainOptions`.
        random_state: seed of split, weights and order: an integer, a RandomState or None.

    Attributes:
        model_: the trained `manyhot.models.Model`.
        rule_: the fitted rule, None with `valid=0` and for a vector of classes. It remembers its rows by the
            index of X, if that is a DataFrame, else by their number.
        history_: of the training.

    Example:
        >>> X, names = [[0.0], [1.0], [0.1], [0.9]], [["low"], ["high"], ["low"], ["high"]]
        >>> ManyHotClassifier("linear", epochs=200, learning_rate=0.1, valid=0).fit(X, names).predict([[1.2]])
        [['high']]
    """

    model_: Model
    rule_: Decision | None

    def __init__(
        self,
        encoder: Any = "auto",
        *,
        loss: Any = "bce",
        goal: Any = None,
        rule: Rule | None = None,
        space: LabelSpace | None = None,
        pos_weight: Any = None,
        encoder_options: Mapping[str, Any] | None = None,
        preparation: str = "auto",
        preparation_options: Mapping[str, Any] | None = None,
        valid: float = 0.15,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        training: Mapping[str, Any] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.encoder = encoder
        self.loss = loss
        self.goal = goal
        self.rule = rule
        self.space = space
        self.pos_weight = pos_weight
        self.encoder_options = encoder_options
        self.preparation = preparation
        self.preparation_options = preparation_options
        self.valid = valid
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.training = training
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ManyHotClassifier":
        """Train on X.

        Args:
            X: numbers (dense or sparse), a DataFrame of numbers and categories, a list of texts, or inputs
                of `manyhot.data`.
            y: label sets in any form; unknown cells (NaN) take part in nothing. Names must be those of
                `space`, if there is one.
            sample_weight: (rows,) weight of each row, in the loss and in tuning; rows of 0 are left out.

        Raises:
            InputError: y cannot be understood, or there are too few rows.
            OptionError: an option outside its range.
        """
        _check.between("valid", self.valid, 0.0, 0.9)
        inputs, targets, space = self._inputs_and_targets(X, y)
        weight, rows = weights_and_rows(sample_weight, np.empty((len(targets), 1)))
        seed = seed_of(self.random_state)
        inside, outside = self._parted(targets, rows, seed)
        model = self._fresh(inputs.take(inside), targets.rows(inside), space, seed)
        # some losses remember the rows they have seen, and the user's is to remember nothing of this fit
        loss = losses_for(space, deepcopy(self.loss), targets.rows(inside), pos_weight=self.pos_weight)
        held = (inputs.take(outside), targets.rows(outside)) if len(outside) else (None, None)
        self.history_ = train(
            model,
            inputs.take(inside),
            targets.rows(inside),
            *held,
            loss=loss,
            row_weight=None if sample_weight is None else weight[inside],
            options=self._options(seed),
        )
        self.model_, self.rule_ = model, None
        self.n_iter_ = max(1, len(self.history_.records) - 1)
        if len(outside) and not self.form_.exclusive:
            self.rule_ = fitted_rule(
                self.rule,
                model.scores(held[0]),
                targets.rows(outside),
                space,
                goal=self.goal,
                weight=weight[outside],
                rows=row_ids(X)[outside],
            )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities (rows, labels); those of an exclusive group add up to at most 1."""
        check_is_fitted(self)
        scores = self.model_.scores(self._inputs(X))
        return scores / scores.sum(axis=1, keepdims=True) if self.form_.exclusive else scores

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Logits (rows, labels); (rows,) of the second class where y was a vector of two."""
        check_is_fitted(self)
        logits = self.model_.logits(self._inputs(X))
        if self.form_.exclusive and len(self.classes_) == 2:
            return logits[:, 1] - logits[:, 0]
        return logits

    def _decide(self, X: Any) -> Targets:
        rule = at_half(self.form_.space) if self.rule_ is None else self.rule_
        return rule.decide(self.predict_proba(X))

    def _inputs_and_targets(self, X: Any, y: Any) -> tuple[Any, Targets, LabelSpace]:
        targets, form = read_labels(y, self.space)
        inputs = self._inputs_of_fit(X)
        check_consistent_length(targets.positives.indptr[1:], np.empty(len(inputs)))
        if form.exclusive and len(form.classes) < 2:
            raise InputError("y has one class; a classifier wants two or more")
        self.form_, self.classes_ = form, form.classes
        return inputs, targets, form.space

    def _inputs_of_fit(self, X: Any) -> Any:
        if not _is_raw(X):
            return _numbers(validate_data(self, X, **_CHECKS))
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True)  # names and number of columns are kept all the same
        return _raw_inputs(X)

    def _inputs(self, X: Any) -> Any:
        if _is_raw(X):
            if hasattr(X, "columns"):
                validate_data(self, X, reset=False, skip_check_array=True)
            return _raw_inputs(X)
        X = validate_data(self, X, reset=False, **_CHECKS)
        sparse = self.model_.preparation.reads == "sparse"
        if issparse(X) != sparse:
            X = csr_array(X) if sparse else X.toarray()
        return _numbers(X)

    def _parted(
        self, targets: Targets, rows: NDArray[np.intp], seed: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of the rows that count, those that train and those that choose the epoch and tune the cuts."""
        if not self.valid:
            return rows, rows[:0]
        if len(rows) < 3:
            raise InputError(
                f"n_samples={len(rows)} is too few to hold out valid={self.valid}; valid=0 trains on all"
            )
        part = stratify(targets.rows(rows), (1 - self.valid, self.valid), seed=seed).part
        return rows[part == 0], rows[part == 1]

    def _fresh(self, inputs: Any, targets: Targets, space: LabelSpace, seed: int) -> Model:
        encoder = self.encoder if isinstance(self.encoder, str) else deepcopy(self.encoder)
        return Model.build(
            inputs,
            targets,
            space,
            encoder=encoder,
            encoder_options=self.encoder_options,
            preparation=self.preparation,
            preparation_options=self.preparation_options,
            seed=seed,
        )

    def _options(self, seed: int) -> TrainOptions:
        named = {"epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.learning_rate}
        given = {name: value for name, value in named.items() if value is not None}
        return TrainOptions.from_dict({"seed": seed, **given, **dict(self.training or {})})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


_CHECKS: dict[str, Any] = {"accept_sparse": "csr", "dtype": np.float32}


def _is_raw(X: Any) -> bool:
    """Texts, frames with categories, and inputs of manyhot.data: what the preparation reads itself."""
    if hasattr(X, "kind") and hasattr(X, "take"):
        return True
    if hasattr(X, "columns"):
        return any(np.asarray(X[name]).dtype.kind in "OU" for name in X.columns)
    if issparse(X):
        return False
    values = np.asarray(X) if hasattr(X, "__array__") else X
    if isinstance(values, np.ndarray) and values.ndim != 1:
        return False
    return len(values) > 0 and all(isinstance(value, str) for value in values)


def _raw_inputs(X: Any) -> Any:
    from manyhot.data.inputs import Columns, Texts

    if hasattr(X, "kind"):
        return X
    if not hasattr(X, "columns"):
        return Texts([str(value) for value in X])
    import polars as pl

    if isinstance(X, pl.DataFrame):
        return Columns(X)
    return Columns(pl.DataFrame({str(name): _column(X[name]) for name in X.columns}))


def _column(values: Any) -> Any:
    """A pandas column for polars: text as a list with None where it is missing, numbers as they are."""
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return array
    return [None if value is None or value != value else value for value in array.tolist()]


def _numbers(X: Any) -> Any:
    """A checked matrix as inputs of manyhot.data."""
    from manyhot.data.inputs import Columns, SparseColumns

    names = tuple(f"x{column}" for column in range(X.shape[1]))
    if issparse(X):
        return SparseColumns(csr_array(X), names)
    import polars as pl

    return Columns(pl.DataFrame({name: X[:, column] for column, name in enumerate(names)}))
