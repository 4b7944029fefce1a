"""Arg-max in exclusive groups, with and without "none", beside cuts for the independent labels."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.decide import GlobalCut, GroupArgmax, PerLabelCut, at_half, read_rule, rule_for
from manyhot.decide.grouped import best_of_groups
from manyhot.errors import InputError
from manyhot.labels import Group, LabelSpace

NAMES = ("striped", "black", "blue", "dress", "jeans", "denim")
COLOUR, KIND = Group("colour", ("black", "blue")), Group("kind", ("dress", "jeans"), allow_none=True)
SPACE = LabelSpace(NAMES, groups=(COLOUR, KIND))
SCORES = np.array(
    [
        [0.9, 0.8, 0.2, 0.7, 0.1, 0.2],
        [0.1, 0.4, 0.6, 0.3, 0.9, 0.8],
        [0.2, 0.1, 0.3, 0.2, 0.1, 0.6],
        [0.8, 0.5, 0.5, 0.1, 0.3, 0.1],
    ],
    np.float32,
)
ROWS = [["striped", "black", "dress"], ["blue", "jeans", "denim"], ["blue", "denim"], ["striped", "black"]]


def test_one_label_of_each_group_and_none_where_it_is_allowed():
    rule = rule_for(SPACE).fit(SCORES, SPACE.encode(ROWS), space=SPACE)
    assert SPACE.decode(rule.decide(SCORES)) == ROWS


def test_the_group_that_must_have_a_label_always_gets_one():
    rule = rule_for(SPACE).fit(SCORES, SPACE.encode(ROWS), space=SPACE)
    decided = SPACE.decode(rule.decide(np.full((1, 6), 1e-6)))[0]
    assert set(decided) & set(COLOUR.labels)
    assert not set(decided) & set(KIND.labels)


def test_the_cut_for_none_lies_half_way_between_the_rows_it_tells_apart():
    rule = GroupArgmax().fit(SCORES, SPACE.encode(ROWS), space=SPACE)
    # kind: rows 1 and 0 are right at 0.9 and 0.7; row 3 has none at 0.3
    assert rule.cuts == {"colour": -np.inf, "kind": pytest.approx(0.5)}


def test_round_trip_by_label_name():
    rule = rule_for(SPACE).fit(SCORES, SPACE.encode(ROWS), space=SPACE, rows=["a", "b", "c", "d"])
    again = read_rule(json.loads(json.dumps(rule.to_dict(), allow_nan=False)), SPACE)
    assert again.decide(SCORES) == rule.decide(SCORES)
    assert again.tuned_on == rule.tuned_on


def test_other_groups_than_fitted_are_refused():
    rule = rule_for(SPACE).fit(SCORES, SPACE.encode(ROWS), space=SPACE)
    with pytest.raises(InputError, match=r"1 values for unknown names \(\['kind'\]\)"):
        read_rule(rule.to_dict(), LabelSpace(NAMES, groups=(COLOUR,)))


def test_sparse_scores_decide_the_same():
    rule = rule_for(SPACE).fit(SCORES, SPACE.encode(ROWS), space=SPACE)
    assert rule.decide(csr_array(SCORES)) == rule.decide(SCORES)


def test_all_labels_in_groups_needs_no_other_rule():
    space = LabelSpace(("black", "blue"), groups=(COLOUR,))
    rule = rule_for(space).fit(
        SCORES[:, 1:3], space.encode([["black"], ["blue"], ["blue"], ["black"]]), space=space
    )
    assert rule.independent is None
    assert space.decode(rule.decide(SCORES[:, 1:3])) == [["black"], ["blue"], ["blue"], ["black"]]


def test_without_groups_the_rule_is_the_plain_one():
    assert rule_for(LabelSpace(("a",)), goal="f1_micro", kind="global") == GlobalCut("f1_micro")
    assert rule_for(LabelSpace(("a",))) == PerLabelCut("f1_macro")


def test_a_label_without_a_score_is_never_chosen():
    space = LabelSpace(("a", "b", "c", "d"), groups=(Group("g", ("a", "b", "c")),))
    scores = csr_array(np.array([[0, 0.2, 0.1, 0], [0, 0, 0, 0.9]]))
    rule = GroupArgmax().fit(scores, [["b"], ["d"]], space=space)
    assert rule.decide(scores).to_index_lists()[0][:1] == [1]
    assert not set(rule.decide(scores).to_index_lists()[1]) & {0, 1, 2}


def test_without_tuning_half_is_the_cut_and_the_highest_of_a_group_that_must_have_a_label():
    decided = at_half(SPACE).decide(SCORES).to_dense()
    np.testing.assert_array_equal(
        decided, [[1, 1, 0, 1, 0, 0], [0, 0, 1, 0, 1, 1], [0, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(at_half(LabelSpace(NAMES)).decide(SCORES).to_dense(), SCORES >= 0.5)


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_only_the_best_of_a_group_keeps_its_score(form):
    kept = best_of_groups(form(SCORES), SPACE)
    kept = kept.toarray() if isinstance(kept, csr_array) else kept
    lost = -np.inf
    assert (
        kept.tolist()
        == np.array(
            [
                [0.9, 0.8, lost, 0.7, lost, 0.2],
                [0.1, lost, 0.6, lost, 0.9, 0.8],
                [0.2, lost, 0.3, 0.2, lost, 0.6],
                [0.8, 0.5, lost, lost, 0.3, 0.1],
            ],
            np.float32,
        ).tolist()
    )
    assert best_of_groups(SCORES, LabelSpace(NAMES)) is SCORES
