"""Targets: every format in and out exactly, slices, counts, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array, csr_matrix
from sklearn.model_selection import train_test_split

from manyhot.errors import InputError, ShapeError
from manyhot.labels import Targets

NAN = np.nan
TERNARY = Targets.from_dense([[1, 0, NAN], [0, 0.25, 1], [0, 0, 0]])

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6)
ternary = hnp.arrays(np.float32, shapes, elements=st.sampled_from([0, 1, NAN, 0.25]))
binary = hnp.arrays(np.int8, shapes, elements=st.sampled_from([0, 1]))


@given(ternary)
def test_ternary_and_soft_cells_round_trip_in_every_format(matrix: np.ndarray) -> None:
    targets = Targets.from_dense(matrix)
    np.testing.assert_array_equal(targets.to_dense(), matrix)
    np.testing.assert_array_equal(targets.known_mask(), ~np.isnan(matrix))
    assert Targets.from_dense(torch.from_numpy(matrix)) == targets
    assert Targets.from_dense(targets.to_dense(unknown=-1), unknown_code=-1) == targets
    assert Targets.from_csr(targets.to_csr()) == targets
    assert Targets.from_csr(targets.positives, targets.unknown) == targets
    assert Targets.from_torch_sparse(targets.to_torch_sparse()) == targets
    assert Targets(targets.positives, targets.unknown) == targets
    assert targets.is_soft == bool((matrix == 0.25).any())
    assert targets.has_unknown == bool(np.isnan(matrix).any())


@given(binary)
def test_binary_cells_round_trip_as_indices(matrix: np.ndarray) -> None:
    targets = Targets.from_dense(matrix)
    width = matrix.shape[1]
    assert targets.to_index_lists() == [np.flatnonzero(row).tolist() for row in matrix]
    assert Targets.from_index_lists(targets.to_index_lists(), width) == targets
    assert Targets.from_padded(targets.to_padded(), width) == targets
    assert Targets.from_padded(torch.from_numpy(targets.to_padded(pad=-100)), width, pad=-100) == targets
    np.testing.assert_array_equal(targets.to_dense(np.int8), matrix)
    np.testing.assert_array_equal(targets.to_dense(bool), matrix.astype(bool))


@given(ternary, st.data())
def test_slices_and_counts_agree_with_numpy(matrix: np.ndarray, data: st.DataObject) -> None:
    targets = Targets.from_dense(matrix)
    rows, width = matrix.shape
    chosen = data.draw(st.lists(st.integers(-rows, rows - 1), max_size=8)) if rows else []
    columns = data.draw(st.permutations(range(width)))
    np.testing.assert_array_equal(targets.rows(chosen).to_dense(), matrix[np.array(chosen, int)])
    np.testing.assert_array_equal(targets.columns(columns).to_dense(), matrix[:, np.array(columns, int)])
    np.testing.assert_array_equal(targets.rows(slice(1, None, 2)).to_dense(), matrix[1::2])
    mask = np.arange(rows) % 2 == 0
    np.testing.assert_array_equal(targets.rows(mask).to_dense(), matrix[mask])
    np.testing.assert_array_equal(targets.label_counts(), (matrix > 0).sum(0))
    np.testing.assert_array_equal(targets.row_counts(), (matrix > 0).sum(1))
    np.testing.assert_array_equal(targets.known_counts(), (~np.isnan(matrix)).sum(0))
    np.testing.assert_allclose(targets.label_sums(), np.nansum(matrix, axis=0))
    np.testing.assert_array_equal(
        Targets.concat([targets.rows(mask), targets.rows(~mask)]).to_dense(),
        np.concatenate([matrix[mask], matrix[~mask]]),
    )


@given(ternary)
def test_cells_are_canonical(matrix: np.ndarray) -> None:
    targets = Targets.from_dense(matrix).columns(slice(None, None, -1))
    for cells in (targets.positives, targets._unknown_or_empty()):
        fresh = csr_array((cells.data, cells.indices, cells.indptr), shape=cells.shape)
        assert fresh.has_canonical_format
        assert (cells.data != 0).all()
    assert targets.positives.dtype == np.float32
    assert targets.unknown is None or (targets.unknown.dtype == bool and targets.unknown.nnz > 0)


# ---------------------------------------------------------------- formats by hand


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_any_dtype_of_zeros_and_ones_is_taken(dtype: type) -> None:
    assert Targets.from_dense(np.array([[1, 0], [0, 1]], dtype)).to_index_lists() == [[0], [1]]


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_torch_tensors_of_any_kind_are_taken() -> None:
    soft = torch.tensor([[0.5, 0.0], [1.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    assert Targets.from_dense(soft).label_sums().tolist() == [1.5, 0]
    assert Targets.from_torch_sparse(torch.eye(3).to_sparse()).to_index_lists() == [[0], [1], [2]]
    assert Targets.from_torch_sparse(torch.eye(3).to_sparse_csr()).to_index_lists() == [[0], [1], [2]]
    assert Targets.from_padded(torch.tensor([[2, -1], [0, 1]]), 3).to_index_lists() == [[2], [0, 1]]


def test_frames_with_missing_values_are_taken() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = Targets.from_dense([[1, NAN, 0], [0, 1, NAN]])
    columns = {"a": [1, 0], "b": [None, True], "c": [0.0, None]}
    assert Targets.from_dense(polars.DataFrame(columns)) == expected
    assert Targets.from_dense(pandas.DataFrame(columns)) == expected
    assert Targets.from_dense(pandas.DataFrame({"a": [1, None]}, dtype="Int64")) == Targets.from_dense(
        [[1], [NAN]]
    )
    with pytest.raises(InputError, match="column 'b': expected 0, 1, a share or a missing value, got 'yes'"):
        Targets.from_dense(pandas.DataFrame({"a": [1, 0], "b": ["yes", "no"]}))
    with pytest.raises(InputError, match=r"got 2 in row 1, column 'b'"):
        Targets.from_dense(polars.DataFrame({"a": [1, 0], "b": [1, 2]}))


def test_sparse_matrices_are_made_canonical_without_touching_them() -> None:
    given_matrix = csr_matrix(([1.0, 0.0, NAN], ([0, 0, 1], [2, 1, 0])), shape=(2, 3))
    before = given_matrix.copy()
    targets = Targets.from_csr(given_matrix)
    np.testing.assert_array_equal(targets.to_dense(), [[0, 0, 1], [NAN, 0, 0]])
    assert given_matrix.nnz == before.nnz == 3
    flags = csr_array(([True, False], ([1, 0], [2, 0])), shape=(2, 3))
    np.testing.assert_array_equal(Targets(given_matrix, flags).to_dense(), [[0, 0, 1], [NAN, 0, NAN]])


def test_values_too_small_for_float32_are_negative() -> None:
    assert Targets.from_dense([[1e-60, 1.0]]).label_counts().tolist() == [0, 1]
    assert Targets.from_csr(csr_array([[1e-60, 1.0]])).positives.nnz == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Targets.from_dense([0, 1]),
            r"expected a multi-hot matrix \(rows, labels\), got shape \(2,\)",
        ),
        (lambda: Targets.from_dense([[0, -1]]), "got -1 in row 0, column 1; pass unknown_code=-1"),
        (lambda: Targets.from_dense([[0, 1.5]]), r"expected targets in \[0, 1\], got 1.5 in row 0, column 1"),
        (lambda: Targets.from_dense([[0, np.inf]]), "got inf in row 0"),
        (lambda: Targets.from_dense([["red"]]), "expected numbers or booleans, got <U3; LabelSpace.encode"),
        (lambda: Targets.from_dense([[1 + 2j]]), "expected numbers or booleans, got complex128"),
        (lambda: Targets.from_dense(csr_array([[1]])), "from_csr takes it as it is"),
        (lambda: Targets.from_csr([[1, 0]]), "expected a SciPy sparse matrix, got list; from_dense"),
        (lambda: Targets.from_csr(csr_array([[3, 0]])), r"expected sparse values in \[0, 1\], got 3; counts"),
        (lambda: Targets.from_csr(csr_array([[-0.5]])), "got -0.5"),
        (
            lambda: Targets(csr_array([[1, 0]]), csr_array([[1, 0]])),
            r"cell \(row 0, column 0\) is both positive and unknown",
        ),
        (
            lambda: Targets(csr_array([[1, 0]]), csr_array([[1, 0, 0]])),
            r"expected equal shapes, got positives \(1, 2\), unknown \(1, 3\)",
        ),
        (
            lambda: Targets(csr_array([[1, 0]]), [[0, 1]]),
            "expected unknown as a SciPy sparse matrix, got list",
        ),
        (lambda: Targets.from_index_lists([[0], [3]], 3), r"row 1: label index 3 is outside \[0, 3\)"),
        (lambda: Targets.from_index_lists([[0, -1]], 3), "row 0: label index -1 is outside"),
        (
            lambda: Targets.from_index_lists([[2], [0, 1, 1]], 3),
            "row 1: label index 1 is listed twice; from_dense",
        ),
        (lambda: Targets.from_index_lists([[0], 1], 3), "row 1: expected a list of label indices, got 1"),
        (lambda: Targets.from_index_lists(["01"], 3), "row 0: expected a list of label indices, got '01'"),
        (lambda: Targets.from_index_lists([["a"]], 3), "row 0: expected a list of label indices"),
        (lambda: Targets.from_index_lists([[0.5]], 3), "row 0: expected a list of label indices"),
        (lambda: Targets.from_index_lists([[NAN]], 3), "row 0: expected a list of label indices"),
        (lambda: Targets.from_index_lists([[True, False]], 2), "row 0: expected a list of label indices"),
        (lambda: Targets.from_padded([[0, 5]], 3), "row 0: label index 5 is outside"),
        (lambda: Targets.from_padded([[0.0, 1.0]], 3), "expected an integer matrix .* from_dense"),
        (lambda: Targets.from_padded([[0, 0, 1]], 3), "row 0: label index 0 is listed twice; from_dense"),
        (lambda: Targets.from_torch_sparse(torch.ones(2).to_sparse()), r"\(rows, labels\), got shape \(2,\)"),
        (lambda: Targets.concat([]), "expected at least one Targets"),
        (
            lambda: Targets.concat([Targets.negative(1, 2), Targets.negative(1, 3)]),
            r"expected parts of one width, got \[2, 3\]",
        ),
        (lambda: TERNARY.rows([7]), "row 7 is outside the 3 rows there are"),
        (lambda: TERNARY.columns([-4]), "column -4 is outside the 3 columns there are"),
        (lambda: TERNARY.rows([True, False]), r"expected a mask of shape \(3,\), got \(2,\)"),
        (lambda: TERNARY.rows([0.5]), "expected row numbers, a slice or a mask, got float64"),
        (
            lambda: TERNARY.to_index_lists(),
            r"soft targets cannot be written as index lists; harden\(\) first",
        ),
        (lambda: TERNARY.harden().to_padded(), "1 unknown cells cannot be written as padded indices"),
        (lambda: TERNARY.to_dense(np.int8), "soft targets do not fit int8"),
        (lambda: TERNARY.harden().to_dense(np.int8), "unknown=nan does not fit int8; pass unknown=-1"),
        (lambda: TERNARY.harden().to_dense(np.uint8, unknown=-1), "unknown=-1 does not fit uint8"),
        (lambda: TERNARY.widen(2), "expected a width of at least 3, got 2"),
    ],
)
def test_bad_input_is_refused_with_the_mend(build, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def test_two_widths_are_a_shape_error() -> None:
    with pytest.raises(ShapeError, match="width"):
        Targets.concat([Targets.negative(1, 2), Targets.negative(1, 3)])


# ---------------------------------------------------------------- changes


def test_hard_targets_harden_to_themselves() -> None:
    hard = Targets.from_dense(np.array([[1, 0, NAN]]))
    assert hard.harden() is hard


def test_harden_keeps_unknown_and_drops_small_shares() -> None:
    np.testing.assert_array_equal(TERNARY.harden().to_dense(), [[1, 0, NAN], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(TERNARY.harden(0.25).to_dense(), [[1, 0, NAN], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(
        TERNARY.harden().to_dense(np.int8, unknown=-1), [[1, 0, -1], [0, 0, 1], [0, 0, 0]]
    )


def test_unknown_cells_can_be_assumed_negative() -> None:
    assert not TERNARY.assume_negative().has_unknown
    np.testing.assert_array_equal(TERNARY.assume_negative().to_dense(), [[1, 0, 0], [0, 0.25, 1], [0, 0, 0]])


def test_new_labels_are_unknown_in_old_rows() -> None:
    np.testing.assert_array_equal(
        TERNARY.widen(4).to_dense(), [[1, 0, NAN, NAN], [0, 0.25, 1, NAN], [0, 0, 0, NAN]]
    )
    np.testing.assert_array_equal(TERNARY.widen(4, unknown=False).to_dense()[:, 3], [0, 0, 0])
    assert TERNARY.widen(3) == TERNARY


def test_equality_is_by_value_and_it_has_no_hash() -> None:
    assert Targets.from_dense([[1, 0]]) != Targets.from_dense([[1, NAN]])
    assert Targets.from_dense([[1, 0]]) != Targets.from_dense([[1, 0, 0]])
    assert Targets.from_dense([[1, 0]]) != Targets.from_dense([[0.5, 0]])
    assert Targets.from_dense([[1, 0]]) != [[1, 0]]
    with pytest.raises(TypeError, match="unhashable"):
        hash(TERNARY)
    assert repr(TERNARY) == "Targets(3 rows, 3 labels, 3 positive, 1 unknown, soft)"


def test_it_is_immutable() -> None:
    with pytest.raises(AttributeError, match=r"has no setter|can't set"):
        TERNARY.positives = None  # type: ignore[misc]
    with pytest.raises(AttributeError, match="has no attribute"):
        TERNARY.extra = 1  # type: ignore[attr-defined]


def test_rows_are_got_by_brackets_as_by_rows() -> None:
    targets = Targets.from_dense([[1, 0, np.nan], [0, 0.5, 0], [0, 0, 1]])
    for index in (slice(1, None), slice(None, None, -1), [2, 0, 0], np.array([1]), [True, False, True], []):
        assert targets[index] == targets.rows(index)
    assert targets[-1] == targets.rows([2])
    with pytest.raises(InputError, match="row 3 is outside the 3 rows there are"):
        targets[3]
    with pytest.raises(InputError, match=r"expected rows alone, got \(0, 1\); write targets\[rows\].columns"):
        targets[0, 1]


def test_it_is_no_sequence_of_rows() -> None:
    targets = Targets.negative(3, 2)
    with pytest.raises(TypeError, match=r"Targets are no NumPy array; to_dense\(\) makes one"):
        np.asarray(targets)
    with pytest.raises(TypeError, match="not iterable"):
        iter(targets)


def test_targets_are_compared_with_arrays_and_taken_apart_by_scikit_learn():
    targets = Targets.from_dense(np.eye(4))
    assert np.zeros(3) != targets
    assert targets != np.zeros(3)
    assert targets[np.array([1, 3]), ...] == targets.rows([1, 3])
    first, second = train_test_split(targets, shuffle=False, test_size=1)
    assert (first, second) == (targets[:3], targets[3:])
