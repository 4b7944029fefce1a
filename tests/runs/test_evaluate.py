"""Run.evaluate: data is read as the run reads it, and rows that it was fitted on do not judge it."""

import json
import warnings

import numpy as np
import polars as pl
import pytest

from manyhot.errors import InputError, ManyhotWarning, OptionError
from manyhot.labels import LabelSpace
from manyhot.runs import fit, load


@pytest.fixture(scope="module")
def posts(sentences, tmp_path_factory):
    """A file whose inputs would be taken otherwise than they are said: 'other' looks more like a text."""
    texts, labels = sentences(150)
    path = tmp_path_factory.mktemp("data") / "posts.jsonl"
    with path.open("w") as file:
        for row, (text, names) in enumerate(zip(texts, labels, strict=True)):
            record = {"title": f"{text} number {row}", "text": f"a text without any hint of it {row % 7}"}
            file.write(json.dumps(record | {"labels": names}) + "\n")
    return path


@pytest.fixture(scope="module")
def run(posts, tmp_path_factory):
    return fit(posts, read={"text": "title"}, out=tmp_path_factory.mktemp("runs") / "posts")


def lines_of(posts):
    return posts.read_text().splitlines()


def test_the_columns_of_the_run_are_read_and_not_guessed_anew(run, posts):
    result = run.evaluate(posts)
    assert result.rows == run.metrics.rows
    assert result["f1_macro"] == run.metrics["f1_macro"] > 0.6
    assert load(run.folder).evaluate(posts)["f1_macro"] == run.metrics["f1_macro"]


@pytest.mark.parametrize("form", ["sorted", "csv", "parquet", "renamed labels"])
def test_the_training_data_in_another_form_is_judged_by_its_test_rows(run, posts, tmp_path, form):
    frame = pl.read_ndjson(posts)
    joined = frame.with_columns(pl.col("labels").list.join("|"))
    if form == "sorted":
        path = tmp_path / "a.jsonl"
        path.write_text("\n".join(sorted(lines_of(posts), reverse=True)))
    elif form == "csv":
        joined.write_csv(path := tmp_path / "a.csv")
    elif form == "parquet":
        frame.write_parquet(path := tmp_path / "a.parquet")
    else:
        frame.rename({"labels": "tags"}).write_parquet(path := tmp_path / "a.parquet")
    result = run.evaluate(path)
    assert (result.rows, result["f1_macro"]) == (15, run.metrics["f1_macro"])


def test_training_rows_alone_are_refused_unless_allowed(run, posts, tmp_path):
    table = run.read(posts)
    kept = np.flatnonzero(~np.isin(np.arange(150), run.rows_to_judge(table).table.row_ids.astype(int) - 1))
    (tmp_path / "a.jsonl").write_text("\n".join(lines_of(posts)[row] for row in kept[:80]))
    with pytest.raises(InputError, match="80 of the 80 rows equal rows that the run was fitted on"):
        run.evaluate(tmp_path / "a.jsonl")
    assert run.evaluate(tmp_path / "a.jsonl", tuned_rows="allow").rows == 80
    with pytest.raises(InputError, match="rows that the run was fitted on"):
        run.evaluate(
            [run.read(tmp_path / "a.jsonl").inputs.values[0]],
            [json.loads(lines_of(posts)[kept[0]])["labels"]],
        )


def test_a_few_training_rows_among_new_ones_are_counted(run, posts, tmp_path):
    new = [json.dumps({"title": f"match goal {row}", "text": "", "labels": ["sport"]}) for row in range(95)]
    (tmp_path / "a.jsonl").write_text("\n".join([*new, *lines_of(posts)[:5]]))
    with pytest.warns(ManyhotWarning, match=r"\d of the 100 rows equal rows that the run was fitted on"):
        assert run.evaluate(tmp_path / "a.jsonl").rows == 100


