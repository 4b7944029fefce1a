import hashlib
import zipfile
from collections import Counter

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from manyhot.data.doctor.repeats import Leaks, Repeats, group_leaks, repeats
from manyhot.data.images import Images
from manyhot.data.inputs import Columns, SparseColumns, Texts
from manyhot.data.table import Table
from manyhot.labels import LabelSpace

SPACE = LabelSpace(("a", "b"))


def table_of(inputs, labels, part=None, group=None):
    part = None if part is None else np.array(part)
    group = None if group is None else np.array(group)
    return Table.of(inputs, SPACE.encode(labels), SPACE, part=part, group=group)


@pytest.mark.parametrize(
    "inputs",
    [
        Texts(["x", "y", "x", "x", "z"]),
        Columns(pl.DataFrame({"n": [1.0, 2.0, 1.0, 1.0, None], "c": ["p", "p", "p", "p", "p"]})),
        SparseColumns(sparse.csr_array(np.float32([[1, 0], [0, 1], [1, 0], [1, 0], [0, 0]])), ("p", "q")),
        Images.of_array(np.uint8([0, 1, 0, 0, 2]).reshape(5, 1, 1, 1) * np.ones((5, 4, 4, 3), np.uint8)),
    ],
    ids=lambda inputs: inputs.kind,
)
def test_equal_rows_of_every_kind_of_input(inputs):
    table = table_of(inputs, [["a"], ["b"], ["a"], ["b"], []], ["train", "train", "test", "valid", "test"])
    assert repeats(table) == Repeats(rows=2, contradictory=3, across=2, empty=0)


def test_stored_zeros_and_column_order_do_not_matter():
    matrix = sparse.csr_array(
        (np.float32([1, 2, 2, 1, 0]), np.array([0, 1, 1, 0, 2]), np.array([0, 2, 5])), shape=(2, 3)
    )
    assert repeats(table_of(SparseColumns(matrix, ("p", "q", "r")), [[], []])).rows == 1
    assert matrix.nnz == 5  # the caller's matrix is left alone


def test_empty_texts_are_counted_and_not_compared():
    assert repeats(table_of(Texts(["", "", "x"]), [["a"], ["b"], []])) == Repeats(0, 0, 0, empty=2)


def test_images_are_compared_by_the_bytes_of_their_files(tmp_path):
    for name, content in {"1": b"same", "2": b"same", "3": b"other", "4": b""}.items():
        (tmp_path / name).write_bytes(content)
    table = table_of(Images.of_folder(tmp_path, ["1", "2", "3", "4", "missing"]), [["a"], ["a"], [], [], []])
    assert repeats(table) == Repeats(rows=1, contradictory=0, across=0, empty=2)


def test_a_table_without_rows():
    assert repeats(table_of(Texts([]), [])) == Repeats(0, 0, 0, 0)


def test_groups_that_parts_separate():
    table = table_of(
        Texts(list("stuvw")), [[]] * 5, ["train", "test", "train", "train", "test"], [7, 7, 8, 8, 9]
    )
    assert group_leaks(table) == Leaks(groups=1, rows=2, examples=("7",))


def test_no_groups_or_no_parts_cannot_leak():
    assert group_leaks(table_of(Texts(["s"]), [[]], part=["train"])) == Leaks(0, 0, ())
    assert group_leaks(table_of(Texts(["s"]), [[]], group=[1])) == Leaks(0, 0, ())


def test_fashion_repeats_as_its_files_do(shared_data):
    from manyhot.data import read

    archive = shared_data / "fashion" / "images.zip"
    with zipfile.ZipFile(archive) as images:
        hashes = Counter(hashlib.sha256(images.read(name)).digest() for name in images.namelist())
    found = repeats(read(shared_data / "fashion"))
    assert found.rows == sum(count - 1 for count in hashes.values())
    assert found.across == 0  # the README: exact duplicates are kept on one side


def test_rows_without_features_are_not_called_equal():
    bare = SparseColumns(sparse.csr_array((3, 0), dtype=np.float32), ())
    assert repeats(table_of(bare, [["a"], ["b"], []], ["train", "test", "valid"])) == Repeats(0, 0, 0, 0)
