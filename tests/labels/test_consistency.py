"""What groups, parents and rules do to targets, against tables by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from manyhot.errors import InputError
from manyhot.labels import Group, LabelSpace, Targets

NAN = np.nan
TREE = LabelSpace(["animal", "pet", "dog", "poodle", "stone"], parents={
    "poodle": "dog", "dog": ["animal", "pet"], "pet": "animal",
})  # fmt: skip
SHOP = LabelSpace(
    ["red", "blue", "dress", "jeans", "denim", "striped"],
    groups=[Group("colour", ("red", "blue")), Group("type", ("dress", "jeans"), allow_none=True)],
    rules=["jeans -> denim", "jeans -> not striped"],
)


def test_positive_labels_bring_their_ancestors() -> None:
    targets = TREE.encode([["poodle"], ["pet"], ["stone"], []])
    assert TREE.decode(TREE.close_upward(targets)) == [
        ["animal", "pet", "dog", "poodle"], ["animal", "pet"], ["stone"], [],
    ]  # fmt: skip


def test_soft_and_unknown_cells_close_as_three_valued_or() -> None:
    #                          animal pet dog poodle stone
    targets = Targets.from_dense([
        [0, 0.9, 0.2, 0.5, 0],
        [0, 1, NAN, 0, 0],
        [0, NAN, 1, 0, NAN],
        [0, 0, 0, NAN, 1],
    ])  # fmt: skip
    np.testing.assert_allclose(
        TREE.close_upward(targets).to_dense(),
        [
            [0.9, 0.9, 0.5, 0.5, 0],
            [1, 1, NAN, 0, 0],
            [1, 1, 1, 0, NAN],
            [NAN, NAN, NAN, NAN, 1],
        ],
    )


ternary = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 5), st.just(5)), elements=st.sampled_from([0, 1, NAN, 0.5])
)


@given(ternary)
def test_closing_twice_changes_nothing_and_nothing_is_lost(matrix: np.ndarray) -> None:
    closed = TREE.close_upward(Targets.from_dense(matrix))
    assert TREE.close_upward(closed) == closed
    dense = closed.to_dense()
    assert (np.nan_to_num(dense) >= np.nan_to_num(matrix)).all()
    assert not any("(parent)" in text for text in TREE.violations(closed))


def test_a_space_without_parents_closes_to_the_same() -> None:
    targets = SHOP.encode([["red"]])
    assert SHOP.close_upward(targets) is targets


def test_violations_are_counted_by_name() -> None:
    rows = [
        ["red", "dress"],  # fine
        ["red", "blue"],  # two colours
        ["dress", "jeans", "denim"],  # no colour, two types
        ["red", "jeans", "striped"],  # no denim, but striped
        [],  # no colour
    ]
    assert SHOP.violations(SHOP.encode(rows)) == {
        "colour: more than one": 1,
        "colour: none": 2,
        "type: more than one": 1,
        "jeans -> denim": 1,
        "jeans -> not striped": 1,
    }
    assert SHOP.violations(SHOP.encode(rows[:1])) == {}
    assert TREE.violations(TREE.encode([["poodle"], ["poodle", "dog"]])) == {
        "poodle -> dog (parent)": 1,
        "dog -> animal (parent)": 1,
        "dog -> pet (parent)": 1,
    }


def test_unknown_cells_break_nothing() -> None:
    #                           red blue dress jeans denim striped
    targets = Targets.from_dense([[0, NAN, 0, 1, NAN, NAN], [1, NAN, NAN, 0, 0, 0]])
    assert SHOP.violations(targets) == {}


def test_soft_values_break_rules_beyond_the_bounds_of_probability() -> None:
    #                           red blue dress jeans denim striped
    fine = [[0.7, 0.3, 0.5, 0.4, 0.4, 0.6], [0.1 + 0.2, 0.7, 0, 0, 0, 0]]
    broken = [[0.7, 0.6, 0, 0.4, 0.3, 0.7], [0.2, 0.2, 0, 0, 0, 0]]
    assert SHOP.violations(Targets.from_dense(fine)) == {}
    assert SHOP.violations(Targets.from_dense(broken)) == {
        "colour: more than one": 1,
        "colour: none": 1,
        "jeans -> denim": 1,
        "jeans -> not striped": 1,
    }


def test_classes_of_a_group_for_a_softmax() -> None:
    #                           red blue dress jeans denim striped
    targets = Targets.from_dense([[0, 1, 0, 0, 0, 0], [1, NAN, 0, 1, 0, 0], [NAN, 0, NAN, NAN, 0, 0]])
    assert SHOP.group_classes(targets, "colour").tolist() == [1, 0, -1]
    assert SHOP.group_classes(targets, SHOP.groups[1]).tolist() == [2, 1, -1]
    with pytest.raises(InputError, match="group 'colour' is exclusive, row 1 has red, blue"):
        SHOP.group_classes(SHOP.encode([["red"], ["blue", "red"]]), "colour")
    with pytest.raises(InputError, match=r"group 'colour': row 1 \(and 1 more\) has none of red, blue"):
        SHOP.group_classes(SHOP.encode([["red"], [], []]), "colour")
    with pytest.raises(InputError, match="group 'colour': expected 0/1 targets, got soft ones"):
        SHOP.group_classes(Targets.from_dense([[0.5, 0.5, 0, 0, 0, 0]]), "colour")


def test_deep_chains_need_no_recursion() -> None:
    names = [f"level{depth}" for depth in range(1500)]
    space = LabelSpace(names, parents=dict(zip(names[1:], names[:-1], strict=True)))
    assert len(space.decode(space.close_upward(space.encode([["level1499"]])))[0]) == 1500