def test_bad_rows_and_strange_labels_are_told(run, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"title": "match goal", "labels": ["sport", "chess"]}\noops\n{"title": "rain", "labels": []}\n'
    )
    with pytest.warns(ManyhotWarning) as told:
        assert run.evaluate(path).rows == 2
    assert [str(one.message) for one in told] == [
        "1 row left out: a.jsonl:2: not JSON (JSON is malformed: invalid character (byte 0))",
        "labels that the label space lacks were left out: 'chess' (1)",
    ]
    assert {one.filename for one in told} == {__file__}


def test_a_missing_input_column_is_named(run, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "match goal", "labels": ["sport"]}\n')
    with pytest.raises(InputError, match=r"a.jsonl lacks 'title', which the model reads"):
        run.evaluate(tmp_path / "a.jsonl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.evaluate(tmp_path / "a.jsonl", text="text").rows == 1


def test_a_numeric_column_stays_a_number(points, tmp_path):
    parts = np.array(["train", "train", "valid", "test"] * 100)
    frame = points.inputs.frame.with_columns(
        *(
            pl.Series(name, points.targets.to_dense()[:, column])
            for column, name in enumerate(points.space.names)
        ),
        split=parts,
    )
    frame.write_csv(tmp_path / "points.csv")
    run = fit(tmp_path / "points.csv", [*points.space.names], epochs=2)
    # alone, these two columns would be taken for categories and a third label column for a feature
    blank = (
        frame.filter(pl.col("split") == "test").drop("split").with_columns(x1=pl.lit(None), extra=pl.lit(1))
    )
    blank.write_csv(tmp_path / "new.csv")
    assert run.evaluate(tmp_path / "new.csv").rows == 100


def test_rows_in_memory_are_the_same_whatever_the_type_of_their_columns(points, tmp_path):
    names = points.space.names
    frame = points.inputs.frame.hstack(
        [pl.Series(name, points.targets.to_dense()[:, column]) for column, name in enumerate(names)]
    )
    frame.write_csv(tmp_path / "points.csv")
    run = fit(tmp_path / "points.csv", [*names], epochs=1)
    for own in (frame, frame.with_columns(pl.col("x0", "x1").cast(pl.String))):
        assert run.evaluate(own, [*names]).rows == run.metrics.rows


def test_a_split_that_was_refused_stays_refused(sentences, tmp_path):
    texts, labels = sentences(100)
    frame = pl.DataFrame({"text": texts, "labels": ["|".join(names) for names in labels]})
    frame.with_columns(split=pl.lit("holdout")).write_csv(tmp_path / "a.csv")
    run = fit(tmp_path / "a.csv", read={"split": "", "text": "text"})
    assert run.evaluate(tmp_path / "a.csv").rows == run.metrics.rows
    frame.with_columns(pl.col("text") + " anew", split=pl.Series(["train", "test"] * 50)).write_csv(
        tmp_path / "b.csv"
    )
    assert run.evaluate(tmp_path / "b.csv").rows == 100
    assert run.evaluate(tmp_path / "b.csv", split="split").rows == 50
    assert run.evaluate(tmp_path / "b.csv", split="split", tuned_rows="allow").rows == 100


def test_a_run_of_likelihoods_is_measured_on_likelihoods(sentences):
    texts, labels = sentences(100)
    space = LabelSpace(("money", "sport", "weather"))
    soft = space.encode(labels).to_dense() * 0.9 + 0.05
    run = fit(texts, soft, epochs=2)
    assert run.evaluate(texts, soft).rows == run.metrics.rows


@pytest.mark.parametrize("name", ["yeast", "enron"])
def test_another_layout_of_the_test_rows_gives_the_same_figures(shared_data, name):
    native = {"yeast": "arff_mulan_dense/yeast-test.arff", "enron": "arff_mulan_sparse/enron-test.arff"}[name]
    run = fit(shared_data / name, epochs=1)
    result = run.evaluate(shared_data / "native" / native)
    assert result.rows == run.metrics.rows
    assert result["f1_micro"] == pytest.approx(run.metrics["f1_micro"], abs=2e-3)


def test_without_data_it_is_the_result_of_the_runs_own_test_rows(text_run):
    assert text_run.evaluate() is text_run.metrics
    with pytest.raises(OptionError, match="labels and options of reading are of data: name the data too"):
        text_run.evaluate(labels=["sport"])
