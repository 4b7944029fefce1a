"""Whatever `fit` is given becomes a table."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, Targets
from manyhot.runs import open_data
from manyhot.runs.source import is_embedded

TEXTS = ["one", "two", "three"]


@pytest.mark.parametrize(
    ("labels", "names", "rows"),
    [
        ([["b", "a"], [], ["a"]], ("a", "b"), [[0, 1], [], [0]]),
        ((("a",), ("b",), ()), ("a", "b"), [[0], [1], []]),
        (np.array([["b"], [], ["a", "b"]], dtype=object), ("a", "b"), [[1], [], [0, 1]]),
        (pd.Series([["b"], [], ["a", "b"]]), ("a", "b"), [[1], [], [0, 1]]),
        (pl.Series([["b"], [], ["a", "b"]]), ("a", "b"), [[1], [], [0, 1]]),
        (pd.DataFrame({"x": [1, 0, 0], "y": [1, 1, 0]}), ("x", "y"), [[0, 1], [1], []]),
        (np.array([[1, 0], [1, 1], [0, 0]]), ("0", "1"), [[0], [0, 1], []]),
        (csr_array(np.array([[1.0, 0], [1, 1], [0, 0]])), ("0", "1"), [[0], [0, 1], []]),
        (Targets.from_index_lists([[0], [], [1]], 2), ("0", "1"), [[0], [], [1]]),
    ],
    ids=["lists", "tuples", "objects", "series", "polars", "frame", "matrix", "sparse", "targets"],
)
def test_labels_in_memory_come_in_any_form(labels, names, rows):
    table = open_data(TEXTS, labels)
    assert table.space.names == names
    assert table.targets.to_index_lists() == rows
    assert table.inputs.values == TEXTS
    assert table.notes.sentence == "3 rows in memory, 2 labels"


def test_a_label_space_decides_order_and_unknown_names():
    space = LabelSpace(("b", "c", "a"))
    table = open_data(TEXTS, [["a"], ["b"], []], space=space)
    assert table.space == space
    assert table.targets.to_index_lists() == [[2], [0], []]
    with pytest.raises(InputError, match="label 'd'"):
        open_data(TEXTS, [["d"], [], []], space=space)


def test_a_generator_of_names_is_read_with_a_space():
    space = LabelSpace(("b", "c", "a"))
    table = open_data(TEXTS, (row for row in [["a"], ["b"], []]), space=space)
    assert table.targets.to_index_lists() == [[2], [0], []]


def test_a_table_stays_as_it_is():
    table = open_data(TEXTS, [["a"], [], []])
    assert open_data(table) is table


def test_a_file_is_read_with_its_options(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("body,other,tags\nrain today,x,a|b\nno rain,y,b\nthe sun,x,\n")
    table = open_data(path, "tags", text="body")
    assert table.space.names == ("a", "b")
    assert table.inputs.values == ["rain today", "no rain", "the sun"]


def test_an_embedded_set_goes_by_its_name_unless_a_file_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_embedded("toy")
    assert is_embedded("openml:yeast")
    assert open_data("toy").space.names == ("right", "up", "both")
    (tmp_path / "toy").write_text("a file")
    assert not is_embedded("toy")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((TEXTS,), {}, InputError, "rows in memory need their labels"),
        ((TEXTS, [["a"]]), {}, InputError, "got 3 rows and 1 sets of labels"),
        ((TEXTS, ["a", "b", "c"]), {}, InputError, r"expected a list of label names, got the string 'a'"),
        ((TEXTS, [["a"], [], []]), {"text": "body"}, OptionError, "take no options of files: leave out text"),
        (("toy", ["a"]), {}, OptionError, "the embedded data set toy has its own labels: leave out labels"),
        (("no/such.csv",), {}, InputError, "no such file"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        open_data(*arguments, **options)


def test_labels_may_be_columns_of_the_data_frame():
    texts = ["rain today again", "no rain here", "the sun is out"]
    frame = pd.DataFrame({"body": texts, "tags": ["a|b", "b", ""], "n": [1, 2, 2]})
    table = open_data(frame, "tags")
    assert table.targets.to_index_lists() == [[0, 1], [1], []]
    assert table.space.names == ("a", "b")
    assert table.schema.labels.columns == ("tags",)
    frame = pl.DataFrame({"body": texts, "tags": texts, "n": [1, 2, 2], "x": [0, 1, 1], "y": [1, 1, 0]})
    table = open_data(frame, ["x", "y"], text="body", features=["n"])
    assert table.targets.to_index_lists() == [[1], [0, 1], [0]]
    assert (table.inputs.kind, table.inputs.text) == ("mixed", ("body",))
    with pytest.raises(InputError, match="no label column 'tgs'; the DataFrame has 'body', 'tags'"):
        open_data(frame, "tgs")


def test_a_table_takes_no_labels_besides_its_own():
    table = open_data(TEXTS, [["a"], [], []])
    with pytest.raises(
        OptionError, match="a Table has its labels and its label space already: leave out labels"
    ):
        open_data(table, [["b"], [], []])
