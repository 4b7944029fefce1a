"""Stratified splits: sizes, groups, shares and rare labels, against definitions and against chance."""

import json
from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.data.split import Split, folds, holding, stratify
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets

NAN = np.nan


def label_distance(targets: Targets, part: np.ndarray) -> float:
    """LD of Sechidis et al. 2011: mean difference of the odds of a label in a part and in the whole."""
    whole = targets.to_dense()
    odds = whole.sum(0) / np.maximum(len(whole) - whole.sum(0), 1)
    distances = []
    for number in range(part.max() + 1):
        inside = whole[part == number]
        distances.append(np.abs(inside.sum(0) / np.maximum(len(inside) - inside.sum(0), 1) - odds))
    return float(np.mean(distances))


def pair_distance(targets: Targets, part: np.ndarray) -> float:
    """Mean difference of the frequency of a pair of labels in a part and in the whole."""
    whole = targets.to_dense()
    together = whole.T @ whole
    occurring = np.triu(together > 0, 1)
    distances = []
    for number in range(part.max() + 1):
        inside = whole[part == number]
        distances.append(np.abs(inside.T @ inside / len(inside) - together / len(whole))[occurring])
    return float(np.mean(distances))


def real(folder: Path, name: str) -> tuple[LabelSpace, Targets]:
    names = json.loads((folder / name / "meta.json").read_text())["label_names"]
    parts = [polars.read_parquet(folder / name / f"{part}.parquet") for part in ("train", "test")]
    frame = polars.concat(parts)
    if set(names) <= set(frame.columns):
        space = LabelSpace(names)
        return space, space.from_columns(frame)
    rows = frame["labels"].to_list()
    space = LabelSpace.of(rows)
    return space, space.encode(rows)


@pytest.mark.parametrize("name", ["yeast", "bibtex", "reuters_modapte90"])
def test_shares_on_real_data_are_far_nearer_than_by_chance(shared_data: Path, name: str) -> None:
    space, targets = real(shared_data, name)
    first, second = (stratify(targets, order=order, space=space) for order in (1, 2))
    chance = [np.random.default_rng(seed).permutation(second.part) for seed in range(5)]
    by_chance = min(label_distance(targets, part) for part in chance)
    assert label_distance(targets, first.part) < 0.4 * by_chance
    assert label_distance(targets, second.part) < 0.4 * by_chance
    assert pair_distance(targets, second.part) < min(pair_distance(targets, part) for part in chance)
    assert pair_distance(targets, second.part) < pair_distance(targets, first.part)
    assert np.abs(first.deviation).max() < 2.5
    assert not second.absent


def test_reuters_names_the_topics_that_cannot_be_everywhere(shared_data: Path) -> None:
    space, targets = real(shared_data, "reuters_modapte90")
    rare = [name for name, count in zip(space.names, targets.label_counts(), strict=True) if count < 3]
    split = stratify(targets, space=space)
    assert rare
    assert list(split.impossible) == rare
    assert set(split.to_dict()["impossible"]) == set(rare)


def test_a_table_by_hand() -> None:
    space = LabelSpace(["a", "b", "c"])
    rows = [["a"], ["a", "b"], ["a"], ["a", "b"], ["c"], []]
    split = Split.of([0, 0, 1, 1, 0, 1], space.encode(rows), space=space)
    assert split.names == ("train", "test")
    assert split.sizes == {"train": 3, "test": 3}
    assert split.counts.tolist() == [[2, 1, 1], [2, 1, 0]]
    assert split.deviation.tolist() == [[0, 0, 0.5], [0, 0, -0.5]]
    assert split.impossible == ("c",)
    assert split.absent == {}
    assert split.rows("test").tolist() == [2, 3, 5]
    assert split.by_name().tolist() == ["train", "train", "test", "test", "train", "test"]
    assert split.table()[0] == {"label": "c", "positives": 1, "train": 1, "test": 0, "deviation": 0.5}
    assert json.loads(json.dumps(split.to_dict()))["sizes"] == {"train": 3, "test": 3}
    with pytest.raises(OptionError, match="part must be one of train, test, got 'valid'"):
        split.rows("valid")


