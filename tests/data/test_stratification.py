"""The greedy pass: sizes by largest remainder, and which pairs of labels it looks at."""

import numpy as np
import pytest

from manyhot.data.stratification import _pairs, _sizes
from manyhot.labels import Targets


@pytest.mark.parametrize(
    ("shares", "rows", "held", "expected"),
    [
        ([0.8, 0.1, 0.1], 100, 0, [80, 10, 10]),
        ([0.8, 0.1, 0.1], 14, 0, [11, 2, 1]),
        ([0.8, 0.1, 0.1], 3, 0, [1, 1, 1]),
        ([1 / 3, 1 / 3, 1 / 3], 10, 0, [4, 3, 3]),
        ([0.8, 0.1, 0.1], 100, 5, [80, 10, 10]),
        ([0.8, 0.1, 0.1], 100, 28, [64, 8, 28]),
        ([0.5, 0.5], 10, 9, [1, 9]),
    ],
)
def test_sizes(shares: list[float], rows: int, held: int, expected: list[int]) -> None:
    assert _sizes(np.array(shares), rows, held).tolist() == expected


def test_pairs_are_those_that_occur_often_enough() -> None:
    targets = Targets.from_index_lists([[0, 1, 2], [0, 1], [1, 2], [3], []], 4)
    pairs = _pairs(targets, 2)
    np.testing.assert_array_equal(pairs.toarray(), [[1, 1], [1, 0], [0, 1], [0, 0], [0, 0]])
    assert _pairs(targets, 3).shape == (5, 0)


def test_of_a_row_with_very_many_labels_the_rarest_are_paired() -> None:
    rows = [list(range(40)), list(range(40)), *([label] for label in range(28))]
    pairs = _pairs(Targets.from_index_lists(rows, 40), 2)
    assert pairs.shape == (30, 12 * 11 // 2)
