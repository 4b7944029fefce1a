import numpy as np
import pytest

from manyhot.data.doctor import pairs as module
from manyhot.data.doctor.pairs import AlwaysTogether, always_together, cooccurrence, never_together
from manyhot.labels import Targets


def repeat(*blocks):
    """Rows of 0/1, each (cells, times)."""
    return np.concatenate([np.tile(cells, (times, 1)) for cells, times in blocks])


def test_a_label_that_always_brings_another():
    dense = repeat(([1, 1, 0], 30), ([0, 1, 1], 30), ([0, 0, 1], 60))
    found = always_together(cooccurrence(Targets.from_dense(dense)), ("black", "jeans", "blue"))
    assert found == [AlwaysTogether("black", "jeans", rows=30, both_ways=False)]


def test_equal_columns_are_named_once():
    dense = repeat(([1, 1], 20), ([0, 0], 80))
    found = always_together(cooccurrence(Targets.from_dense(dense)), ("a", "b"))
    assert found == [AlwaysTogether("a", "b", rows=20, both_ways=True)]


def test_what_chance_explains_is_no_finding():
    """Label a has 6 rows, b 95 of 100: that all six have b is no surprise."""
    dense = repeat(([1, 1], 6), ([0, 1], 89), ([0, 0], 5))
    assert always_together(cooccurrence(Targets.from_dense(dense)), ("a", "b")) == []


def test_few_rows_are_no_finding():
    dense = repeat(([1, 1], 4), ([0, 0], 10_000))
    assert always_together(cooccurrence(Targets.from_dense(dense)), ("a", "b")) == []


def test_expected_meetings_are_those_of_independence():
    dense = repeat(([1, 0], 50), ([0, 1], 40), ([0, 0], 10))
    (pair,) = never_together(cooccurrence(Targets.from_dense(dense)), ("a", "b"))
    assert {pair.label, pair.other} == {"a", "b"}
    assert pair.expected == pytest.approx(100 * 0.5 * 0.4)


@pytest.mark.parametrize("seed", range(5))
def test_independent_labels_give_no_findings(seed):
    dense = np.random.default_rng(seed).random((500, 40)) < 0.05
    names = tuple(map(str, range(40)))
    pairs = cooccurrence(Targets.from_dense(dense))
    assert always_together(pairs, names) == []
    assert never_together(pairs, names) == []


def test_unknown_cells_neither_confirm_nor_refute():
    dense = repeat(([1, 1, 0], 30), ([0, 1, 1], 30), ([0, 0, 1], 60)).astype(float)
    dense[:10, 1] = np.nan
    found = always_together(cooccurrence(Targets.from_dense(dense)), ("black", "jeans", "blue"))
    assert found == [AlwaysTogether("black", "jeans", rows=20, both_ways=False)]
    all_hidden = repeat(([1, 0], 50), ([0, 1], 50)).astype(float)
    all_hidden[:50, 1] = np.nan
    all_hidden[50:, 0] = np.nan
    assert never_together(cooccurrence(Targets.from_dense(all_hidden)), ("a", "b")) == []


def test_counts_agree_with_a_dense_product():
    dense = (np.random.default_rng(1).random((300, 30)) < 0.2).astype(int)
    pairs = cooccurrence(Targets.from_dense(dense))
    assert pairs.complete
    chosen = dense[:, pairs.columns]
    np.testing.assert_array_equal(pairs.together.toarray(), chosen.T @ chosen)
    assert (np.diff(pairs.positives) <= 0).all()


def test_too_much_work_is_cut_to_the_frequent_labels_and_said(monkeypatch):
    monkeypatch.setattr(module, "MOST_WORK", 1000)
    dense = np.random.default_rng(1).random((100, 64)) < np.linspace(0.9, 0.1, 64)
    pairs = cooccurrence(Targets.from_dense(dense))
    assert not pairs.complete
    counts = dense.sum(axis=0)
    assert counts[pairs.columns].min() >= np.sort(counts)[::-1][len(pairs.columns)]


def test_targets_without_positives_have_no_pairs():
    pairs = cooccurrence(Targets.negative(10, 3))
    assert always_together(pairs, ("a", "b", "c")) == []
    assert never_together(pairs, ("a", "b", "c")) == []
