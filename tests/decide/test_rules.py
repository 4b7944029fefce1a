"""The contract of every rule in the table: fit, decide, save by name, refuse the rows it was tuned on."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.decide import DECISIONS, RULES, fit_rule, read_rule
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets

SPACE = LabelSpace(("red", "blue", "dress", "jeans"))
ALL = pytest.mark.parametrize("name", RULES)


def data(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.random((rows, 4)).astype(np.float32)
    return scores, rng.random((rows, 4)) < scores


@ALL
def test_round_trips_through_json(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE, rows=range(60))
    again = read_rule(json.loads(json.dumps(rule.to_dict(), allow_nan=False)), SPACE)
    assert type(again) is DECISIONS[rule.kind]
    assert again.decide(scores) == rule.decide(scores)
    assert again.tuned_on == rule.tuned_on
    assert again.to_dict() == rule.to_dict()


@ALL
def test_a_rule_follows_the_names_into_another_column_order(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    order = [2, 0, 3, 1]
    moved = read_rule(rule.to_dict(), LabelSpace(tuple(SPACE.names[j] for j in order)))
    assert moved.decide(scores[:, order]) == rule.decide(scores).columns(order)


@ALL
def test_rows_are_decided_one_by_one(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    whole = rule.decide(scores)
    parts = [rule.decide(scores[begin : begin + 7]) for begin in range(0, 60, 7)]
    assert Targets.concat(parts) == whole
    assert rule.decide(scores[:0]).shape == (0, 4)


@ALL
def test_all_forms_of_scores_decide_alike(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    expected = rule.decide(scores)
    shuffled = pd.DataFrame(scores, columns=list(SPACE.names))[["jeans", "red", "blue", "dress"]]
    forms = [
        torch.tensor(scores),
        csr_array(scores),
        shuffled,
        pl.DataFrame(scores, schema=list(SPACE.names)),
    ]
    for form in forms:
        assert rule.decide(form) == expected


@ALL
def test_sparse_scores_fit_alike(name):
    scores, truth = data()
    dense = fit_rule(name, scores, truth, space=SPACE).to_dict()
    assert fit_rule(name, csr_array(scores), truth, space=SPACE).to_dict() == dense


@ALL
def test_the_same_data_gives_the_same_rule(name):
    scores, truth = data()
    first, second = (fit_rule(name, scores, truth, space=SPACE).to_dict() for _ in range(2))
    assert first == second


@ALL
def test_nan_scores_are_named(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    scores[3, 2] = np.nan
    with pytest.raises(InputError, match="1 scores are NaN, the first in row 3 for label 'dress'"):
        rule.decide(scores)
    with pytest.raises(InputError, match="for label 'dress'"):
        fit_rule(name, scores, truth, space=SPACE)


@ALL
def test_another_width_is_refused(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    with pytest.raises(ShapeError, match="expected scores for 4 labels, got 3 columns"):
        rule.decide(scores[:, :3])


@ALL
@pytest.mark.parametrize("fill", [False, True])
def test_ugly_truth_still_gives_a_rule(name, fill):
    scores, _ = data()
    scores[:, 1] = 0.5  # constant
    for rows in (60, 1):
        truth = np.full((rows, 4), fill)
        decided = fit_rule(name, scores[:rows], truth, space=SPACE).decide(scores)
        assert decided.shape == (60, 4)


@ALL
def test_no_rows_at_all(name):
    rule = fit_rule(name, np.zeros((0, 4)), Targets.negative(0, 4), space=SPACE)
    assert rule.decide(np.full((2, 4), 0.5)).shape == (2, 4)


# the rules that count cells only; the others count rows, or hold rows out for cross-validation
BY_CELL = {
    "global": {},
    "per_label": {"balance": 0.0},
    "cost": {},
    "conformal": {"per": "labels"},
    "abstain": {},
}


@pytest.mark.parametrize("name", BY_CELL)
def test_a_masked_cell_is_a_deleted_cell(name):
    scores, truth = data()
    values = truth.astype(np.float32)
    values[30:] = np.nan
    half = fit_rule(name, scores[:30], truth[:30], space=SPACE, **BY_CELL[name])
    masked = fit_rule(name, scores, values, space=SPACE, **BY_CELL[name])
    assert masked.decide(scores) == half.decide(scores)


def test_tuned_rows_are_refused_unless_allowed_by_name():
    scores, truth = data()
    rule = fit_rule("global", scores, truth, rows=[f"doc-{i}" for i in range(60)])
    with pytest.raises(InputError, match="2 of these 3 rows were used to tune the rule"):
        rule.check_rows(["doc-1", "doc-2", "new"])
    assert rule.check_rows(["new", "newer"])
    assert not rule.check_rows(["doc-1"], allow_tuned_rows=True)
    assert not fit_rule("global", scores, truth).check_rows(["doc-1"])


def test_a_large_set_of_rows_is_remembered_by_a_sketch():
    scores, truth = np.zeros((100_000, 1), np.float32), np.zeros((100_000, 1), bool)
    rule = fit_rule("global", scores, truth, rows=range(100_000))
    assert len(json.dumps(rule.to_dict())) < 50_000
    with pytest.raises(InputError, match=r"at least \d+ of these 5000 rows"):
        rule.check_rows(range(5000))
    assert rule.check_rows(range(100_000, 200_000))


def test_row_ids_must_match_the_rows():
    scores, truth = data()
    with pytest.raises(InputError, match="expected 60 row ids, got 2"):
        fit_rule("global", scores, truth, rows=["a", "b"])


def test_targets_of_other_rows_are_refused():
    scores, truth = data()
    with pytest.raises(InputError, match="expected targets for the 60 rows of the scores, got 59"):
        fit_rule("global", scores, truth[:59])


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(OptionError, match="did you mean per_label"):
        fit_rule("perlabel", *data())
    with pytest.raises(OptionError, match="rule must be one of"):
        read_rule({"rule": "magic"}, SPACE)


def test_a_rule_of_other_labels_is_refused():
    rule = fit_rule("global", *data(), space=SPACE)
    with pytest.raises(InputError, match="the rule and the label space differ"):
        read_rule(rule.to_dict(), LabelSpace(("red", "blue")))


def test_scores_without_a_column_of_a_label():
    rule = fit_rule("global", *data(), space=SPACE)
    with pytest.raises(ShapeError, match="no column for 1 labels, among them 'jeans'"):
        rule.decide(pd.DataFrame(np.zeros((2, 3)), columns=["red", "blue", "dress"]))
