"""Whole journeys on real data through the command line: fit, evaluate, predict."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from manyhot.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def manyhot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result

    return call


def metrics(result):
    """Metric -> value, baseline's value, of `fit --json` or `evaluate --json`."""
    content = json.loads(result.stdout)
    found = content["metrics"] if "metrics" in content else content["test"]["tuned"]["metrics"]
    return {name: (record["value"], record["baseline"]) for name, record in found.items()}


def journey(manyhot, data: Path, new: Path, *options):
    """Fit into "run", evaluate it, predict for a few new rows: the metrics and the predictions."""
    fitted = metrics(manyhot("fit", data, "--out", "run", "--json", *options))
    assert metrics(manyhot("evaluate", "run", "--json")) == fitted
    lines = manyhot("predict", "run", new, "--json").stdout.splitlines()
    return fitted, [json.loads(line) for line in lines]


def head(path: Path, to: Path, rows: int = 20) -> Path:
    pl.read_parquet(path, n_rows=rows).write_parquet(to)
    return to


def test_yeast(manyhot, shared_data, tmp_path):
    folder = shared_data / "yeast"
    found, predictions = journey(manyhot, folder, head(folder / "test.parquet", tmp_path / "new.parquet"))
    assert found["f1_micro"][0] > 0.62
    assert found["f1_macro"][0] > 0.40
    assert found["hamming"][1] == pytest.approx(0.6963, abs=1e-4)
    assert len(predictions) == 20
    again = metrics(manyhot("evaluate", "run", folder, "--json"))
    assert again["f1_macro"][0] == pytest.approx(found["f1_macro"][0])


def test_reuters(manyhot, shared_data, tmp_path):
    folder = shared_data / "reuters_modapte90"
    new = head(folder / "test.parquet", tmp_path / "new.parquet")
    found, predictions = journey(manyhot, folder, new, "--text", "title,text")
    assert found["f1_micro"][0] > 0.85
    assert found["f1_macro"][0] > 0.50
    assert found["exact"][0] > 0.78
    truth = pl.read_parquet(new)["labels"].to_list()
    right = sum(set(record["labels"]) == set(names) for record, names in zip(predictions, truth, strict=True))
    assert right >= 8  # of 20; the first ones are hard


def test_bibtex(manyhot, shared_data, tmp_path):
    folder = shared_data / "bibtex"
    new = head(folder / "test.parquet", tmp_path / "new.parquet")
    found, predictions = journey(manyhot, folder, new, "--epochs", "12")
    assert found["f1_micro"][0] > 0.38
    assert len(predictions) == 20


def test_fashion(manyhot, shared_data):
    folder = shared_data / "fashion"
    options = ("--images", folder / "images.zip", "--epochs", "2", "--image-size", "48")
    found = metrics(manyhot("fit", folder / "labels.csv", "--out", "run", "--json", *options))
    assert found["hamming"][1] == pytest.approx(2 / 3, abs=1e-3)
    assert found["hamming"][0] > 0.75
    predicted = manyhot("predict", "run", folder / "images.zip", "--format", "csv", "--topk", "2")
    rows = predicted.stdout.splitlines()
    assert rows[0] == "row,labels,scores"
    assert len(rows) == 2161
