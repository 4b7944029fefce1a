"""Every door of scikit-learn that takes the name of a scorer, once names are registered."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - opens the import below
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.metrics import check_scoring, f1_score, get_scorer, get_scorer_names, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

from manyhot.errors import InputError, OptionError
from manyhot.estimators import LinearManyHot, register_scorers, scorer

NAME = "manyhot_f1_macro"
SAME = make_scorer(f1_score, average="macro")
C = {"C": [0.01, 1.0]}


@pytest.fixture(scope="module", autouse=True)
def registered():
    return register_scorers()


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(120, 6, n_classes=3, n_labels=2, random_state=0)
    return X / X.max(), y


SEARCHES = {
    "GridSearchCV": lambda scoring: GridSearchCV(LinearManyHot(), C, scoring=scoring, cv=3),
    "RandomizedSearchCV": lambda scoring: RandomizedSearchCV(
        LinearManyHot(), C, n_iter=2, scoring=scoring, cv=3, random_state=0
    ),
}
FUNCTIONS = {
    "cross_val_score": lambda X, y, scoring: cross_val_score(LinearManyHot(), X, y, scoring=scoring, cv=3),
    "cross_validate": lambda X, y, scoring: cross_validate(LinearManyHot(), X, y, scoring=scoring, cv=3)[
        "test_score"
    ],
    "learning_curve": lambda X, y, scoring: learning_curve(LinearManyHot(), X, y, scoring=scoring, cv=3)[2],
    "validation_curve": lambda X, y, scoring: validation_curve(
        LinearManyHot(), X, y, param_name="C", param_range=C["C"], scoring=scoring, cv=3
    )[1],
    "permutation_test_score": lambda X, y, scoring: permutation_test_score(
        LinearManyHot(), X, y, scoring=scoring, cv=3, n_permutations=2, random_state=0
    )[0],
    "permutation_importance": lambda X, y, scoring: (
        permutation_importance(
            LinearManyHot().fit(X, y), X, y, scoring=scoring, n_repeats=2, random_state=0
        ).importances
    ),
    "check_scoring": lambda X, y, scoring: check_scoring(scoring=scoring)(LinearManyHot().fit(X, y), X, y),
    "RFECV": lambda X, y, scoring: (
        RFECV(LinearManyHot(), scoring=scoring, cv=3).fit(X, y).cv_results_["mean_test_score"]
    ),
    "SequentialFeatureSelector": lambda X, y, scoring: (
        SequentialFeatureSelector(LinearManyHot(), n_features_to_select=2, scoring=scoring, cv=3)
        .fit(X, y)
        .get_support()
    ),
}


@pytest.mark.parametrize("search", SEARCHES)
def test_searches_take_names(data, search):
    named, wanted = (SEARCHES[search](scoring).fit(*data) for scoring in (NAME, SAME))
    assert named.best_score_ == pytest.approx(wanted.best_score_)
    assert named.score(*data) == pytest.approx(wanted.score(*data))


@pytest.mark.parametrize(
    ("search", "options"), [(HalvingGridSearchCV, {}), (HalvingRandomSearchCV, {"n_candidates": 2})]
)
def test_halving_searches_which_take_vectors_of_classes_alone_do_too(search, options):
    X, y = load_iris(return_X_y=True)
    options = {**options, "cv": 3, "random_state": 0}
    named, wanted = (search(LinearManyHot(), C, scoring=each, **options).fit(X, y) for each in (NAME, SAME))
    assert named.best_score_ == pytest.approx(wanted.best_score_)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_take_names(data, function):
    np.testing.assert_allclose(FUNCTIONS[function](*data, NAME), FUNCTIONS[function](*data, SAME))


def test_names_work_with_processes(data):
    for n_jobs in (None, 2):
        search = GridSearchCV(LinearManyHot(), C, scoring="manyhot_p@1", cv=3, n_jobs=n_jobs).fit(*data)
        found = cross_validate(
            LinearManyHot(), *data, scoring=["manyhot_p@1", "f1_macro"], cv=3, n_jobs=n_jobs
        )
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        np.testing.assert_allclose(
            found["test_manyhot_p@1"], cross_val_score(LinearManyHot(), *data, scoring=scorer("p@1"), cv=3)
        )


def test_any_k_and_beta_has_a_name_and_what_has_none_is_refused_with_the_mend(data):
    model = LinearManyHot().fit(*data)
    assert get_scorer("manyhot_p@2")(model, *data) == scorer("p@2")(model, *data)
    grid = GridSearchCV(LinearManyHot(), C, scoring="manyhot_f0.5_macro", cv=3).fit(*data)
    assert grid.best_score_ > 0.5
    with pytest.raises(InputError, match=r"scorer\('psp@3', train=y_train\)"):
        GridSearchCV(LinearManyHot(), C, scoring="manyhot_psp@3", cv=3).fit(*data)
    with pytest.raises(InputError, match=r"scorer\('cost', costs="):
        cross_val_score(LinearManyHot(), *data, scoring="manyhot_neg_cost")
    with pytest.raises(OptionError, match="did you mean f1_macro"):
        cross_val_score(LinearManyHot(), *data, scoring="manyhot_f1_makro")
    with pytest.raises(ValueError, match="parameter of cross_val_score must be a str among"):
        cross_val_score(LinearManyHot(), *data, scoring="f1_makro")


def test_losses_are_named_as_scikit_learn_names_negated_ones(data, registered):
    assert "manyhot_neg_log_loss" in registered
    assert "manyhot_log_loss" not in registered
    assert set(registered) < set(get_scorer_names())
    model = LinearManyHot("logistic").fit(*data)
    assert get_scorer("manyhot_neg_log_loss")(model, *data) < 0
    with pytest.raises(OptionError, match="manyhot_neg_log_loss"):
        get_scorer("manyhot_log_loss")


def test_registering_again_changes_nothing():
    names = get_scorer_names()
    assert {"accuracy", "manyhot_p@5"} < set(names)
    register_scorers()
    assert get_scorer_names() == names
