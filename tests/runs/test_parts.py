"""Given parts are honoured, missing ones are cut from the training rows."""

import numpy as np
import pytest

from manyhot.data import Table, Texts
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, Targets
from manyhot.runs.parts import parts_of, require_rows

SPACE = LabelSpace(("a", "b"))


def table_of(parts: str = "", rows: int = 40, groups=None) -> Table:
    """A table whose rows are in the parts of these letters: t(rain), v(alid), e(valuation); "" names none."""
    names = {"t": "train", "v": "valid", "e": "test"}
    part = np.array([names[parts[row % len(parts)]] for row in range(rows)]) if parts else None
    targets = Targets.from_index_lists([[row % 2] for row in range(rows)], 2)
    return Table.of(Texts(["x"] * rows), targets, SPACE, part=part, group=groups)


def test_without_parts_all_three_are_made():
    parts = parts_of(table_of(), (0.5, 0.25, 0.25))
    assert parts.sizes == {"train": 20, "valid": 10, "test": 10}
    assert sorted(np.concatenate([parts.train, parts.valid, parts.test])) == list(range(40))
    assert parts.sentence == "train 20 | valid 10 | test 10 (stratified, seed 0)"


def test_given_parts_are_kept_to_the_row():
    table = table_of("tttvee")
    parts = parts_of(table)
    for name in ("train", "valid", "test"):
        assert np.array_equal(getattr(parts, name), table.where(name))
    assert parts.how == "as given"


@pytest.mark.parametrize(
    ("letters", "missing", "how"),
    [
        ("tttee", "valid", "valid taken from train, stratified, seed 3"),
        ("tttvv", "test", "test taken from train, stratified, seed 3"),
        ("t", "valid", "valid and test taken from train, stratified, seed 3"),
    ],
)
def test_a_missing_part_is_cut_from_the_training_rows(letters, missing, how):
    table = table_of(letters)
    parts = parts_of(table, seed=3)
    assert set(getattr(parts, missing)) <= set(table.where("train"))
    assert len(getattr(parts, missing)) > 0
    assert not set(parts.train) & set(getattr(parts, missing))
    assert parts.how == how


def test_validation_rows_need_not_be_cut():
    assert parts_of(table_of("tttee"), cut_valid=False).how == "as given"
    assert parts_of(table_of(), cut_valid=False).sizes["valid"] == 4  # where the data names no part
    assert parts_of(table_of("tv"), cut_valid=False).sizes["valid"] == 20


def test_the_same_seed_gives_the_same_parts_and_digest():
    first, again, other = (parts_of(table_of(rows=200), seed=seed) for seed in (1, 1, 2))
    ids = table_of(rows=200).row_ids
    assert np.array_equal(first.test, again.test)
    assert first.digest(ids) == again.digest(ids) != other.digest(ids)


def test_groups_are_not_separated():
    groups = np.repeat(np.arange(10), 4)
    parts = parts_of(table_of(groups=groups), (0.6, 0.2, 0.2))
    inside = [set(groups[getattr(parts, name)]) for name in ("train", "valid", "test")]
    assert not inside[0] & inside[1]
    assert not inside[0] & inside[2]
    assert not inside[1] & inside[2]


def test_names_say_the_part_of_each_row():
    table = table_of("tte")
    assert (parts_of(table, cut_valid=False).names(len(table)) == table.part).all()


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (1, 0, 0), (0.8, 0.3, -0.1)])
def test_fractions_must_be_three_shares(fractions):
    with pytest.raises(OptionError, match="fractions must be three positive shares"):
        parts_of(table_of(), fractions)


def test_too_few_rows_and_no_training_rows_are_told():
    with pytest.raises(InputError, match=r"at least 3 rows|too few to part"):
        parts_of(table_of(rows=2))
    with pytest.raises(InputError, match="has rows to test and valid but none to train"):
        parts_of(table_of("ev"))


def test_fewer_rows_than_any_fit_can_do_with_are_refused():
    require_rows(parts_of(table_of(rows=15), (5, 5, 5)))
    with pytest.raises(InputError, match=r"rows to train: 4, wanted 5 at least: train 4 \| valid 4"):
        require_rows(parts_of(table_of(rows=12), (4, 4, 4)))
