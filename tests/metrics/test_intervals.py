"""Bootstrap replicates are evaluations of drawn rows; intervals cover; pairs are drawn together."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.errors import InputError, OptionError
from manyhot.metrics import METRICS, Bootstrap, Result, evaluate, paired_test
from manyhot.metrics.replicates import draws
from manyhot.metrics.tails import Tails

# these keep the bins of all rows
WITHOUT = {"ece", "ece_macro"}


def problem(rows=40, labels=4, seed=0):
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, labels)) < 0.4).astype(float)
    targets[rng.random((rows, labels)) < 0.1] = np.nan
    scores = np.clip(rng.random((rows, labels)).round(1) * 0.7 + 0.3 * np.nan_to_num(targets), 0, 1)
    return targets, scores, scores > 0.5


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_replicate_is_an_evaluation_with_the_draws_as_weights(sparse, weighted):
    targets, scores, decisions = problem()
    weight = np.random.default_rng(1).random(40) + 0.5 if weighted else np.ones(40)
    given = csr_array(np.where(scores > 0.4, scores, 0)) if sparse else scores
    plan = Bootstrap(replicates=70, seed=3)  # more than walk together
    options = {"metrics": "all", "train": targets, "baseline": False, "slices": False, "costs": (1, 3)}
    result = evaluate(targets, given, decisions, intervals=plan, row_weight=weight, **options)
    drawn = np.concatenate(list(draws(40, plan)), axis=1)
    assert (drawn.sum(0) == 40).all()
    names = [name for name in METRICS if name not in WITHOUT]
    for column in (0, 33, 69):
        again = evaluate(targets, given, decisions, row_weight=drawn[:, column] * weight, **options)
        found = [result.replicates[name][column] for name in names]
        np.testing.assert_allclose(found, [again[name] for name in names], atol=1e-9)


def test_calibration_of_labels_has_intervals_that_cover():
    rng = np.random.default_rng(0)
    scores = rng.choice([0.25, 0.75], (2000, 3))  # two levels, so bins stay the same in every draw
    truth = (rng.random((2000, 3)) < scores**2).astype(float)
    truth[rng.random((2000, 3)) < 0.1] = np.nan
    for form in (np.asarray, csr_array):
        plan = Bootstrap(replicates=70)
        result = evaluate(truth, form(scores), metrics="ece_macro", intervals=plan, baseline=False)
        drawn = np.concatenate(list(draws(2000, plan)), axis=1)
        for column in (0, 69):
            again = evaluate(truth, scores, metrics="ece_macro", row_weight=drawn[:, column])
            assert result.replicates["ece_macro"][column] == pytest.approx(again["ece_macro"])
        low, high = result.intervals["ece_macro"]
        # P(y | s) = s^2, so |s - s^2| = .1875 at both levels
        assert low < 0.1875 < high


@pytest.mark.parametrize("sparse", [False, True])
def test_labels_and_slices_have_the_intervals_of_their_replicates(sparse):
    targets, scores, decisions = problem(60, 5)
    given = csr_array(scores) if sparse else scores
    site = np.repeat(["north", "south"], 30)
    plan = Bootstrap(replicates=90, seed=3, level=0.8)
    options = {"metrics": "all", "train": targets, "costs": (1, 3), "baseline": False}
    result = evaluate(targets, given, decisions, intervals=plan, by={"site": site}, **options)
    drawn = np.concatenate(list(draws(60, plan)), axis=1)
    again = [
        evaluate(targets, given, decisions, row_weight=weight, by={"site": site}, **options)
        for weight in drawn.T.astype(float)
    ]
    kept = ("ece", "ece_macro")  # the bins stay those of all rows
    stems = [name for name in result.per_label if f"{name}_low" in result.per_label]
    assert {"f1", "ap", "cost", "log_loss", "f1@3", "recall@precision=0.9"} <= set(stems)
    for stem in stems:
        if stem in kept:
            continue
        values = np.array([each.per_label[stem] for each in again])
        expected = np.nanquantile(values, [0.1, 0.9], axis=0)
        found = [result.per_label[f"{stem}_{end}"] for end in ("low", "high")]
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=stem)
    assert {part.kind for part in result.slices} == {"frequency", "combination", "site"}
    for place, part in enumerate(result.slices):
        assert set(part.intervals) == set(part.values)
        for name in set(part.values) - {"ece", "ece_macro"}:
            values = np.array([each.slices[place].values[name] for each in again])
            if np.isnan(values).all():
                assert np.isnan(part.intervals[name]).all()
                continue
            expected = np.nanquantile(values, [0.1, 0.9])
            np.testing.assert_allclose(part.intervals[name], expected, atol=1e-9, err_msg=(part.name, name))
    records = result.slices[0].to_records()
    assert records[0]["low"] <= records[0]["high"]
    assert Result.from_dict(result.to_dict()).to_dict() == result.to_dict()


def test_labels_and_slices_need_no_interval():
    targets, scores, decisions = problem()
    plan = Bootstrap(20, labels=False, slices=False)
    result = evaluate(targets, scores, decisions, intervals=plan, by={"odd": np.arange(40) % 2})
    assert result.intervals
    assert "f1_low" not in result.per_label
    assert [part.intervals for part in result.slices] == [{}, {}]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("sizes", [(64, 64, 64), (7,), (1,), (64, 30)])
def test_tails_hold_what_all_replicates_would(level, sizes):
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(6, size)) for size in sizes]
    for block in blocks:
        block[1, rng.random(block.shape[1]) < 0.5] = np.nan
        block[2] = np.nan
    tails = Tails(sum(sizes), level)
    for block in blocks:
        tails.add(block)
    whole = np.concatenate(blocks, axis=1)
    for row, low, high in zip(whole, *tails.intervals(), strict=True):
        defined = row[~np.isnan(row)]
        expected = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2]) if len(defined) else [np.nan] * 2
        np.testing.assert_allclose([low, high], expected)


def test_rows_of_a_group_are_drawn_together():
    groups = np.repeat(["a", "b", "c"], [2, 3, 5])
    drawn = np.concatenate(list(draws(10, Bootstrap(replicates=20, groups=groups))), axis=1)
    for name in "abc":
        assert (drawn[groups == name] == drawn[groups == name][0]).all()
    assert (drawn[[0, 2, 5]].sum(0) == 3).all()


def test_intervals_hold_the_value_and_narrow_with_rows():
    widths = []
    for rows in (50, 800):
        targets, scores, decisions = problem(rows)
        result = evaluate(targets, scores, decisions, intervals=200)
        for name, (low, high) in result.intervals.items():
            assert low <= result[name] + 0.05, name
            assert high >= result[name] - 0.05, name
        low, high = result.intervals["f1_macro"]
        widths.append(high - low)
    assert widths[1] < widths[0] / 2.5  # a factor of 4 in theory


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    # The exact share of a Bernoulli table is known, so coverage of `hamming` can be counted.
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        right = rng.random((80, 3)) < 0.7
        plan = Bootstrap(replicates=200, seed=seed, level=0.9)
        result = evaluate(np.ones((80, 3)), decisions=right, metrics="hamming", intervals=plan)
        low, high = result.intervals["hamming"]
        hits += low <= 0.7 <= high
    assert 0.84 <= hits / 200 <= 0.95


def test_the_same_seed_gives_the_same_intervals():
    targets, scores, decisions = problem()
    first, again, other = (
        evaluate(targets, scores, decisions, intervals=Bootstrap(replicates=50, seed=seed)).intervals
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_better_predictor_is_found_better_and_an_equal_one_not():
    targets, scores, _ = problem(300)
    worse = np.clip(scores - 0.25 * np.nan_to_num(targets), 0, 1)
    options = {"metrics": ["ap_macro", "lrap"], "intervals": 300}
    good, bad = evaluate(targets, scores, **options), evaluate(targets, worse, **options)
    for found in paired_test(bad, good):
        assert found.difference == pytest.approx(found.second - found.first)
        assert found.low > 0
        assert found.p < 0.02
    for same in paired_test(good, good, ["lrap"]):
        assert (same.difference, same.p) == (0, 1)


def test_results_that_cannot_be_paired_are_refused():
    targets, scores, _ = problem()
    drawn = evaluate(targets, scores, intervals=20)
    with pytest.raises(InputError, match="second result has no replicates; evaluate it with intervals=True"):
        paired_test(drawn, evaluate(targets, scores))
    other = evaluate(targets, scores, intervals=Bootstrap(replicates=20, seed=9))
    with pytest.raises(InputError, match="other rows or other draws"):
        paired_test(drawn, other)
    with pytest.raises(InputError, match="other rows or other draws"):
        paired_test(drawn, evaluate(np.nan_to_num(targets), scores, intervals=20))


def test_a_seed_outside_its_range_is_refused():
    with pytest.raises(OptionError, match=r"seed must be in \[0, \d+\], got -1"):
        Bootstrap(seed=-1)
