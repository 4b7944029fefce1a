import json
import math

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score, hamming_loss

from manyhot.data import read
from manyhot.data.doctor import examine
from manyhot.data.inputs import Columns, Texts
from manyhot.data.table import Table
from manyhot.labels import Group, LabelSpace, Targets


def table_of(rows, space=None, **options):
    space = space or LabelSpace.of(rows)
    return Table.of(Texts([f"text {row}" for row in range(len(rows))]), space.encode(rows), space, **options)


def texts_of(diagnosis, severity=None):
    return [found.text for found in diagnosis.findings if severity in (None, found.severity)]


def has(diagnosis, severity, part):
    """Whether a finding of that severity has the words, and a mend."""
    return any(
        part in found.text and found.mend for found in diagnosis.findings if found.severity == severity
    )


# ---------------------------------------------------------------- real data


def test_fashion(shared_data):
    """The tutorial's data: black only with jeans, six of nine combinations, all-zero right in two thirds."""
    diagnosis = examine(read(shared_data / "fashion"))
    assert diagnosis.summary.startswith(
        "2,160 rows (train 1,715, test 445), 6 labels, 2.00 labels a row, density 0.333, 6 label sets"
    )
    assert {frozenset(group.labels) for group in diagnosis.groups} == {
        frozenset(("black", "blue", "red")),
        frozenset(("dress", "jeans", "shirt")),
    }
    assert not any(group.allow_none for group in diagnosis.groups)
    assert {frozenset((pair.label, pair.other)) for pair in diagnosis.never_together} == {
        frozenset(("black", "dress")),
        frozenset(("black", "shirt")),
        frozenset(("red", "jeans")),
    }
    assert has(diagnosis, "warning", "'black' only ever occurs with 'jeans' (344/344 rows)")
    assert diagnosis.all_zero["hamming"] == pytest.approx(2 / 3)
    assert diagnosis.all_zero["exact"] == 0
    assert has(diagnosis, "note", "66.67 % of the cells are right")


def test_fashion_with_its_groups_declared_does_not_find_them_again(shared_data):
    groups = (Group("colour", ("black", "blue", "red")), Group("garment", ("dress", "jeans", "shirt")))
    table = read(shared_data / "fashion")
    space = LabelSpace(table.space.names, groups=groups, rules=("black -> jeans", "red -> not jeans"))
    again = Table.of(table.inputs, table.targets, space)
    diagnosis = examine(again)
    assert diagnosis.groups == ()
    assert diagnosis.always_together == ()
    assert {frozenset((pair.label, pair.other)) for pair in diagnosis.never_together} == {
        frozenset(("black", "dress")),
        frozenset(("black", "shirt")),
    }


def test_genbase_shares_rows_between_its_parts(shared_data):
    """The published split of genbase repeats most test proteins in train; counted here with sets."""
    folder = shared_data / "genbase"
    labels = json.loads((folder / "meta.json").read_text())["label_names"]
    labels.append("protein")  # the row's name, which is no input
    parts = {name: pl.read_parquet(folder / f"{name}.parquet").drop(labels) for name in ("train", "test")}
    train = set(parts["train"].rows())
    expected = sum(row in train for row in parts["test"].rows())
    diagnosis = examine(read(folder))
    assert diagnosis.repeats.across == expected > 100
    assert has(diagnosis, "problem", f"{expected} valid or test rows equal to a training row")
    assert has(diagnosis, "warning", "2 labels without a row in train")
    assert diagnosis.frequencies.mean_imbalance == pytest.approx(37.3, abs=0.05)  # Charte et al. 2015: 37.315


def test_medical_matches_the_published_imbalance(shared_data):
    diagnosis = examine(read(shared_data / "medical"))
    assert diagnosis.frequencies.mean_imbalance == pytest.approx(89.501, abs=5e-3)  # Charte et al. 2015
    assert diagnosis.cardinality == pytest.approx(1.245, abs=5e-4)
    assert diagnosis.density == pytest.approx(0.028, abs=5e-4)
    assert diagnosis.label_sets == 94
    assert has(
        diagnosis, "note", "long tail: 4 labels with 100 rows or more, 17 with 10 to 99, 24 with 1 to 9"
    )


