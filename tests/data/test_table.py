"""`Table`: its parts agree, and it remembers how it was read."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from manyhot.data import BadRow, Columns, Images, Mixed, Notes, SparseColumns, Table, Texts
from manyhot.errors import ShapeError
from manyhot.labels import LabelSpace, Targets

SPACE = LabelSpace(("a", "b"))


def table(**changes):
    parts = {"part": np.array(["train", "test", "train"]), "group": np.array([1, 2, 1])} | changes
    return Table.of(Texts(["x", "y", "z"]), Targets.from_index_lists([[0], [1], []], 2), SPACE, **parts)


def test_parts_and_rows():
    whole = table(row_ids=["p", "q", "r"])
    assert len(whole) == 3
    assert whole.where("train").tolist() == [0, 2]
    assert whole.where("valid").tolist() == []
    some = whole.take(whole.where("train"))
    assert some.inputs == Texts(["x", "z"])
    assert some.row_ids.tolist() == ["p", "r"]
    assert some.group.tolist() == [1, 1]
    assert some.targets == Targets.from_index_lists([[0], []], 2)
    assert table(part=None).where("train").tolist() == []


def test_pieces_of_other_lengths_are_refused():
    with pytest.raises(ShapeError, match=r"3 input rows, but 2 in row_ids"):
        table(row_ids=["p", "q"])
    with pytest.raises(ShapeError, match=r"3 input rows, but 1 in part"):
        table(part=np.array(["train"]))
    with pytest.raises(ShapeError, match=r"targets of width 3, but 2 labels in the space"):
        Table.of(Texts(["x"]), Targets.from_index_lists([[0]], 3), SPACE)


def test_notes_print_a_few_of_many_bad_rows():
    bad = tuple(BadRow(f"a.csv:{line}", "ragged") for line in range(8))
    lines = Notes("read a.csv", bad, ("a doubt",)).lines(most=2)
    assert lines == ["read a.csv", "note: a doubt", "skipped a.csv:0: ragged", "skipped a.csv:1: ragged",
                     "skipped 6 more rows"]  # fmt: skip
    assert Notes("read a.csv; skipped 1 bad row", bad[:1]).lines() == ["read a.csv; skipped 1 bad row"]


def test_a_table_is_shown_in_a_line_and_its_first_rows_in_a_notebook():
    rows = 1200
    part = np.array(["train", "test"] * (rows // 2))
    table = Table.of(
        Texts([f"text {row} with <b>markup</b>" for row in range(rows)]),
        Targets.from_index_lists([[0], []] * (rows // 2), 2),
        LabelSpace(("a&b", "c")),
        part=part,
    )
    assert repr(table) == "Table(1,200 texts, 2 labels, 0.50 a row, train 600, test 600)"
    shown = table._repr_html_()
    assert shown.count("<tr>") == 6
    assert "text 4 with &lt;b&gt;markup" in shown
    assert "a&amp;b" in shown


@pytest.mark.parametrize(
    ("inputs", "told", "glance"),
    [
        (Columns(pl.DataFrame({"a": [1], "b": ["x"]})), "1 row of 2 columns", "a 1, b x"),
        (Columns(pl.DataFrame({f"c{n}": [n] for n in range(7)})), "1 row of 7 columns",
         "c0 0, c1 1, c2 2, c3 3, c4 4, and 2 more"),
        (Texts(["word " * 40]), "1 text", ("word " * 15 + "wo").strip() + "..."),
        (SparseColumns(csr_array(np.array([[0, 2.0, 1]])), ("a", "b", "c")), "1 row of 3 sparse columns",
         "2 of 3 columns"),
        (Mixed(pl.DataFrame({"t": ["some text"], "n": [1]}), ("t",)), "1 text with 1 column", "some text"),
        (Images.of_paths(["a.png"]), "1 image", "a.png"),
    ],
)  # fmt: skip
def test_inputs_are_shown_in_a_few_words(inputs, told, glance):
    assert repr(inputs) == told
    assert inputs.glance() == [glance]
