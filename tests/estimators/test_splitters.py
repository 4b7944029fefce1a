import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier

from manyhot.data import folds
from manyhot.errors import InputError, OptionError
from manyhot.estimators import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
)


@pytest.fixture(scope="module")
def data():
    return make_multilabel_classification(200, 6, n_classes=5, random_state=0)


def test_folds_are_those_of_the_data_floor(data):
    X, y = data
    found = list(MultilabelStratifiedKFold(4, shuffle=True, random_state=3).split(X, y))
    for (train, test), (inside, outside) in zip(found, folds(y, 4, seed=3), strict=True):
        np.testing.assert_array_equal(train, inside)
        np.testing.assert_array_equal(test, outside)
    shares = np.array([y[test].sum(axis=0) for _, test in found])
    assert (np.abs(shares - y.sum(axis=0) / 4) <= 2).all()


def test_groups_stay_whole(data):
    X, y = data
    groups = np.arange(200) // 5
    for train, test in MultilabelStratifiedGroupKFold(3).split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(InputError, match="groups="):
        next(MultilabelStratifiedGroupKFold(3).split(X, y))


def test_shuffle_splits_have_their_sizes_and_differ(data):
    X, y = data
    splitter = MultilabelStratifiedShuffleSplit(3, test_size=0.2, train_size=100, random_state=0)
    found = list(splitter.split(X, y))
    assert [(len(train), len(test)) for train, test in found] == [(100, 40)] * 3
    assert not np.array_equal(found[0][1], found[1][1])
    assert all(not set(train) & set(test) for train, test in found)
    again = list(splitter.split(X, y))
    np.testing.assert_array_equal(found[2][1], again[2][1])


def test_they_drop_into_scikit_learn(data):
    X, y = data
    model = OneVsRestClassifier(LogisticRegression())
    assert len(cross_val_score(model, X, y, cv=MultilabelStratifiedKFold(3))) == 3
    assert len(cross_val_score(model, X, y, cv=MultilabelStratifiedShuffleSplit(2, random_state=0))) == 2
    groups = np.arange(200) // 5
    cross_validate(model, X, y, groups=groups, cv=MultilabelStratifiedGroupKFold(3))
    with config_context(enable_metadata_routing=True):
        cross_validate(model, X, y, params={"groups": groups}, cv=MultilabelStratifiedGroupKFold(3))


def test_name_lists_and_class_vectors_are_split_too():
    names = [["a"], ["b"], ["a", "b"], []] * 5
    assert len(list(MultilabelStratifiedKFold(2).split(names, names))) == 2
    assert len(list(MultilabelStratifiedKFold(2).split(np.zeros(20), np.arange(20) % 3))) == 2


TOO_MUCH = [{"test_size": 1.5}, {"test_size": 0.6, "train_size": 0.6}, {"test_size": 0}]


@pytest.mark.parametrize("sizes", TOO_MUCH)
def test_refuses_sizes_that_do_not_fit(data, sizes):
    with pytest.raises(OptionError, match="must be above 0 and at most all rows"):
        next(MultilabelStratifiedShuffleSplit(**sizes).split(*data))


@pytest.mark.parametrize(
    "splitter",
    [
        MultilabelStratifiedKFold(3, shuffle=True),
        MultilabelStratifiedGroupKFold(3, shuffle=True),
        MultilabelStratifiedShuffleSplit(2, test_size=0.2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_random_state_is_an_integer_a_generator_or_none(data, splitter):
    X, y = data

    def parts(state):
        splitter.random_state = state
        return np.concatenate([test for _, test in splitter.split(X, y, np.arange(200) // 2)])

    np.testing.assert_array_equal(parts(1), parts(np.int64(1)))
    np.testing.assert_array_equal(parts(np.random.RandomState(7)), parts(np.random.RandomState(7)))
    state = np.random.RandomState(7)
    assert not np.array_equal(parts(state), parts(state))
    assert not np.array_equal(parts(None), parts(None))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        parts("one")


@pytest.mark.parametrize("splitter", [MultilabelStratifiedKFold, MultilabelStratifiedGroupKFold])
@pytest.mark.parametrize("n_splits", [1, 300])
def test_refuses_numbers_of_folds_by_their_name(splitter, n_splits):
    with pytest.raises(OptionError, match=rf"n_splits must be in \[2, 127\], got {n_splits}"):
        splitter(n_splits)