def test_wiki_movies(shared_data):
    diagnosis = examine(read(shared_data / "wiki_movies", text="text_masked"))
    assert diagnosis.parts == {"train": 23_591, "valid": 3_365, "test": 6_611}
    assert diagnosis.cardinality == pytest.approx(1.836, abs=5e-4)
    assert has(diagnosis, "warning", "'Live Action' only ever occurs with 'Animated'")
    assert has(diagnosis, "warning", "mean imbalance 74.4: 'Drama' in 13,114 rows")


# ---------------------------------------------------------------- single findings


def test_movies16_says_what_nothing_scores_unasked():
    rng = np.random.default_rng(0)
    dense = np.zeros((4000, 16), dtype=bool)
    for label in range(16):
        dense[rng.choice(4000, 500, replace=False), label] = True
    space = LabelSpace(tuple(map(str, range(16))))
    table = Table.of(Texts([str(row) for row in range(4000)]), Targets.from_dense(dense), space)
    diagnosis = examine(table)
    assert has(diagnosis, "note", "87.5 % of the cells are right and the log loss is 0.377 when nothing")
    zeros = np.zeros_like(dense)
    assert diagnosis.all_zero["hamming"] == pytest.approx(1 - hamming_loss(dense, zeros))
    assert diagnosis.all_zero["exact"] == pytest.approx((dense.sum(axis=1) == 0).mean())
    assert diagnosis.all_zero["f1_macro"] == f1_score(dense, zeros, average="macro", zero_division=0)
    entropy = -(0.125 * math.log(0.125) + 0.875 * math.log(0.875))
    assert diagnosis.all_zero["log_loss"] == pytest.approx(entropy)


@pytest.mark.parametrize(
    ("rows", "names", "severity", "text"),
    [
        ([["a"], ["b"], []], "abc", "warning", "1 label in no row: c"),
        ([["a"], ["a", "b"]], "ab", "warning", "1 label in every row: a"),
        ([["a"], []], "a", "warning", "'a' is the only label"),
        ([[], []], "ab", "problem", "no row has a label"),
        ([["a"], ["b"]], "ab", "note", "every row has exactly one of all 2 labels"),
        ([["a"], ["b"], []], "ab", "warning", "1 row without any label (33.3 %)"),
        (
            [["a", "b"], ["b"], *[["a", "b"]] * 60, *[["c"]] * 300],
            "abc",
            "warning",
            "'a' only ever occurs with 'b'",
        ),
    ],
)
def test_findings_on_labels(rows, names, severity, text):
    diagnosis = examine(table_of(rows, LabelSpace(tuple(names))))
    assert has(diagnosis, severity, text), diagnosis.lines()


def test_equal_columns_ask_to_be_merged():
    diagnosis = examine(table_of([["a", "b"]] * 40 + [["c"]] * 60 + [[]]))
    assert has(diagnosis, "warning", "'a' and 'b' are in the same 40 rows")


def test_no_rows_are_a_problem_and_not_a_crash():
    table = Table.of(Texts([]), Targets.negative(0, 2), LabelSpace(("a", "b")))
    diagnosis = examine(table)
    assert texts_of(diagnosis, "problem") == ["there are no rows"]
    json.dumps(diagnosis.to_dict(), allow_nan=False)
    assert len(diagnosis.lines()) >= 2


def test_broken_rules_are_problems():
    space = LabelSpace(("a", "b"), groups=(Group("one", ("a", "b")),))
    diagnosis = examine(table_of([["a"], ["a", "b"], []], space))
    assert has(diagnosis, "problem", "1 row against the label space, 'one: more than one'")
    assert has(diagnosis, "problem", "1 row against the label space, 'one: none'")


def test_labels_that_a_part_lacks():
    table = table_of([["a"], ["b"], ["a"], ["c"]], part=np.array(["train", "train", "test", "test"]))
    diagnosis = examine(table)
    assert diagnosis.absent_in == {"train": ("c",), "test": ("b",)}
    assert has(diagnosis, "warning", "1 label without a row in train: c")
    assert has(diagnosis, "note", "1 label without a row in test: b")
    assert "! 1 label without a row in train: c: it cannot be learnt: split anew, stratified, or drop it" in (
        diagnosis.lines()
    )
    assert "- 1 label without a row in test: b: no metric of test says anything about it" in diagnosis.lines()