def test_a_split_that_came_with_the_data_is_described_too() -> None:
    space = LabelSpace(["a", "b"])
    targets = space.encode([["a"], ["a"], ["b"], ["b"]])
    split = Split.of(np.array(["train", "test", "train", "train"]), targets, space=space)
    assert split.names == ("train", "test")
    assert split.absent == {"test": ("b",)}
    grouped = Split.of(["train", "test", "train", "train"], targets, groups=[1, 2, 3, 3], space=space)
    assert grouped.impossible == ("b",)
    with pytest.raises(InputError, match=r"part 'dev' has no place; pass names"):
        Split.of(["train", "dev", "test", "test"], targets)
    with pytest.raises(InputError, match=r"expected numbers of parts in \[0, 2\), got \[-1, 0, 1\]"):
        Split.of([0, 1, -1, 0], targets)
    with pytest.raises(ShapeError, match="expected a part for each of 4 rows, got 2"):
        Split.of([0, 1], targets)


@pytest.mark.parametrize("order", [1, 2])
def test_labels_that_can_be_shared_out_exactly_are(order: int) -> None:
    rows = [[0, 1]] * 10 + [[1, 2]] * 20 + [[3]] * 30 + [[]] * 40
    split = stratify(Targets.from_index_lists(rows, 4), order=order)
    assert split.sizes == {"train": 80, "valid": 10, "test": 10}
    assert split.counts.tolist() == [[8, 24, 16, 24], [1, 3, 2, 3], [1, 3, 2, 3]]


def test_the_second_order_shares_out_pairs() -> None:
    # labels 0 and 1 are together in half of their rows: the first order does not see which half
    rows = [[0, 1]] * 50 + [[0]] * 50 + [[1]] * 50 + [[]] * 50
    targets = Targets.from_index_lists(rows, 2)
    split = stratify(targets, (0.5, 0.5), order=2)
    both = np.arange(200) < 50
    assert np.bincount(split.part[both]).tolist() == [25, 25]
    assert split.counts.tolist() == [[50, 50], [50, 50]]


def test_rare_labels_are_covered_or_left_to_their_share() -> None:
    rows = [[0]] * 3 + [[1]] * 2 + [[]] * 95
    targets = Targets.from_index_lists(rows, 2)
    covered = stratify(targets)
    assert covered.counts[:, 0].tolist() == [1, 1, 1]
    assert covered.absent == {}
    assert covered.impossible == ("1",)
    by_share = stratify(targets, cover=False)
    assert by_share.counts[:, 0].tolist() == [3, 0, 0]
    assert by_share.absent == {"valid": ("0",), "test": ("0",)}


def test_unknown_cells_are_spread_evenly() -> None:
    matrix = np.zeros((100, 2))
    matrix[:20, 0] = 1
    matrix[40:, 0] = NAN
    split = stratify(Targets.from_dense(matrix), (0.5, 0.5))
    assert split.known[:, 0].tolist() == [20, 20]
    assert split.counts[:, 0].tolist() == [10, 10]
    assert split.deviation[:, 0].tolist() == [0, 0]


def test_soft_targets_are_shared_out_by_their_sum() -> None:
    values = np.array([[0.2], [0.4], [0.6], [0.8]] * 25)
    split = stratify(Targets.from_dense(values), (0.5, 0.5))
    sums = [values[split.part == number].sum() for number in (0, 1)]
    assert abs(sums[0] - sums[1]) < 0.5


# ---------------------------------------------------------------- properties

rows_strategy = st.lists(st.sets(st.integers(0, 5), max_size=4), min_size=4, max_size=40)
fractions_strategy = st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (0.7, 0.3), (0.4, 0.3, 0.2, 0.1)])


