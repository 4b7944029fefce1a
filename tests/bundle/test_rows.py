"""Rows in memory, in any common form."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_array

from manyhot.bundle.rows import inputs_of
from manyhot.data import Schema
from manyhot.errors import InputError, ManyhotWarning

MATRIX = [[1.0, 2.0], [3.0, 4.5]]


@pytest.mark.parametrize(
    "rows",
    [MATRIX, np.array(MATRIX), np.array(MATRIX, np.float32), torch.tensor(MATRIX), np.array(MATRIX).tolist()],
    ids=["lists", "float64", "float32", "torch", "nested"],
)
def test_a_numeric_matrix_becomes_numbered_columns(rows):
    inputs = inputs_of(rows)
    assert inputs.kind == "columns"
    assert inputs.names == ("0", "1")
    assert inputs.frame.to_numpy().tolist() == MATRIX


@pytest.mark.parametrize("kind", ["pandas", "polars", "mapping", "records"])
def test_tables_keep_their_column_names_and_missing_values(kind):
    columns = {"age": [1.5, None], "colour": ["red", None]}
    rows = {
        "pandas": lambda: pd.DataFrame(columns),
        "polars": lambda: pl.DataFrame(columns),
        "mapping": lambda: columns,
        "records": lambda: [{"age": 1.5, "colour": "red"}, {"age": None, "colour": None}],
    }[kind]()
    frame = inputs_of(rows).frame
    assert frame.columns == ["age", "colour"]
    assert frame["colour"].to_list() == ["red", None]
    assert np.isnan(np.array(frame["age"].to_list(), float)).tolist() == [False, True]


def test_whole_numbers_and_booleans_of_a_frame_stay_numbers():
    frame = inputs_of(pd.DataFrame({"n": [1, 2], "b": [True, False]})).frame
    assert frame["n"].dtype.is_integer()
    assert frame["b"].dtype == pl.Boolean


def test_strings_are_texts_and_paths_of_images_are_images(tmp_path):
    assert inputs_of(["a text", ""]).values == ["a text", ""]
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    for rows in ([tmp_path / "red.png"], [str(tmp_path / "red.png")]):
        images = inputs_of(rows)
        assert images.kind == "image"
        assert images.decode([0], 4).shape == (1, 4, 4, 3)
    assert inputs_of(["photo.jpg"], "text").values == ["photo.jpg"]


def test_sparse_and_pixel_matrices():
    sparse = inputs_of(csr_array(np.array(MATRIX)))
    assert (sparse.kind, sparse.names) == ("sparse", ("0", "1"))
    assert inputs_of(MATRIX, "sparse").matrix.toarray().tolist() == MATRIX
    assert inputs_of(np.zeros((2, 5, 4, 3), np.uint8)).kind == "image"


def test_own_inputs_pass_through():
    inputs = inputs_of(["text"])
    assert inputs_of(inputs) is inputs


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ("one text", None, r"expected a list of rows, got str 'one text': write \['one text'\]"),
        (Path("x.jpg"), None, "expected a list of rows"),
        ([], None, "expected rows, got an empty list"),
        (["a", 3], None, "row 1 is int 3, row 0 is a string"),
        ([[1, 2], [3]], None, "expected rows of equally many numbers"),
        ([object()], None, "expected rows of equally many numbers"),
        (np.zeros(3), None, r"expected a matrix \(rows, columns\), got shape \(3,\)"),
        (7, None, "expected rows as a list, a matrix or a DataFrame, got int"),
        (["a text"], "columns", "the model reads columns, got texts"),
        (MATRIX, "text", "the model reads texts, got columns"),
        (["nowhere.png"], "image", "nowhere.png: no such image file"),
        (np.zeros((2, 4, 4)), "image", r"images \(rows, height, width, 3\), got shape \(2, 4, 4\)"),
        (
            np.zeros((4, 4, 3), np.uint8),
            "image",
            r"got shape \(4, 4, 3\); one image is a list",
        ),
        (
            np.full((1, 4, 4, 3), -2.0),
            "image",
            r"as fractions in \[0, 1\], got float64 in \[-2, -2\]",
        ),
        ([Image.new("RGB", (4, 4)), 3], "image", "row 1 is int, row 0 is a PIL image: give images only"),
    ],
)
def test_what_cannot_be_rows_is_refused_with_the_mend(rows, kind, message):
    with pytest.raises(InputError, match=message):
        inputs_of(rows, kind)


TEXT = Schema(layout="memory", kind="text", text=("title", "body"))


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"id": [1], "body": ["b"], "title": ["t"]}),
        pl.DataFrame({"id": [1], "body": ["b"], "title": ["t"]}),
        {"body": "b", "title": "t"},
        [{"body": "b", "title": "t", "id": 1}],
        {"body": ["b"], "title": ["t"]},
        pd.DataFrame({"whatever": ["t\nb"]}),
    ],
    ids=["pandas", "polars", "one record", "records", "mapping", "one column"],
)
def test_texts_are_taken_from_the_columns_that_the_model_reads(rows):
    assert inputs_of(rows, "text", TEXT).values == ["t\nb"]


def test_a_table_without_these_columns_is_refused_by_name():
    with pytest.raises(InputError, match=r"in the column 'title' and 'body'.* got .*DataFrame of 'a', 'b'"):
        inputs_of(pd.DataFrame({"a": ["x"], "b": ["y"]}), "text", TEXT)


FILE = Schema(layout="jsonl", kind="text", text=("title", "body"))


@pytest.mark.parametrize(
    "rows",
    [
        [{"foo": "b"}],
        {"foo": ["b"]},
        pd.DataFrame({"foo": ["b"]}),
        pd.Series(["b"], name="foo"),
        pl.Series("foo", ["b"]),
    ],
    ids=["records", "mapping", "frame", "pandas", "polars"],
)
def test_a_model_of_a_file_knows_its_texts_by_name(rows):
    with pytest.raises(
        InputError, match=r"texts in the column 'title' and 'body', or as a list, got .*'foo'"
    ):
        inputs_of(rows, "text", FILE)


@pytest.mark.parametrize(
    "rows",
    [["b"], pd.Series(["b"]), pl.Series(["b"]), np.array(["b"])],
    ids=["list", "pandas", "polars", "numpy"],
)
def test_texts_without_a_name_are_texts(rows):
    assert inputs_of(rows, "text", FILE).values == ["b"]


@pytest.mark.parametrize("rows", [[{"body": "b"}], pd.Series(["b"], name="body")], ids=["records", "series"])
def test_of_texts_that_are_joined_one_is_enough(rows):
    with pytest.warns(ManyhotWarning, match="the table has no 'title', .* beside 'body': taken as blank"):
        assert inputs_of(rows, "text", FILE).values == ["b"]


def test_a_number_column_that_holds_words_is_refused():
    schema = Schema(layout="memory", kind="columns", features=(("size", "number"),))
    with pytest.raises(InputError, match=r"row 1 of the table: column 'size' was a number .* 'large'.*1 row"):
        inputs_of([{"size": "1"}, {"size": "large"}], "columns", schema)


def test_sparse_columns_and_images_are_taken_by_name_too(tmp_path):
    schema = Schema(layout="libsvm", kind="sparse", first=1, width=3)
    inputs = inputs_of(pd.DataFrame({"3": [5.0, np.nan], "1": [1, 0], "x": ["a", "b"]}), "sparse", schema)
    assert inputs.with_names(("1", "2", "3")).matrix.toarray().tolist() == [[1, 0, 5], [0, 0, 0]]
    infinite = inputs_of(pd.DataFrame({"3": [np.inf]}), "sparse", schema).matrix
    assert infinite.data.tolist() == [np.inf]  # for the model to name, as it does of a file
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    schema = Schema(layout="parquet", kind="image", image="file")
    images = inputs_of(pd.DataFrame({"file": [str(tmp_path / "red.png")], "n": [1]}), "image", schema)
    assert images.decode([0], 4)[0, 0, 0].tolist() == [255, 0, 0]


def test_images_in_memory_come_as_pictures_fractions_or_channels_first():
    red = np.zeros((1, 6, 4, 3), np.uint8)
    red[..., 0] = 255
    wanted = inputs_of(red, "image").decode([0], 4).tolist()
    assert wanted[0][0][0] == [255, 0, 0]
    first = torch.from_numpy(red / 255).permute(0, 3, 1, 2)
    for rows in (red / 255, first, [red[0]], [Image.fromarray(red[0])]):
        assert inputs_of(rows, "image").decode([0], 4).tolist() == wanted


def test_pictures_may_differ_in_size_and_mode():
    clear, grey = Image.new("RGBA", (3, 5), (0, 0, 0, 0)), Image.new("L", (4, 4), 7)
    decoded = inputs_of([Image.new("RGB", (8, 6), "red"), clear, grey]).decode([0, 1, 2], 4)
    assert decoded[:, 1, 1].tolist() == [[255, 0, 0], [255, 255, 255], [7, 7, 7]]


def test_no_rows_of_a_table_are_no_texts():
    schema = Schema(layout="delimited", kind="text", text=("text",))
    assert len(inputs_of(pd.DataFrame({"text": ["a"]})[:0], "text", schema)) == 0
    with pytest.raises(InputError, match=r"got columns \(Series of 'other'\)"):
        inputs_of(pd.Series(["a"], name="other"), "text", schema)
