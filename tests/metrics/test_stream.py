"""Stream: batches and merged parts give what all rows give at once; binned values keep their bounds."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from manyhot.decide import PerLabelCut
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import LabelSpace
from manyhot.metrics import Stream, Training, evaluate

NAMES = [
    "hamming", "f1_macro", "f1_micro", "f1_samples", "f1_weighted", "mcc_macro", "exact", "zero_one", "lrap",
    "p@2", "ndcg@3", "psp@3", "psndcg@3", "f1_macro@2", "log_loss", "ece", "cost",
]  # fmt: skip
BINNED = ["ap_macro", "ap_micro", "ap_weighted", "auc_macro", "auc_micro", "auc_weighted"]


def rows(seed, count=60, labels=5):
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, labels)) < 0.3).astype(float)
    targets[rng.random((count, labels)) < 0.1] = np.nan
    scores = np.clip(rng.normal(0.3, 0.2, (count, labels)) + 0.3 * np.nan_to_num(targets), 0, 1)
    return targets, scores, scores > 0.5, rng.random(count) + 0.5


@given(st.integers(0, 50), st.lists(st.integers(1, 59), max_size=3))
@settings(max_examples=25, deadline=None)
def test_batches_and_merged_streams_equal_all_rows_at_once(seed, cuts):
    targets, scores, decisions, weight = rows(seed)
    known = {
        "train": Training(np.array([40.0, 20, 9, 3, 0]), np.full(5, 90.0), 90),
        "costs": (1, [5, 4, 3, 2, 1]),
    }
    whole = evaluate(targets, scores, decisions, metrics=NAMES, row_weight=weight, **known)
    edges = [0, *sorted(set(cuts)), 60]
    parts = []
    for first, last in pairwise(edges):
        stream = Stream(5, NAMES, **known)
        part = slice(first, last)
        stream.update(targets[part], scores[part], decisions[part], row_weight=weight[part])
        parts.append(pickle.loads(pickle.dumps(stream)))  # as from another process
    joined = parts[0]
    for part in parts[1:]:
        joined = part + joined
    assert joined.rows == 60
    assert joined.values() == pytest.approx(whole.values)


@given(st.integers(0, 200), st.sampled_from([2, 8, 64]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_bounds_hold_the_exact_value(seed, bins, sparse):
    targets, scores, _, _ = rows(seed)
    if sparse:
        scores = csr_array(np.where(scores > 0.4, scores, 0))
    names = BINNED
    stream = Stream(5, names, bins=bins)
    stream.update(targets[:30], scores[:30])
    stream.update(targets[30:], scores[30:])
    exact = evaluate(targets, scores, metrics=names)
    for name in names:
        bounds = stream.bounds(name)
        assert bounds.low - 1e-12 <= exact[name] <= bounds.high + 1e-12
        assert bounds.low - 1e-12 <= bounds.value <= bounds.high + 1e-12


@pytest.mark.parametrize("seed", range(40))
def test_a_label_without_negatives_stays_undefined_whatever_the_weights(seed):
    rng = np.random.default_rng(seed)
    targets, scores, weight = np.ones((40, 2)), rng.random((40, 2)), rng.random(40) * 10.0 ** rng.integers(9)
    targets[:20, 1] = 0
    stream = Stream(2, ["auc_macro"], bins=1 << 14)
    for part in (slice(0, 13), slice(13, 40)):
        stream.update(targets[part], scores[part], row_weight=weight[part])
    exact = evaluate(targets, scores, metrics="auc_macro", row_weight=weight)["auc_macro"]
    assert stream.bounds("auc_macro").low - 1e-9 <= exact <= stream.bounds("auc_macro").high + 1e-9


def test_many_bins_come_near():
    targets, scores, _, _ = rows(1, count=500)
    stream = Stream(5, ["ap_macro"], bins=1 << 14)
    stream.update(targets, scores)
    assert stream.values()["ap_macro"] == pytest.approx(evaluate(targets, scores)["ap_macro"], abs=1e-3)


def test_what_a_stream_cannot_do_is_refused():
    targets, scores, decisions, _ = rows(0)
    with pytest.raises(OptionError, match=r"ece_macro needs all rows at once; evaluate\(\) gives it"):
        Stream(5, ["ece_macro"])
    with pytest.raises(OptionError, match="psp@5 needs train; pass train= to the stream"):
        Stream(5, ["psp@5"])
    with pytest.raises(OptionError, match="cost needs costs; pass costs="):
        Stream(5, ["cost"])
    with pytest.raises(OptionError, match="lrap needs scores"):
        Stream(5, ["lrap"]).update(targets, decisions=decisions)
    with pytest.raises(InputError, match=r"scores in \[0, 1\]"):
        Stream(5, ["auc_macro"]).update(targets, 3 * scores)
    with pytest.raises(InputError, match=r"ece needs scores in \[0, 1\]"):
        Stream(5, ["ece"]).update(targets, 3 * scores)
    with pytest.raises(ShapeError, match="streams of one make"):
        Stream(5, ["lrap"]) + Stream(4, ["lrap"])
    with pytest.raises(OptionError, match="bounds are known for ap_macro, ap_micro"):
        Stream(5, ["lrap"]).bounds("lrap")


@pytest.mark.parametrize("metric", ["ece", "ap_macro"])
def test_a_refused_batch_leaves_no_trace(metric):
    targets, scores, decisions, _ = rows(0)
    stream, clean = (Stream(5, ["f1_macro", "lrap", metric]) for _ in range(2))
    with pytest.raises(InputError, match=rf"{metric} needs scores in \[0, 1\]"):
        stream.update(targets[:9], 3 * scores[:9], decisions[:9])
    for each in (stream, clean):
        each.update(targets, scores, decisions)
    assert stream.values() == clean.values()
    assert stream.rows == len(targets)


@pytest.mark.parametrize(
    ("metric", "option", "one", "two"),
    [
        ("f1_macro", "space", LabelSpace(tuple("abcde")), LabelSpace(tuple("edcba"))),
        ("cost", "costs", (1, 1), (1, [1, 1, 1, 1, 9])),
        ("psp@1", "train", np.eye(5), np.ones((5, 5))),
    ],
)
def test_streams_that_count_otherwise_are_not_joined(metric, option, one, two):
    first, second = (Stream(5, [metric], **{option: given}) for given in (one, two))
    with pytest.raises(OptionError, match=f"these differ in {option}"):
        first + second


def test_named_and_nameless_batches_are_not_joined():
    named, nameless, fresh = Stream(2, ["f1_macro"]), Stream(2, ["f1_macro"]), Stream(2, ["f1_macro"])
    frame = pd.DataFrame([[1, 0]], columns=["b", "a"])
    named.update(frame, decisions=frame)
    nameless.update(frame.to_numpy(), decisions=frame.to_numpy())
    with pytest.raises(OptionError, match="these differ in space"):
        named + nameless
    assert (fresh + named).space == named.space == LabelSpace(["b", "a"])
    named.update(frame[["a", "b"]], decisions=frame)  # in another order, under the same names
    assert named.values()["f1_macro"] == pytest.approx(1.0)
    assert named.rows == 2


def test_streams_are_summed():
    parts = []
    for seed in range(3):
        targets, scores, decisions, _ = rows(seed)
        parts.append(Stream(5, ["f1_macro", "lrap"]))
        parts[-1].update(targets, scores, decisions)
    joined = sum(parts)
    assert joined.rows == 180
    assert joined.values() == (parts[0] + parts[1] + parts[2]).values()
    with pytest.raises(TypeError):
        1 + parts[0]


def test_saturated_batches_are_judged_by_all_of_them():
    stream = Stream(3, ["lrap"])
    stream.update([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]])  # one row, and a sure model
    with pytest.raises(InputError, match=r"of 1 rows so far, scores hold nothing but 0 and 1.*binary_scores"):
        stream.values()
    rest = Stream(3, ["lrap"])
    rest.update([[1.0, 0.0, 1.0]], [[0.5, 0.25, 0.0]])
    joined = stream + rest
    assert joined.values() == pytest.approx({"lrap": (1 + (1 + 2 / 3) / 2) / 2})
    stream.binary_scores = "allow"
    assert stream.values() == {"lrap": 1.0}
    assert Stream(3, ["ap_macro"], binary_scores="allow").values().keys() == {"ap_macro"}


def test_batches_that_the_cuts_were_tuned_on_are_refused():
    targets, scores, _, _ = rows(0)
    rule = PerLabelCut().fit(scores, targets)
    stream = Stream(5, ["f1_macro"])
    with pytest.raises(InputError, match="60 of these 60 rows were used to tune the rule"):
        stream.update(targets, decisions=rule.decide(scores))
    new, others, _, _ = rows(1)
    stream.update(new, decisions=rule.decide(others))
    assert stream.rows == 60
    Stream(5, ["f1_macro"], tuned_rows="allow").update(targets, decisions=rule.decide(scores))


def test_batches_come_by_name():
    stream = Stream(2, ["f1_macro", "lrap"], space=LabelSpace(["a", "b"]))
    scores = pd.DataFrame([[0.9, 0.2], [0.3, 0.6]], columns=["b", "a"])
    stream.update([["b"], ["a", "b"]], scores, [["b"], ["b"]])
    assert stream.values() == pytest.approx({"f1_macro": 0.5, "lrap": 1.0})