@settings(deadline=None)
@given(rows_strategy, fractions_strategy, st.sampled_from([1, 2]), st.booleans(), st.integers(0, 3))
def test_every_row_is_in_one_part_of_the_wished_size(
    rows: list[set[int]], fractions: tuple[float, ...], order: int, cover: bool, seed: int
) -> None:
    targets = Targets.from_index_lists(rows, 6)
    split = stratify(targets, fractions, order=order, cover=cover, seed=seed)
    sizes = np.bincount(split.part, minlength=len(fractions))
    assert split.part.shape == (len(rows),)
    assert (sizes >= 1).all()
    wished = np.array(fractions) * len(rows)
    assert (np.abs(sizes - wished) <= 1 + np.maximum(0, 1 - wished).sum()).all()
    np.testing.assert_array_equal(split.counts.sum(0), targets.label_counts())
    again = stratify(targets, fractions, order=order, cover=cover, seed=seed)
    np.testing.assert_array_equal(split.part, again.part)


@settings(deadline=None)
@given(rows_strategy, st.data(), fractions_strategy)
def test_no_group_leaks_and_sizes_are_within_one_group(
    rows: list[set[int]], data: st.DataObject, fractions: tuple[float, ...]
) -> None:
    groups = data.draw(st.lists(st.integers(0, 12), min_size=len(rows), max_size=len(rows)))
    targets = Targets.from_index_lists(rows, 6)
    if len(set(groups)) < len(fractions):
        with pytest.raises(InputError, match=r"expected at least . groups for . parts"):
            stratify(targets, fractions, groups=groups)
        return
    split = stratify(targets, fractions, groups=groups)
    for group in set(groups):
        assert len(set(split.part[np.array(groups) == group])) == 1
    sizes = np.bincount(split.part, minlength=len(fractions))
    assert (sizes >= 1).all()
    largest = np.bincount(groups).max()
    if len(set(groups)) > 2 * len(fractions):  # with few groups, filling every part comes first
        assert (sizes - np.array(fractions) * len(rows) <= largest + 1).all()


@settings(deadline=None)
@given(rows_strategy, st.integers(2, 4))
def test_folds_test_every_row_once(rows: list[set[int]], k: int) -> None:
    targets = Targets.from_index_lists(rows, 6)
    made = list(folds(targets, k))
    assert len(made) == k
    tested = np.concatenate([test for _, test in made])
    assert sorted(tested.tolist()) == list(range(len(rows)))
    for train, test in made:
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(rows)))
        assert abs(len(test) - len(rows) / k) <= 1


