from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from manyhot.data.doctor import groups as module
from manyhot.data.doctor.groups import FoundGroup, at_most_one, exactly_one
from manyhot.data.doctor.pairs import cooccurrence
from manyhot.labels import Targets

NAMES = tuple("abcdefgh")


def by_definition(dense):
    """All sets of two or more labels that occur, of which every row has exactly one."""
    used = [label for label in range(dense.shape[1]) if dense[:, label].any()]
    return {
        chosen
        for size in range(2, len(used) + 1)
        for chosen in combinations(used, size)
        if (dense[:, chosen].sum(axis=1) == 1).all()
    }


@settings(max_examples=200, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_finds_groups_exactly_where_there_are_some(dense):
    groups, complete = exactly_one(Targets.from_dense(dense), NAMES)
    found = [tuple(NAMES.index(name) for name in group.labels) for group in groups]
    assert complete
    assert set(found) <= by_definition(dense)
    assert bool(found) == bool(by_definition(dense))
    assert len({label for labels in found for label in labels}) == sum(map(len, found))


def test_finds_three_independent_groups_among_other_labels():
    rng = np.random.default_rng(0)
    sizes = (3, 4, 5)
    blocks = [np.eye(size, dtype=bool)[rng.integers(size, size=2000)] for size in sizes]
    dense = np.column_stack([*blocks, rng.random((2000, 6)) < 0.3])
    order = rng.permutation(dense.shape[1])
    names = tuple(f"{label:02d}" for label in range(dense.shape[1]))
    groups, complete = exactly_one(
        Targets.from_dense(dense[:, order]), tuple(names[label] for label in order)
    )
    assert complete
    assert {frozenset(group.labels) for group in groups} == {
        frozenset(names[0:3]),
        frozenset(names[3:7]),
        frozenset(names[7:12]),
    }


def test_thousands_of_classes_are_one_group_in_no_time():
    labels = np.random.default_rng(0).integers(3000, size=20_000)
    groups, complete = exactly_one(
        Targets.from_index_lists([[label] for label in labels], 3000), tuple(map(str, range(3000)))
    )
    assert complete
    assert [set(group.labels) for group in groups] == [set(map(str, labels))]


def test_one_row_without_labels_leaves_no_group():
    dense = np.array([[1, 0], [0, 1], [0, 0]])
    assert exactly_one(Targets.from_dense(dense), NAMES) == ([], True)


def test_rows_with_unknown_cells_are_left_out():
    dense = np.array([[1, 0], [0, 1], [np.nan, 0]])
    groups, _ = exactly_one(Targets.from_dense(dense), NAMES)
    assert groups == [FoundGroup(("a", "b"), allow_none=False)]
    assert exactly_one(Targets.from_dense(np.full((3, 2), np.nan)), NAMES) == ([], True)


def test_a_label_in_every_row_is_no_group():
    groups, _ = exactly_one(Targets.from_dense(np.array([[1, 1, 0], [1, 0, 1]])), NAMES)
    assert groups == [FoundGroup(("b", "c"), allow_none=False)]


def test_no_rows_have_no_groups():
    assert exactly_one(Targets.negative(0, 3), NAMES) == ([], True)


def test_labels_that_all_meet_cost_no_search(monkeypatch):
    monkeypatch.setattr(module, "MOST_WORK", 1)
    dense = np.random.default_rng(0).random((200, 30)) < 0.5
    assert exactly_one(Targets.from_dense(dense), tuple(map(str, range(30)))) == ([], True)


def test_the_search_says_when_it_was_stopped(monkeypatch):
    monkeypatch.setattr(module, "MOST_WORK", 1)
    assert exactly_one(Targets.from_dense(np.array([[1, 0], [0, 1]])), NAMES)[1] is False


def test_at_most_one_needs_rows_enough_to_be_sure():
    rng = np.random.default_rng(0)
    classes = rng.choice(5, p=[0.25, 0.25, 0.2, 0.2, 0.1], size=1000)  # class 4 is none of them
    dense = np.column_stack([np.eye(5, dtype=bool)[classes][:, :4], rng.random((1000, 2)) < 0.3])
    for rows, expected in ((1000, [FoundGroup(tuple("abcd"), allow_none=True)]), (30, [])):
        targets = Targets.from_dense(dense[:rows])
        assert at_most_one(targets, cooccurrence(targets), NAMES, set()) == expected


def test_at_most_one_leaves_taken_labels_alone():
    dense = np.eye(4, dtype=bool)[np.random.default_rng(0).integers(4, size=1000)]
    targets = Targets.from_dense(dense)
    assert at_most_one(targets, cooccurrence(targets), NAMES, {"a"}) == [FoundGroup(tuple("bcd"), True)]


def test_rare_topics_that_never_met_are_no_group():
    dense = np.zeros((10_000, 4), dtype=bool)
    for label in range(4):
        dense[1000 * label : 1000 * (label + 1), label] = True
    targets = Targets.from_dense(dense)
    assert at_most_one(targets, cooccurrence(targets), NAMES, set()) == []
