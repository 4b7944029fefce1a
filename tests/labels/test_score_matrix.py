"""Scores in anybody's form: one matrix, columns by name."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import coo_array, csc_array, csc_matrix, csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB

from manyhot.errors import InputError, ShapeError
from manyhot.labels import score_matrix

SCORES = np.array([[0.5, 0.25, 0.0], [0.125, 1.0, -2.0]])
NAMES = ("red", "blue", "green")
SWAPPED = ["green", "red", "blue"]
IN_SWAPPED = SCORES[:, [2, 0, 1]]

DENSE = {
    "float64": SCORES,
    "float32": SCORES.astype(np.float32),
    "float16": SCORES.astype(np.float16),
    "lists": SCORES.tolist(),
    "tensor": torch.tensor(SCORES, requires_grad=True),
    "bfloat16": torch.tensor(SCORES).bfloat16(),
    "pandas, numbered": pd.DataFrame(SCORES),
    "polars, numbered": pl.DataFrame(SCORES),
    "pandas, other order": pd.DataFrame(IN_SWAPPED, columns=SWAPPED),
    "polars, other order": pl.DataFrame(IN_SWAPPED, SWAPPED),
    "pandas, one more": pd.DataFrame(IN_SWAPPED, columns=SWAPPED).assign(id=7.0),
}


@pytest.mark.parametrize("form", DENSE)
def test_dense_forms_agree(form: str) -> None:
    matrix = score_matrix(DENSE[form], NAMES)
    np.testing.assert_array_equal(matrix, SCORES)
    assert matrix.dtype in (np.float32, np.float64)


def test_sparse_forms_agree_and_become_canonical() -> None:
    cells = (np.array([0.25, 0.5]), (np.array([0, 0]), np.array([1, 0])))
    forms = [
        coo_array(cells, shape=(2, 3)),
        csr_array((cells[0], np.array([1, 0], np.int64), np.array([0, 2, 2], np.int64)), shape=(2, 3)),
        torch.tensor([[0.5, 0.25, 0], [0, 0, 0]]).to_sparse(),
    ]
    for form in forms:
        matrix = score_matrix(form)
        assert isinstance(matrix, csr_array)
        assert matrix.has_canonical_format
        np.testing.assert_array_equal(matrix.toarray(), [[0.5, 0.25, 0], [0, 0, 0]])


def test_whole_numbers_keep_their_digits() -> None:
    assert score_matrix(np.array([[2**40 + 1]]))[0, 0] == 2**40 + 1
    assert score_matrix(np.array([[7]], np.int8)).dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        ([[0.1], [0.2, 0.3]], InputError, "rows of unequal length in a list"),
        ([0.1, 0.2], ShapeError, r"scores of shape \(rows, labels\), got \(2,\)"),
        ([["a"]], InputError, "of numbers, got <U1"),
        (coo_array(np.array([1.0, 2.0])), ShapeError, r"got \(2,\)"),
        (csr_array(np.array([[1j]])), InputError, "sparse scores of numbers, got complex128"),
        (
            pd.DataFrame(SCORES, columns=["red", "blue", "p_green"]),
            ShapeError,
            r"no column for 1 labels, among them 'green'; .*to_numpy\(\)",
        ),
    ],
)
def test_what_is_no_matrix_of_scores(scores, error, message) -> None:
    with pytest.raises(error, match=message):
        score_matrix(scores, NAMES)


def test_one_array_a_label_is_read_as_forests_give_it() -> None:
    rng = np.random.default_rng(0)
    features, truth = rng.normal(size=(80, 5)), rng.random((80, 3)) < 0.4
    for model in (RandomForestClassifier(5, random_state=0), MultiOutputClassifier(GaussianNB())):
        given = model.fit(features, truth).predict_proba(features)
        expected = np.stack([np.asarray(each)[:, 1] for each in given], axis=1)
        np.testing.assert_array_equal(score_matrix(given, NAMES), expected)
        np.testing.assert_array_equal(score_matrix([torch.tensor(each) for each in given]), expected)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            [np.array([[0.5, 0.5]]), np.ones((1, 1)), np.array([[0.5, 0.5]])],
            InputError,
            r"label 'blue': .* only one class occurred in training.* manyhot\.estimators\.adapt",
        ),
        ([np.full((4, 3), 1 / 3)], InputError, r"label 'red': .* \(rows, 2\) .* got shape \(4, 3\)"),
        ([np.array([[0.5, 0.9]])], InputError, "of no and yes that add up to 1"),
        ([np.full((4, 2), 0.5), np.full((3, 2), 0.5)], ShapeError, r"equally many rows .* \[4, 3\]"),
    ],
)
def test_arrays_of_labels_that_cannot_be_read_say_why(given, error, message) -> None:
    with pytest.raises(error, match=message):
        score_matrix(given, NAMES)


@pytest.mark.parametrize("form", [csc_array, csc_matrix, coo_array])
def test_other_sparse_forms_are_turned(form) -> None:
    np.testing.assert_array_equal(score_matrix(form(SCORES)).toarray(), SCORES)
