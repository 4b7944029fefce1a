"""Of columns as sparse as words a network and a linear model are tried, and the better one is kept."""

import json

import numpy as np
import polars as pl
import pytest

from manyhot.data import Columns, Table
from manyhot.labels import LabelSpace, Targets
from manyhot.runs import events, fit, load

ROWS, WIDTH = 600, 300


def table_of(make_labels) -> Table:
    rng = np.random.default_rng(0)
    words = (rng.random((ROWS, WIDTH)) < 0.03).astype(np.int8)
    labels = make_labels(words)
    space = LabelSpace(tuple(f"l{column}" for column in range(labels.shape[1])))
    frame = pl.DataFrame(words, [f"w{column}" for column in range(WIDTH)])
    return Table.of(Columns(frame), Targets.from_dense(labels.astype(float)), space)


def any_of_twenty_words(words):
    """Each label has twenty words of its own: what a linear model knows."""
    return np.stack([words[:, 20 * label : 20 * label + 20].any(axis=1) for label in range(10)], axis=1)


def chosen(table, **options):
    heard = []
    run = fit(table, on_event=heard.append, **options)
    return run, [event for event in heard if isinstance(event, events.ModelChosen)]


def test_the_linear_model_is_kept_where_it_ranks_better(tmp_path):
    table = table_of(any_of_twenty_words)
    run, (choice,) = chosen(table, out=tmp_path / "run")
    assert choice.kept == "linear"
    assert choice.linear > choice.network
    assert choice.rows == 60
    origin = json.loads((tmp_path / "run" / "manyhot.json").read_text())["origin"]
    assert origin["loss"] == "squared-hinge (solved)"
    assert origin["split"]["rows"] == {"train": 480, "valid": 60, "test": 60}
    assert origin["split"]["cuts"] == "out of fold on 540 training rows"
    assert run.predictor.kind == "columns"
    again = load(tmp_path / "run").predict(table.inputs.take(slice(0, 5)))
    assert list(again) == list(run.predict(table.inputs.take(slice(0, 5))))


def test_the_network_is_kept_where_it_ranks_better(monkeypatch):
    values = iter([0.4, 0.5])
    monkeypatch.setattr("manyhot.runs.learn._macro_ap", lambda *_: next(values))
    run, (choice,) = chosen(table_of(any_of_twenty_words), goal="f1_micro")
    assert (choice.kept, choice.linear, choice.network) == ("network", 0.4, 0.5)
    assert run.predictor.origin.loss == "bce"


def test_what_cannot_be_ranked_keeps_the_network_and_says_so(monkeypatch):
    monkeypatch.setattr("manyhot.runs.learn._macro_ap", lambda *_: float("nan"))
    run, (choice,) = chosen(table_of(any_of_twenty_words))
    assert choice.kept == "network"
    assert run.predictor.origin.loss == "bce"


def test_an_infinite_cell_is_left_to_the_network():
    table = table_of(any_of_twenty_words)
    frame = table.inputs.frame.cast(pl.Float64)
    frame[3, 0] = float("inf")
    assert chosen(Table.of(Columns(frame), table.targets, table.space), epochs=1)[1] == []


@pytest.mark.parametrize("options", [{}, {"encoder": "mlp"}, {"loss": "bce"}, {"encoder": "linear"}])
def test_what_was_asked_for_is_not_chosen_about(options):
    assert chosen(table_of(any_of_twenty_words), epochs=1, **options)[1] == []


def test_the_linear_way_can_be_asked_for():
    run, choice = chosen(table_of(any_of_twenty_words), encoder="linear", preparation="bag")
    assert choice == []
    assert run.history.options is None
