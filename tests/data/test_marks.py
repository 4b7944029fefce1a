"""Labels written in two Unicode forms, as they come from folder names of one system and tables of another."""

import json
import unicodedata

import numpy as np
import pytest

import manyhot as mh
from manyhot.data.streaming import sniff, stream
from manyhot.errors import InputError

ONE = "caf\u00e9"
TWO = unicodedata.normalize("NFD", ONE)
ROWS = [["tea", ONE], [TWO], [TWO, ONE], ["tea"]]
MEANT = [[1, 1], [1, 0], [1, 0], [0, 1]]  # café, tea


def write(path, rows, start=0):
    lines = [json.dumps({"text": f"cup {n} of it", "labels": row}) for n, row in enumerate(rows, start)]
    path.write_text("\n".join(lines))
    return path


def test_two_forms_of_a_name_are_read_as_one_label_and_told(tmp_path):
    table = mh.read(write(tmp_path / "cups.jsonl", ROWS))
    assert table.space.names == (ONE, "tea")
    assert np.array_equal(table.targets.to_dense(), MEANT)
    assert [line for line in table.notes.warnings if "1 label is written in two Unicode forms" in line]


def test_forms_that_differ_between_files_meet(tmp_path):
    train = write(tmp_path / "train.jsonl", [[ONE], ["tea"]])
    test = write(tmp_path / "test.jsonl", [[TWO], ["tea"]], start=5)
    table = mh.read(train, test=test)
    assert table.space.names == (ONE, "tea")
    assert np.array_equal(table.targets.to_dense(), [[1, 0], [0, 1], [1, 0], [0, 1]])
    assert "two Unicode forms" in " ".join(table.notes.warnings)


@pytest.mark.parametrize("form", [ONE, TWO])
def test_labels_of_a_given_space_are_found_in_either_form(tmp_path, form):
    table = mh.read(write(tmp_path / "cups.jsonl", ROWS), space=mh.LabelSpace((form, "tea")))
    assert np.array_equal(table.targets.to_dense(), MEANT)
    assert not [line for line in table.notes.warnings if "not in the label space" in line]


def test_batches_see_one_label_too(tmp_path):
    path = write(tmp_path / "cups.jsonl", ROWS)
    batches = list(stream(path, sniff(path), batch_rows=2))
    assert [batch.space.names for batch in batches] == [(ONE, "tea")] * 2
    assert np.array_equal(np.vstack([batch.targets.to_dense() for batch in batches]), MEANT)


def test_columns_that_look_the_same_are_refused(tmp_path):
    path = tmp_path / "cups.csv"
    path.write_text(f"size,{ONE},{TWO}\n" + "\n".join(f"{n},{n % 2},{n % 3 == 0:d}" for n in range(12)))
    with pytest.raises(InputError, match="look the same"):
        mh.read(path, labels=[ONE, TWO])
    with pytest.raises(InputError, match=r"look the same, .* one label of the space: leave one of them out"):
        mh.read(path, labels=[ONE, TWO], space=mh.LabelSpace((ONE, "tea")))
