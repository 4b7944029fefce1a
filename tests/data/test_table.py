"""`Table`: its parts agree, and it remembers how it was read."""

import numpy as np
import pytest

from manyhot.data import BadRow, Notes, Table, Texts
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
