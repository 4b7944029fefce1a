"""What a fit says of its rows before it trains."""

import re
from dataclasses import replace

import numpy as np
import pytest

from manyhot.data import Table, Texts, examine
from manyhot.errors import ManyhotWarning
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.runs import events, fit
from manyhot.runs.doubts import doubts, leaking
from manyhot.runs.parts import parts_of


def table_of(rows: list[list[int]], part: str, space: LabelSpace) -> Table:
    parts = np.array([{"t": "train", "v": "valid", "e": "test"}[letter] for letter in part])
    return Table.of(Texts(["x"] * len(rows)), Targets.from_index_lists(rows, len(space)), space, part=parts)


def test_labels_of_test_rows_only_and_rows_that_break_a_group_are_counted():
    space = LabelSpace(("red", "blue", "dress"), groups=(Group("colour", ("red", "blue")),))
    table = table_of([[0], [0, 2], [0, 1], [], [1, 2]], "tttve", space)
    assert list(doubts(table, parts_of(table))) == [
        "1 row is against the label space: colour: more than one",
        "1 row is against the label space: colour: none",
    ]
    table = table_of([[0], [0], [0], [0], [1, 2]], "tttve", space)
    assert next(doubts(table, parts_of(table))) == "2 labels are in test rows only: 'blue', 'dress'"


def test_nothing_is_said_of_clean_rows():
    table = table_of([[0], [1], [0], [1], [1, 0]], "tttve", LabelSpace(("red", "blue")))
    assert list(doubts(table, parts_of(table))) == []


def test_the_training_file_given_as_the_test_file_is_warned_of(tmp_path):
    rows = "".join(f"text of row {row},{'a|b' if row % 3 else 'b'}\n" for row in range(60))
    (tmp_path / "tr.csv").write_text(f"text,labels\n{rows}")
    with pytest.warns(
        ManyhotWarning, match="60 of the 60 test rows equal training rows, in inputs and labels"
    ):
        fit(tmp_path / "tr.csv", read={"test": tmp_path / "tr.csv"})


def test_a_few_equal_rows_are_said_and_no_warning(tmp_path):
    lines = [
        f"text of row {row},{'a|b' if row % 3 else 'b'},{'train' if row < 60 else 'test'}"
        for row in range(90)
    ]
    lines[89] = lines[0].replace("train", "test")
    (tmp_path / "tr.csv").write_text("\n".join(["text,labels,split", *lines]))
    heard = []
    fit(tmp_path / "tr.csv", on_event=heard.append)
    (told,) = [event.sentence for event in heard if isinstance(event, events.Doubted)]
    assert told == "1 of the 30 test rows equal training rows, in inputs and labels"


def test_groups_that_given_parts_separate_are_warned_of_as_the_doctor_does():
    rows = [[row % 2] for row in range(40)]
    part = np.where(np.arange(40) < 30, "train", "test")
    patient = np.array([f"p{row % 36}" for row in range(40)])  # p0 to p3 are in both parts
    table = Table.of(
        Texts([f"row {row}" for row in range(40)]),
        Targets.from_index_lists(rows, 2),
        LabelSpace(("a", "b")),
        part=part,
        group=patient,
    )
    told = "4 groups with rows in several parts (8 rows; p0, p1, p2): the test is too easy"
    with pytest.warns(ManyhotWarning, match=re.escape(told)):
        fit(table)
    assert str(examine(table).findings[0]).startswith(f"!! {told}")


def test_parts_that_keep_groups_whole_are_not_warned_of():
    table = table_of([[0], [1], [0], [1], [1, 0]], "tttve", LabelSpace(("a", "b")))
    assert list(leaking(table)) == []
    assert list(leaking(replace(table, group=np.array(list("aaabc"))))) == []
