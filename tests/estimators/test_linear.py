import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix, random_array
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from manyhot.decide import FBeta, TopK
from manyhot.errors import InputError, OptionError
from manyhot.estimators import LinearManyHot
from manyhot.labels import Group, LabelSpace, Targets


@pytest.fixture(scope="module")
def data():
    return make_multilabel_classification(300, 12, n_classes=6, n_labels=2, random_state=0)


def test_without_a_goal_it_is_one_vs_rest_of_linear_svc(data):
    X, y = data
    X = X / np.abs(X).max()
    wanted = OneVsRestClassifier(LinearSVC(tol=1e-8, max_iter=100_000)).fit(X, y)
    found = LinearManyHot().fit(X, y)
    np.testing.assert_allclose(found.decision_function(X), wanted.decision_function(X), atol=1e-4)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


def test_the_solvers_agree(data):
    X, y = data
    X = X / np.abs(X).max()
    for loss in ("squared_hinge", "logistic"):
        exact = LinearManyHot(loss, solver="newton").fit(X, y)
        dual = LinearManyHot(loss, solver="dual", tol=1e-6, max_iter=2000).fit(X, y)
        np.testing.assert_allclose(exact.coef_, dual.coef_, atol=2e-3)


def test_tuned_cuts_raise_the_goal_on_rows_not_seen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 20))
    y = (X @ rng.normal(size=(20, 10)) + 4 * rng.normal(size=(2000, 10)) > 9).astype(int)
    for solver in ("newton", "dual"):
        plain = LinearManyHot(solver=solver).fit(X[:1200], y[:1200])
        tuned = LinearManyHot(solver=solver, goal="f1_macro").fit(X[:1200], y[:1200])
        np.testing.assert_allclose(tuned.coef_, plain.coef_)
        decided = [each.predict(X[1200:]) for each in (plain, tuned)]
        figures = [f1_score(y[1200:], each, average="macro", zero_division=0) for each in decided]
        assert figures[1] > figures[0] + 0.1
        assert tuned.cuts_.shape == (10,)


NAMES = [["red", "dress"], ["blue"], [], ["red"], ["blue", "dress"], ["dress"], ["red", "blue"], ["red"]]


def test_predictions_come_as_labels_went_in():
    X = np.random.default_rng(0).normal(size=(8, 3))
    names = LinearManyHot().fit(X, NAMES)
    assert names.classes_.tolist() == ["blue", "dress", "red"]
    found = names.predict(X)
    assert isinstance(found, list)
    assert all(set(row) <= {"blue", "dress", "red"} for row in found)
    y = np.array([[name in row for name in names.classes_] for row in NAMES])
    for given in (y, y.astype(np.int8), y.astype(float)):
        decided = LinearManyHot().fit(X, given).predict(X)
        assert decided.dtype == given.dtype
        assert [names.classes_[row.astype(bool)].tolist() for row in decided] == found
    for container in (csr_array, csr_matrix):
        decided = LinearManyHot().fit(X, container(y.astype(int))).predict(X)
        assert isinstance(decided, container)
    rows = pd.DataFrame(X, columns=list("abc"), index=range(10, 18))
    frame = LinearManyHot().fit(rows, pd.DataFrame(y, columns=names.classes_, index=rows.index))
    decided = frame.predict(rows)
    assert decided.columns.tolist() == ["blue", "dress", "red"]
    assert decided.index.tolist() == rows.index.tolist()
    assert frame.feature_names_in_.tolist() == ["a", "b", "c"]
    decided = LinearManyHot().fit(X, Targets.from_dense(y)).predict(X)
    assert isinstance(decided, Targets)


def test_predict_proba_is_rows_by_labels_in_the_order_of_classes():
    X = np.random.default_rng(0).normal(size=(8, 3))
    for loss in ("squared_hinge", "logistic"):
        model = LinearManyHot(loss).fit(X, NAMES)
        chances = model.predict_proba(X)
        assert chances.shape == (8, 3)
        assert ((chances > 0) & (chances < 1)).all()
        np.testing.assert_array_equal(chances > 0.5, model.decision_function(X) > 0)


def test_unknown_cells_are_left_out(data):
    X, y = data
    hidden = y.astype(float)
    hidden[::2, 0] = np.nan
    found = LinearManyHot(goal="f1_macro").fit(X, hidden)
    wanted = LinearManyHot().fit(X[1::2], y[1::2])
    np.testing.assert_allclose(found.coef_[0], wanted.coef_[0], rtol=1e-6)


