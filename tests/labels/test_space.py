"""The label space: what it holds, what it refuses, and names in and out."""

import copy
import pickle
import subprocess
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import Constraint, Group, LabelSpace, Targets

COLOURS = Group("colour", ("black", "blue", "red"))
SHOP = LabelSpace(
    ["black", "blue", "red", "dress", "jeans", "striped", "denim"],
    groups=[COLOURS, Group("type", ("dress", "jeans"), allow_none=True)],
    parents={"jeans": "denim"},
    rules=["jeans -> not striped"],
)

BROKEN = {
    "twice": ({"names": ["red", "red"]}, "label 'red' is there twice"),
    "empty": ({"names": ["red", " "]}, "label 1 has an empty name"),
    "not a string": ({"names": ["red", True]}, r"label 1: expected a string, got True \(bool\)"),
    "one string": ({"names": "red"}, "expected a list of label names, got the string 'red'"),
    "strange label in a group": (
        {"names": ["red"], "groups": [Group("colour", ("red", "bleu"))]},
        "group 'colour': 'bleu' is not one of the labels",
    ),
    "label in two groups": (
        {"names": ["a", "b", "c"], "groups": [Group("x", ("a", "b")), Group("y", ("b", "c"))]},
        "label 'b' is in group 'x' and again in 'y'",
    ),
    "label twice in a group": (
        {"names": ["a", "b"], "groups": [Group("x", ("a", "b", "a"))]},
        "label 'a' is in group 'x' and again in 'x'",
    ),
    "two groups of one name": (
        {"names": ["a", "b", "c", "d"], "groups": [Group("x", ("a", "b")), Group("x", ("c", "d"))]},
        "two groups are named 'x'",
    ),
    "group of one": (
        {"names": ["a", "b"], "groups": [Group("x", ("a",))]},
        "group 'x': expected two labels or more, got 1",
    ),
    "cycle": (
        {"names": ["a", "b", "c"], "parents": {"a": "b", "b": "c", "c": "a"}},
        "parents form a cycle: .*; remove one of these links",
    ),
    "own parent": ({"names": ["a"], "parents": {"a": ["a"]}}, "parents form a cycle: a -> a"),
    "strange parent": (
        {"names": ["a"], "parents": {"a": "z"}},
        "parents of 'a': 'z' is not one of the labels",
    ),
    "strange rule": ({"names": ["a"], "rules": ["a -> z"]}, "rule 'a -> z': 'z' is not one of the labels"),
    "no rule": ({"names": ["a"], "rules": ["a implies z"]}, "expected a rule 'label -> other'"),
    "rule as a tuple": (
        {"names": ["a", "b"], "rules": [("implies", "a", "b")]},
        r"expected a rule 'label -> other' or 'label -> not other', got \('implies', 'a', 'b'\); write it so",
    ),
    "parents as pairs": (
        {"names": ["a", "b"], "parents": [("a", "b")]},
        r"expected parents as a mapping of a label to its parent or parents, got \[\('a', 'b'\)\]; write",
    ),
    "parents of none": (
        {"names": ["a"], "parents": {"a": None}},
        "parents of 'a': expected a name or a list of names, got None",
    ),
    "rule on itself": ({"names": ["a"], "rules": ["a -> not a"]}, "cannot imply or exclude itself"),
    "implied and excluded": (
        {"names": ["a", "b"], "rules": ["a -> b", "a -> not b"]},
        "label 'a' could never apply: it brings 'a' and 'b', which exclude each other",
    ),
    "excluded through a chain": (
        {"names": ["a", "b", "c"], "parents": {"a": "b"}, "rules": ["b -> c", "c -> not a"]},
        "label 'a' could never apply: it brings 'c' and 'a'",
    ),
    "two of a group implied": (
        {"names": ["a", "b", "c"], "groups": [Group("x", ("b", "c"))], "rules": ["a -> b", "a -> c"]},
        "it brings 'b' and 'c' of the exclusive group 'x'",
    ),
    "parent in the same group": (
        {"names": ["a", "b"], "groups": [Group("x", ("a", "b"))], "parents": {"a": "b"}},
        "it brings 'a' and 'b' of the exclusive group 'x'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_contradictory_space_is_refused_by_name(case: str) -> None:
    arguments, message = BROKEN[case]
    with pytest.raises(InputError, match=message):
        LabelSpace(**arguments)


def test_a_group_given_as_one_string_is_refused() -> None:
    with pytest.raises(InputError, match="group 'colour': expected a list of labels, got the string 'red'"):
        Group("colour", "red")  # type: ignore[arg-type]


def test_a_rule_reads_from_text_and_back() -> None:
    assert Constraint.parse("jeans -> denim") == Constraint("implies", "jeans", "denim")
    assert Constraint.parse("jeans->not dress") == Constraint("excludes", "jeans", "dress")
    assert str(Constraint.parse("jeans -> not dress")) == "jeans -> not dress"
    with pytest.raises(OptionError, match="kind of a rule must be one of implies, excludes"):
        Constraint("forbids", "a", "b")  # type: ignore[arg-type]


def test_it_answers_by_name() -> None:
    assert len(SHOP) == 7
    assert "red" in SHOP
    assert "green" not in SHOP
    assert SHOP.column("dress") == 3
    assert SHOP.columns(["red", "black"]).tolist() == [2, 0]
    assert SHOP.independent == ("striped", "denim")
    assert SHOP.parents["jeans"] == ("denim",)
    assert SHOP.group("colour") is SHOP.groups[0]
    with pytest.raises(InputError, match=r"'rde' is not one of the 7 labels; did you mean 'red'"):
        SHOP.column("rde")
    with pytest.raises(InputError, match="expected a list of label names, got the string 'red'"):
        SHOP.columns("red")
    with pytest.raises(InputError, match="no group 'size'; the groups are colour, type"):
        SHOP.group("size")


def test_it_is_frozen_hashable_and_survives_copies() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        SHOP.names = ()  # type: ignore[misc]
    with pytest.raises(TypeError, match="does not support item assignment"):
        SHOP.parents["red"] = ("blue",)  # type: ignore[index]
    assert pickle.loads(pickle.dumps(SHOP)) == copy.deepcopy(SHOP) == SHOP
    assert len({SHOP, copy.deepcopy(SHOP)}) == 1
    assert SHOP != "shop"


def test_the_digest_depends_on_content_and_order_of_names_only() -> None:
    one = LabelSpace(["a", "b", "c"], rules=["a -> b", "b -> c"])
    assert one.digest == LabelSpace(["a", "b", "c"], rules=["b -> c", "a -> b", "a -> b"]).digest
    others = [
        LabelSpace(["a", "b", "c"]),
        LabelSpace(["b", "a", "c"], rules=["a -> b", "b -> c"]),
        LabelSpace(["a", "b", "c"], rules=["a -> b", "b -> not c"]),
        LabelSpace(["a", "b", "c"], parents={"a": "b"}),
        LabelSpace(["a", "b", "c"], groups=[Group("x", ("a", "b"))]),
        LabelSpace(["a", "b", "c"], groups=[Group("x", ("a", "b"), allow_none=True)]),
    ]
    assert len({space.digest for space in [one, *others]}) == 7


def test_spaces_that_mean_the_same_are_equal() -> None:
    names = ["a", "b", "c"]
    one = LabelSpace(names, parents={"a": ["b", "c"]})
    assert one == LabelSpace(names, parents={"a": ["c", "b"]})
    assert hash(one) == hash(LabelSpace(names, parents={"a": ["c", "b", "c"]}))
    apart = LabelSpace(names, rules=["a -> not b", "c -> b"])
    assert apart == LabelSpace(names, rules=["c -> b", "b -> not a", "a -> not b"])
    assert apart != LabelSpace(names, rules=["a -> not b", "b -> c"])
    assert list(map(str, LabelSpace(names, rules=["b -> not a"]).rules)) == [
        "b -> not a"
    ]  # as it was written
    assert LabelSpace(names, rules=["b -> not a", "a -> not b"]).violations(
        Targets.from_index_lists([[0, 1]], 3)
    ) == {"a -> not b": 1}


def test_the_digest_is_the_same_in_another_process() -> None:
    program = "from manyhot.labels import LabelSpace; print(LabelSpace(['é', 'b'], rules=['b -> é']).digest)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert found.stdout.strip() == LabelSpace(["é", "b"], rules=["b -> é"]).digest


def test_importing_labels_loads_no_heavy_package() -> None:
    program = (
        "import manyhot.labels, sys; "
        "print([name for name in ('torch', 'polars', 'pandas', 'sklearn', 'yaml') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# ---------------------------------------------------------------- names in and out

names_strategy = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=8, unique=True)


@given(st.data())
def test_names_round_trip(data: st.DataObject) -> None:
    space = LabelSpace(data.draw(names_strategy))
    rows = data.draw(st.lists(st.lists(st.sampled_from(space.names), max_size=6), max_size=6))
    targets = space.encode(rows)
    expected = [[name for name in space.names if name in row] for row in rows]
    assert space.decode(targets) == expected
    assert space.encode(space.decode(targets)) == targets


def test_discovered_names_are_sorted() -> None:
    assert LabelSpace.of([["b", "a"], [], ["b"]]).names == ("a", "b")
    with pytest.raises(InputError, match=r"row 1: expected a list of label names, got the string 'red'"):
        LabelSpace.of([["red"], "red"])


def test_an_iterator_of_rows_and_sets_are_taken() -> None:
    targets = SHOP.encode(iter([{"red", "dress"}, ("blue",), (name for name in ["jeans"])]))
    assert SHOP.decode(targets) == [["red", "dress"], ["blue"], ["jeans"]]


def test_nothing_encodes_to_nothing() -> None:
    assert SHOP.encode([]).shape == (0, 7)
    assert SHOP.decode(SHOP.encode([])) == []
    assert LabelSpace([]).encode([[], []]).shape == (2, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("red", "expected a list of label names for every row, got the string 'red'"),
        (["red", "blue"], r"row 0: expected a list of label names, got the string 'red'; write \['red'\]"),
        ([["red"], None], r"row 1: expected a list of label names, got None; \[\] is a row without labels"),
        ([["red"], float("nan")], "row 1: expected a list of label names, got nan"),
        ([["red", 3]], "row 0: expected label names as strings, got 3 of type int; .*from_index_lists"),
        ([["red", None]], "row 0: expected label names as strings, got None"),
        (
            [{"red": 0, "blue": 1}],
            "row 0: expected a list of label names, got the mapping {'red': 0, 'blue': 1}; l",
        ),
        (np.eye(7), "row 0: expected label names as strings, got np.float64"),
    ],
)
def test_what_is_not_a_list_of_names_is_caught(rows: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SHOP.encode(rows)  # type: ignore[arg-type]


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(
        InputError,
        match=r"label 'rde' \(2 times, first in row 1\), 1 further names not in the space of 7 labels; "
        r"did you mean 'red'.*unknown='ignore'",
    ):
        SHOP.encode([["red"], ["rde"], ["rde", "xyz"]])


def test_unknown_names_are_ignored_or_collected_with_counts() -> None:
    rows = [["red", "rde"], ["rde", "rde"], ["green"]]
    seen: Counter[str] = Counter()
    assert SHOP.encode(rows, unknown="ignore") == SHOP.encode([["red"], [], []])
    assert SHOP.encode(rows, unknown="collect", seen=seen) == SHOP.encode([["red"], [], []])
    assert seen == {"rde": 3, "green": 1}
    with pytest.raises(OptionError, match=r"pass seen=Counter\(\)"):
        SHOP.encode(rows, unknown="collect")
    with pytest.raises(OptionError, match="unknown must be one of error, ignore, collect, got 'skip'"):
        SHOP.encode(rows, unknown="skip")  # type: ignore[arg-type]


def test_soft_values_are_decoded_from_the_cut_on() -> None:
    targets = Targets.from_dense([[0.6, 0.4, np.nan, 0, 0, 0, 1]])
    assert SHOP.decode(targets) == [["black", "denim"]]
    assert SHOP.decode(targets, cut=0.3) == [["black", "blue", "denim"]]


def test_decode_takes_any_form_of_targets() -> None:
    space = LabelSpace(["a", "b", "c"])
    assert space.decode(np.array([[1, 0, 1], [0, 0, 0]])) == [["a", "c"], []]
    assert space.decode([[2, 0], []]) == [["a", "c"], []]


def test_a_column_twice_is_refused() -> None:
    frame = pd.DataFrame([[1, 0, 0]], columns=["a", "b", "a"])
    with pytest.raises(InputError, match="'a' is the name of two columns; rename or drop one"):
        LabelSpace(["a", "b"]).from_columns(frame)


@pytest.mark.parametrize("rows", [None, Targets.negative(1, 2), 3])
def test_what_is_no_rows_of_names_is_refused(rows) -> None:
    with pytest.raises(InputError, match="expected a list of label names for every row, got"):
        LabelSpace(["a", "b"]).encode(rows)


@pytest.mark.parametrize("groups", [{"colour": ["a", "b"]}, [("colour", ("a", "b"))]])
def test_groups_that_are_no_groups_are_refused(groups) -> None:
    with pytest.raises(InputError, match=r"expected Group\(name, labels\)"):
        LabelSpace(["a", "b"], groups=groups)


def test_targets_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected targets for 7 labels, got 2; encode with this space"):
        SHOP.decode(Targets.from_dense([[0, 1]]))


def test_frames_are_read_by_name_in_any_column_order() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    space = LabelSpace(["a", "b", "c"])
    targets = Targets.from_dense([[1, 0, np.nan], [0, 0.5, 1]])
    for library in (pandas, polars):
        frame = library.DataFrame(space.to_columns(targets))
        shuffled = frame[["c", "a", "b"]]
        assert space.from_columns(shuffled) == targets
    assert space.from_columns(space.to_columns(targets)) == targets
    coded = pandas.DataFrame({"b": [0, 1], "extra": ["x", "y"], "a": [-1, 1], "c": [1, 0]})
    assert space.from_columns(coded, unknown_code=-1) == Targets.from_dense([[np.nan, 0, 1], [1, 1, 0]])
    with pytest.raises(InputError, match=r"no column for 1 of 3 labels: 'c'"):
        space.from_columns(coded.drop(columns="c"))


def test_wide_targets_encode_in_little_memory() -> None:
    names = [f"label{number}" for number in range(4000)]
    space = LabelSpace(names)
    picks = np.random.default_rng(0).integers(0, 4000, (200_000, 5))
    rows = ([names[column] for column in row] for row in picks.tolist())
    tracemalloc.start()
    targets = space.encode(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert targets.shape == (200_000, 4000)
    assert targets.row_counts().tolist() == [len(set(row)) for row in picks.tolist()]
    assert peak < 100e6  # dense float32 would be 3.2e9


# ---------------------------------------------------------------- change


def test_extend_appends_and_old_columns_stay() -> None:
    wider = SHOP.extend(["green"], group="colour").extend(["lace"])
    assert wider.names == (*SHOP.names, "green", "lace")
    assert wider.group("colour").labels == ("black", "blue", "red", "green")
    assert wider.independent == ("striped", "denim", "lace")
    assert wider.rules == SHOP.rules
    assert wider.parents == SHOP.parents
    old = SHOP.encode([["red"], []])
    assert wider.decode(old.widen(len(wider))) == [["red"], []]
    with pytest.raises(InputError, match="'red' is in the space already"):
        SHOP.extend(["red"])
    with pytest.raises(InputError, match="expected a list of label names, got the string 'green'"):
        SHOP.extend("green")
