import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    coverage_error,
    f1_score,
    get_scorer,
    hamming_loss,
    label_ranking_average_precision_score,
    log_loss,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manyhot.errors import InputError, OptionError
from manyhot.estimators import (
    SCORERS,
    LinearManyHot,
    MultilabelStratifiedKFold,
    register_scorers,
    scorer,
    scorers,
)
from manyhot.metrics import evaluate


@pytest.fixture(scope="module")
def fitted():
    X, y = make_multilabel_classification(200, 10, n_classes=4, random_state=0)
    return OneVsRestClassifier(LogisticRegression()).fit(X[:120], y[:120]), X[120:], y[120:]


def test_values_are_scikit_learns_with_losses_negated(fitted):
    model, X, y = fitted
    chances, decided = model.predict_proba(X), model.predict(X)
    assert scorer("f1_macro")(model, X, y) == pytest.approx(f1_score(y, decided, average="macro"))
    assert scorer("hamming_loss")(model, X, y) == pytest.approx(-hamming_loss(y, decided))
    assert scorer("ap_macro")(model, X, y) == pytest.approx(average_precision_score(y, chances))
    assert scorer("coverage_error")(model, X, y) == pytest.approx(-coverage_error(y, chances))
    lrap = label_ranking_average_precision_score(y, chances)
    assert scorer("lrap")(model, X, y) == pytest.approx(lrap, abs=1e-6)
    wanted = np.mean([log_loss(y[:, label], chances[:, label]) for label in range(4)])
    assert scorer("log_loss")(model, X, y) == pytest.approx(-wanted, abs=1e-6)


def test_every_scorer_scores_pickles_and_weighs_rows(fitted):
    model, X, y = fitted
    weight = np.random.default_rng(0).integers(1, 3, len(y)).astype(float)
    for name, each in SCORERS.items():
        again = pickle.loads(pickle.dumps(each))
        assert again(model, X, y) == each(model, X, y), name
        assert np.isfinite(each(model, X, y, sample_weight=weight)), name
    often = weight.astype(int)
    repeated = scorer("f1_macro")(model, X.repeat(often, axis=0), y.repeat(often, axis=0))
    assert scorer("f1_macro")(model, X, y, sample_weight=weight) == pytest.approx(repeated)


