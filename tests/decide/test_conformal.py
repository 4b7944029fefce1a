"""The promises of conformal rules, checked over many draws."""

import numpy as np
import pytest

from manyhot.decide import AbstainBand, Conformal
from manyhot.decide.conformal import lower_quantile
from manyhot.errors import OptionError


def draw(rng, rows):
    truth = rng.random((rows, 4)) < [0.5, 0.3, 0.2, 0.4]
    return rng.normal(truth * 1.5, 1.0), truth


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_rows_are_covered(coverage):
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        rule = Conformal(coverage).fit(*draw(rng, 60))
        scores, truth = draw(rng, 200)
        covered.append((~truth | (rule.decide(scores).to_dense() > 0)).all(1).mean())
    assert coverage - 0.01 <= np.mean(covered) <= coverage + 0.03


def test_each_label_is_covered():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        rule = Conformal(0.9, per="labels").fit(*draw(rng, 150))
        scores, truth = draw(rng, 400)
        found = rule.decide(scores).to_dense() > 0
        covered.append([found[truth[:, j], j].mean() for j in range(4)])
    assert (np.mean(covered, axis=0) >= 0.885).all()
    assert (np.mean(covered, axis=0) <= 0.94).all()


def test_too_few_positives_for_the_promise_is_always():
    rule = Conformal(0.9, per="labels").fit(np.array([[0.5], [0.1]]), np.array([[True], [False]]))
    assert rule.cuts[0] == -np.inf


def test_both_errors_are_held_and_doubt_is_unknown():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        band = AbstainBand(miss=0.1, false_alarm=0.05).fit(*draw(rng, 200))
        scores, truth = draw(rng, 400)
        decided = band.decide(scores).to_dense()
        assert np.isnan(decided).any()
        errors.append([(decided[truth] == 0).mean(), (decided[~truth] == 1).mean()])
    assert (np.mean(errors, axis=0) <= [0.11, 0.055]).all()


def test_no_doubt_where_the_kinds_lie_apart():
    scores = np.concatenate([np.linspace(0, 0.3, 50), np.linspace(0.7, 1, 50)])[:, None]
    band = AbstainBand().fit(scores, scores > 0.5)
    assert band.low == band.high
    assert not band.decide(scores).has_unknown


def test_quantile_counts_the_new_value_too():
    values = np.arange(9.0)
    assert lower_quantile(values, 0.1) == 0.0  # 1 of 10
    assert lower_quantile(values, 0.09) == -np.inf
    assert lower_quantile(values, 0.2) == 1.0


def test_a_goal_is_refused():
    with pytest.raises(OptionError, match="conformal rules keep their own promise"):
        Conformal().fit(np.eye(2), np.eye(2, dtype=bool), goal="f1_macro")
