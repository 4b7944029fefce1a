"""What evaluate refuses, each with the mend; and every form in which scores and decisions come."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import coo_array, csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score

from manyhot.decide import CostCut, ExpectedF, PerLabelCut, TopK
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets
from manyhot.metrics import METRICS, Bootstrap, evaluate, find_metric

TARGETS = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
SCORES = np.array([[0.9, 0.2, 0.6], [0.1, 0.8, 0.3], [0.7, 0.4, 0.5], [0.3, 0.2, 0.1]])
DECISIONS = SCORES > 0.45


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scores": DECISIONS}, InputError, r"nothing but 0 and 1.*predict_proba.*decisions="),
        ({"scores": DECISIONS.astype(float)}, InputError, "nothing but 0 and 1"),
        ({"scores": csr_array(DECISIONS.astype(float))}, InputError, "nothing but 0 and 1"),
        ({"decisions": SCORES}, InputError, r"decisions hold 0\.9, wanted 0 or 1; pass it as scores="),
        ({"decisions": csr_array(SCORES)}, InputError, r"decisions hold 0\.9"),
        ({"decisions": Targets.from_dense(SCORES)}, InputError, r"decisions hold 0\.9"),
        ({"scores": SCORES[:, :2]}, ShapeError, r"targets \(4, 3\), scores \(4, 2\)"),
        ({"decisions": DECISIONS[:2]}, ShapeError, r"targets \(4, 3\), decisions \(2, 3\)"),
        ({"decisions": DECISIONS[0]}, ShapeError, r"decisions \(rows, labels\), got shape \(3,\)"),
        ({}, OptionError, "pass scores=, decisions= or both"),
        (
            {"scores": SCORES, "metrics": ["f1_macro"]},
            OptionError,
            "f1_macro needs decisions; pass decisions=",
        ),
        ({"decisions": DECISIONS, "metrics": "lrap"}, OptionError, "lrap needs scores; pass scores="),
        ({"scores": 5 * SCORES, "metrics": "brier"}, OptionError, r"needs probabilities.*sigmoid"),
        ({"scores": SCORES, "metrics": ["psp@3"]}, OptionError, "psp@3 needs scores and train.*train="),
        ({"scores": SCORES, "metrics": ["f1_makro"]}, OptionError, "did you mean f1_macro"),
        ({"scores": SCORES, "row_weight": [1, 1]}, ShapeError, r"row_weight of shape \(4,\)"),
        ({"scores": SCORES, "row_weight": [1, 1, -1, 1]}, InputError, "row_weight must be finite, >= 0"),
        ({"scores": SCORES, "train": TARGETS[:, :2]}, ShapeError, "train has 2 labels, targets have 3"),
        ({"scores": SCORES, "by": {"site": [1, 2]}}, ShapeError, "one 'site' for each of 4 rows"),
        ({"scores": SCORES, "intervals": Bootstrap(groups=[1])}, ShapeError, r"groups of shape \(4,\)"),
        (
            {"scores": SCORES, "intervals": "yes"},
            OptionError,
            "intervals must be True, False, a number .*'yes'",
        ),
        ({"scores": SCORES, "intervals": 2.5}, OptionError, "intervals must be True, False, a number .*2.5"),
        ({"scores": SCORES, "intervals": 0}, OptionError, "replicates must be >= 1, got 0"),
        ({"scores": SCORES.astype(str)}, InputError, "scores .* of numbers"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_the_mend(options, error, message):
    with pytest.raises(error, match=message):
        evaluate(TARGETS, **options)


@pytest.mark.parametrize(("option", "value"), [("replicates", 0), ("replicates", "many"), ("level", 1.5)])
def test_bootstrap_options_are_checked_when_made(option, value):
    with pytest.raises(OptionError, match=option):
        Bootstrap(**{option: value})


def test_scores_of_a_tree_grown_to_its_end_can_be_let_through():
    scores = np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]])
    result = evaluate(TARGETS, scores, binary_scores="allow", metrics=["ap_macro"])
    expected = np.mean([average_precision_score(TARGETS[:, j], scores[:, j]) for j in range(3)])
    assert result["ap_macro"] == pytest.approx(expected)
    with pytest.raises(InputError, match="say binary_scores='allow'"):
        evaluate(TARGETS, scores)
    with pytest.raises(OptionError, match="binary_scores must be one of refuse, allow"):
        evaluate(TARGETS, scores, binary_scores=True)


def test_probabilities_of_a_forest_are_read():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4))
    truth = features[:, :3] + rng.normal(size=(60, 3)) > 0
    given = RandomForestClassifier(10, random_state=0).fit(features, truth).predict_proba(features)
    matrix = np.stack([each[:, 1] for each in given], axis=1)
    assert (
        evaluate(truth, given, metrics="ap_macro").values
        == evaluate(truth, matrix, metrics="ap_macro").values
    )
    rule = PerLabelCut().fit(given, truth)
    assert rule.decide(given) == rule.decide(matrix)


def test_nan_scores_are_refused_by_the_label_s_name():
    scores = SCORES.copy()
    scores[2, 1] = np.nan
    space = LabelSpace(["red", "blue", "dress"])
    with pytest.raises(InputError, match=r"NaN for label 'blue' in row 2.*unknown in the targets"):
        evaluate(TARGETS, scores, space=space)
    with pytest.raises(InputError, match="NaN for label 1 in row 2"):
        evaluate(TARGETS, csr_array(scores))


def test_soft_targets_are_refused():
    with pytest.raises(InputError, match=r"targets\.harden\(0\.5\)"):
        evaluate(SCORES, SCORES)


def test_all_forms_of_scores_and_decisions_agree():
    expected = evaluate(TARGETS, SCORES, DECISIONS, metrics="all").values
    forms = [
        (torch.tensor(SCORES), torch.tensor(DECISIONS)),
        (pd.DataFrame(SCORES), pd.DataFrame(DECISIONS)),
        (np.asfortranarray(SCORES), DECISIONS.astype(np.int8)),
        (SCORES[:, ::-1][:, ::-1], Targets.from_dense(DECISIONS)),
        (SCORES, coo_array(DECISIONS)),
        (csr_array(SCORES), csr_array(DECISIONS)),
    ]
    for scores, decisions in forms:
        values = evaluate(TARGETS, scores, decisions, metrics="all").values
        np.testing.assert_allclose(list(values.values()), list(expected.values()), atol=1e-12)


def test_half_precision_scores_are_read():
    exact = SCORES.astype(np.float16)
    result = evaluate(TARGETS, torch.tensor(exact), metrics=["ap_macro", "lrap"])
    expected = evaluate(TARGETS, exact.astype(np.float64), metrics=["ap_macro", "lrap"])
    assert result.values == expected.values
    assert evaluate(TARGETS, torch.tensor(SCORES).bfloat16(), metrics="lrap")["lrap"] > 0


def test_inputs_are_left_alone():
    targets, scores, decisions = TARGETS.copy(), SCORES.copy(), DECISIONS.copy()
    evaluate(targets, scores, decisions, metrics="all", train=targets, intervals=3)
    assert (targets == TARGETS).all()
    assert (scores == SCORES).all()
    assert (decisions == DECISIONS).all()


def test_one_row_one_label_and_no_row():
    one = evaluate(
        np.array([[1]]), np.array([[0.3]]), np.array([[1]]), metrics="all", train=np.array([[1], [0]])
    )
    assert one["exact"] == 1
    assert np.isnan(one["auc_macro"])
    none = evaluate(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)), metrics="all")
    assert np.isnan(none["f1_macro"])
    assert str(none.counted["f1_macro"]) == "0/3 labels"


def test_infinite_scores_rank():
    scores = SCORES.copy()
    scores[0, 0], scores[3, 0] = np.inf, -np.inf
    assert evaluate(TARGETS, scores, metrics="ap_macro")["ap_macro"] == pytest.approx(1)


def test_every_listed_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.description[0].islower() or metric.description[0] in "FCM"
        assert metric.source
        assert metric.family in {"sets", "ranking", "top-k", "threshold-free", "calibration"}


def test_cost_is_what_the_wrong_cells_cost():
    # by hand: the third row misses label 1, which costs 5, and wrongly has label 2, which costs 1
    result = evaluate(TARGETS, decisions=DECISIONS, costs=(1.0, [2, 5, 2]), intervals=5)
    assert result["cost"] == pytest.approx(6 / 4)
    assert result.baseline["cost"] == pytest.approx((2 + 2 + 5 + 2 + 5) / 4)
    assert result.per_label["cost"].tolist() == [0, 5 / 4, 1 / 4]
    with pytest.raises(OptionError, match=r"cost needs decisions and costs; pass decisions= and costs="):
        evaluate(TARGETS, decisions=DECISIONS, metrics="cost")
    with pytest.raises(ShapeError, match="one for each of 3 labels"):
        evaluate(TARGETS, decisions=DECISIONS, costs=(1, [1, 2]))


def test_any_k_and_any_beta_can_be_asked_for():
    names = ["p@2", "r@2", "ndcg@2", "f1_macro@2", "f0.5_macro", "f2_samples"]
    assert list(evaluate(TARGETS, SCORES, DECISIONS, metrics=names)) == names
    assert find_metric("p@7").needs == "scores"
    with pytest.raises(OptionError, match=r"metric .p@0. is none of the"):
        find_metric("p@0")


def test_the_first_labels_are_the_same_of_dense_and_sparse_scores():
    scores = np.array([[0.9, 0, 0, 0], [0, 0, 0.8, 0]])
    targets = np.array([[1, 1, 0, 0], [0, 0, 0, 1]])
    # first two: labels 0 and 1, then 2 and 0; by label F1 is 2/3, 1, 0 and 0
    for form in (scores, csr_array(scores)):
        result = evaluate(targets, form, metrics=["f1_macro@2", "p@2"])
        assert dict(result) == pytest.approx({"f1_macro@2": 5 / 12, "p@2": 5 / 12})


SPACE = LabelSpace(["a", "b", "c"])
ROWS, GUESSES = [["a"], ["b", "c"], []], [["a", "c"], ["b"], []]


def test_rows_of_names_and_of_indices_are_read():
    expected = {"hamming": 7 / 9, "exact": 1 / 3, "f1_micro": 2 * 2 / 6}
    truth = SPACE.encode(ROWS)
    for targets, decisions in (
        (ROWS, GUESSES),
        (truth, GUESSES),
        (truth, pd.Series(GUESSES)),
        (truth, [[0, 2], [1], []]),
        ([[0], [1, 2], []], SPACE.encode(GUESSES)),
    ):
        result = evaluate(targets, decisions=decisions, space=SPACE, metrics=list(expected))
        assert dict(result.values) == pytest.approx(expected)


def test_frames_are_read_by_name_whatever_the_order_of_their_columns():
    truth, scores = (
        SPACE.encode(ROWS).to_dense(),
        np.array([[0.9, 0.2, 0.1], [0.3, 0.8, 0.4], [0.1, 0.2, 0.3]]),
    )
    decided = scores > 0.35
    plain = evaluate(truth, scores, decided, space=SPACE, train=truth)
    columns = ["c", "a", "b"]
    frames = [pd.DataFrame(each, columns=SPACE.names)[columns] for each in (truth, scores, decided)]
    named = evaluate(*frames, space=SPACE, train=frames[0])
    assert dict(named.values) == pytest.approx(dict(plain.values), nan_ok=True)
    assert named.baseline == pytest.approx(plain.baseline, nan_ok=True)


def test_frames_without_a_space_meet_by_the_names_of_their_columns():
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(rng.random((40, 2)) < 0.3, columns=["a", "b"]).astype(int)
    scores = truth * 0.5 + rng.random((40, 2)) / 4
    decided = scores > 0.4
    expected = evaluate(truth.to_numpy(), scores.to_numpy(), decided.to_numpy(), train=truth.to_numpy())
    turned = ["b", "a"]
    result = evaluate(truth, scores[turned], decided[turned], train=truth[turned])
    assert result.values == pytest.approx(expected.values)
    assert result["ap_macro"] == 1
    assert result.per_label["label"].tolist() == ["a", "b"]
    with pytest.raises(InputError, match="targets alone: 'b'; scores alone: 'c'"):
        evaluate(truth, scores.set_axis(["a", "c"], axis=1))
    with pytest.raises(InputError, match="decisions has no names"):
        evaluate(truth, scores[turned], decided.to_numpy())


def test_what_a_rule_decides_meets_the_targets_by_name():
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(rng.random((40, 2)) < [0.2, 0.6], columns=["a", "b"]).astype(int)
    scores = (truth + rng.random((40, 2)) / 4)[["b", "a"]]
    rule = PerLabelCut().fit(scores, truth)
    assert rule.space.names == ("b", "a")
    result = evaluate(truth, decisions=rule.decide(scores), tuned_rows="allow")
    assert result["f1_macro"] == 1
    assert result.per_label["positives"].tolist() == truth.sum().tolist()
    with pytest.raises(InputError, match="targets alone: 'c'; decisions alone: 'a'"):
        evaluate(truth.rename(columns={"a": "c"}), decisions=rule.decide(scores), tuned_rows="allow")
    with pytest.raises(InputError, match="the space alone: 'c'; decisions alone: 'a'"):
        evaluate(
            truth.to_numpy(), decisions=rule.decide(scores), space=LabelSpace(["b", "c"]), tuned_rows="allow"
        )


def tuned_on_half():
    rng = np.random.default_rng(0)
    scores = rng.random((400, 3))
    truth = rng.random((400, 3)) < scores
    return scores, truth, PerLabelCut().fit(scores[:200], truth[:200], rows=range(200))


def test_rows_that_the_cuts_were_tuned_on_are_refused_without_ceremony():
    scores, truth, rule = tuned_on_half()
    for rows in (slice(0, 200), slice(0, 400), slice(150, 400)):
        for form in (np.asarray, csr_array, np.float32):
            decided = rule.decide(form(scores[rows]))
            with pytest.raises(InputError, match=r"rows were used to tune the rule, .* tuned_rows='allow'"):
                evaluate(truth[rows], decisions=decided)
        assert evaluate(truth[rows], decisions=decided, tuned_rows="allow")["f1_macro"] > 0
    with pytest.raises(InputError, match=r"^50 of these 100 rows"):
        evaluate(truth[150:250], decisions=rule.decide(scores).rows(slice(150, 250)))
    new = evaluate(truth[200:], scores[200:], rule.decide(scores[200:]))
    assert new["f1_macro"] > 0
    by_hand = rule.with_cuts(**{"0": 0.5}).decide(scores[:200])
    with pytest.raises(InputError, match="used to tune"):
        evaluate(truth[:200], decisions=by_hand)


def test_rows_are_told_by_their_ids_whatever_their_scores():
    scores, truth, rule = tuned_on_half()
    other_model = np.random.default_rng(1).random((400, 3))
    decided = rule.decide(other_model)
    assert evaluate(truth, decisions=decided)["f1_macro"] > 0  # nobody can tell
    with pytest.raises(InputError, match=r"^200 of these 400 rows"):
        evaluate(truth, decisions=decided, rows=np.arange(400.0))
    with pytest.raises(ShapeError, match="an id for each of 400 rows, got 3"):
        evaluate(truth, decisions=decided, rows=[1, 2, 3])
    ids = pd.Index([f"patient {i}" for i in range(400)])
    frame = pd.DataFrame(scores, index=ids, columns=list("abc"))
    named = PerLabelCut().fit(frame[:200], truth[:200])
    with pytest.raises(InputError, match=r"^10 of these 110 rows"):
        evaluate(truth[190:300], decisions=named.decide(frame[190:300] * 0.99))


@pytest.mark.parametrize("rule", [TopK(k=2), CostCut(calibrated=True), ExpectedF(empty=0.0)])
def test_a_rule_that_no_row_had_a_say_in_may_be_measured_anywhere(rule):
    scores, truth, _ = tuned_on_half()
    assert evaluate(truth, decisions=rule.fit(scores, truth).decide(scores))["f1_macro"] > 0


def test_scores_of_a_tree_that_repeat_are_no_reason_to_refuse():
    rng = np.random.default_rng(0)
    leaves = rng.random((60, 3))
    scores = leaves[rng.integers(0, 60, 400)]
    truth = rng.random((400, 3)) < scores
    rule = PerLabelCut().fit(scores[:200], truth[:200])
    assert evaluate(truth[200:], scores[200:], rule.decide(scores[200:]))["f1_macro"] > 0
    with pytest.raises(InputError, match=r"^200 of these 200 rows"):
        evaluate(truth[:200], scores[:200], rule.decide(scores[:200]))


def test_groups_of_rows_may_lack_a_value():
    groups = np.array(["x", None, "x"], object)
    result = evaluate(ROWS, decisions=GUESSES, space=SPACE, by={"site": groups, "year": [2.0, np.nan, 10.0]})
    assert [(part.kind, part.name, part.size) for part in result.slices] == [
        ("site", "None", 1), ("site", "x", 2), ("year", "2.0", 1), ("year", "10.0", 1), ("year", "nan", 1),
    ]  # fmt: skip
    assert evaluate(
        ROWS, decisions=GUESSES, space=SPACE, intervals=Bootstrap(3, groups=groups), metrics="hamming"
    ).intervals


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metrics": "accuracy"}, OptionError, "accuracy has no one meaning .* take hamming"),
        ({"costs": 5}, InputError, r"expected costs=\(false positive, false negative\), got 5"),
        ({"costs": (-1, 2)}, InputError, "costs must be finite and >= 0, got -1"),
        ({"costs": (1, [1, np.nan, 2])}, InputError, "costs must be finite and >= 0"),
        ({"decisions": ["a", "b", "c"]}, InputError, r"row 0: expected a list .* write \['a'\]"),
        ({"scores": [[0.1], [0.2, 0.3], []]}, InputError, "rows of unequal length"),
    ],
)
def test_natural_mistakes_are_told(options, error, message):
    with pytest.raises(error, match=message):
        evaluate(ROWS, **{"decisions": GUESSES, "space": SPACE, **options})


def test_no_label_at_all_is_refused():
    with pytest.raises(ShapeError, match=r"one label at least, got targets of shape \(3, 0\)"):
        evaluate(np.zeros((3, 0)), decisions=np.zeros((3, 0)))
