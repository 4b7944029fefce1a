"""Rare labels lean on labels like them; the balance holds micro-F; intervals cover."""

import numpy as np
import pytest

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.decide.balance import count_assigned
from manyhot.decide.points import operating_points
from manyhot.decide.shrinkage import own_counts, shrunk_points
from manyhot.labels import Targets


def sample(rows, positives, labels, seed):
    """Labels of one kind: positives around 1, negatives around -1, so the best cut is the same for all."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((rows, labels), bool)
    for j in range(labels):
        truth[rng.choice(rows, positives, replace=False), j] = True
    return rng.normal(np.where(truth, 1.0, -1.0), 0.8), truth


def f1(truth, decisions):
    tp = (truth & decisions).sum(0)
    return float(np.mean(2 * tp / np.maximum(truth.sum(0) + decisions.sum(0), 1)))


def test_no_strength_is_the_labels_own_counts():
    scores, truth = sample(200, 5, 8, 0)
    points, counts = shrunk_points(scores, Targets.from_dense(truth), 0)
    own = own_counts(points)
    for name in ("tp", "fp", "positives", "negatives"):
        np.testing.assert_array_equal(getattr(counts, name), getattr(own, name))


def test_borrowed_counts_stay_possible():
    scores, truth = sample(300, 4, 10, 0)
    truth[:, 0] = False
    points, counts = shrunk_points(scores, Targets.from_dense(truth), 60)
    assert (counts.tp <= counts.positives + 1e-9).all()
    assert (counts.fp <= counts.negatives + 1e-6).all()
    assert (counts.tp >= points.tp - 1e-9).all()
    assert np.isfinite(counts.tp).all()


def test_the_middle_of_what_is_as_good_but_for_noise():
    scores = np.arange(10.0)[::-1, None]
    truth = np.ones((10, 1), bool)  # a point at each score, falling
    points = operating_points(scores, Targets.from_dense(truth))

    def chosen(value, error):
        return points.cuts[points.central(np.array([0, *value], float), np.array([error]))[0]]

    level = [0, 0, 0, 0.9, 0.9, 0.9, 0.9, 0.9, 0, 0]
    assert chosen(level, 1e-6) == 4  # the third of five that are equal
    assert chosen([0, 0, 0, 0.9, 0, 0, 0.91, 0, 0, 0], 1e-6) == 3  # the best, if errors are small
    assert chosen([0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0, 0.91], 1e-6) == 0  # the best, but for an error of a hair
    assert chosen([0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0, 0.91], 0.1) > 4  # then it is among its equals
    nothing = operating_points(scores, Targets.from_dense(~truth))
    assert nothing.cuts[nothing.central(np.zeros(1), np.ones(1))[0]] == np.inf


def test_the_scale_of_the_scores_does_not_matter():
    scores, truth = sample(400, 12, 20, 5)
    rule = PerLabelCut(balance=0)
    for moved in (np.exp(scores), scores**3):
        decided = rule.fit(moved, truth).decide(moved)
        np.testing.assert_array_equal(decided.to_dense(), rule.fit(scores, truth).decide(scores).to_dense())


@pytest.mark.parametrize("positives", [2, 5, 10])
def test_shrunk_cuts_of_rare_labels_are_better_on_new_rows(positives):
    tuned, new = sample(400, positives, 60, 1), sample(4000, 10 * positives, 60, 2)
    reached = {
        strength: f1(
            new[1], PerLabelCut(strength=strength, balance=0).fit(*tuned).decide(new[0]).to_dense() > 0
        )
        for strength in (0, 40)
    }
    assert reached[40] > reached[0] + 0.02


def test_frequent_labels_keep_their_own_cuts():
    # two kinds of labels, so that leaning on the other kind would cost
    scores, truth = sample(4000, 1500, 6, 0)
    scores[:, :3] += 5
    raw, shrunk = (PerLabelCut(strength=s, balance=0).fit(scores, truth) for s in (0, 40))
    assert (
        f1(truth, shrunk.decide(scores).to_dense() > 0) > f1(truth, raw.decide(scores).to_dense() > 0) - 0.005
    )


def test_a_label_without_positives_is_not_assigned_freely():
    scores, truth = sample(400, 6, 20, 3)
    truth[:, 0] = False
    cut = PerLabelCut().fit(scores, truth).cuts[0]
    assert (scores[:, 0] >= cut).sum() <= 6


def test_the_balance_holds_micro_f_on_new_rows():
    rng = np.random.default_rng(0)
    prior = np.geomspace(0.3, 0.01, 20)

    def draw():
        truth = rng.random((3000, 20)) < prior
        odds = np.log(prior) - np.log1p(-prior)
        return 1.2 * rng.normal(truth * 1.2, 1.0) + odds, truth

    tuned, new = draw(), draw()

    def micro(rule):
        decided = rule.fit(*tuned).decide(new[0]).to_dense() > 0
        return 2 * (decided & new[1]).sum() / (decided.sum() + new[1].sum())

    everywhere, free = micro(GlobalCut("f1_micro")), micro(PerLabelCut(balance=0))
    assert free < everywhere - 0.01  # so there is something to hold
    assert micro(PerLabelCut()) > everywhere - 0.002


def long_tail(rows, seed):
    """A hundred labels from one row in four to one in four hundred; rare ones have lower scores."""
    rng = np.random.default_rng(seed)
    prior = np.geomspace(0.25, 0.0025, 100)
    truth = rng.random((rows, 100)) < prior
    odds = np.log(prior) - np.log1p(-prior)
    return 0.5 * odds + rng.normal(1.6 * truth, 0.8), truth


@pytest.fixture(scope="module")
def on_new_rows():
    """Macro-F1 and micro-F1 on new rows of each way to cut, mean of three draws."""
    ways = {
        "one": GlobalCut("f1_micro"),
        "one for macro": GlobalCut("f1_macro"),
        "alone": PerLabelCut(strength=0, balance=0),
        "shrunk": PerLabelCut(balance=0),
        "balanced": PerLabelCut(),
    }
    new, truth = long_tail(20_000, 99)
    reached = {name: [] for name in ways}
    for seed in range(3):
        tuned = long_tail(2_000, seed)
        for name, way in ways.items():
            decided = way.fit(*tuned).decide(new).to_dense() > 0
            micro = 2 * (decided & truth).sum() / (decided.sum() + truth.sum())
            reached[name].append((f1(truth, decided), micro))
    return {name: np.mean(each, axis=0) for name, each in reached.items()}


def test_shrunk_cuts_beat_one_cut_and_cuts_found_alone(on_new_rows):
    macro = {name: each[0] for name, each in on_new_rows.items()}
    assert macro["shrunk"] > macro["alone"] + 0.01
    assert macro["shrunk"] > macro["one for macro"] + 0.01
    assert macro["balanced"] > macro["one"] + 0.01


def test_balanced_cuts_keep_the_micro_figure_of_one_cut(on_new_rows):
    micro = {name: each[1] for name, each in on_new_rows.items()}
    assert micro["alone"] < micro["one"] - 0.01  # so there is something to keep
    assert micro["balanced"] > micro["one"] - 0.002  # held-out rows are few, so it is kept but for noise


def test_counting_honours_unknown_cells():
    scores, truth = sample(50, 10, 3, 0)
    values = truth.astype(float)
    values[::2] = np.nan
    cuts = np.array([0.0, 0.5, -0.5])
    kept = np.arange(50) % 2 == 1
    chosen = scores[kept] >= cuts
    expected = [(chosen & truth[kept]).sum(), (chosen & ~truth[kept]).sum()]
    np.testing.assert_array_equal(count_assigned(scores, Targets.from_dense(values), [cuts])[0], expected)


def test_intervals_hold_the_cut_and_narrow_with_more_rows():
    widths = []
    for rows in (300, 3000):
        scores, truth = sample(rows, rows // 5, 4, 0)
        rule = PerLabelCut(strength=0, balance=0, replicates=100).fit(scores, truth)
        assert rule.interval is not None
        low, high = rule.interval.T
        assert ((low <= rule.cuts) & (rule.cuts <= high)).all()
        widths.append((high - low).mean())
    assert widths[1] < 0.7 * widths[0]


@pytest.mark.parametrize("goal", ["f1_micro", "f1_macro", "f1_samples", "precision >= 0.8"])
def test_the_interval_of_one_cut_covers_where_many_rows_put_it(goal):
    often = GlobalCut(goal).fit(*sample(40_000, 8_000, 4, 0)).cuts[0]
    widths, covered = {300: [], 3000: []}, 0
    for seed in range(20):
        for rows, width in widths.items():
            rule = GlobalCut(goal, replicates=100).fit(*sample(rows, rows // 5, 4, 1 + seed))
            assert rule.interval is not None
            low, high = rule.interval[0]
            assert low <= rule.cuts[0] <= high
            assert (rule.interval == rule.interval[0]).all()
            width.append(high - low)
            covered += low <= often <= high
    assert np.mean(widths[3000]) < 0.7 * np.mean(widths[300])
    assert covered >= 30  # of 40; 36 are expected


def test_points_count_what_a_cut_assigns():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 9, (40, 3)) / 8, rng.random((40, 3)) < 0.3
    points = operating_points(scores, Targets.from_dense(truth), np.array([0.7, 0.3]))
    for k, label in enumerate(points.labels):
        chosen = scores[:, label] >= points.middle(np.array([k]))[0]
        assert points.tp[k] == (chosen & truth[:, label]).sum()
        assert points.fp[k] == (chosen & ~truth[:, label]).sum()
