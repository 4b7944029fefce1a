"""Batches of a file are the rows of the whole, and memory stays bounded."""

import json
import os
import subprocess
import sys

import numpy as np
import peak_memory
import polars as pl
import pytest

from manyhot.data import delimited, jsonlines, read, read_inputs, sniff, stream, stream_inputs
from manyhot.errors import InputError, ManyhotWarning, OptionError
from manyhot.labels import LabelSpace, Targets

ROWS = 1000


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(0)
    labels = [[f"l{number}" for number in sorted(set(random.integers(0, 30, 3)))] for _ in range(ROWS)]
    texts = [f'row {row} says "so",\nin two lines' for row in range(ROWS)]
    frame = pl.DataFrame({"text": texts, "labels": labels})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.with_columns(pl.col("labels").list.join("|")).write_csv(tmp_path / "a.csv")
    return tmp_path


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("batch_rows", [1, 7, 400, 5000])
def test_the_batches_are_the_table(files, name, batch_rows, monkeypatch):
    monkeypatch.setattr(delimited.batches, "__defaults__", (4096,))
    monkeypatch.setattr(jsonlines.batches, "__defaults__", (4096,))
    whole = read(files / name)
    if batch_rows == 1:
        whole = whole.take(slice(0, 50))
    schema = sniff(files / name)
    assert schema == whole.schema
    parts = []
    for part in stream(files / name, schema, batch_rows, space=whole.space):
        parts.append(part)
        if len(parts) * batch_rows >= len(whole):
            break
    assert all(len(part) == batch_rows for part in parts[:-1])
    assert [text for part in parts for text in part.inputs.values] == whole.inputs.values
    assert Targets.concat([part.targets for part in parts]) == whole.targets
    assert [name for part in parts for name in part.row_ids] == whole.row_ids.tolist()


def test_names_are_collected_when_no_space_is_given(files):
    schema = sniff(files / "a.csv")
    assert next(stream(files / "a.csv", schema, 10)).space == read(files / "a.csv").space


def test_labels_outside_a_given_space_are_counted(files):
    (part,) = stream(files / "a.parquet", sniff(files / "a.parquet"), ROWS, space=LabelSpace(("l1", "l2")))
    assert part.targets.width == 2
    assert set(part.notes.strange) == set(read(files / "a.parquet").space.names) - {"l1", "l2"}


def test_bad_rows_are_named_in_their_batch(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "text,labels\n" + "".join(f"text of row {row},a\n" for row in range(9)) + "x\nlast text here,b\n"
    )
    skipped = [row.where for part in stream(path, sniff(path), 4) for row in part.notes.skipped]
    assert skipped == ["a.csv:11"]


def test_keys_that_a_whole_block_lacks_are_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines.batches, "__defaults__", (64,))
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a text", "labels": ["x"]}\n' * 3 + '{"text": "a text"}\n' * 10)
    tables = list(stream(path, sniff(path), 4))
    assert sum(len(table) for table in tables) == 13
    assert sum(int(table.targets.known_mask().sum()) for table in tables) == 3


def test_one_column_a_label_streams_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("size,x,y\n" + "".join(f"{row}.5,{row % 2},\n" for row in range(10)))
    schema = sniff(path, labels=["x", "y"])
    tables = list(stream(path, schema, 4))
    assert [len(table) for table in tables] == [4, 4, 2]
    assert tables[0].space.names == ("x", "y")
    assert tables[2].targets.known_mask().tolist() == [[True, False]] * 2


def test_what_cannot_be_streamed_says_so(tmp_path, files):
    (tmp_path / "t.txt").write_text("__label__a some text\n")
    with pytest.raises(InputError, match=r"t.txt holds fasttext; only CSV, TSV, JSONL and Parquet"):
        sniff(tmp_path / "t.txt")
    with pytest.raises(OptionError, match=r"batch_rows must be >= 1, got 0"):
        next(stream(files / "a.csv", sniff(files / "a.csv"), 0))