@pytest.mark.parametrize("solver", ["newton", "dual"])
def test_the_best_strength_of_several_is_kept(data, solver):
    X, y = data
    model = LinearManyHot(C=[10.0, 1e-6, 0.1], goal="f1_micro", solver=solver).fit(X, y)
    assert list(model.path_) == [1e-6, 0.1, 10.0]
    assert model.path_[model.C_] == max(model.path_.values())


def test_another_rule_decides(data):
    X, y = data
    assert (LinearManyHot(rule=TopK(2)).fit(X, y).predict(X).sum(axis=1) == 2).all()


def test_clone_pickle_pipeline_and_search(data):
    X, y = data
    model = LinearManyHot(goal="f1_micro").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert clone(model).get_params()["goal"] == "f1_micro"
    pipe = make_pipeline(StandardScaler(), LinearManyHot(goal="f1_micro")).set_output(transform="pandas")
    assert cross_val_score(pipe, X, y, scoring="f1_micro", cv=3).min() > 0.5
    search = GridSearchCV(pipe, {"linearmanyhot__C": [0.01, 1.0]}, scoring="f1_micro", cv=2).fit(X, y)
    assert search.best_score_ > 0.5


def test_sparse_and_dense_rows_give_the_same_model(data):
    X, y = data
    for solver in ("newton", "dual"):
        dense = LinearManyHot(solver=solver).fit(X, y)
        sparse = LinearManyHot(solver=solver).fit(csr_matrix(X), y)
        np.testing.assert_allclose(dense.coef_, sparse.coef_)
        np.testing.assert_allclose(
            dense.decision_function(X), sparse.decision_function(csr_array(X)), atol=1e-4
        )


def test_wide_sparse_rows_take_the_dual_solver():
    rng = np.random.default_rng(0)
    X = csr_array(random_array((200, 5000), density=0.01, rng=rng))
    y = np.asarray(X[:, [0, 1, 2, 3]].sum(axis=1) > 0).astype(int)[:, None] * np.array([[1, 1]])
    y[:, 1] = rng.random(200) < 0.3
    model = LinearManyHot(goal="f1_macro").fit(X, y)
    assert model.coef_.dtype == np.float32
    assert model.coef_.shape == (2, 5000)


def test_score_is_the_share_of_right_rows(data):
    X, y = data
    model = LinearManyHot().fit(X, y)
    right = (model.predict(X) == y).all(axis=1)
    assert model.score(X, y) == pytest.approx(right.mean())
    weight = np.random.default_rng(0).random(len(y))
    assert model.score(X, y, weight) == pytest.approx(np.average(right, weights=weight))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of"),
        ({"C": 0.0}, "C must be > 0"),
        ({"C": []}, "C must be > 0"),
        ({"solver": "lbfgs"}, "solver must be one of"),
        ({"max_iter": 0}, "max_iter must be >= 1"),
        ({"goal": "f1_makro"}, "did you mean f1_macro"),
        ({"goal": "f1_macro", "solver": "dual", "cv": 1}, "cv must be >= 2"),
    ],
)
def test_refuses_wrong_options(data, options, message):
    with pytest.raises(OptionError, match=message):
        LinearManyHot(**options).fit(*data)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[], [], []], "no row has a label"),
        ([[0], [1, 2], [0]], "Targets.from_index_lists"),
        (np.full((3, 2), 0.5), "between 0 and 1"),
        (np.zeros((3, 0)), "no labels"),
        ([1, 1, 1], "1 class"),
        (None, "target y is None"),
    ],
)
def test_refuses_labels_that_it_cannot_read(y, message):
    with pytest.raises(InputError, match=message):
        LinearManyHot().fit(np.eye(3), y)


def test_labels_in_no_row_and_in_all_rows_are_decided_so(data):
    X, y = data
    y = np.column_stack([y, np.zeros(len(y), int), np.ones(len(y), int)])
    for options in ({}, {"goal": "f1_macro"}, {"solver": "dual"}):
        decided = LinearManyHot(**options).fit(X, y).predict(X)
        assert not decided[:, -2].any()
        assert decided[:, -1].all()


