"""Keys of rows: equal for equal contents however they come, different for different ones."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from manyhot.data import Columns, Images, Mixed, SparseColumns, Table, Texts, read
from manyhot.data.keys import input_keys, label_keys, row_keys
from manyhot.labels import LabelSpace, Targets


def columns(**values) -> Columns:
    return Columns(pl.DataFrame(values))


def mixed(**values) -> Mixed:
    return Mixed(pl.DataFrame(values), ("t",))


def test_order_and_types_of_columns_do_not_matter():
    one = input_keys(columns(a=[1, 2, 0], b=[0.1, None, 7.0], c=["x", "", None]))
    frame = pl.DataFrame(
        {
            "c": pl.Series(["x", "", None], dtype=pl.Categorical),
            "b": pl.Series([0.1, None, 7.0], dtype=pl.Float32),
            "a": [1.0, 2.0, 0.0],
        }
    )
    assert (input_keys(Columns(frame)) == one).all()
    assert len(set(one.tolist())) == 3


def test_dense_and_sparse_columns_have_one_key():
    dense = np.array([[0, 1.5, 0], [2, 0, np.nan], [0, 0, 0]], np.float32)
    inputs = SparseColumns(sparse.csr_array(dense), ("a", "b", "c"))
    keys = input_keys(inputs)
    assert (keys == input_keys(Columns(pl.DataFrame(dense, schema=["a", "b", "c"])))).all()
    assert len(set(keys.tolist())) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (columns(a=[1], b=[0]), columns(a=[0], b=[1])),
        (columns(a=[None], b=[1]), columns(a=[0], b=[1])),
        (columns(a=["1"]), columns(a=[1])),
        (columns(a=[0.1]), columns(a=[0.1001])),
        (columns(a=[16_777_217]), columns(a=[16_777_216])),
        (Texts(["ab"]), Texts(["ba"])),
        (mixed(t=["x"], n=[1]), mixed(t=["x"], n=[2])),
    ],
)
def test_other_contents_have_other_keys(one, other):
    assert input_keys(one)[0] != input_keys(other)[0]


def test_images_count_by_their_bytes_and_not_by_their_names(tmp_path):
    for name, data in (("a.png", b"one"), ("b.png", b"one"), ("c.png", b"two")):
        (tmp_path / name).write_bytes(data)
    same, again, other, missing = input_keys(Images.of_folder(tmp_path, ["a.png", "b.png", "c.png", "d.png"]))
    assert same == again != other
    assert missing == 0


def test_labels_count_by_name_and_unknown_is_not_negative():
    def key(dense, names):
        space = LabelSpace(names)
        return label_keys(Table.of(Texts(["x"]), Targets.from_dense(np.array([dense], float)), space))[0]

    assert key([1, 0], ("a", "b")) == key([0, 1], ("b", "a"))
    assert key([1, 0], ("a", "b")) != key([0, 1], ("a", "b"))
    assert key([1, np.nan], ("a", "b")) != key([1, 0], ("a", "b"))


def test_only_the_named_columns_count():
    table = Table.of(columns(a=[1, 1], b=[2, 3]), Targets.from_index_lists([[0], [0]], 1), LabelSpace(("x",)))
    assert len(set(row_keys(table, ["a"]).tolist())) == 1
    assert len(set(row_keys(table).tolist())) == 2


@pytest.mark.parametrize(("twin", "name"), [("arff_mulan_dense", "yeast"), ("arff_mulan_sparse", "enron")])
def test_the_arff_twin_of_a_parquet_file_has_its_keys(shared_data, twin, name):
    table = read(shared_data / name)
    again = read(shared_data / "native" / twin, like=table.schema, space=table.space)
    assert len(again) == len(table)
    assert np.isin(row_keys(again), row_keys(table)).all()
