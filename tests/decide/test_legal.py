"""Legal sets against the list of all sets."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.decide import GlobalCut, Legal, TopK, rule_for
from manyhot.decide.legal_sets import Limits, _plans, best_legal_sets
from manyhot.decide.links import Links
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


def linked_at_random(rng):
    """Up to nine labels, some in a group, with parents and rules between them."""
    size = int(rng.integers(2, 10))
    names = tuple(f"n{i}" for i in range(size))
    groups, cut = [], int(rng.integers(0, size + 1))
    if cut >= 2:
        groups = [Group("g", names[:cut], allow_none=bool(rng.integers(2)))]
    pairs = rng.integers(0, size, (int(rng.integers(0, 2 * size)), 2))
    free = [(int(a), int(b)) for a, b in pairs if a != b and max(a, b) >= cut]
    parents, rules = {}, set()
    for a, b in free:
        kind = rng.integers(3)
        if kind == 0 and min(a, b) >= cut:
            parents.setdefault(names[max(a, b)], set()).add(names[min(a, b)])
        else:
            rules.add(f"{names[a]} -> {'not ' if kind == 1 else ''}{names[b]}")
    try:
        return LabelSpace(names, groups, {name: tuple(above) for name, above in parents.items()}, rules)
    except InputError:  # rules under which a label could never apply
        return linked_at_random(rng)


def everything(size):
    return np.array(list(itertools.product([False, True], repeat=size)))


@pytest.mark.parametrize("limits", [Limits(), Limits(True, None), Limits(False, 2), Limits(True, 3)])
@pytest.mark.parametrize("seed", range(60))
def test_links_of_any_shape_are_solved_exactly(seed, limits):
    rng = np.random.default_rng(seed)
    space = linked_at_random(rng)
    sets = everything(len(space))
    sets = sets[Links.of(space).legal(sets) & ~limits.broken(sets.sum(axis=1))]
    margins = rng.normal(size=(20, len(space)))
    if not len(sets):
        with pytest.raises(InputError, match="no legal set"):
            best_legal_sets(margins, space, limits)
        return
    chosen = best_legal_sets(margins, space, limits)
    assert all((sets == row).all(axis=1).any() for row in chosen)
    np.testing.assert_allclose((margins * chosen).sum(1), (margins @ sets.T).max(axis=1))


def chain(size):
    names = tuple(f"n{i}" for i in range(size))
    return LabelSpace(names, rules=[f"{a} -> not {b}" for a, b in itertools.pairwise(names)])


def best_of_chain(margins, most=None):
    """Total of the best set without two neighbours, of `most` labels at most, from left to right."""
    most = len(margins) if most is None else most
    out, taken = np.zeros(most + 1), np.full(most + 1, -np.inf)
    for margin in margins:
        out, taken = np.maximum(out, taken), np.append(-np.inf, out[:-1] + margin)
    return max(out.max(), taken.max())


@pytest.mark.parametrize("size", [100, 300, 2000])
def test_a_long_chain_of_exclusions_takes_no_time(size):
    space, margins = chain(size), np.random.default_rng(0).normal(size=(20, size))
    for limits in (Limits(), Limits(True, 7)):
        best_legal_sets(margins[:1], space, limits)  # compiled, and planned
        begin = time.perf_counter()
        chosen = best_legal_sets(margins, space, limits)
        assert time.perf_counter() - begin < 1
        expected = [best_of_chain(row, limits.at_most) for row in margins]
        np.testing.assert_allclose((margins * chosen).sum(1), expected)


def test_a_group_of_hundreds_with_a_rule_is_one_choice():
    names = tuple(f"n{i}" for i in range(600))
    space = LabelSpace(names, groups=[Group("g", names[:500])], rules=["n3 -> n550", "n7 -> not n551"])
    margins = np.random.default_rng(0).normal(size=(50, 600))
    chosen = best_legal_sets(margins, space, Limits())
    free = np.maximum(margins[:, 552:], 0).sum(1) + np.maximum(margins[:, 500:550], 0).sum(1)
    brings, bars = margins[:, 550], margins[:, 551]
    group = margins[:, :500] + (np.maximum(brings, 0) + np.maximum(bars, 0))[:, None]
    group[:, 3] += np.minimum(brings, 0)
    group[:, 7] -= np.maximum(bars, 0)
    np.testing.assert_allclose((margins * chosen).sum(1), free + group.max(axis=1))


def test_links_too_wide_for_a_plan_are_searched(monkeypatch):
    monkeypatch.setattr("manyhot.decide.elimination.ENTRIES", 20)
    _plans.cache_clear()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        space = linked_at_random(rng)
        sets = everything(len(space))
        sets = sets[Links.of(space).legal(sets)]
        margins = rng.normal(size=(5, len(space)))
        for limits in (Limits(), Limits(True, 4)):
            within = sets[~limits.broken(sets.sum(axis=1))]
            if len(within):
                chosen = best_legal_sets(margins, space, limits)
                np.testing.assert_allclose((margins * chosen).sum(1), (margins @ within.T).max(axis=1))
    _plans.cache_clear()


def test_a_search_that_finds_no_end_says_so(monkeypatch):
    monkeypatch.setattr("manyhot.decide.elimination.ENTRIES", 20)
    monkeypatch.setattr("manyhot.decide.branch_and_bound.STEPS", 3)
    _plans.cache_clear()
    with pytest.raises(InputError, match="a legal set among 40 linked labels was not found in 3 steps"):
        best_legal_sets(np.ones((1, 40)), chain(40), Limits())
    _plans.cache_clear()


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
