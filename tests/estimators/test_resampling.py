import numpy as np
import pytest
from scipy.sparse import csr_matrix

from manyhot.errors import InputError
from manyhot.estimators import MLROS, MLRUS, MLSMOTE, REMEDIAL, LabelAwareBatches
from manyhot.estimators.imbalance import concurrence, imbalance, mean_imbalance
from manyhot.labels import Targets


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = (rng.random((400, 4)) < [0.6, 0.5, 0.05, 0.03]).astype(int)
    return rng.normal(size=(400, 3)), y


def test_measures_are_the_papers_on_a_table_by_hand():
    targets = Targets.from_dense(np.array([[1, 0], [1, 0], [1, 1], [1, 0]]))
    assert imbalance(targets).tolist() == [1.0, 4.0]
    assert mean_imbalance(targets) == 2.5
    # row 2 has ratios 1 and 4: 1 - sqrt(1 * 4) / 2.5
    np.testing.assert_allclose(concurrence(targets), [0, 0, 0.2, 0], atol=1e-12)


def test_ml_ros_clones_rows_of_rare_labels_only(data):
    X, y = data
    sampler = MLROS(0.25)
    more, labels = sampler.fit_resample(X, y)
    np.testing.assert_array_equal(more[:400], X)
    cloned = sampler.sample_indices_[400:]
    assert 0 < len(cloned) <= 100
    assert y[cloned][:, 2:].any(axis=1).all()
    np.testing.assert_array_equal(labels, y[sampler.sample_indices_])
    record = next(each for each in sampler.table_ if each["label"] == "3")
    assert record["rows_before"] == y[:, 3].sum()
    assert record["rows_after"] == labels[:, 3].sum() > record["rows_before"]
    assert record["imbalance_after"] < record["imbalance_before"]


def test_ml_rus_keeps_rows_of_rare_labels_and_without_labels(data):
    X, y = data
    sampler = MLRUS(0.3)
    _, labels = sampler.fit_resample(X, y)
    dropped = np.setdiff1d(np.arange(400), sampler.sample_indices_)
    assert 0 < len(dropped) <= 120
    assert not y[dropped][:, 2:].any()
    assert y[dropped].any(axis=1).all()
    assert labels[:, 2:].sum() == y[:, 2:].sum()


def test_mlsmote_makes_rows_between_rows_of_a_rare_label(data):
    X, y = data
    sampler = MLSMOTE(3)
    more, labels = sampler.fit_resample(X, y)
    made = more[400:]
    assert len(made) == y[:, 2:].sum()
    origin = sampler.sample_indices_[400:]
    count = y[:, 2].sum()
    assert labels[400 : 400 + count, 2].all()
    rows = np.flatnonzero(y[:, 2])
    for new, first in zip(made[:count], origin[:count], strict=True):
        # on the line from its origin to one of the rows of the label
        steps = X[rows] - X[first]
        part = steps @ (new - X[first]) / np.maximum((steps * steps).sum(axis=1), 1e-12)
        gaps = np.linalg.norm(X[first] + part[:, None] * steps - new, axis=1)
        assert min(gaps) < 1e-9
    sparse, _ = MLSMOTE(3).fit_resample(csr_matrix(X), y)
    np.testing.assert_allclose(sparse.toarray(), more)


def test_remedial_parts_rows_where_rare_and_frequent_meet(data):
    X, y = data
    sampler = REMEDIAL()
    more, labels = sampler.fit_resample(X, y)
    parted = sampler.sample_indices_[400:]
    assert len(parted)
    np.testing.assert_array_equal(more[400:], X[parted])
    np.testing.assert_array_equal(labels[parted] | labels[400:], y[parted])
    assert not (labels[parted] & labels[400:]).any()
    assert not labels[400:, :2].any()
    assert labels.sum() == y.sum()


def test_labels_come_back_in_their_form_and_bad_ones_are_refused(data):
    X, y = data
    names = [[f"t{label}" for label in np.flatnonzero(row)] for row in y]
    _, found = MLROS().fit_resample(X, names)
    assert isinstance(found, list)
    assert found[:400] == names
    with pytest.raises(InputError, match="label sets"):
        MLROS().fit_resample(X, y[:, 0])
    hidden = y.astype(float)
    hidden[0, 0] = np.nan
    with pytest.raises(InputError, match="assume_negative"):
        MLROS().fit_resample(X, hidden)


def test_balanced_labels_are_left_alone():
    y = np.eye(4, dtype=int).repeat(5, axis=0)
    for sampler in (MLROS(), MLRUS(), MLSMOTE(), REMEDIAL()):
        _, labels = sampler.fit_resample(np.zeros((20, 2)), y)
        np.testing.assert_array_equal(labels, y)


def test_batches_meet_rare_labels_as_their_table_says(data):
    _, y = data
    batches = LabelAwareBatches(y, 64, batches=500, random_state=1)
    drawn = np.concatenate(list(batches))
    table = {record["label"]: record for record in batches.table()}
    for label in range(4):
        assert y[drawn, label].mean() == pytest.approx(table[str(label)]["share_after"], abs=0.02)
        assert table[str(label)]["share_before"] == pytest.approx(y[:, label].mean())
    assert y[drawn, 3].mean() > 4 * y[:, 3].mean()
    again = LabelAwareBatches(y, 64, batches=3, random_state=1)
    assert list(again)[:1] == list(LabelAwareBatches(y, 64, batches=1, random_state=1))
    assert len(again) == 3


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)])
def test_random_state_may_be_a_generator_or_none(data, state):
    X, y = data
    for sampler in (MLROS(random_state=state), MLRUS(random_state=state), MLSMOTE(random_state=state)):
        assert len(sampler.fit_resample(X, y)[1]) != len(y)
    assert len(next(iter(LabelAwareBatches(y, 8, random_state=state)))) == 8