MEASURE = """
import sys
import peak_memory
from manyhot.data import sniff, stream
from manyhot.labels import LabelSpace
path = sys.argv[1]
schema = sniff(path)
space = LabelSpace(("a", "b", "c"))
next(stream(path, schema, 5000, space=space))
print(*peak_memory.grown_by(lambda: sum(len(part) for part in stream(path, schema, 5000, space=space))))
"""


@pytest.mark.slow
@pytest.mark.skipif(not peak_memory.readable, reason=peak_memory.UNREADABLE)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    rows = 250_000
    frame = pl.DataFrame({"text": ["some words of a text " * 40] * rows, "labels": [["a", "b"]] * rows})
    if name == "a.csv":
        frame.with_columns(pl.col("labels").list.join("|")).write_csv(tmp_path / name)
    elif name == "a.jsonl":
        frame.write_ndjson(tmp_path / name)
    else:  # texts that differ, or Parquet would store one
        numbered = pl.Series([f"{row} " for row in range(rows)])
        frame.with_columns(numbered + pl.col("text")).write_parquet(
            tmp_path / name, row_group_size=10_000, compression="lz4"
        )
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, grown = map(int, done.stdout.split())
    assert found == rows
    assert grown < 120e6  # the texts alone are 210 MB


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_new_rows_in_batches_are_those_read_at_once(files, name):
    schema = sniff(files / name)
    whole, ids = read_inputs(files / name, schema)
    parts = list(stream_inputs(files / name, schema, 300))
    assert [len(inputs) for inputs, _ in parts] == [300, 300, 300, 100]
    assert [text for inputs, _ in parts for text in inputs.values] == whole.values
    np.testing.assert_array_equal(np.concatenate([own for _, own in parts]), ids)


def test_new_rows_of_another_layout_are_one_batch(tmp_path, files):
    (tmp_path / "new.txt").write_text("one text\nand another\n")
    (batch,) = stream_inputs(tmp_path / "new.txt", sniff(files / "a.csv"), 1)
    assert batch[0].values == ["one text", "and another"]


def test_bad_rows_at_the_end_are_told_with_the_last_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines.batches, "__defaults__", (64,))
    good = "".join(json.dumps({"text": f"text {row}", "labels": ["a"]}) + "\n" for row in range(4))
    (tmp_path / "a.jsonl").write_text(good + "{broken\n" * 20)
    schema = sniff(tmp_path / "a.jsonl")
    tables = list(stream(tmp_path / "a.jsonl", schema, 2))
    assert [len(table) for table in tables] == [2, 2]
    assert sum(len(table.notes.skipped) for table in tables) == 20
    with pytest.warns(ManyhotWarning, match="rows left out"):
        assert [len(inputs) for inputs, _ in stream_inputs(tmp_path / "a.jsonl", schema, 2)] == [2, 2]


def test_a_file_of_bad_rows_alone_is_no_empty_stream(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x y", "labels": ["a"]}\n')
    schema = sniff(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("{broken\n" * 3)
    for rows in (
        stream(tmp_path / "b.jsonl", schema, space=LabelSpace(("a",))),
        stream_inputs(tmp_path / "b.jsonl", schema),
    ):
        with pytest.raises(InputError, match=r"b.jsonl holds no row; all 3 rows are bad"):
            list(rows)


def test_where_no_row_can_be_used_the_first_of_the_file_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x y", "labels": ["a"]}\n')
    schema = sniff(tmp_path / "a.jsonl", text="text")
    (tmp_path / "b.jsonl").write_text('{"text": ["x", "y"]}\n' * 5)
    with (
        pytest.warns(ManyhotWarning),
        pytest.raises(InputError, match=r"the first: b.jsonl:1: column 'text'"),
    ):
        list(stream_inputs(tmp_path / "b.jsonl", schema, 2))


@pytest.mark.parametrize("way", [read_inputs, lambda *given: list(stream_inputs(*given))])
def test_a_file_that_is_not_what_its_name_says_is_told_in_either_way(files, tmp_path, way):
    (tmp_path / "b.csv").write_bytes((files / "a.jsonl").read_bytes())
    with pytest.warns(ManyhotWarning, match="b.csv is named .csv but holds JSON lines; read as JSONL"):
        way(tmp_path / "b.csv", sniff(files / "a.jsonl"))
