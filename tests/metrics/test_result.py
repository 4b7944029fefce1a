"""Result: what a reader, a file and a terminal see; slices against evaluations of the parts."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from manyhot.errors import OptionError
from manyhot.labels import LabelSpace
from manyhot.metrics import Result, Training, evaluate

RNG = np.random.default_rng(5)
TARGETS = RNG.random((60, 5)) < [0.5, 0.3, 0.2, 0.1, 0]
SCORES = np.clip(RNG.random((60, 5)) * 0.7 + 0.3 * TARGETS, 0, 1)
DECISIONS = SCORES > 0.5
SPACE = LabelSpace(["a", "b", "c", "d", "e"], parents={"b": ("a",), "c": ("b",), "d": ("a",)})


@pytest.fixture(scope="module")
def result():
    return evaluate(TARGETS, SCORES, DECISIONS, space=SPACE, train=TARGETS, intervals=30)


def test_undefined_labels_are_nan_per_label_and_counted(result):
    assert str(result.counted["ap_macro"]) == "4/5 labels"
    assert math.isnan(result.per_label["ap"][4])
    assert result["ap_macro"] == pytest.approx(np.nanmean(result.per_label["ap"]))
    assert list(result.per_label["label"]) == list(SPACE.names)
    assert list(result.per_label["positives"]) == list(TARGETS.sum(0))


def test_a_label_with_decisions_but_no_positive_has_f1_zero(result):
    assert DECISIONS[:, 4].any()
    assert result.per_label["f1"][4] == 0
    assert math.isnan(result.per_label["recall"][4])


def test_an_absent_metric_is_named(result):
    with pytest.raises(OptionError, match="did you mean f1_macro"):
        result["f1_marco"]


def test_it_is_a_mapping_of_names_to_values(result):
    assert dict(result) == pytest.approx(dict(result.values), nan_ok=True)
    assert list(result.keys()) == list(result)
    with pytest.raises(KeyError) as caught:
        result["f1_marco"]
    assert str(caught.value).startswith("metric of this result 'f1_marco' is none of the")
    assert isinstance(caught.value, OptionError)


def test_frames_are_polars_unless_another_is_asked_for(result):
    assert isinstance(result.to_frame(), pl.DataFrame)
    for part in ("metrics", "labels", "slices"):
        frame = result.to_frame(part, frame=pd.DataFrame)
        assert isinstance(frame, pd.DataFrame)
        assert frame.to_dict("list").keys() == result.to_frame(part).to_dict().keys()
        assert len(frame) == len(result.to_frame(part))
    assert result.to_frame("labels")["label"].to_list() == list(SPACE.names)


def test_polars_is_loaded_by_no_other_call():
    code = (
        "import sys, numpy as np; from manyhot.metrics import evaluate;"
        "r = evaluate(np.eye(2), decisions=np.eye(2)); r.to_columns(); str(r);"
        "sys.exit('polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_it_prints_is_short_and_says_where_the_rest_is(result, capsys):
    assert repr(result).startswith("Result(60 rows, 5 labels: f1_micro 0.")
    assert len(repr(result)) < 200
    assert "slices and 5 labels by themselves: result.show()" in str(result)
    result.show()
    shown = capsys.readouterr().out
    assert shown.index("by level") < shown.index("level 1 ")
    assert "tail (<= 10)" in shown
    assert shown.index("\na ") < shown.index("\nb ")  # by positives
    result.show(labels=False, slices=False)
    assert "level 1" not in capsys.readouterr().out
    result.show(limit=2)
    assert "3 more: limit=5" in capsys.readouterr().out


def test_a_notebook_gets_tables_that_names_cannot_break(result):
    assert result._repr_html_().count("<table>") == 5  # three kinds of slices
    space = LabelSpace(["<b>", "b", "c", "d", "e"])
    html = evaluate(TARGETS, SCORES, DECISIONS, space=space)._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<td><b></td>" not in html


def test_records_columns_and_json_hold_the_same(result):
    frame = pd.DataFrame(result.to_columns()).set_index("metric")
    content = json.loads(result.to_json())
    for record in result.to_records():
        name = record["metric"]
        assert frame.loc[name, "value"] == result[name]
        assert content["metrics"][name]["value"] == result[name]
        assert content["metrics"][name]["low"] <= content["metrics"][name]["high"]
    assert content["per_label"]["ap"][4] is None


@pytest.mark.parametrize("library", [pl, pd], ids=["polars", "pandas"])
def test_frames_of_all_three_tables(result, library):
    metrics, labels, slices = (
        library.DataFrame(result.to_columns(part)) for part in ("metrics", "labels", "slices")
    )
    assert list(metrics["value"]) == pytest.approx(list(result.values.values()), nan_ok=True)
    assert list(labels["label"]) == list(SPACE.names)
    assert list(labels["f1"]) == pytest.approx(list(result.per_label["f1"]))
    part = next(each for each in result.slices if each.name == "level 1")
    value = [v for k, m, v in zip(slices["name"], slices["metric"], slices["value"], strict=True)
             if (k, m) == ("level 1", "f1_macro")]  # fmt: skip
    assert value == [part.values["f1_macro"]]


def test_a_table_that_is_none_is_refused(result):
    with pytest.raises(OptionError, match="part must be one of metrics, labels, slices"):
        result.to_columns("rows")


def test_json_is_read_back(result):
    again = Result.from_dict(json.loads(result.to_json()))
    assert again.to_dict() == result.to_dict()


def test_the_table_shows_baseline_first_and_what_was_counted(result):
    text = str(result)
    assert "60 rows, 5 labels" in text
    assert text.index("baseline") < text.index("value")
    assert "4/5 labels" in text
    assert "ranking_loss ↓" in text
    assert "baseline: no label assigned; as scores each label's share" in text
    assert "baseline" not in str(evaluate(TARGETS, decisions=DECISIONS, baseline=False))


def test_all_zero_decisions_and_shares_are_the_baseline(result):
    assert result.baseline["hamming"] == pytest.approx(1 - TARGETS.mean())
    assert result.baseline["f1_macro"] == 0
    assert result.baseline["auc_macro"] == 0.5
    assert result.baseline["ap_macro"] == pytest.approx(TARGETS.mean(0)[:4].mean())


def test_frequency_slices_are_the_macro_of_their_labels():
    train = Training(np.array([500.0, 200, 50, 5, 0]), np.full(5, 1000.0), 1000)
    result = evaluate(TARGETS, SCORES, DECISIONS, train=train)
    parts = {part.name: part for part in result.slices}
    for name, labels in {"head (> 100)": [0, 1], "torso (11-100)": [2], "tail (<= 10)": [3, 4]}.items():
        own = evaluate(TARGETS[:, labels], SCORES[:, labels], DECISIONS[:, labels])
        assert parts[name].size == len(labels)
        for metric in ("f1_macro", "f1_micro", "ap_macro", "hamming"):
            assert parts[name].values[metric] == pytest.approx(own[metric]), (name, metric)
        assert "lrap" not in parts[name].values
    assert str(parts["tail (<= 10)"].counted["ap_macro"]) == "1/2 labels"


def test_levels_follow_the_hierarchy(result):
    sizes = {part.name: part.size for part in result.slices if part.kind == "level"}
    assert sizes == {"level 0": 2, "level 1": 2, "level 2": 1}


def test_without_slices_only_the_parts_that_were_named_are_evaluated():
    options = {"space": SPACE, "train": TARGETS, "slices": False}
    assert evaluate(TARGETS, SCORES, **options).slices == []
    result = evaluate(TARGETS, SCORES, by={"site": np.repeat(["north", "south"], 30)}, **options)
    assert [part.name for part in result.slices] == ["north", "south"]


def test_unseen_combinations_and_groups_are_evaluated_by_themselves():
    train = TARGETS[:20]
    seen = np.array([any((row == other).all() for other in train) for row in TARGETS])
    site = np.repeat(["north", "south"], 30)
    result = evaluate(TARGETS, SCORES, DECISIONS, train=train, by={"site": site})
    parts = {(part.kind, part.name): part for part in result.slices if part.what == "rows"}
    for key, mask in {
        ("combination", "seen in training"): seen,
        ("combination", "not seen in training"): ~seen,
        ("site", "north"): site == "north",
        ("site", "south"): site == "south",
    }.items():
        own = evaluate(TARGETS[mask], SCORES[mask], DECISIONS[mask], train=train, slices=False)
        assert parts[key].size == mask.sum()
        assert parts[key].values == pytest.approx(own.values, nan_ok=True)
        assert parts[key].baseline == pytest.approx(own.baseline, nan_ok=True)
