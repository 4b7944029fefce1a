"""as_targets: every form, and nothing guessed."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import coo_array, csr_matrix

from manyhot.errors import InputError, ShapeError
from manyhot.labels import LabelSpace, Targets, as_targets

MATRIX = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]])
EXPECTED = Targets.from_dense(MATRIX)
LISTS = [[0, 3], [], [1]]
PADDED = np.array([[0, 3], [-1, -1], [1, -1]])

FORMS = {
    "targets": EXPECTED,
    "int array": MATRIX,
    "bool array": MATRIX.astype(bool),
    "float array": MATRIX.astype(np.float64),
    "nested list": MATRIX.tolist(),
    "list of arrays": list(MATRIX),
    "list of tensors": list(torch.tensor(MATRIX)),
    "nested list of floats": MATRIX.astype(float).tolist(),
    "long tensor": torch.tensor(MATRIX),
    "half tensor": torch.tensor(MATRIX).half(),
    "csr": csr_matrix(MATRIX),
    "coo": coo_array(MATRIX),
    "torch coo": torch.tensor(MATRIX).float().to_sparse(),
    "index lists": LISTS,
    "index tuples": tuple(tuple(row) for row in LISTS),
    "index arrays": [np.array(row, int) for row in LISTS],
    "index sets": [set(row) for row in LISTS],
    "object array of lists": np.array([*LISTS, None], object)[:3],
    "padded array": PADDED,
    "padded tensor": torch.tensor(PADDED),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_targets(form: str) -> None:
    assert as_targets(FORMS[form], width=4) == EXPECTED


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_torch_csr_is_taken() -> None:
    assert as_targets(torch.tensor(MATRIX).float().to_sparse_csr(), width=4) == EXPECTED


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_frames_are_taken(name: str) -> None:
    library = pytest.importorskip(name)
    frame = library.DataFrame({str(column): MATRIX[:, column] for column in range(4)})
    assert as_targets(frame) == EXPECTED


def test_targets_pass_through_untouched() -> None:
    assert as_targets(EXPECTED) is EXPECTED


def test_nan_is_unknown_and_shares_are_soft() -> None:
    targets = as_targets([[0.5, np.nan], [1.0, 0.0]])
    assert targets.is_soft
    assert targets.has_unknown
    assert targets == as_targets(torch.tensor([[0.5, float("nan")], [1.0, 0.0]]))


def test_index_lists_shorter_than_the_width_are_no_matrix() -> None:
    assert as_targets([[0], [1], [1]], width=5).to_index_lists() == [[0], [1], [1]]
    assert as_targets([[0, 1], [1, 0]], width=5).to_index_lists() == [[0, 1], [0, 1]]
    assert as_targets([[0, 1], [1, 0]]).to_index_lists() == [[1], [0]]
    assert as_targets([], width=5).shape == (0, 5)
    assert as_targets([[], []], width=5).shape == (2, 5)
    assert as_targets(np.zeros((0, 5)), width=5).shape == (0, 5)


@pytest.mark.parametrize(
    ("values", "width", "message"),
    [
        ([["red"], ["blue"]], 3, r"row 0 holds names .*LabelSpace.encode"),
        (["red"], 3, r"row 0 holds names \('red'\)"),
        ("red", 3, "expected targets for rows and labels, got str"),
        (3, 3, "expected targets for rows and labels, got int"),
        (None, 3, "expected targets for rows and labels, got NoneType"),
        ([[0, 2], [1]], None, r"pass width=len\(space\)"),
        (PADDED, None, r"pass width=len\(space\)"),
        ([[0, 1], [1, 0]], 2, "rows of 2 values 0 or 1 for 2 labels can be read in two ways"),
        (np.array([[0, 1], [-1, 1]]), 2, r"a matrix of -1, 0 and 1 can be read in two ways"),
        (np.array([[0.0, -1.0]]), 2, "pass unknown_code=-1"),
        (np.array([[0.0, 2.5]]), 2, "got 2.5 in row 0"),
        (torch.tensor([1, 0]), 2, r"expected a multi-hot matrix \(rows, labels\), got shape \(2,\)"),
        ([[0, 1, 1], [1, 0, 0]], 5, "row 0: label index 1 is listed twice; from_dense takes a 0/1 matrix"),
        ([1, 0, 2], 5, "row 0: expected a list of label indices, got 1"),
        ([[0], None], 5, "row 1: expected a list of label indices, got None"),
    ],
)
def test_what_can_mean_two_things_or_nothing_is_refused(
    values: object, width: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        as_targets(values, width)


def test_another_width_is_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"expected 5 labels, got a 0/1 matrix with 4 columns; .*from_padded"
    ):
        as_targets(MATRIX, width=5)
    with pytest.raises(ShapeError, match="expected 3 labels, got 4; encode with the same LabelSpace"):
        as_targets(MATRIX, width=3)
    with pytest.raises(ShapeError, match="expected 9 labels, got 4"):
        as_targets(EXPECTED, width=9)


SPACE = LabelSpace(["a", "b", "c", "d"])


def test_with_a_space_names_are_read() -> None:
    rows = [["a", "d"], [], ["b"]]
    assert as_targets(rows, space=SPACE) == EXPECTED
    assert as_targets(pd.Series(rows), space=SPACE) == EXPECTED
    assert as_targets(((name for name in row) for row in rows), space=SPACE) == EXPECTED
    with pytest.raises(InputError, match=r"label 'z' .* not in the space"):
        as_targets([["z"]], space=SPACE)


def test_with_a_space_frames_are_read_by_name_where_they_have_names() -> None:
    swapped = ["d", "b", "a", "c"]
    columns = [SPACE.column(name) for name in swapped]
    for frame in (
        pd.DataFrame(MATRIX[:, columns], columns=swapped),
        pl.DataFrame(MATRIX[:, columns], swapped),
    ):
        assert as_targets(frame, space=SPACE) == EXPECTED
    for frame in (pd.DataFrame(MATRIX), pl.DataFrame(MATRIX)):  # numbered columns: by position
        assert as_targets(frame, space=SPACE) == EXPECTED
    with pytest.raises(InputError, match="no column for 1 of 4 labels: 'd'"):
        as_targets(pd.DataFrame(MATRIX, columns=["a", "b", "c", "e"]), space=SPACE)


def test_a_space_checks_the_width_of_everything_else() -> None:
    for form in FORMS.values():
        assert as_targets(form, space=SPACE) == EXPECTED
    with pytest.raises(ShapeError, match="expected 4 labels, got 3"):
        as_targets(EXPECTED.columns([0, 1, 2]), space=SPACE)


def test_rows_that_can_be_walked_once_keep_their_indices() -> None:
    assert as_targets([iter(row) for row in LISTS], width=4) == EXPECTED


def test_a_sparse_vector_and_a_huge_index_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected a sparse matrix \(rows, labels\), got shape \(3,\)"):
        as_targets(coo_array(np.array([1, 0, 1])))
    with pytest.raises(InputError, match="row 0: expected a list of label indices"):
        as_targets([[2**70]], width=3)