WAYS = [
    {},
    {"goal": "f1_macro"},
    {"goal": "f1_macro", "C": [0.01, 1.0]},
    {"goal": "f1_micro", "C": [0.01, 1.0], "solver": "dual"},
    {"goal": "f1_macro", "solver": "dual", "cv": KFold(3)},
    {"goal": "f1_macro", "loss": "squared", "landmarks": 30},
    {"goal": "f1_macro", "pos_weight": "balanced"},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_row_of_weight_0_is_a_row_left_out(data, options):
    X, y = data
    weight = np.ones(300)
    weight[100:200] = 0
    X, wrong = X / X.max(), np.where(weight[:, None] > 0, y, 1 - y)
    kept = weight > 0
    part = LinearManyHot(**options).fit(X, wrong, sample_weight=weight)
    only = LinearManyHot(**options).fit(X[kept], y[kept])
    np.testing.assert_array_equal(part.coef_, only.coef_)
    np.testing.assert_array_equal(part.cuts_, only.cuts_)
    assert part.C_ == only.C_


def test_folds_given_by_their_rows_stay_the_same_when_rows_are_left_out(data):
    X, y = data
    weight = (np.arange(300) % 3 > 0).astype(float)
    kept = np.flatnonzero(weight)
    fold = np.arange(300) // 75
    pairs = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]
    inside = [(np.flatnonzero(fold[kept] != k), np.flatnonzero(fold[kept] == k)) for k in range(4)]
    options = {"goal": "f1_macro", "solver": "dual"}
    part = LinearManyHot(**options, cv=pairs).fit(X, y, sample_weight=weight)
    only = LinearManyHot(**options, cv=inside).fit(X[kept], y[kept])
    np.testing.assert_array_equal(part.cuts_, only.cuts_)


def test_weights_of_rows_move_cuts(data):
    X, y = data
    weight = np.where(y[:, 0] == 1, 1.0, 5.0)
    plain, weighed = (LinearManyHot(goal="f1_macro").fit(X, y, w) for w in (None, weight))
    assert not np.allclose(plain.cuts_, weighed.cuts_)
    with pytest.raises(ValueError, match=r"non-zero number|every row has sample_weight 0"):
        LinearManyHot().fit(X, y, np.zeros(300))


@pytest.mark.parametrize(
    "goal", ["hamming", FBeta(2), "balanced_accuracy", "recall >= 0.9", {"*": "f1_macro", "0": "hamming"}]
)
def test_the_strength_is_chosen_by_the_goal(data, goal):
    X, y = data
    strengths = [1e-4, 0.01, 1.0]
    model = LinearManyHot(C=strengths, goal=goal, cv=3, solver="dual").fit(X, y)
    assert max(model.path_, key=model.path_.get) == model.C_
    f1 = LinearManyHot(C=strengths, goal="f1_macro", cv=3, solver="dual").fit(X, y)
    assert not np.allclose(list(model.path_.values()), list(f1.path_.values()))
    if goal == "hamming":  # minus the wrong cells of a row, on average over labels
        assert all(-0.5 < figure < 0 for figure in model.path_.values())


def test_a_space_is_obeyed(data):
    X, y = data
    names = [["low" if row[0] < row[1] else "high", *(["big"] if row[2] > 5 else [])] for row in X]
    group = LabelSpace(["low", "high", "big"], groups=[Group("level", ("low", "high"))])
    found = LinearManyHot(space=group).fit(X, names)
    assert found.classes_.tolist() == ["low", "high", "big"]
    assert all(("low" in row) != ("high" in row) for row in found.predict(X))
    tree = LabelSpace([f"l{n}" for n in range(6)], parents={"l0": "l1", "l2": "l1"})
    closed = tree.close_upward(Targets.from_dense(y))
    frame = pd.DataFrame(closed.to_dense(int), columns=tree.names)[list(tree.names[::-1])]
    decided = LinearManyHot(goal="f1_micro", space=tree).fit(X, frame).predict(X)
    assert decided.columns.tolist() == list(tree.names[::-1])
    assert not ((decided[["l0", "l2"]].max(axis=1) == 1) & (decided["l1"] == 0)).any()


def test_random_state_is_an_integer_a_generator_or_none(data):
    X, y = data
    for state in (None, np.random.RandomState(0), np.int64(3)):
        model = LinearManyHot(solver="dual", goal="f1_macro", random_state=state)
        assert model.fit(X, y).predict(X).shape == y.shape
    first, second = (
        LinearManyHot(solver="dual", random_state=np.random.RandomState(5)).fit(X, y).coef_ for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ValueError, match="cannot be used to seed"):
        LinearManyHot(random_state="one").fit(X, y)


def test_the_rule_remembers_its_rows(data):
    X, y = data
    numbered = LinearManyHot(goal="f1_macro").fit(X, y)
    assert numbered.rule_.tuned_on.count == 300
    with pytest.raises(InputError, match="1 of these 2 rows were used to tune"):
        numbered.rule_.check_rows([299, 300])
    frame = pd.DataFrame(X, index=[f"row {n}" for n in range(300)])
    weight = np.r_[0, np.ones(299)]
    indexed = LinearManyHot(goal="f1_macro").fit(frame, y, weight).rule_
    assert indexed.check_rows(["row 0"])
    with pytest.raises(InputError, match="used to tune"):
        indexed.check_rows(["row 1"])
