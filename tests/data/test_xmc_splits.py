"""Split files: the genuine ones of Delicious, and small ones by hand."""

import numpy as np
import pytest

import manyhot as mh
from manyhot.data.xmc_splits import is_split_file
from manyhot.errors import InputError, OptionError

ROWS = 8


@pytest.fixture
def folder(tmp_path):
    """Eight rows, the fourth without label and features, and two splits; the second tests rows 8 and 1."""
    lines = [f"{row % 3} {row % 5}:1.0" for row in range(ROWS)]
    lines[3] = ""
    (tmp_path / "Small.txt").write_text("\n".join([f"{ROWS} 5 3", *lines]) + "\n")
    (tmp_path / "small_tstSplit.txt").write_text("2 8\n4 1\n")
    (tmp_path / "small_trSplit.txt").write_text("1 2\n3 3\n5 4\n6 5\n7 6\n8 7\n")
    return tmp_path


def test_rows_of_the_split_test_and_all_others_train(folder):
    table = mh.read(folder / "Small.txt", test=folder / "small_tstSplit.txt")
    assert table.where("test").tolist() == [1, 3]
    assert table.where("train").tolist() == [0, 2, 4, 5, 6, 7]
    assert "parts by small_tstSplit.txt (split 1 of 2; say split= for another)" in table.notes.warnings
    second = mh.read(folder / "Small.txt", test=folder / "small_tstSplit.txt", split="2")
    assert second.where("test").tolist() == [0, 7]


def test_a_folder_applies_the_split_that_lies_beside_its_data(folder):
    table = mh.read(folder)
    assert table.where("test").tolist() == [1, 3]
    assert table.row_ids.tolist() == mh.read(folder / "Small.txt").row_ids.tolist()


def test_a_row_left_out_does_not_move_the_others(folder):
    path = folder / "Small.txt"
    path.write_text(path.read_text().replace("2 2:1.0\n", "2 2:one\n"))  # row 3
    table = mh.read(path, test=folder / "small_tstSplit.txt")
    assert [int(line) - 1 for line in table.row_ids[table.where("test")]] == [2, 4]


def test_delicious_with_its_own_splits(shared_data, tmp_path):
    native = shared_data / "native" / "xmc_delicious"
    for split in ("1", "10"):
        table = mh.read(
            native / "Delicious_rebuilt.txt.gz", test=native / "delicious_tstSplit.txt", split=split
        )
        rows = {
            name: {int(line) - 1 for line in table.row_ids[table.where(name)]} for name in ("train", "test")
        }
        for part, file in (("test", "delicious_tstSplit.txt"), ("train", "delicious_trSplit.txt")):
            assert rows[part] == set(np.loadtxt(native / file, dtype=int)[:, int(split) - 1].tolist())
    text = (native / "Delicious_first999.txt").read_text().replace("16105", "999", 1)
    (tmp_path / "first.txt").write_text(text)
    with pytest.raises(InputError, match=r"names row 3,813, .* has 999: the split belongs to another file"):
        mh.read(tmp_path / "first.txt", test=native / "delicious_tstSplit.txt")


@pytest.mark.parametrize("split", ["0", "3", "test"])
def test_a_split_that_is_not_there_is_refused(folder, split):
    with pytest.raises(OptionError, match=r"small_tstSplit.txt holds splits 1 to 2, got split"):
        mh.read(folder / "Small.txt", test=folder / "small_tstSplit.txt", split=split)


def test_a_row_in_two_parts_and_a_split_of_another_layout_are_refused(folder):
    both = {"test": folder / "small_tstSplit.txt", "valid": folder / "small_tstSplit.txt"}
    with pytest.raises(InputError, match="in another part already"):
        mh.read(folder / "Small.txt", **both)
    (folder / "table.csv").write_text("text,labels\n" + "a few words here,x|y\n" * 9)
    with pytest.raises(InputError, match=r"table.csv is not in its layout"):
        mh.read(folder / "table.csv", test=folder / "small_tstSplit.txt")


def test_data_files_are_no_split_files(folder, shared_data):
    native = shared_data / "native"
    assert is_split_file(folder / "small_trSplit.txt")
    for name in ("xmc_eurlex4k_labels/trn_X_Y.txt", "xmc_eurlex4k_labels/inv_prop.txt"):
        assert not is_split_file(native / name)


def test_a_split_file_may_end_without_a_line_break(folder):
    split = folder / "small_tstSplit.txt"
    split.write_text("2 8\n4 1")
    assert is_split_file(split)
    assert np.flatnonzero(mh.read(folder).part == "test").tolist() == [1, 3]
