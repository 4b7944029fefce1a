"""Ranks of positives against counting by definition; the first k labels against a sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from manyhot.kernels.first_labels import first_labels
from manyhot.kernels.ranks import FEW, best_sums, rank_dense, rank_shared, rank_sparse
from manyhot.labels import Targets


def by_definition(scores, targets):
    """Higher and equal known cells of every positive, row by row."""
    above, tied = [], []
    for row, cells in zip(scores, targets, strict=True):
        known = row[~np.isnan(cells)]
        for value in row[cells == 1]:
            above.append((known > value).sum())
            tied.append((known == value).sum())
    return above, tied


def problem(seed, rows=12, labels=9, share=0.4):
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, labels)) < share).astype(float)
    targets[rng.random((rows, labels)) < 0.15] = np.nan
    return targets, rng.integers(0, 5, (rows, labels)) / 4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_ranks_count_known_cells_above_and_tied(seed):
    targets, scores = problem(seed)
    read = Targets.from_dense(targets)
    shared = np.tile(scores[0], (len(scores), 1))
    found = [
        (rank_dense(scores, read.positives, read.unknown), scores),
        (rank_dense(scores.astype(np.float32), read.positives, read.unknown), scores),
        (rank_sparse(csr_array(scores), read.positives, read.unknown), scores),  # zeros are absent: lowest
        (rank_shared(scores[0], read.positives, read.unknown), shared),
    ]
    for ranks, values in found:
        above, tied = by_definition(values, targets)
        assert ranks.above.tolist() == above
        assert ranks.tied.tolist() == tied
        assert ranks.known.tolist() == (~np.isnan(targets)).sum(1).tolist()


def test_rows_with_many_positives_are_ranked_by_search():
    targets, scores = problem(1, rows=3, labels=4 * FEW, share=0.8)
    read = Targets.from_dense(targets)
    assert read.row_counts().min() > FEW
    for ranks in (
        rank_dense(scores, read.positives, read.unknown),
        rank_sparse(csr_array(scores), read.positives, read.unknown),
    ):
        above, tied = by_definition(scores, targets)
        assert ranks.above.tolist() == above
        assert ranks.tied.tolist() == tied


@pytest.mark.parametrize("k", [1, 3, 20])
def test_first_labels_are_those_of_a_stable_sort(k):
    targets, scores = problem(2)
    read = Targets.from_dense(targets)
    chosen = first_labels(scores, read.unknown, k).toarray()
    for row, cells, picked in zip(scores, targets, chosen, strict=True):
        known = np.flatnonzero(~np.isnan(cells))
        expected = known[np.argsort(-row[known], kind="stable")][:k]
        assert sorted(expected) == np.flatnonzero(picked).tolist()


def test_absent_labels_of_sparse_scores_come_after_stored_ones_from_the_left():
    scores = csr_array(np.array([[0, 0.2, 0.9, 0], [0, 0, 0, 0], [0.1, 0.1, 0.1, 0], [0, -0.3, 0, 0]]))
    chosen = first_labels(scores, None, 2).toarray().tolist()
    assert chosen == [[0, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    unknown = csr_array(np.array([[0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]], bool))
    chosen = first_labels(scores, unknown, 2).toarray().tolist()
    assert chosen == [[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]]


def test_best_sums_take_the_largest_first():
    values, starts = np.array([1.0, 4.0, 2.0, 7.0]), np.array([0, 3, 3, 4])
    assert best_sums(values, starts, np.array([1.0, 0.5])).tolist() == [5.0, 0.0, 7.0]