def test_works_in_cross_validate_and_search_with_processes(fitted):
    _, X, y = fitted
    pipe = make_pipeline(StandardScaler(), LinearManyHot())
    names = ("p@3", "jaccard_samples", "ndcg@3")
    found = cross_validate(pipe, X, y, scoring=scorers(*names), cv=2, n_jobs=2)
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in names)
    grid = {"linearmanyhot__C": [0.01, 1.0]}
    search = GridSearchCV(pipe, grid, scoring=scorer("lrap"), cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.5
    several = GridSearchCV(pipe, grid, scoring=scorers("p@1", "lrap"), refit="lrap", cv=2).fit(X, y)
    assert scorer("p@1")(several, X, y) > 0.5


def test_names_once_registered_work_as_strings_and_in_lists(fitted):
    model, X, y = fitted
    assert "manyhot_p@5" in register_scorers()
    assert get_scorer("manyhot_p@3")(model, X, y) == scorer("p@3")(model, X, y)
    found = cross_validate(model, X, y, scoring=["manyhot_p@1", "f1_micro", "manyhot_exact"], cv=2, n_jobs=2)
    assert {"test_manyhot_p@1", "test_f1_micro", "test_manyhot_exact"} <= set(found)


def test_name_lists_are_scored_in_the_order_of_fit():
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = [["b"] * int(row[0] > 0) + ["a"] * int(row[1] > 0) for row in X]
    model = LinearManyHot().fit(X, y)
    assert scorer("p@1")(model, X[:5], [["b"], ["a", "b"], ["a"], ["b"], []]) <= 1
    assert scorer("exact")(model, X, y) == model.score(X, y)


def test_propensities_come_from_the_training_rows(fitted):
    model, X, y = fitted
    assert scorer("psp@3", train=y)(model, X, y) > 0
    with pytest.raises(InputError, match="train=y_train"):
        scorer("psp@3")
    with pytest.raises(OptionError, match=r"metric .f1_makro. is none of .* did you mean f1_macro"):
        scorer("f1_makro")


def labelled(rows=60, seed=0):
    """Rows with names, each label as likely as one feature is high; "rare" is in the last two rows alone."""
    X = np.random.default_rng(seed).normal(size=(rows, 3))
    y = [[name for name, value in zip("cab", row, strict=True) if value > 0] for row in X]
    return X, [*y[:-2], [*y[-2], "rare"], [*y[-1], "rare"]]


def matrix_of(names, order):
    return np.array([[label in row for label in order] for row in names]).astype(int)


def test_propensities_are_found_by_name():
    X, names = labelled()
    frame = pd.DataFrame(matrix_of(names, "cab"), columns=list("cab"))
    plain = [[name for name in row if name != "rare"] for row in names]
    model = LinearManyHot("logistic").fit(X, frame)  # labels stand in the order of the columns
    wanted = evaluate(
        frame.to_numpy(), model.predict_proba(X), metrics=["psp@1"], train=frame.to_numpy(), baseline=False
    )["psp@1"]
    for train in (plain, frame, frame[["a", "b", "c"]], frame.to_numpy()):
        assert scorer("psp@1", train=train)(model, X, frame) == pytest.approx(wanted)
    with pytest.raises(InputError, match="train has 2 labels, the estimator 3"):
        scorer("psp@1", train=frame.to_numpy()[:, :2])(model, X, frame)


def test_labels_that_a_training_fold_has_not_are_misses():
    X, names = labelled()
    model = LinearManyHot("logistic").fit(X[:40], names[:40])
    order = [*model.classes_, "rare"]
    truth, decided = matrix_of(names[40:], order), matrix_of(model.predict(X[40:]), order)
    never = np.column_stack([model.predict_proba(X[40:]), np.full(20, 1e-12)])
    test = X[40:], names[40:]
    assert scorer("f1_macro")(model, *test) == pytest.approx(f1_score(truth, decided, average="macro"))
    assert scorer("ap_macro")(model, *test) == pytest.approx(average_precision_score(truth, never))
    lrap = label_ranking_average_precision_score(truth, never)
    assert scorer("lrap")(model, *test) == pytest.approx(lrap, abs=1e-6)
    assert scorer("exact")(model, *test) == pytest.approx((truth == decided).all(axis=1).mean())
    assert model.score(*test) == scorer("exact")(model, *test)
    for name, each in SCORERS.items():
        assert np.isfinite(each(model, *test)), name
    assert np.isfinite(scorer("psp@3", train=names)(model, *test))
    assert np.isfinite(scorer("cost", costs=({"*": 1}, 2))(model, *test))


def test_a_class_that_a_training_fold_has_not_is_a_miss():
    X, y = load_iris(return_X_y=True)
    model = LinearManyHot().fit(X[:100], y[:100])
    wanted = accuracy_score(y[50:], model.predict(X[50:]))
    assert wanted == 0.5
    assert model.score(X[50:], y[50:]) == pytest.approx(wanted)
    assert scorer("exact")(model, X[50:], y[50:]) == pytest.approx(wanted)


def test_name_lists_are_cross_validated_with_splitters():
    X, names = labelled()
    found = cross_validate(
        LinearManyHot(), X, names, cv=MultilabelStratifiedKFold(3), scoring=scorers("f1_micro", "p@1")
    )
    assert (found["test_f1_micro"] > 0.7).all()
    search = GridSearchCV(LinearManyHot(), {"C": [0.1, 1.0]}, cv=KFold(3), scoring=scorer("f1_micro"))
    assert search.fit(X, names).best_score_ > 0.7
    assert search.predict(X[:1]) == search.best_estimator_.predict(X[:1])
    assert search.score(X, names) > 0.7


def test_costs_are_numbers_or_by_name():
    X, names = labelled()
    model = LinearManyHot().fit(X, names)
    wrong = matrix_of(model.predict(X), model.classes_) - matrix_of(names, model.classes_)
    false, missed = (wrong == 1).sum(axis=0), (wrong == -1).sum(axis=0)
    plain = scorer("neg_cost", costs=(1.0, 5.0))
    assert plain.name == "neg_cost"
    assert plain(model, X, names) == pytest.approx(-(false + 5 * missed).sum() / len(X))
    by_name = scorer("cost", costs=({"*": 1.0, "c": 4.0}, 0.0))
    assert by_name(model, X, names) == pytest.approx(-(false * [1, 1, 4, 1]).sum() / len(X))
    with pytest.raises(InputError, match="no cost for label 'a'"):
        scorer("cost", costs=({"c": 1.0}, 0.0))(model, X, names)
    with pytest.raises(InputError, match=r"costs=\(false positive, false negative\)"):
        scorer("cost")


def test_losses_stand_under_the_name_of_what_is_negated():
    assert list(scorers("p@1", "log_loss", "neg_brier")) == ["p@1", "neg_log_loss", "neg_brier"]
    assert {"neg_log_loss", "p@5"} <= set(SCORERS)
    assert repr(scorer("log_loss")) == "scorer('neg_log_loss')"
    with pytest.raises(OptionError, match="f1_macro is not negated"):
        scorer("neg_f1_macro")


def test_weights_reach_scorers_in_searches_and_by_metadata_routing(fitted):
    _, X, y = fitted
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    folds = list(KFold(2).split(X))
    wanted = [
        scorer("f1_macro")(LinearManyHot().fit(X[a], y[a], weight[a]), X[b], y[b], weight[b])
        for a, b in folds
    ]
    with config_context(enable_metadata_routing=True):
        model = LinearManyHot().set_fit_request(sample_weight=True)
        asked = scorer("f1_macro").set_score_request(sample_weight=True)
        for scoring, key in ((asked, "test_score"), ({"f": asked}, "test_f")):
            found = cross_validate(model, X, y, params={"sample_weight": weight}, scoring=scoring, cv=folds)
            np.testing.assert_allclose(found[key], wanted)
        silent = scorer("f1_macro").set_score_request(sample_weight=False)
        plain = cross_validate(model, X, y, params={"sample_weight": weight}, scoring=silent, cv=folds)
        assert not np.allclose(plain["test_score"], wanted)
    several = GridSearchCV(
        LinearManyHot(), {"C": [1.0]}, scoring=scorers("f1_macro", "p@1"), refit=False, cv=2
    )
    assert np.isfinite(several.fit(X, y, sample_weight=weight).cv_results_["mean_test_p@1"]).all()
