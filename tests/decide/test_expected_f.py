"""ExpectedF against the expectation over all label sets."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.decide import ExpectedF
from manyhot.errors import InputError, OptionError


def expectation(probabilities, chosen, beta, empty):
    """The mean of F-beta over every truth there is, each with its probability."""
    total = 0.0
    for truth in itertools.product([0, 1], repeat=len(probabilities)):
        truth = np.array(truth)
        weight = np.prod(np.where(truth, probabilities, 1 - probabilities))
        below = chosen.sum() + beta**2 * truth.sum()
        total += weight * ((1 + beta**2) * (truth & chosen).sum() / below if below else empty)
    return total


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=6),
    st.sampled_from([0.5, 1.0, 2.0, 1.5]),
    st.sampled_from([0.0, 1.0]),
)
def test_no_other_set_is_better(probabilities, beta, empty):
    p = np.array(probabilities)
    rule = ExpectedF(f"f{beta}_samples", empty=empty, negligible=0).fit(p[None], np.ones((1, len(p)), bool))
    chosen = rule.decide(p[None]).to_dense()[0].astype(int)
    best = max(
        expectation(p, np.array(other), beta, empty) for other in itertools.product([0, 1], repeat=len(p))
    )
    assert expectation(p, chosen, beta, empty) == pytest.approx(best, abs=1e-9)


def test_leaving_out_negligible_labels_costs_at_most_their_mass():
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.random(6), np.full(4, 2e-4)])[None]
    exact, fast = (
        ExpectedF(negligible=mass).fit(p, p > 0.5).decide(p).to_dense()[0].astype(int) for mass in (0, 1e-3)
    )
    assert expectation(p[0], fast, 1, 0) >= expectation(p[0], exact, 1, 0) - 1e-3


def test_whether_rows_may_be_empty_is_learned():
    p = np.array([[0.3, 0.2], [0.6, 0.1]])
    assert ExpectedF().fit(p, np.array([[0, 0], [1, 0]], bool)).decide(p).to_index_lists() == [[], [0]]
    assert ExpectedF().fit(p, np.array([[1, 0], [1, 0]], bool)).decide(p).to_index_lists()[0] != []


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(
        InputError, match=r"expected probabilities in \[0, 1\], got 1.5 in row 0 for label '1'"
    ):
        ExpectedF().fit(np.array([[0.1, 1.5]]), np.array([[False, True]]))


def test_only_samples_goals():
    with pytest.raises(OptionError, match=r"ExpectedF serves f<beta>_samples, got f1_macro"):
        ExpectedF("f1_macro").fit(np.array([[0.1]]), np.array([[True]]))
