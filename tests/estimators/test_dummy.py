import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from manyhot.errors import OptionError
from manyhot.estimators import DummyManyHot

Y = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]])
X = np.zeros((4, 1))


def test_probabilities_are_the_shares_whatever_is_decided():
    for strategy in ("prior", "zero", "top_k", "random"):
        chances = DummyManyHot(strategy).fit(X, Y).predict_proba(X)
        np.testing.assert_allclose(chances, np.tile([0.75, 0.5, 0.0], (4, 1)))


def test_prior_is_scikit_learns():
    wanted = DummyClassifier(strategy="prior").fit(X, Y).predict(X)
    np.testing.assert_array_equal(DummyManyHot().fit(X, Y).predict(X), wanted)


def test_zero_top_k_and_random():
    assert not DummyManyHot("zero").fit(X, Y).predict(X).any()
    np.testing.assert_array_equal(DummyManyHot("top_k", k=2).fit(X, Y).predict(X)[0], [1, 1, 0])
    many = DummyManyHot("random").fit(X, Y).predict(np.zeros((20_000, 1)))
    np.testing.assert_allclose(many.mean(axis=0), [0.75, 0.5, 0], atol=0.02)


def test_names_weights_and_unknown_cells():
    assert DummyManyHot("top_k").fit([["x"], ["y"]], [["b"], ["a", "b"]]).predict([["z"]]) == [["b"]]
    weighed = DummyManyHot().fit(X, Y, sample_weight=[0, 0, 0, 2])
    assert weighed.prior_.tolist() == [0, 1, 0]
    hidden = np.array([[1, np.nan], [0, 1], [np.nan, 1]])
    assert DummyManyHot().fit(X[:3], hidden).prior_.tolist() == [0.5, 1.0]


def test_refuses_an_unknown_strategy():
    with pytest.raises(OptionError, match="strategy must be one of"):
        DummyManyHot("mean").fit(X, Y)
