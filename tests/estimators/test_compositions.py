"""Chains, powersets and neighbours: against enumeration, scikit-learn and the formulas written out."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from manyhot.errors import InputError, OptionError
from manyhot.estimators import LabelPowerset, MLkNN, ProbabilisticChain, RAkEL


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(150, 8, n_classes=4, n_labels=2, random_state=0)
    return X / X.max(), y


def all_sets(labels):
    return np.array(list(itertools.product((0, 1), repeat=labels)))


def test_a_full_beam_sums_over_every_label_set(data):
    X, y = data
    order = [2, 0, 3, 1]
    model = ProbabilisticChain(LogisticRegression(), order=order, beam=16).fit(X, y)
    chain = ClassifierChain(LogisticRegression(), order=order).fit(X, y)
    for row in range(5):
        total = np.zeros(4)
        for each in all_sets(4):
            chance = 1.0
            for place, label in enumerate(order):
                seen = np.concatenate([X[row], each[order[:place]]])[None]
                one = chain.estimators_[place].predict_proba(seen)[0, 1]
                chance *= one if each[label] else 1 - one
            total += chance * each
        np.testing.assert_allclose(model.predict_proba(X[row : row + 1])[0], total, rtol=1e-6)


def test_a_beam_of_one_is_scikit_learns_greedy_chain(data):
    X, y = data
    order = [1, 3, 0, 2]
    for features in (X, csr_matrix(X)):
        model = ProbabilisticChain(LogisticRegression(), order=order, beam=1, decide="mode")
        wanted = ClassifierChain(LogisticRegression(), order=order).fit(X, y).predict(X)
        np.testing.assert_array_equal(model.fit(features, y).predict(features), wanted)


def test_an_ensemble_is_the_mean_of_its_chains(data):
    X, y = data
    model = ProbabilisticChain(LogisticRegression(), chains=3, beam=16).fit(X, y)
    single = [ProbabilisticChain(LogisticRegression(), order=order, beam=16) for order, _ in model.chains_]
    wanted = np.mean([each.fit(X, y).predict_proba(X) for each in single], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), wanted, rtol=1e-9)
    assert model.predict(X).shape == y.shape


def test_constant_and_unknown_labels_do_not_stop_a_chain(data):
    X, y = data
    y = np.column_stack([y, np.ones(len(y))]).astype(float)
    y[:40, 0] = np.nan
    model = ProbabilisticChain(LogisticRegression()).fit(X, y)
    assert model.predict(X)[:, -1].all()
    with pytest.raises(OptionError, match="permutation of the 5 labels"):
        ProbabilisticChain(LogisticRegression(), order=[0, 1]).fit(X, y)


def test_a_powerset_is_a_classifier_of_the_sets_that_occur(data):
    X, y = data
    model = LabelPowerset(LogisticRegression()).fit(X, y)
    sets, codes = np.unique(y, axis=0, return_inverse=True)
    plain = LogisticRegression().fit(X, codes.ravel())
    np.testing.assert_array_equal(model.predict(X), sets[plain.predict(X)])
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X) @ sets)
    assert LabelPowerset(LinearSVC()).fit(csr_matrix(X), y).predict(csr_matrix(X)).shape == y.shape


def test_one_label_set_is_always_given(data):
    X, _ = data
    y = np.tile([1, 0, 1], (len(X), 1))
    np.testing.assert_array_equal(LabelPowerset(DecisionTreeClassifier()).fit(X, y).predict(X), y)


def test_rakel_asks_every_label_and_with_all_labels_is_a_powerset(data):
    X, y = data
    model = RAkEL(DecisionTreeClassifier(random_state=0), k=2).fit(X, y)
    assert len(model.models_) == 8
    assert set(np.concatenate([columns for columns, _, _ in model.models_])) == set(range(4))
    apart = RAkEL(DecisionTreeClassifier(random_state=0), k=2, disjoint=True).fit(X, y)
    assert sorted(np.concatenate([columns for columns, _, _ in apart.models_])) == [0, 1, 2, 3]
    whole = RAkEL(LogisticRegression(), k=4, models=1).fit(X, y)
    wanted = LabelPowerset(LogisticRegression()).fit(X, y)
    np.testing.assert_allclose(whole.predict_proba(X), wanted.predict_proba(X))


def test_ml_knn_is_the_formula_of_the_paper(data):
    X, y = data
    k, s = 3, 1.0
    model = MLkNN(k).fit(X[:100], y[:100])
    search = NearestNeighbors(n_neighbors=k).fit(X[:100])
    own = y[:100][search.kneighbors(return_distance=False)].sum(axis=1)
    counts = y[:100][search.kneighbors(X[100:], return_distance=False)].sum(axis=1)
    for label in range(4):
        with_it, prior = y[:100, label] == 1, (s + y[:100, label].sum()) / (2 * s + 100)
        for row, count in enumerate(counts[:, label]):
            like = (s + (own[with_it, label] == count).sum()) / (s * (k + 1) + with_it.sum())
            unlike = (s + (own[~with_it, label] == count).sum()) / (s * (k + 1) + (~with_it).sum())
            wanted = prior * like / (prior * like + (1 - prior) * unlike)
            assert model.predict_proba(X[100:][row : row + 1])[0, label] == pytest.approx(wanted)


def test_ml_knn_takes_sparse_rows_and_names(data):
    X, y = data
    names = [[f"t{label}" for label in np.flatnonzero(row)] for row in y]
    X = X + np.random.default_rng(0).random(X.shape)  # no two rows are equally far from a third
    dense = MLkNN(3).fit(X, y).predict_proba(X)
    sparse = MLkNN(3).fit(csr_matrix(X), names)
    np.testing.assert_allclose(sparse.predict_proba(csr_matrix(X)), dense)
    with pytest.raises(InputError, match="lower k"):
        MLkNN(150).fit(X, y)


def test_a_vector_of_classes_is_one_choice_a_row():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    base = LogisticRegression(max_iter=1000)
    for model in (ProbabilisticChain(base), LabelPowerset(base), RAkEL(base, k=2), MLkNN()):
        model.fit(X, names)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
        assert (model.predict(X) == names).mean() > 0.9
    same = LabelPowerset(base).fit(X, names).predict(X) == base.fit(X, names).predict(X)
    assert same.all()


def test_sparse_rows_are_taken_where_the_estimator_takes_them():
    for model in (ProbabilisticChain, LabelPowerset, RAkEL):
        assert get_tags(model(LogisticRegression())).input_tags.sparse
        assert not get_tags(model(GaussianNB())).input_tags.sparse


def test_a_chain_of_classifiers_without_probabilities_says_the_mend(data):
    X, y = data
    with pytest.raises(
        InputError, match=r"LinearSVC has no predict_proba; .*CalibratedClassifierCV\(LinearSVC"
    ):
        ProbabilisticChain(LinearSVC()).fit(X, y)
    mended = ProbabilisticChain(CalibratedClassifierCV(LinearSVC(), cv=2), beam=2).fit(X, y)
    assert mended.predict_proba(X).shape == y.shape


def test_weights_count_examples_of_ml_knn(data):
    X, y = data
    weight = np.where(np.arange(150) < 100, 1.0, 0.0)
    part, only = MLkNN(3).fit(X, y, sample_weight=weight), MLkNN(3).fit(X[:100], y[:100])
    np.testing.assert_allclose(part.predict_proba(X), only.predict_proba(X))
    weight = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    model, plain = MLkNN(3).fit(X, y, sample_weight=weight), MLkNN(3).fit(X, y)
    own = y[NearestNeighbors(n_neighbors=3).fit(X).kneighbors(return_distance=False)].sum(axis=1)
    with_it, prior = y[:, 0] == 1, (1 + weight @ y[:, 0]) / (2 + weight.sum())
    like = (1 + weight[with_it & (own[:, 0] == 2)].sum()) / (4 + weight[with_it].sum())
    unlike = (1 + weight[~with_it & (own[:, 0] == 2)].sum()) / (4 + weight[~with_it].sum())
    assert model.chance_[0, 2] == pytest.approx(prior * like / (prior * like + (1 - prior) * unlike))
    assert not np.allclose(model.chance_, plain.chance_)


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)])
def test_random_state_may_be_a_generator_or_none(data, state):
    X, y = data
    for model in (
        ProbabilisticChain(LogisticRegression(), random_state=state),
        RAkEL(DecisionTreeClassifier(), random_state=state),
    ):
        assert model.fit(X, y).predict(X).shape == y.shape


def test_a_row_of_weight_0_is_a_row_left_out(data):
    X, y = data
    weight = np.where(np.arange(150) < 100, 1.0, 0.0)
    y = np.column_stack([y, np.arange(150) >= 100]).astype(int)  # a label that only such rows have
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    for model in (ProbabilisticChain(tree), LabelPowerset(tree), RAkEL(tree), MLkNN(3)):
        part = clone(model).fit(X, y, sample_weight=weight)
        only = model.fit(X[:100], y[:100])
        np.testing.assert_allclose(part.predict_proba(X), only.predict_proba(X))


def test_a_classifier_with_a_cut_of_its_own_may_stand_in_a_chain(data):
    X, y = data
    cut = TunedThresholdClassifierCV(LogisticRegression(), cv=2)
    assert ProbabilisticChain(cut, beam=2).fit(X, y).predict_proba(X).shape == y.shape
