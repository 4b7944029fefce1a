import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.model_selection import cross_val_score

from manyhot.errors import InputError, OptionError
from manyhot.estimators import ManyHotClassifier, scorer
from manyhot.labels import Group, LabelSpace
from manyhot.losses import BCE, GHM


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(160, 6, n_classes=4, n_labels=2, random_state=0)
    return (X / X.max()).astype(np.float32), y


def quick(**options):
    return ManyHotClassifier("linear", **{"epochs": 20, "learning_rate": 0.05, **options})


def test_learns_from_tables_and_tunes_cuts_on_rows_held_out(data):
    X, y = data
    model = quick(goal="f1_micro").fit(X, y)
    assert scorer("f1_micro")(model, X, y) > 0.7
    assert model.rule_.cuts.shape == (4,)
    chances = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), chances >= model.rule_.cuts)
    np.testing.assert_allclose(1 / (1 + np.exp(-model.decision_function(X))), chances, atol=1e-6)


def test_texts_frames_with_categories_and_sparse_rows(data):
    texts = ["red dress", "blue jeans", "red jeans", "blue dress"] * 10
    names = [text.split() for text in texts]
    model = ManyHotClassifier(epochs=30, valid=0.2).fit(texts, names)
    assert model.predict(["red dress"]) == [["dress", "red"]]
    frame = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": range(40)})
    found = quick(valid=0).fit(frame, [[colour] for colour in frame["colour"]]).predict(frame)
    assert found == [[colour] for colour in frame["colour"]]
    X, y = data
    sparse = quick().fit(csr_matrix(X), csr_matrix(y))
    assert sparse.predict(csr_matrix(X)).format == "csr"


def test_losses_encoders_and_weights_of_labels(data):
    X, y = data
    for loss in ("asl(gamma_neg=2)", "zlpr"):
        assert scorer("f1_micro")(quick(loss=loss).fit(X, y), X, y) > 0.6
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU())
    before = net[0].weight.detach().clone()
    own = ManyHotClassifier(net, epochs=3).fit(X, y)
    assert own.predict(X).shape == y.shape
    assert torch.equal(net[0].weight, before)
    quick(pos_weight="balanced").fit(X, y)


def test_exclusive_groups_of_a_space_are_a_choice(data):
    X, _ = data
    names = [["red" if row[0] > row[1] else "blue", *(["big"] if row[2] > 0.5 else [])] for row in X]
    space = LabelSpace(["red", "blue", "big"], groups=[Group("colour", ("red", "blue"))])
    for valid in (0.15, 0):
        model = quick(space=space, valid=valid).fit(X, names)
        assert model.classes_.tolist() == ["red", "blue", "big"]
        np.testing.assert_allclose(model.predict_proba(X)[:, :2].sum(axis=1), 1, atol=1e-6)
        assert all(("red" in row) != ("blue" in row) for row in model.predict(X))


def test_of_a_group_of_three_the_highest_is_taken_where_none_reaches_half(data):
    X, _ = data
    colours = ("red", "blue", "green")
    space = LabelSpace(colours, groups=[Group("colour", colours)])
    rows = np.random.default_rng(0).integers(3, size=160)
    model = quick(space=space, valid=0, epochs=1).fit(X, [[colours[row]] for row in rows])
    assert (model.predict_proba(X).max(axis=1) < 0.5).any()
    assert [len(row) for row in model.predict(X)] == [1] * 160


def test_rows_of_weight_0_take_no_part(data):
    X, y = data
    weight = np.arange(160) < 120
    part = quick(valid=0).fit(X, y, sample_weight=weight.astype(float))
    only = quick(valid=0).fit(X[:120], y[:120])
    np.testing.assert_allclose(part.predict_proba(X), only.predict_proba(X), atol=1e-6)


def test_a_loss_that_is_given_is_left_as_it_was(data):
    X, y = data
    loss = BCE()
    model = quick(loss=loss, valid=0).fit(X[:80], y[:80], sample_weight=np.arange(80.0))
    assert np.ptp(model.predict_proba(X) - quick(valid=0).fit(X[:80], y[:80]).predict_proba(X)) > 0.01
    plain = quick(loss="bce", valid=0).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), plain)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), plain)
    assert not loss._forward_pre_hooks
    remembering = GHM()
    quick(loss=remembering, valid=0).fit(X, y)
    assert remembering.seen == 0


def test_same_seed_clone_pickle_and_cross_validation(data):
    X, y = data
    model = quick().fit(X, y)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert cross_val_score(quick(epochs=3), X, y, cv=2, scoring=scorer("lrap")).min() > 0.4


def test_refuses_what_it_cannot_do(data):
    X, y = data
    with pytest.raises(OptionError, match="valid must be in"):
        quick(valid=1.0).fit(X, y)
    with pytest.raises(OptionError, match=r"loss .bcee. is none of the .* did you mean bce"):
        quick(loss="bcee").fit(X, y)
    with pytest.raises(InputError, match="one class"):
        quick().fit(X, np.zeros(160))
    with pytest.raises(InputError, match="too few to hold out"):
        quick().fit(X[:2], y[:2])


def test_a_row_of_weight_0_is_a_row_left_out_of_the_cuts_too(data):
    X, y = data
    weight = np.where(np.arange(160) < 120, 1.0, 0.0)
    wrong = np.where(weight[:, None] > 0, y, 1 - y)
    part = quick(goal="f1_macro").fit(X, wrong, sample_weight=weight)
    only = quick(goal="f1_macro").fit(X[:120], y[:120])
    np.testing.assert_allclose(part.rule_.cuts, only.rule_.cuts, atol=1e-6)
    assert part.rule_.tuned_on.count == only.rule_.tuned_on.count == 18
    heavy = quick(valid=0.3).fit(X, y, sample_weight=np.where(y[:, 0] == 1, 1.0, 9.0))
    with pytest.raises(InputError, match="used to tune"):
        heavy.rule_.check_rows(range(160))


def test_frames_are_read_by_the_names_of_a_space(data):
    X, _ = data
    frame = pd.DataFrame({"blue": X[:, 1] > X[:, 0], "big": X[:, 2] > 0.5, "red": X[:, 0] >= X[:, 1]})
    space = LabelSpace(["red", "blue", "big"], groups=[Group("colour", ("red", "blue"))])
    for y in (frame, pl.DataFrame(frame.to_dict("list"))):
        model = quick(space=space, epochs=60).fit(X, y)
        assert model.classes_.tolist() == ["blue", "big", "red"]
        assert (np.asarray(model.predict(X)) == frame.to_numpy()).mean() > 0.9
        assert model.score(X, y[["red", "blue", "big"]]) == model.score(X, y) > 0.7


def test_frames_with_categories_keep_their_columns():
    frame = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": range(40)})
    names = [[colour] for colour in frame["colour"]]
    model = quick(valid=0, epochs=2).fit(frame, names)
    assert model.feature_names_in_.tolist() == ["colour", "size"]
    assert model.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"size": "height"}))
    assert not hasattr(quick(valid=0, epochs=2).fit(["red", "blue"] * 20, names), "n_features_in_")


def test_random_state_is_an_integer_a_generator_or_none(data):
    X, y = data

    def scores(state):
        return quick(epochs=2, random_state=state).fit(X, y).predict_proba(X)

    once = scores(np.random.RandomState(0))
    np.testing.assert_array_equal(scores(np.random.RandomState(0)), once)
    np.testing.assert_array_equal(scores(np.random.RandomState(0).randint(2**31 - 1)), once)
    assert not np.array_equal(scores(None), once)
