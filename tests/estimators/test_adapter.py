"""adapt over every classifier of label sets that scikit-learn has, and around those of one label."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators, get_tags

from manyhot.errors import InputError
from manyhot.estimators import LinearManyHot, ThresholdTuned, adapt


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(150, 6, n_classes=4, n_labels=2, random_state=0)
    return X / X.max(), y


SMALL = {"n_estimators": 5, "max_iter": 100, "random_state": 0, "radius": 0.3}


def small(estimator):
    return estimator.set_params(**{name: SMALL[name] for name in SMALL if name in estimator.get_params()})


def takes_label_sets(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated ones say so when they are made
        try:
            return get_tags(kind()).classifier_tags.multi_label
        except (TypeError, AttributeError):  # it wraps another, or cannot be asked without it
            return False


NATIVE = [small(kind()) for _, kind in all_estimators(type_filter="classifier") if takes_label_sets(kind)]
BINARY = [
    LogisticRegression(),
    LinearSVC(),
    SVC(),
    Perceptron(),
    GaussianNB(),
    small(HistGradientBoostingClassifier()),
]
WRAPPED = [
    wrapper(each)
    for wrapper in (MultiOutputClassifier, OneVsRestClassifier, ClassifierChain)
    for each in BINARY
]
FORESTS = [("a", small(RandomForestClassifier())), ("b", small(ExtraTreesClassifier()))]
FINALS = [
    small(RandomForestClassifier()),
    MultiOutputClassifier(LogisticRegression()),
    OneVsRestClassifier(LogisticRegression()),
    make_pipeline(StandardScaler(), small(RandomForestClassifier())),
]
STACKED = [StackingClassifier(FORESTS, final_estimator=final, cv=3) for final in FINALS]
INSIDE = [
    make_pipeline(StandardScaler(), STACKED[0]),
    make_pipeline(StandardScaler(), MultiOutputClassifier(LinearSVC())),
    GridSearchCV(MultiOutputClassifier(LinearSVC()), {"estimator__C": [1.0]}, cv=2),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", [*NATIVE, *WRAPPED, *STACKED, *INSIDE], ids=str)
def test_scores_rank_training_labels_and_agree_with_predictions(data, estimator):
    X, y = data
    model = adapt(estimator).fit(X, y)
    decided = model.predict(X)
    np.testing.assert_array_equal(decided, model.estimator_.predict(X))
    chances = model.predict_proba(X)
    assert chances.shape == y.shape
    assert ((chances >= 0) & (chances <= 1)).all()
    assert min(roc_auc_score(y, chances, average=None)) > 0.6
    clear = np.abs(chances - 0.5) > 1e-9
    np.testing.assert_array_equal((chances > 0.5)[clear], (decided > 0)[clear])
    if hasattr(model, "decision_function"):
        assert min(roc_auc_score(y, model.decision_function(X), average=None)) > 0.6


def test_every_kind_of_classifier_of_label_sets_was_met():
    names = {type(each).__name__ for each in NATIVE}
    assert {"RandomForestClassifier", "KNeighborsClassifier", "MLPClassifier", "RidgeClassifier"} < names


@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize(
    "estimator",
    [
        small(RandomForestClassifier()),
        MultiOutputClassifier(small(HistGradientBoostingClassifier())),
        MultiOutputClassifier(small(RandomForestClassifier())),
        STACKED[0],
        StackingClassifier(FORESTS, final_estimator=MultiOutputClassifier(GaussianNB()), cv=3),
    ],
    ids=str,
)
def test_labels_that_never_change_have_that_chance(data, estimator, constant):
    X, y = data
    y = np.column_stack([y, np.full(len(y), constant)])
    np.testing.assert_allclose(adapt(estimator).fit(X, y).predict_proba(X)[:, -1], constant, atol=1e-9)
    single = y[:, -1:]
    forest = adapt(small(RandomForestClassifier())).fit(X, single)
    np.testing.assert_array_equal(forest.predict_proba(X), single)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", [*NATIVE, *WRAPPED, LinearManyHot()], ids=str)
def test_one_label_is_a_matrix_of_one_column(data, estimator):
    X, y = data
    model = adapt(estimator).fit(X, y[:, :1])
    assert model.predict_proba(X).shape == model.predict(X).shape == (150, 1)
    assert roc_auc_score(y[:, 0], model.predict_proba(X)) > 0.6


def test_probabilities_of_margins_are_scaled_on_rows_not_trained_on():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    y = (rng.random((600, 3)) < 1 / (1 + np.exp(-3 * X[:, :3]))).astype(int)
    model = adapt(MultiOutputClassifier(LinearSVC())).fit(X[:300], y[:300])
    assert model.scale_ > 0
    chances, margins = model.predict_proba(X[300:]), model.decision_function(X[300:])
    np.testing.assert_allclose(np.log(chances / (1 - chances)), model.scale_ * margins)
    raw = 1 / (1 + np.exp(-margins))
    losses = [
        np.mean([brier_score_loss(y[300:, j], each[:, j]) for j in range(3)]) for each in (chances, raw)
    ]
    assert losses[0] < losses[1]
    assert adapt(RidgeClassifier(), cv=2).fit(X, y).scale_ == pytest.approx(
        adapt(RidgeClassifier(), cv=5).fit(X, y).scale_, rel=0.1
    )


def test_too_few_rows_for_folds_are_refused():
    with pytest.raises(InputError, match="n_samples=2 cannot be parted into cv=3 folds; give a lower cv"):
        adapt(RidgeClassifier()).fit([[0.0], [1.0]], [[1, 0], [0, 1]])


def test_frozen_estimators_stay_as_they_are(data):
    X, y = data
    stacked = clone(STACKED[0]).fit(X[:100], y[:100])
    frozen = adapt(FrozenEstimator(stacked)).fit(X[100:], y[100:])
    np.testing.assert_array_equal(
        frozen.predict_proba(X), adapt(STACKED[0]).fit(X[:100], y[:100]).predict_proba(X)
    )
    tuned = ThresholdTuned(FrozenEstimator(stacked), cv="prefit").fit(X[100:], y[100:])
    np.testing.assert_array_equal(tuned.predict_proba(X), frozen.predict_proba(X))


def test_names_and_frames_are_label_sets_too(data):
    X, y = data
    names = [[f"t{label}" for label in np.flatnonzero(row)] for row in y]
    forest = small(RandomForestClassifier())
    found = adapt(forest).fit(X, names)
    assert found.classes_.tolist() == ["t0", "t1", "t2", "t3"]
    assert found.score(X, names) == pytest.approx(forest.fit(X, y).score(X, y))
    frame = pd.DataFrame(y, columns=found.classes_)
    assert adapt(forest).fit(X, frame).predict(X).columns.tolist() == found.classes_.tolist()
    with pytest.raises(InputError, match="vector of classes"):
        adapt(forest).fit(X, y[:, 0])


def test_weights_are_routed_to_fit_and_to_score(data):
    X, y = data
    weight = np.random.default_rng(0).random(150)
    forest = small(RandomForestClassifier())
    with config_context(enable_metadata_routing=True):
        asking = clone(forest).set_fit_request(sample_weight=True)
        for asked in (False, True):
            model = adapt(asking).set_score_request(sample_weight=asked)
            search = GridSearchCV(model, {"estimator__max_depth": [3]}, cv=2).fit(X, y, sample_weight=weight)
            wanted = clone(forest).set_params(max_depth=3).fit(X, y, sample_weight=weight)
            np.testing.assert_array_equal(search.predict(X), wanted.predict(X))
    plain = adapt(forest).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(plain.predict(X), forest.fit(X, y, sample_weight=weight).predict(X))
