"""The best scores of a row are those that sorting all of them finds, however the labels are walked."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.data.inputs import SparseColumns
from manyhot.errors import OptionError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models import MLP, BestScores, Model, best_of, stacked

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(20, 6)).astype(np.float32)
INPUTS = SparseColumns(csr_array(FEATURES), tuple("uvwxyz"))
NAMES = tuple(f"label {number}" for number in range(60))


def model_of(encoder="mlp", space=None, **options) -> Model:
    space = space or LabelSpace(NAMES)
    model = Model.build(INPUTS, Targets.negative(20, len(space)), space, encoder=encoder, **options)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.layer.weight)
    torch.nn.init.normal_(model.head.layer.bias)
    return model.eval()


def highest(scores: np.ndarray, k: int) -> np.ndarray:
    """All scores but the k highest of each row set to zero: by sorting."""
    kept = np.zeros_like(scores)
    order = np.argsort(-scores, axis=1)[:, :k]
    np.put_along_axis(kept, order, np.take_along_axis(scores, order, axis=1), axis=1)
    return kept


@pytest.mark.parametrize("cells", [1, 7 * 9, 10**6], ids=["narrow chunks", "uneven chunks", "one chunk"])
@pytest.mark.parametrize("encoder", ["mlp", "linear"])
def test_equal_to_sorting_all_scores(encoder, cells, monkeypatch):
    monkeypatch.setattr("manyhot.models.head.CHUNK_CELLS", cells)
    model = model_of(encoder)
    found = model.best_scores(INPUTS, k=5, batch_size=7)
    np.testing.assert_allclose(found.toarray(), highest(model.scores(INPUTS), 5), rtol=1e-6)
    assert found.has_sorted_indices
    assert set(np.diff(found.indptr)) == {5}


def test_exclusive_groups_are_compared_by_their_softmax():
    space = LabelSpace(NAMES, groups=(Group("g", NAMES[:40]),))
    model = model_of(space=space)
    scores = model.scores(INPUTS)
    expected = np.hstack([highest(scores[:, :40], 1), highest(scores[:, 40:], 2)])
    np.testing.assert_allclose(model.best_scores(INPUTS, k=3).toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("encoder", ["mlp", "linear"])
def test_the_highest_label_of_a_group_is_kept_however_low(encoder, monkeypatch):
    monkeypatch.setattr("manyhot.models.model.WIDE", 60)
    monkeypatch.setattr("manyhot.models.model.KEPT", 4)
    groups = (Group("g", NAMES[:9]), Group("h", NAMES[9:12], allow_none=True))
    model = model_of(encoder, LabelSpace(NAMES, groups=groups))
    torch.nn.init.constant_(model.head.layer.bias[12:], 9.0)
    scores = model.scores(INPUTS)
    expected = np.hstack([highest(scores[:, :9], 1), highest(scores[:, 9:12], 1), highest(scores[:, 12:], 4)])
    np.testing.assert_allclose(model.kept_scores(INPUTS, 0).toarray(), expected, rtol=1e-6)


def test_no_more_are_kept_than_there_are_labels():
    model = model_of()
    np.testing.assert_allclose(model.best_scores(INPUTS, k=100).toarray(), model.scores(INPUTS), rtol=1e-6)
    with pytest.raises(OptionError, match="k must be >= 1, got 0"):
        model.best_scores(INPUTS, k=0)


def test_only_a_wide_label_space_keeps_some():
    assert isinstance(model_of().kept_scores(INPUTS), np.ndarray)
    wide = model_of(MLP(model_of().preparation.shape), LabelSpace(tuple(map(str, range(2000)))))
    assert np.diff(wide.kept_scores(INPUTS).indptr).tolist() == [100] * 20
    assert np.diff(wide.kept_scores(INPUTS, least=150).indptr).tolist() == [150] * 20


def test_of_a_matrix_and_of_parts_put_together():
    scores = RNG.random((9, 30)).astype(np.float32)
    np.testing.assert_array_equal(best_of(scores, 4).toarray(), highest(scores, 4))
    parts = stacked([best_of(scores[:5], 4), best_of(scores[5:], 4)])
    np.testing.assert_array_equal(parts.toarray(), highest(scores, 4))
    np.testing.assert_array_equal(stacked([scores[:5], scores[5:]]), scores)


def test_rows_may_come_in_any_order():
    kept = BestScores(2, 9, 2)
    kept.put(torch.tensor([1]), torch.tensor([[7, 3]]), torch.tensor([[0.9, 0.2]]))
    kept.put(torch.tensor([0]), torch.tensor([[0, 8]]), torch.tensor([[0.5, 0.4]]))
    expected = np.zeros((2, 9), np.float32)
    expected[[1, 1, 0, 0], [7, 3, 0, 8]] = [0.9, 0.2, 0.5, 0.4]
    np.testing.assert_array_equal(kept.matrix().toarray(), expected)
