"""Legal sets against the list of all sets."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.decide import GlobalCut, Legal, TopK, rule_for
from manyhot.decide.legal_sets import Limits, best_legal_sets
from manyhot.errors import InputError, OptionError
from manyhot.labels import Group, LabelSpace

SPACES = {
    "rules": LabelSpace(tuple("abcde"), rules=("a -> b", "b -> c", "d -> not a", "e -> not c")),
    "groups": LabelSpace(
        tuple("abcde"), groups=(Group("one", ("a", "b", "c")), Group("two", ("d", "e"), allow_none=True))
    ),
    "tree": LabelSpace(tuple("abcde"), parents={"b": ("a",), "c": ("a",), "d": ("c",), "e": ("c",)}),
    "graph": LabelSpace(tuple("abcde"), parents={"c": ("a", "b"), "d": ("c",)}, rules=("e -> not a",)),
    "mixed": LabelSpace(
        tuple("abcde"), groups=(Group("one", ("a", "b")),), parents={"c": ("a",)}, rules=("d -> not c",)
    ),
    "free": LabelSpace(tuple("abcde")),
}


def legal_sets(space, limits):
    """Every set that the space itself finds no violation in."""
    for chosen in itertools.product([False, True], repeat=len(space)):
        chosen = np.array(chosen)
        if limits.broken(np.array([chosen.sum()]))[0]:
            continue
        rows = space.encode([[name for name, take in zip(space.names, chosen, strict=True) if take]])
        if not space.violations(rows):
            yield chosen


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(SPACES)),
    st.lists(st.floats(-4, 4).filter(lambda x: abs(x) > 1e-3), min_size=5, max_size=5),
    st.sampled_from([Limits(), Limits(True, None), Limits(False, 2), Limits(True, 3)]),
)
def test_no_other_legal_set_is_better(name, margins, limits):
    space, margins = SPACES[name], np.array(margins)
    allowed = list(legal_sets(space, limits))
    chosen = best_legal_sets(margins[None], space, limits)[0]
    assert any((chosen == other).all() for other in allowed)
    assert margins[chosen].sum() == pytest.approx(max(margins[other].sum() for other in allowed))


@pytest.mark.parametrize("seed", range(3))
def test_a_large_tree_is_consistent_and_exact(seed):
    rng = np.random.default_rng(seed)
    names = tuple(f"n{i}" for i in range(60))
    space = LabelSpace(names, parents={names[i]: (names[rng.integers(0, i)],) for i in range(1, 60)})
    margins = rng.normal(-0.5, 1, (30, 60))
    chosen = best_legal_sets(margins, space, Limits())
    decided = space.encode([[n for n, take in zip(names, row, strict=True) if take] for row in chosen])
    assert not space.violations(decided)
    # the branch and bound, which knows no trees, finds nothing better: an idle rule switches it on
    other = LabelSpace(
        (*names, "x", "y"),
        parents=dict(space.parents),
        rules=("x -> not y", "x -> n0"),
    )
    wide = np.concatenate([margins[:5], np.full((5, 2), -9.0)], axis=1)
    slow = best_legal_sets(wide, other, Limits())[:, :60]
    np.testing.assert_allclose((wide[:, :60] * slow).sum(1), (margins[:5] * chosen[:5]).sum(1))


def test_what_is_legal_already_is_left_alone():
    scores = np.array([[0.9, 0.8, 0.7, 0.1, 0.1], [0.1, 0.1, 0.6, 0.2, 0.1]])
    truth = scores > 0.5
    space = SPACES["rules"]
    legal = Legal(GlobalCut()).fit(scores, truth, space=space)
    assert legal.decide(scores) == GlobalCut().fit(scores, truth, space=space).decide(scores)


def test_a_space_with_rules_gets_legal_sets():
    space = SPACES["mixed"]
    rng = np.random.default_rng(0)
    scores = rng.random((40, 5))
    rule = rule_for(space).fit(scores, scores > 0.6, space=space)
    assert not space.violations(rule.decide(scores))


def test_only_rules_with_cuts():
    with pytest.raises(OptionError, match="Legal needs a rule that fits cuts, got TopK"):
        Legal(TopK(k=1)).fit(np.eye(2), np.eye(2, dtype=bool))


def test_impossible_counts_are_named():
    space = LabelSpace(tuple("abcd"), groups=(Group("one", ("a", "b")), Group("two", ("c", "d"))))
    with pytest.raises(InputError, match="no legal set of the 4 labels keeps the limits"):
        best_legal_sets(np.ones((1, 4)), space, Limits(False, 1))
