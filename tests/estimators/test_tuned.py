import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.errors import InputError
from manyhot.estimators import ThresholdTuned, adapt


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(240, 10, n_classes=5, n_labels=1, random_state=0)
    return X / X.max(), y


SCORERS = [
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
    RandomForestClassifier(10, random_state=0),
    KNeighborsClassifier(5),
    OneVsRestClassifier(LinearSVC()),
]


@pytest.mark.parametrize("estimator", SCORERS, ids=lambda each: type(each).__name__)
def test_cuts_are_those_of_scikit_learns_cross_fitted_scores(data, estimator):
    X, y = data
    folds = list(KFold(4, shuffle=True, random_state=1).split(X))
    tuned = ThresholdTuned(estimator, goal="f1_macro", cv=folds).fit(X, y)
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "decision_function"
    scores = cross_val_predict(estimator, X, y, cv=folds, method=method)
    if isinstance(scores, list):
        scores = np.column_stack([each[:, 1] for each in scores])
    wanted = PerLabelCut(goal="f1_macro").fit(scores, y)
    np.testing.assert_allclose(tuned.cuts_, wanted.cuts)
    np.testing.assert_array_equal(tuned.predict(X), tuned.decision_function(X) >= tuned.cuts_)


def test_tuning_helps_on_rows_not_seen():
    X, y = make_multilabel_classification(600, 10, n_classes=8, n_labels=1, random_state=3)
    forest = RandomForestClassifier(30, random_state=0)
    plain = forest.fit(X[:400], y[:400]).predict(X[400:])
    tuned = ThresholdTuned(forest, goal="f1_macro").fit(X[:400], y[:400]).predict(X[400:])
    figures = [f1_score(y[400:], each, average="macro", zero_division=0) for each in (plain, tuned)]
    assert figures[1] > figures[0] + 0.05


def test_names_sparse_labels_one_label_and_other_rules(data):
    X, y = data
    names = [[f"t{label}" for label in np.flatnonzero(row)] for row in y]
    forest = RandomForestClassifier(5, random_state=0)
    found = ThresholdTuned(forest, cv=3).fit(X, names).predict(X)
    assert isinstance(found, list)
    assert ThresholdTuned(forest, cv=3).fit(X, csr_matrix(y)).predict(X).format == "csr"
    single = ThresholdTuned(LogisticRegression(), cv=3).fit(X, y[:, :1])
    assert single.predict_proba(X).shape == (240, 1)
    whole = ThresholdTuned(forest, cv=3, rule=GlobalCut(), goal="f1_micro").fit(X, y)
    assert len(set(whole.cuts_)) == 1


def test_prefit_tunes_on_the_rows_given(data):
    X, y = data
    model = OneVsRestClassifier(LogisticRegression()).fit(X[:120], y[:120])
    tuned = ThresholdTuned(model, cv="prefit").fit(X[120:], y[120:])
    assert tuned.estimator_ is model
    wanted = PerLabelCut().fit(model.predict_proba(X[120:]), y[120:])
    np.testing.assert_array_equal(tuned.cuts_, wanted.cuts)


def test_processes_pickle_and_groups(data):
    X, y = data
    forest = RandomForestClassifier(5, random_state=0)
    one = ThresholdTuned(forest, cv=3).fit(X, y)
    two = ThresholdTuned(forest, cv=3, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.cuts_, two.cuts_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).predict(X), one.predict(X))
    ThresholdTuned(forest, cv=3).fit(X, y, groups=np.arange(240) // 4)


def test_sample_weights_reach_the_estimator_cut_with_the_folds(data):
    X, y = data
    weight = np.random.default_rng(0).random(240)
    model = RandomForestClassifier(5, random_state=0)
    plain = ThresholdTuned(model, cv=3).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        routed = ThresholdTuned(model.set_fit_request(sample_weight=True), cv=3)
        routed.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(plain.predict_proba(X), routed.predict_proba(X))
    np.testing.assert_array_equal(plain.cuts_, routed.cuts_)


def test_refuses_folds_that_miss_or_repeat_rows_and_estimators_that_do_not_score(data):
    X, y = data
    forest = RandomForestClassifier(5)
    half = np.arange(120)
    with pytest.raises(InputError, match="never tests row 120"):
        ThresholdTuned(forest, cv=[(half + 120, half)]).fit(X, y)
    with pytest.raises(InputError, match="tests row 0 twice"):
        ThresholdTuned(forest, cv=[(half + 120, half), (half + 120, half)]).fit(X, y)
    with pytest.raises(InputError, match="vector of classes"):
        ThresholdTuned(forest).fit(X, y[:, 0])


ADAPTED = [*SCORERS, ClassifierChain(LogisticRegression()), MLPClassifier((5,), max_iter=3, random_state=0)]


@pytest.mark.parametrize("estimator", ADAPTED, ids=lambda each: type(each).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_adapt_gives_rows_by_labels(data, estimator):
    X, y = data
    model = adapt(estimator).fit(X, y)
    if hasattr(model, "predict_proba"):
        chances = model.predict_proba(X)
        assert chances.shape == y.shape
        agree = (chances > 0.5) == (model.predict(X) > 0)
        assert agree[np.abs(chances - 0.5) > 1e-9].all()
    else:
        assert model.decision_function(X).shape == y.shape
    np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))


@pytest.mark.parametrize("constant", [0, 1])
def test_adapt_knows_labels_that_never_changed(data, constant):
    X, y = data
    y = np.column_stack([y, np.full(len(y), constant)])
    chances = adapt(RandomForestClassifier(3, random_state=0)).fit(X, y).predict_proba(X)
    assert (chances[:, -1] == constant).all()
