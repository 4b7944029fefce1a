"""Rows are told by ids and by scores; equal scores that chance explains are no reason to refuse."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from manyhot.errors import InputError, OptionError
from manyhot.labels.tuned_rows import RowMarks, TunedRows, hashed_ids, ids_of, refuse_tuned_rows

RNG = np.random.default_rng(0)


def marked(values):
    """Marks of rows whose score rows are these numbers."""
    return RowMarks(values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def found(tuned, others):
    return TunedRows.of(marked(tuned)).shared_scores(marked(others).scores)


@pytest.mark.parametrize("kinds", [1, 2, 30, 1000, 100_000])
@pytest.mark.parametrize("skew", [0.0, 1.0, 2.0])
def test_two_parts_of_one_source_are_never_refused(kinds, skew):
    share = np.arange(1.0, kinds + 1) ** -skew
    for seed, (one, two) in enumerate([(20, 20), (60, 60), (500, 80), (80, 500), (6000, 6000)] * 6):
        rng = np.random.default_rng(seed)
        parts = (rng.choice(kinds, size, p=share / share.sum()) for size in (one, two))
        assert found(*parts) == 0


@pytest.mark.parametrize("kinds", [40, 1000, 1 << 40])
def test_the_very_same_rows_are_told(kinds):
    rows = RNG.integers(0, kinds, 300)
    assert found(rows, rows) == 300


def test_a_part_of_them_is_told_where_rows_have_scores_of_their_own():
    rows, new = RNG.integers(0, 1 << 40, (2, 1000))
    assert found(rows, np.concatenate([new[:900], rows[:100]])) == 100
    assert found(rows, RNG.permutation(rows)[:60]) == 60
    assert found(rows, new) == 0


def test_twins_that_are_spread_by_chance_are_no_reason():
    kinds = np.repeat(np.arange(500), 2)  # every text occurs twice
    order = np.random.default_rng(1).permutation(1000)
    assert found(kinds[order[:500]], kinds[order[500:]]) == 0


def test_a_million_rows_are_remembered_in_a_hundred_kilobytes():
    rows = np.arange(1_000_000)
    sketch = TunedRows.of(RowMarks(marked(rows).scores, marked(rows + 7).scores))
    assert len(json.dumps(sketch.to_dict())) < 100_000
    assert sketch.shared_scores(marked(rows[:20_000]).scores) > 20
    assert sketch.shared_scores(marked(rows[:20_000] + 2_000_000).scores) == 0
    assert TunedRows.from_dict(json.loads(json.dumps(sketch.to_dict()))) == sketch


def test_what_older_rules_remember_is_read():
    ids = hashed_ids(["a", "b"])
    old = {key: TunedRows.of(RowMarks(ids, ids)).to_dict()[key] for key in ("count", "hashes")}
    assert TunedRows.from_dict(old).shared_ids(hashed_ids(["b", "c"])) == 1
    assert TunedRows.from_dict(old).shared_scores(ids) == 0


@pytest.mark.parametrize(
    "rows",
    [
        range(200),
        np.arange(200.0),
        np.arange(200, dtype=np.uint8).astype(np.float16),
        torch.arange(200),
        [str(i) for i in range(200)],
        pd.Series(range(200)),
        (float(i) for i in range(200)),
    ],
)
def test_a_number_is_one_id_in_every_form(rows):
    np.testing.assert_array_equal(hashed_ids(rows), hashed_ids([str(i) for i in range(200)]))


def test_fractions_stay_apart():
    assert len(np.unique(hashed_ids([1.5, 1.25, 1, "1.50"]))) == 4


NAMED = pd.DataFrame({"a": [0.1, 0.2]}, index=pd.Index([7, 9], name="document"))


def test_an_index_that_is_meant_as_ids_is_taken():
    np.testing.assert_array_equal(ids_of(NAMED), hashed_ids([7, 9]))
    texts = NAMED.set_axis(["x", "y"])
    np.testing.assert_array_equal(ids_of(np.zeros(2), texts), hashed_ids(["x", "y"]))


@pytest.mark.parametrize(
    "frame",
    [
        NAMED.reset_index(drop=True),
        NAMED.set_axis([3, 5]),  # what a filter leaves behind
        NAMED.set_axis(pd.Index([7, 7], name="patient")),
        pl.DataFrame({"a": [0.1]}),
        np.zeros((2, 2)),
    ],
)
def test_what_numbers_rows_anew_is_not(frame):
    assert ids_of(frame) is None


def test_a_refusal_says_what_and_how_to_go_on():
    ids, scores = hashed_ids(range(50)), marked(RNG.integers(0, 1 << 40, 50)).scores
    tuned = TunedRows.of(RowMarks(scores, ids))
    with pytest.raises(
        InputError, match=r"^2 of these 5 rows were used to tune .* or say tuned_rows='allow'$"
    ):
        refuse_tuned_rows(tuned, RowMarks(np.zeros(5, np.uint64), hashed_ids([1, 2, 51, 52, 53])), "refuse")
    with pytest.raises(InputError, match=r"^50 of these 50 rows .*\(told by their scores"):
        refuse_tuned_rows(tuned, RowMarks(scores), "refuse")
    refuse_tuned_rows(tuned, RowMarks(scores, ids), "allow")
    with pytest.raises(OptionError, match="tuned_rows must be one of refuse, allow"):
        refuse_tuned_rows(None, RowMarks(scores), "yes")