def test_groups_in_several_parts_and_repeats_are_problems():
    table = Table.of(
        Texts(["x", "x", "y"]),
        Targets.from_dense(np.array([[1, 0], [0, 1], [1, 0]])),
        LabelSpace(("a", "b")),
        part=np.array(["train", "test", "train"]),
        group=np.array(["g1", "g1", "g2"]),
    )
    diagnosis = examine(table)
    assert has(diagnosis, "problem", "1 group with rows in several parts (2 rows; g1)")
    assert has(diagnosis, "problem", "1 valid or test row equal")
    assert has(diagnosis, "warning", "2 rows with equal inputs but other labels")


def test_unknown_cells():
    dense = np.array([[1, np.nan], [0, np.nan], [1, 1.0], [0, 0]])
    dense = np.vstack([dense, [[0, np.nan]] * 4])
    table = Table.of(Texts(list("stuvwxyz")), Targets.from_dense(dense), LabelSpace(("a", "b")))
    diagnosis = examine(table)
    assert diagnosis.unknown_cells == 6
    assert diagnosis.density == pytest.approx(3 / 10)
    assert has(diagnosis, "note", "37.5 % of the cells are unknown")
    assert has(diagnosis, "warning", "1 label unknown in more than half of the rows: b")


def test_columns():
    frame = pl.DataFrame({"same": [1.0] * 4, "gaps": [1.0, None, None, 2.0], "few": [1.0, 2.0, 3.0, 4.0]})
    table = Table.of(Columns(frame), Targets.from_dense(np.eye(4, 2)), LabelSpace(("a", "b")))
    diagnosis = examine(table)
    assert has(diagnosis, "note", "1 constant column: same")
    assert has(diagnosis, "warning", "missing values in 1 column: gaps 50%")


def test_soft_targets_count_from_a_half_on():
    table = Table.of(
        Texts(["s", "t"]), Targets.from_dense(np.array([[0.9, 0.2], [0.3, 0.5]])), LabelSpace(("a", "b"))
    )
    diagnosis = examine(table)
    assert diagnosis.frequencies.positives.tolist() == [1, 1]
    assert "1.00 labels a row (likelihoods cut at 0.5), " in diagnosis.summary
    assert any("soft" in text for text in texts_of(diagnosis, "note"))


def test_rows_whose_likelihoods_are_all_low_are_told_with_the_cut():
    targets = Targets.from_dense(np.array([[0.9, 0.2], [0.3, 0.4]]))
    diagnosis = examine(Table.of(Texts(["s", "t"]), targets, LabelSpace(("a", "b"))))
    assert has(diagnosis, "warning", "1 row without any label (50 %, likelihoods cut at 0.5)")


def test_worst_comes_first_and_lines_are_plain_text():
    table = table_of(
        [["a"], ["b"], ["a"], ["c"], []], part=np.array(["train", "train", "test", "test", "test"])
    )
    diagnosis = examine(table)
    order = [("problem", "warning", "note").index(found.severity) for found in diagnosis.findings]
    assert order == sorted(order)
    assert all(isinstance(line, str) and "\n" not in line for line in diagnosis.lines())
    assert str(diagnosis) == "\n".join(diagnosis.lines())
    assert diagnosis.lines()[1].startswith("all-zero predictions score hamming 0.733, exact 0.200")


def test_to_dict_is_json_with_a_record_a_label():
    diagnosis = examine(table_of([["a"], ["a", "b"], []], LabelSpace(("a", "b", "c"))))
    record = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert record["rows"] == 3
    assert record["labels"][1] == {
        "name": "b",
        "positives": 1,
        "known": 3,
        "prevalence": 1 / 3,
        "imbalance": 2,
    }
    assert record["labels"][2]["imbalance"] is None
    assert {"severity", "text", "mend"} == set(record["findings"][0])


def test_the_table_is_left_alone_and_the_answer_is_stable():
    rows = [["a"], ["a", "b"], ["c"], []] * 30
    table = table_of(rows)
    before = table.targets.to_dense().copy()
    assert examine(table).to_dict() == examine(table).to_dict()
    np.testing.assert_array_equal(table.targets.to_dense(), before)


def test_the_options_that_findings_name_exist():
    from manyhot.losses import LOSSES, label_weights

    diagnosis = examine(table_of([["a"]] * 100 + [["b"], []], LabelSpace(("a", "b"))))
    (found,) = (found for found in diagnosis.findings if found.text.startswith("mean imbalance"))
    assert "loss asl or pos_weight sqrt" in found.mend
    assert "asl" in LOSSES
    assert len(label_weights(np.array([[1, 0], [1, 1]]), "sqrt")) == 2
