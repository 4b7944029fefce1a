"""The contract of every rule in the table: fit, decide, save by name, refuse the rows it was tuned on."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.decide import (
    DECISIONS,
    RULES,
    AtLeastOne,
    Calibrated,
    GroupArgmax,
    ReviewBudget,
    TopK,
    fit_rule,
    read_rule,
)
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


@ALL
def test_the_goal_stands_third_or_is_named(name):
    scores, truth = data()
    rule = RULES[name]()
    if not rule.takes_goal:
        return
    goal = "jaccard_macro" if name == "macro_at_k" else "f2_macro"
    first = rule.fit(scores, truth, goal, space=SPACE)
    assert first.to_dict() == rule.fit(scores, truth, space=SPACE, goal=goal).to_dict()


def test_a_rule_says_whether_it_takes_a_goal():
    takes = {name for name, rule in RULES.items() if rule().takes_goal}
    own = {"expected_f", "cost", "review_budget", "conformal", "abstain"}
    assert takes == set(RULES) - own
    assert not TopK(k=3).takes_goal
    for outer in (AtLeastOne, Calibrated, GroupArgmax):
        assert not outer(ReviewBudget()).takes_goal
        with pytest.raises(OptionError, match=r"ReviewBudget maximises recall .*got the goal 'f1_macro'"):
            outer(ReviewBudget()).fit(*data(), "f1_macro")


@ALL
@pytest.mark.parametrize("seed", range(3))
def test_a_row_of_weight_zero_is_not_there(name, seed):
    scores, truth = data(seed=seed)
    weight = np.random.default_rng(seed).choice([0.0, 0.3, 1.0], 60)
    kept = weight > 0
    rows = np.arange(60)
    whole = RULES[name]().fit(scores, truth, space=SPACE, rows=rows, row_weight=weight)
    part = RULES[name]().fit(scores[kept], truth[kept], space=SPACE, rows=rows[kept], row_weight=weight[kept])
    assert whole.to_dict() == part.to_dict()


# each copy of a row chooses its own labels there
REPEATED = [name for name in RULES if name != "macro_at_k"]
GOALS = {
    "global": ["f1_micro", "f1_macro", "f1_samples", "mcc", "precision >= 0.7"],
    "per_label": ["f1_macro", "f1_micro", "jaccard_samples", "balanced_accuracy", "recall >= 0.7"],
    "top_k": ["f1_samples", "f1_micro", "f1_macro"],
}


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("seed", range(4))
def test_a_weight_of_two_is_a_row_that_is_there_twice(name, form, seed):
    scores, truth = data(seed=seed)
    scores = np.round(scores, 1 + seed % 2)  # with ties, and without many
    values = truth.astype(np.float32)
    values[np.random.default_rng(seed).random(values.shape) < 0.1] = np.nan
    weight = np.random.default_rng(seed).integers(0, 4, 60)
    twice = np.repeat(np.arange(60), weight)
    for goal in GOALS.get(name, [None]):
        given = RULES[name]()
        weighted = given.fit(form(scores), values, goal, space=SPACE, row_weight=weight)
        repeated = given.fit(form(scores[twice]), values[twice], goal, space=SPACE)
        np.testing.assert_equal(_plain(weighted), _plain(repeated))


def test_intervals_of_weighted_rows_are_those_of_repeated_ones():
    scores, truth = data()
    weight = np.random.default_rng(0).integers(1, 4, 60)
    twice = np.repeat(np.arange(60), weight)
    for name in ("global", "per_label"):
        rule = RULES[name](replicates=30)
        weighted = rule.fit(scores, truth, row_weight=weight)
        np.testing.assert_array_equal(weighted.interval, rule.fit(scores[twice], truth[twice]).interval)


def test_weights_must_be_weights():
    scores, truth = data()
    with pytest.raises(ShapeError, match=r"row_weight of shape \(60,\), got \(3,\)"):
        RULES["global"]().fit(scores, truth, row_weight=[1, 2, 3])
    with pytest.raises(InputError, match="row_weight must be finite, >= 0"):
        RULES["global"]().fit(scores, truth, row_weight=np.full(60, -1.0))


def _plain(rule):
    """What a rule decides by, to nine digits, without the rows."""
    content = rule.to_dict()
    content.pop("tuned_on", None)
    return json.loads(json.dumps(content), parse_float=lambda text: float(f"{float(text):.9g}"))


def test_columns_meet_by_name():
    scores, truth = data()
    names = list(SPACE.names)
    turned = names[::-1]
    named = pd.DataFrame(scores, columns=names), pd.DataFrame(truth, columns=names)
    expected = fit_rule("per_label", *named)
    rule = fit_rule("per_label", named[0][turned], named[1])
    assert rule.space.names == tuple(turned)
    assert rule.cuts.tolist() == expected.cuts[::-1].tolist()
    assert fit_rule("per_label", scores, named[1][turned]).space.names == tuple(turned)
    with pytest.raises(InputError, match="scores alone: 'red'; targets alone: 'green'"):
        fit_rule("per_label", named[0], named[1].rename(columns={"red": "green"}))


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


def test_rows_that_were_tuned_on_are_refused_by_their_ids():
    scores, truth = data()
    rule = fit_rule("global", scores, truth, rows=[f"doc-{i}" for i in range(60)])
    with pytest.raises(InputError, match="2 of these 3 rows were used to tune the rule"):
        rule.check_rows(["doc-1", "doc-2", "new"])
    assert rule.check_rows(["new", "newer"])
    assert not fit_rule("global", scores, truth).check_rows(["doc-1"])


def test_whole_numbers_are_one_id_whatever_they_are_stored_as():
    scores, truth = data()
    rule = fit_rule("global", scores, truth, rows=range(60))
    for rows in (np.arange(200.0), np.arange(200), [str(i) for i in range(200)]):
        with pytest.raises(InputError, match="60 of these 200 rows"):
            rule.check_rows(rows)


@ALL
def test_decided_sets_say_what_decided_them(name):
    scores, truth = data()
    rule = fit_rule(name, scores, truth, space=SPACE)
    origin = rule.decide(scores).provenance
    assert origin.names == SPACE.names
    assert origin.tuned_on == rule.tuned_on
    assert (origin.marks is None) == (rule.tuned_on is None)
    assert fit_rule(name, scores, truth).decide(scores).provenance.names is None
    inner = json.dumps(rule.to_dict()).count('"tuned_on"')
    assert inner == (rule.tuned_on is not None)  # the rules inside keep no copy


def test_a_large_set_of_rows_is_remembered_by_a_sketch():
    scores, truth = np.zeros((100_000, 1), np.float32), np.zeros((100_000, 1), bool)
    rule = fit_rule("global", scores, truth, rows=range(100_000))
    assert len(json.dumps(rule.to_dict())) < 50_000
    with pytest.raises(InputError, match=r"at least \d+ of these 5000 rows"):
        rule.check_rows(range(5000))
    assert rule.check_rows(range(100_000, 200_000))


def test_row_ids_must_match_the_rows():
    scores, truth = data()
    with pytest.raises(ShapeError, match="expected an id for each of 60 rows, got 2"):
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
