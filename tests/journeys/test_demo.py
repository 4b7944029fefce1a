"""The demo: the whole way, quickly, with the story and the commands to go on."""

import json
import time

import pytest
from click.testing import CliRunner

import manyhot as mh
from manyhot.cli import demo, main


@pytest.mark.slow
def test_the_demo_goes_the_whole_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin = time.process_time()
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 0, result.output
    assert time.process_time() - begin < 180
    for text in (
        "1  look at the data",
        "baseline",
        "tuned cuts",
        "A model that never gives a label has",
        "true ",
    ):
        assert text in result.stdout
    for command in ("manyhot doctor DATA", "manyhot fit DATA", "manyhot predict RUN NEW"):
        assert command in result.stdout
    run = mh.load("runs/demo-1")
    assert run.metrics["f1_macro"] > run.untuned["f1_macro"] + 0.05 > run.metrics.baseline["f1_macro"]


def test_the_demo_as_json_prints_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "ROWS", 300)
    result = CliRunner().invoke(main, ["demo", "--json", "--out", "run"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["run"] == "run"
