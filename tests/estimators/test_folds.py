import numpy as np
from sklearn.model_selection import KFold

from manyhot.estimators.folds import fold_of_rows, folds_of_part

ROWS = np.array([1, 2, 5])


def test_pairs_of_rows_are_numbered_anew_for_a_part_of_the_rows():
    pairs = [([0, 1, 2], [3, 4, 5]), ([3, 4, 5], [0, 1, 2])]
    found = folds_of_part(pairs, ROWS)
    assert [[side.tolist() for side in pair] for pair in found] == [[[0, 1], [2]], [[2], [0, 1]]]
    assert fold_of_rows(found, np.zeros((3, 1)), None, 0).tolist() == [1, 1, 0]


def test_numbers_and_splitters_are_for_any_rows():
    for cv in (3, KFold(2), "prefit"):
        assert folds_of_part(cv, ROWS) is cv
