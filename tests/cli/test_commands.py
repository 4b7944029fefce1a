"""doctor, evaluate, predict and datasets on a small run."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import pytest

import manyhot as mh


def records(text):
    return [json.loads(line) for line in text.splitlines()]


# ------------------------------------------------------------------ doctor


def test_doctor_says_what_is_in_the_data_and_what_to_do(manyhot, posts):
    result = manyhot("doctor", posts)
    assert result.exit_code == 0, result.output
    assert "150 rows, 3 labels" in result.stdout
    assert "all-zero predictions score hamming 0." in result.stdout
    assert result.stdout.splitlines()[-1] == f"next  manyhot fit {posts}"
    assert json.loads(manyhot("doctor", posts, "--json").stdout)["rows"] == 150


def test_doctor_says_how_to_fit_with_the_options_that_it_was_given(manyhot, tmp_path):
    (tmp_path / "my posts.csv").write_text(
        "body,what\n" + "".join(f"words of row {row},{'a|b' if row % 2 else 'b'}\n" for row in range(40))
    )
    result = manyhot(
        "doctor", "my posts.csv", "--labels", "what", "--text", "body", "--separator", "|", "--json"
    )
    assert result.exit_code == 0, result.output
    result = manyhot("doctor", "my posts.csv", "--labels", "what", "--text", "body", "--separator", "|")
    wanted = "next  manyhot fit 'my posts.csv' --labels what --text body --separator '|'"
    assert result.stdout.splitlines()[-1] == wanted


def test_doctor_knows_embedded_sets_by_name(manyhot):
    assert "3 labels" in manyhot("doctor", "toy").stdout


def test_doctor_plans_a_fit(manyhot, posts):
    options = ("--plan", "--encoder", "mlp", "--epochs", "3", "--batch-size", "40")
    result = manyhot("doctor", posts, *options)
    assert result.exit_code == 0, result.output
    assert re.search(r"^plan  mlp, [\d,]+ weights, 3 labels: plain head, peak about \d", result.stdout, re.M)
    assert "trains less than a minute (estimated from a few steps), on cpu" in result.stdout
    table = result.stdout.splitlines()
    assert next(line for line in table if line.startswith("memory")).split()[1:2] == ["training"]
    assert any(line.startswith("together") for line in table)
    plan = json.loads(manyhot("doctor", posts, "--json", *options).stdout)["plan"]
    assert plan["epochs"] == 3
    assert plan["peak"] == max(sum(plan["training"].values()), sum(plan["judging"].values()))
    assert 0 < plan["minutes"] < 1


def test_doctor_plans_what_is_solved(manyhot, posts):
    assert "3 labels: solved, not trained in steps" in manyhot("doctor", posts, "--plan").stdout


# ------------------------------------------------------------------ evaluate


def test_evaluate_repeats_the_results_of_the_run(manyhot, fitted):
    folder, printed = fitted
    result = manyhot("evaluate", folder)
    assert result.exit_code == 0, result.output
    row = next(line for line in printed.stdout.splitlines() if line.startswith("F1 macro"))
    assert row in result.stdout
    stored = json.loads((folder / "metrics.json").read_text())["tuned"]["metrics"]["f1_macro"]
    assert json.loads(manyhot("evaluate", folder, "--json").stdout)["metrics"]["f1_macro"] == stored


def test_evaluate_on_the_training_data_takes_the_test_rows(manyhot, fitted, posts):
    result = manyhot("evaluate", fitted[0], posts)
    assert result.exit_code == 0, result.output
    assert f"on 15 rows of {posts}" in result.stdout
    own = mh.load(fitted[0])
    again = own.evaluate(posts)
    assert again.rows == 15
    assert again["f1_macro"] == pytest.approx(own.metrics["f1_macro"])


def test_evaluate_on_new_data_takes_all_rows_and_lists_labels(manyhot, fitted, tmp_path):
    (tmp_path / "new.jsonl").write_text(
        '{"text": "match goal", "labels": ["sport"]}\n'
        '{"text": "rain storm bank", "labels": ["weather", "money"]}\n'
    )
    result = manyhot("evaluate", fitted[0], "new.jsonl", "--by-label")
    assert result.exit_code == 0, result.output
    assert "on 2 rows of new.jsonl" in result.stdout
    assert {line.split()[0] for line in result.stdout.splitlines()[-3:]} == {"money", "sport", "weather"}


def test_evaluate_says_what_it_read_left_out_and_chose(manyhot, fitted, posts, tmp_path):
    (tmp_path / "new.jsonl").write_text('{"text": "match goal", "labels": ["sport", "chess"]}\noops\n')
    told = manyhot("evaluate", fitted[0], "new.jsonl").stdout
    assert "read      new.jsonl: 1 row, text in 'text'" in told
    assert "skipped 1 bad row (new.jsonl:2: not JSON" in told
    assert "note: labels that the label space lacks were left out: 'chess' (1)" in told
    (tmp_path / "again.jsonl").write_text("".join(sorted(posts.open())))
    result = manyhot("evaluate", fitted[0], "again.jsonl", "--json")
    assert "all 150 rows are the run's own: its 15 test rows are measured" in result.stderr
    assert json.loads(result.stdout)["rows"] == 15


def test_evaluate_without_a_run_says_so(manyhot):
    result = manyhot("evaluate", "runs/none")
    assert (result.exit_code, result.stderr) == (1, "error: no such run: runs/none\n")


# ------------------------------------------------------------------ predict


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("match goal team\nbank market loan and rain storm sun\nnothing known\n")
    return path


def test_predict_prints_names_with_scores(manyhot, fitted, texts):
    lines = manyhot("predict", fitted[0], texts).stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("1  'match goal team'  sport ")
    assert "money " in lines[1]
    assert "weather " in lines[1]


def test_all_scores_mark_the_labels_that_are_given(manyhot, fitted, texts):
    lines = manyhot("predict", fitted[0], texts, "--all-scores").stdout.splitlines()
    assert lines[0].startswith("1  'match goal team'  *sport ")
    assert lines[0].count("*") == 1
    assert {"money", "weather"} <= set(lines[0].split())
    assert "*" not in manyhot("predict", fitted[0], texts).stdout


def test_predict_as_json_lines(manyhot, fitted, texts):
    found = records(manyhot("predict", fitted[0], texts, "--json").stdout)
    assert [record["row"] for record in found] == ["1", "2", "3"]
    assert found[0]["labels"] == ["sport"]
    assert list(found[0]["scores"]) == ["sport"]
    everything = records(manyhot("predict", fitted[0], texts, "--format", "jsonl", "--all-scores").stdout)
    assert set(everything[0]["scores"]) == {"money", "sport", "weather"}
    assert everything[0]["labels"] == ["sport"]


def test_predict_as_csv(manyhot, fitted, texts):
    rows = list(csv.DictReader(io.StringIO(manyhot("predict", fitted[0], texts, "--format", "csv").stdout)))
    assert rows[0]["labels"] == "sport"
    assert 0 < float(rows[0]["scores"]) <= 1
    wide = manyhot("predict", fitted[0], texts, "--format", "csv", "--all-scores").stdout
    assert next(iter(csv.DictReader(io.StringIO(wide)))).keys() == {
        "row",
        "labels",
        "money",
        "sport",
        "weather",
    }


@pytest.mark.parametrize(
    ("limits", "counts"),
    [(["--topk", "2"], [2, 2, 2]), (["--floor", "0"], [3, 3, 3])],
)
def test_limits_take_the_place_of_the_cuts(manyhot, fitted, texts, limits, counts):
    found = records(manyhot("predict", fitted[0], texts, "--json", *limits).stdout)
    assert [len(record["labels"]) for record in found] == counts


def test_predict_reads_json_lines_from_a_pipe(fitted, tmp_path):
    lines = '{"text": "match goal"}\n{"text": "bank loan"}\n'
    done = subprocess.run(
        [sys.executable, "-m", "manyhot", "predict", str(fitted[0]), "-", "--json"],
        input=lines, capture_output=True, text=True, check=True, cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert [record["labels"] for record in records(done.stdout)] == [["sport"], ["money"]]
    assert done.stderr == ""


def test_predict_takes_several_files_and_names_their_rows(manyhot, fitted, texts, tmp_path):
    (tmp_path / "more.jsonl").write_text('{"text": "rain"}\n')
    found = records(manyhot("predict", fitted[0], texts, "more.jsonl", "--json").stdout)
    assert [record["row"] for record in found] == [
        "texts.txt:1",
        "texts.txt:2",
        "texts.txt:3",
        "more.jsonl:1",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["RUN"], 2, "Missing argument 'INPUT...'"),
        (["RUN", "none.txt"], 2, "none.txt: no such file"),
        (["RUN", "TEXTS", "--topk", "0"], 2, "0 is not in the range x>=1"),
        (["RUN", "TEXTS", "--floor", "2"], 2, "2.0 is not in the range 0<=x<=1"),
        (["RUN", "TEXTS", "--json", "--format", "csv"], 2, "leave out --json or --format csv"),
        (["runs/none", "TEXTS"], 1, "no such run: runs/none"),
    ],
)
def test_what_cannot_be_predicted_is_told(manyhot, fitted, texts, arguments, code, message):
    given = [{"RUN": fitted[0], "TEXTS": texts}.get(argument, argument) for argument in arguments]
    result = manyhot("predict", *given)
    assert result.exit_code == code
    assert message in result.stderr


# ------------------------------------------------------------------ datasets


def test_datasets_lists_what_there_is(manyhot):
    assert {"glyphs", "imports", "movies16", "sparse1000", "toy"} <= set(manyhot("datasets").stdout.split())
    assert {one["name"] for one in json.loads(manyhot("datasets", "--json").stdout)} >= {"glyphs", "toy"}


@pytest.mark.parametrize(
    ("name", "file"), [("toy", "toy.csv"), ("toy", "toy.parquet"), ("imports", "imports.jsonl")]
)
def test_a_data_set_written_as_a_file_reads_back(manyhot, tmp_path, name, file):
    result = manyhot("datasets", name, "--limit", "60", "--out", file)
    assert result.exit_code == 0, result.output
    assert f"wrote {file}" in result.stdout
    table, whole = mh.read(tmp_path / file), mh.datasets.load(name, limit=60)
    assert len(table) == len(whole)
    assert set(table.space.names) >= {n for row in whole.space.decode(whole.targets) for n in row}
    assert [set(r) for r in table.space.decode(table.targets)] == [
        set(r) for r in whole.space.decode(whole.targets)
    ]


def test_images_are_written_as_a_folder(manyhot, tmp_path):
    result = manyhot("datasets", "glyphs", "--limit", "30", "--out", "glyphs")
    assert result.exit_code == 0, result.output
    table = mh.read(tmp_path / "glyphs")
    assert len(table.space.groups) == 2
    assert len(table) == len(list((tmp_path / "glyphs").glob("*.png")))
    assert table.inputs.kind == "image"
    again = manyhot("datasets", "glyphs", "--limit", "30", "--out", "glyphs")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)


def test_an_unknown_set_and_a_wrong_suffix_are_told(manyhot):
    result = manyhot("datasets", "glyph")
    assert (result.exit_code, "did you mean glyphs" in result.stderr) == (2, True)
    result = manyhot("datasets", "toy", "--seed", "-1", "--out", "toy.csv")
    assert (result.exit_code, "-1 is not in the range 0<=x<=" in result.stderr) == (2, True)
    result = manyhot("datasets", "toy", "--out", "toy.xlsx")
    assert (
        result.exit_code,
        "columns data is written as .csv or .parquet, got toy.xlsx" in result.stderr,
    ) == (2, True)
