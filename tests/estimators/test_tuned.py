import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.errors import InputError
from manyhot.estimators import ThresholdTuned
from manyhot.labels import Group, LabelSpace


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


def test_a_row_of_weight_0_is_a_row_left_out(data):
    X, y = data
    weight = np.where(np.arange(240) < 160, 1.0, 0.0)
    wrong = np.where(weight[:, None] > 0, y, 1 - y)
    groups = np.arange(240) // 4
    for options in (
        {},
        {"cv": GroupKFold(3)},
        {"cv": [(np.arange(80, 240), np.arange(80)), (np.arange(80), np.arange(80, 240))]},
    ):
        tuned = ThresholdTuned(RandomForestClassifier(5, random_state=0), **{"cv": 3, **options})
        split = {"groups": groups} if options and hasattr(options["cv"], "split") else {}
        part = clone(tuned).fit(X, wrong, sample_weight=weight, **split)
        cut = {name: values[:160] for name, values in split.items()}
        if options and not split:
            tuned.set_params(cv=[(np.arange(80, 160), np.arange(80)), (np.arange(80), np.arange(80, 160))])
        only = tuned.fit(X[:160], y[:160], sample_weight=weight[:160], **cut)
        np.testing.assert_array_equal(part.cuts_, only.cuts_)
        np.testing.assert_array_equal(part.predict(X), only.predict(X))
        assert part.rule_.tuned_on.count == 160
        assert part.rule_.check_rows(range(160, 240))
    with pytest.raises(InputError, match="used to tune"):
        part.rule_.check_rows([159])


def test_weights_of_a_pipelines_step_count_for_the_rule(data):
    X, y = data
    weight = np.where(y[:, 0] == 1, 1.0, 4.0)
    forest = RandomForestClassifier(5, random_state=0)
    plain = ThresholdTuned(forest, cv=3).fit(X, y, sample_weight=weight)
    piped = ThresholdTuned(make_pipeline("passthrough", forest), cv=3)
    piped.fit(X, y, randomforestclassifier__sample_weight=weight)
    np.testing.assert_array_equal(piped.cuts_, plain.cuts_)


def test_a_space_is_obeyed(data):
    X, _ = data
    names = [["low" if row[0] < row[1] else "high", *(["big"] if row[2] > 0.3 else [])] for row in X]
    space = LabelSpace(
        ["low", "high", "big"], groups=[Group("level", ("low", "high"))], rules=["big -> high"]
    )
    forest = RandomForestClassifier(5, random_state=0)
    grouped = LabelSpace(space.names, space.groups)
    found = ThresholdTuned(forest, cv=3, space=grouped).fit(X, names)
    assert found.classes_.tolist() == ["low", "high", "big"]
    assert all(("low" in row) != ("high" in row) for row in found.predict(X))
    legal = [row if "high" in row else ["low"] for row in names]
    frame = pd.DataFrame([{name: int(name in row) for name in ("big", "low", "high")} for row in legal])
    model = ThresholdTuned(forest, cv=3, space=space).fit(X, frame)
    assert model.classes_.tolist() == ["big", "low", "high"]
    decided = model.predict(X)
    assert (decided["low"] + decided["high"] == 1).all()
    assert not ((decided["big"] == 1) & (decided["high"] == 0)).any()


def test_one_label_and_margins_of_classifiers_of_matrices(data):
    X, y = data
    for estimator in (
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        MultiOutputClassifier(LinearSVC()),
        RidgeClassifier(),
    ):
        single = ThresholdTuned(estimator, cv=3).fit(X, y[:, :1])
        assert single.decision_function(X).shape == (240, 1)
        assert single.predict(X).shape == (240, 1)
    margins = ThresholdTuned(MultiOutputClassifier(LinearSVC()), cv=3).fit(X, y)
    wanted = ThresholdTuned(OneVsRestClassifier(LinearSVC()), cv=3).fit(X, y)
    np.testing.assert_allclose(margins.cuts_, wanted.cuts_, rtol=1e-3)
    with pytest.raises(
        InputError,
        match=r"MultiOutputClassifier has no predict_proba; manyhot.estimators.adapt\(estimator\) makes",
    ):
        ThresholdTuned(MultiOutputClassifier(LinearSVC()), method="predict_proba", cv=3).fit(X, y)


def test_random_state_is_an_integer_a_generator_or_none(data):
    X, y = data

    def cuts(state):
        lines = OneVsRestClassifier(LogisticRegression())  # whose scores no two foldings share
        return ThresholdTuned(lines, cv=2, random_state=state).fit(X, y).cuts_

    once = cuts(np.random.RandomState(0))
    np.testing.assert_array_equal(cuts(np.random.RandomState(0)), once)
    np.testing.assert_array_equal(cuts(np.random.RandomState(0).randint(2**31 - 1)), once)
    assert not np.array_equal(cuts(None), once)
    assert not np.array_equal(cuts(1), once)


def test_score_asks_for_weights_by_itself(data):
    X, y = data
    weight = np.random.default_rng(0).random(240)
    forest = RandomForestClassifier(3, random_state=0)
    with config_context(enable_metadata_routing=True):
        tuned = ThresholdTuned(forest.set_fit_request(sample_weight=True), cv=2)
        found = {}
        for asked in (False, True):
            model = clone(tuned).set_score_request(sample_weight=asked)
            found[asked] = cross_validate(model, X, y, params={"sample_weight": weight}, cv=2)["test_score"]
        half = tuned.fit(X[120:], y[120:], sample_weight=weight[120:])
    assert found[True][0] == pytest.approx(half.score(X[:120], y[:120], weight[:120]))
    assert found[False][0] == pytest.approx(half.score(X[:120], y[:120]))