def test_the_seed_changes_the_split_and_nothing_else() -> None:
    rows = [[number % 7, 7 + number % 5] for number in range(300)]
    targets = Targets.from_index_lists(rows, 12)
    parts = [stratify(targets, seed=seed).part for seed in (0, 0, 1)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert (parts[0] != parts[2]).any()


def test_groups_may_be_names_or_a_series() -> None:
    targets = Targets.from_index_lists([[0], [0], [1], [1], [], []], 2)
    names = ["p1", "p1", "p2", "p2", "p3", "p3"]
    for groups in (names, np.array(names), polars.Series(names)):
        split = stratify(targets, (0.5, 0.5), groups=groups)
        assert split.part[0] == split.part[1]
        assert split.part[2] == split.part[3]
        assert split.impossible == ("0", "1")


# ---------------------------------------------------------------- combinations held out


def test_names_and_frames_are_found_by_the_space() -> None:
    rng = np.random.default_rng(5)
    space = LabelSpace(("b", "a"))
    targets = Targets.from_dense((rng.random((40, 2)) < 0.4).astype(float))
    expected = stratify(targets, (0.5, 0.5), space=space)
    frame = polars.DataFrame(space.to_columns(targets)).select("a", "b")  # not the space's order
    for values in (space.decode(targets), frame):
        split = stratify(values, (0.5, 0.5), space=space)
        assert np.array_equal(split.part, expected.part)
        assert np.array_equal(Split.of(split.part, values, space=space).counts, expected.counts)
    assert np.array_equal(
        holding(frame, [["a"]], space), np.array(["a" in row for row in space.decode(targets)])
    )


def test_combinations_go_to_the_last_part_with_their_groups() -> None:
    space = LabelSpace(["red", "blue", "shirt", "dress"])
    rows = [["red", "shirt"], ["red", "dress"], ["blue", "shirt"], ["blue", "dress"]] * 10
    targets = space.encode(rows)
    mask = holding(targets, [["red", "shirt"]], space)
    assert np.flatnonzero(mask).tolist() == list(range(0, 40, 4))
    split = stratify(targets, held_out=mask, space=space)
    assert set(split.part[mask]) == {2}
    assert split.sizes == {"train": 27, "valid": 3, "test": 10}
    few = stratify(targets, (0.5, 0.5), held_out=mask, space=space)
    assert few.sizes == {"train": 20, "test": 20}
    grouped = stratify(targets, (0.5, 0.5), held_out=mask, groups=np.arange(40) // 2)
    assert set(grouped.part[np.repeat(mask[::2], 2)]) == {1}
    with pytest.raises(InputError, match="held_out leaves too little for 2 other parts"):
        stratify(targets, held_out=np.arange(40) > 0)
    with pytest.raises(InputError, match="a combination without labels holds every row"):
        holding(targets, [[]], space)
    with pytest.raises(InputError, match="'shirts' is not one of the 4 labels; did you mean 'shirt'"):
        holding(targets, [["red", "shirts"]], space)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"fractions": (0.8, 0.1)},
            OptionError,
            r"fractions must be in \(0, 1\) and add up to 1, got \(0.8, 0.1\)",
        ),
        ({"fractions": (1.0, 0.0)}, OptionError, "fractions must be in"),
        ({"fractions": (0.5, NAN)}, OptionError, "fractions must be in"),
        ({"fractions": (1.0,)}, OptionError, "expected 2 to 127 fractions"),
        (
            {"fractions": {"train": 0.8, "test": 0.2}, "names": ["a", "b"]},
            OptionError,
            "the mapping of fractions names the parts already: leave out names=",
        ),
        ({"fractions": {"train": 0.8, "test": 0.1}}, OptionError, "fractions must be in"),
        ({"seed": -1}, OptionError, r"seed must be in \[0, .*\], got -1"),
        ({"order": 3}, OptionError, "order must be one of 1, 2, got '3'"),
        ({"groups": [1, 2]}, ShapeError, r"expected a group for each of 4 rows, got shape \(2,\)"),
        ({"groups": ["a", None, "b", "c"]}, InputError, "row 1 has no group; give every row a group"),
        ({"groups": [1.0, NAN, 2, 3]}, InputError, "row 1 has no group"),
        ({"groups": [1, 1, 1, 1]}, InputError, "expected at least 3 groups for 3 parts, got 1"),
        ({"held_out": [0, 1]}, ShapeError, r"expected held_out as a mask of shape \(4,\), got int64"),
        ({"names": ["a", "b"]}, OptionError, r"expected 3 different names of parts, got \['a', 'b'\]"),
        ({"space": LabelSpace(["a"])}, ShapeError, "expected 1 labels, got 2"),
    ],
)
def test_bad_options_are_refused(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        stratify(np.eye(4)[:, :2], **options)


def test_a_mapping_names_the_parts() -> None:
    targets = np.eye(5)[np.arange(100) % 5]
    named = stratify(targets, {"train": 0.6, "valid": 0.2, "test": 0.2})
    assert named.sizes == {"train": 60, "valid": 20, "test": 20}
    assert (named.part == stratify(targets, (0.6, 0.2, 0.2)).part).all()
    assert stratify(targets, {"test": 0.3, "rest": 0.7}).sizes == {"test": 30, "rest": 70}


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InputError, match="expected at least 3 rows for 3 parts, got 2"):
        stratify(np.eye(2))
    with pytest.raises(InputError, match="expected at least 5 rows for 5 parts, got 4"):
        folds(np.eye(4), 5)
    with pytest.raises(OptionError, match="k must be >= 2, got 1"):
        folds(np.eye(4), 1)


def test_rows_without_labels_and_spaces_without_rows_of_a_label_split_too() -> None:
    split = stratify(Targets.negative(20, 3))
    assert split.sizes == {"train": 16, "valid": 2, "test": 2}
    assert split.impossible == ("0", "1", "2")
    assert stratify(Targets.negative(20, 0)).sizes == {"train": 16, "valid": 2, "test": 2}


def test_a_split_is_shown_in_a_line():
    split = stratify(np.array([[1], [0]] * 50), (0.8, 0.2))
    assert repr(split) == "Split(train 80, test 20; 1 label, at most 0.0 positives off the share)"
