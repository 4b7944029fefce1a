"""Rows of a run are known again by content; legitimate repetition is not taken for it."""

import numpy as np
import pytest

from manyhot.errors import RunError
from manyhot.runs.seen import SeenRows, read_seen_rows


def seen(train: str, valid: str = "", test: str = "") -> SeenRows:
    """Rows named by letters: equal letters are equal rows."""
    return SeenRows(*(keys(part) for part in (train, valid, test)))


def keys(letters: str) -> np.ndarray:
    return np.array([ord(letter) for letter in letters], np.uint64)


@pytest.mark.parametrize(
    ("rows", "judges"),
    [
        ("abcdef", [4, 5]),  # all rows of the run
        ("fbedca", [0, 2]),  # in another order
        ("ef", [0, 1]),  # its test rows alone
        ("xeyf", [1, 3]),  # among new rows
        ("abc", []),  # training rows alone
        ("xyz", []),
    ],
)
def test_the_test_rows_are_found(rows, judges):
    assert seen("abc", "d", "ef").judges(keys(rows)).tolist() == judges


@pytest.mark.parametrize(
    ("rows", "count"),
    [("aabcaef", 3), ("aabc", 0), ("aef", 3), ("aefa", 3)],
    ids=["all rows", "training rows", "test rows", "one more of them"],
)
def test_rows_in_both_parts_count_as_often_as_they_are_left_over(rows, count):
    assert len(seen("aabc", test="aef").judges(keys(rows))) == count


def test_learned_rows_are_those_of_train_and_valid():
    assert seen("abc", "d", "ef").learned(keys("xafd")).tolist() == [False, True, False, True]


def test_repetition_inside_the_training_rows_excuses_as_much_outside():
    letters = "".join(map(chr, range(200)))
    apart, half, alike = seen(letters), seen(letters[:100] + 100 * "ÿ"), seen(letters[:50] * 4)
    # share granted: 0.1, 0.6 and all; with two standard deviations 16, 69.8 and 100 of 100 rows
    assert [apart.are_too_many(rows, 100) for rows in (16, 17)] == [False, True]
    assert [half.are_too_many(rows, 100) for rows in (69, 70)] == [False, True]
    assert not alike.are_too_many(100, 100)


def test_one_row_that_is_a_training_row_is_too_many():
    assert seen("abcdef").are_too_many(1, 1)


def test_written_rows_read_back(tmp_path):
    seen("abc", "d", "ef").write(tmp_path)
    again = read_seen_rows(tmp_path)
    assert [part.tolist() for part in (again.train, again.valid, again.test)] == [
        keys(part).tolist() for part in ("abc", "d", "ef")
    ]
    (tmp_path / "rows.parquet").write_text("half")
    with pytest.raises(RunError, match=r"is missing or damaged .* copy the whole run folder"):
        read_seen_rows(tmp_path)
