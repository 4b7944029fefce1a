import pickle

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    coverage_error,
    f1_score,
    get_scorer,
    hamming_loss,
    label_ranking_average_precision_score,
    log_loss,
)
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manyhot.errors import InputError, OptionError
from manyhot.estimators import SCORERS, LinearManyHot, register_scorers, scorer, scorers


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
