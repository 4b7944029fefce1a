"""fit: the whole way in memory and into a folder, resumed, repeated, refused."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from torch import nn

import manyhot as mh
from manyhot.errors import InputError, OptionError, RunError, TrainingError
from manyhot.runs import events, fit, load, resume
from manyhot.runs.table_files import write_table
from manyhot.train import Began, Diagnosed, Ended, EpochDone, StepDone

PARTS = {
    "manyhot.json",
    "model.safetensors",
    "decision.json",
    "metrics.json",
    "history.jsonl",
    "predictions.parquet",
    "rows.parquet",
}


TRAINED = "trained in epochs, not solved at once, because"


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


class Heard(list):
    """A listener that keeps what it heard."""

    def __call__(self, event):
        self.append(event)

    @property
    def kinds(self):
        return [type(event) for event in self if not isinstance(event, StepDone)]


def test_ten_lines_from_lists_to_names(sentences):
    texts, labels = sentences(200)
    run = mh.fit(texts, labels)
    assert run.predict(["bank loan the day was", "goal team storm"])[0] == ["money"]
    assert set(run.predict(["goal team storm rain"])[0]) == {"sport", "weather"}
    assert run.metrics["f1_macro"] > 0.8
    assert run.metrics.baseline["f1_macro"] == 0
    assert run.folder is None


def test_a_run_folder_holds_all_parts_and_nothing_else(point_run):
    assert {path.name for path in point_run.folder.iterdir()} == PARTS
    manifest = json.loads((point_run.folder / "manyhot.json").read_text())
    assert manifest["origin"]["split"]["rows"] == {"train": 320, "valid": 40, "test": 40}
    assert manifest["origin"]["options"]["epochs"] == 8
    assert len((point_run.folder / "history.jsonl").read_text().splitlines()) == point_run.history.epochs + 1
    assert (pl.read_parquet(point_run.folder / "predictions.parquet")["part"] == "test").sum() == 40


def test_it_beats_the_baseline(point_run):
    assert point_run.metrics["exact"] > point_run.metrics.baseline["exact"] + 0.2
    assert point_run.metrics["f1_macro"] > 0.7


def test_events_come_in_the_order_of_the_work(points, tmp_path):
    heard = Heard()
    fit(points, out=tmp_path / "run", epochs=2, on_event=heard)
    kinds = [kind for kind in heard.kinds if kind.__name__ not in ("Saved", "Diagnosed")]
    assert kinds == [
        events.DataRead, events.RowsParted, events.BaselineKnown, events.ModelBuilt, Began,
        EpochDone, EpochDone, EpochDone, Ended, events.CutsTuned, events.RunWritten,
    ]  # fmt: skip


def posts_of(sentences, rows, path, parts=None):
    texts, labels = sentences(rows)
    records = [{"text": text, "labels": names} for text, names in zip(texts, labels, strict=True)]
    for record, part in zip(records, parts or [], strict=bool(parts)):
        record["split"] = part
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def cuts_of(heard):
    return next(event for event in heard if isinstance(event, events.CutsTuned)).how


def test_a_solved_model_is_tuned_on_all_rows_but_those_that_judge(text_run):
    manifest = json.loads((text_run.folder / "manyhot.json").read_text())["origin"]
    assert manifest["split"]["rows"] == {"train": 96, "valid": 12, "test": 12}
    assert manifest["split"]["cuts"] == "out of fold on 96 training rows and on 12 validation rows"
    assert manifest["options"]["solved"] == "squared hinge, dual coordinate descent"
    assert manifest["options"]["folds"] == 5
    assert {"optimizer", "learning_rate", "epochs"}.isdisjoint(manifest["options"])
    assert text_run.metrics.rows == 12
    parts = pl.read_parquet(text_run.folder / "predictions.parquet")["part"].to_list()
    assert (parts.count("tuned"), parts.count("test")) == (108, 12)
    assert [len(part) for part in (text_run.seen.train, text_run.seen.valid, text_run.seen.test)] == [
        96,
        12,
        12,
    ]


def test_where_the_data_has_test_rows_only_the_cuts_of_a_solved_model_need_no_others(sentences, tmp_path):
    path = posts_of(sentences, 100, tmp_path / "a.jsonl", (["train"] * 8 + ["test"] * 2) * 10)
    heard = Heard()
    run = fit(path, on_event=heard)
    parted = next(event for event in heard if isinstance(event, events.RowsParted))
    assert (parted.parts.sizes, parted.how) == (
        {"train": 80, "valid": 0, "test": 20},
        "the cuts are tuned out of fold",
    )
    assert cuts_of(heard) == "out of fold on 80 training rows"
    assert run.predictor.origin.split["rows"]["valid"] == 0


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({}, "out of fold on 60 training rows and on 20 validation rows"),
        ({"epochs": 2}, "on 20 validation rows"),
    ],
    ids=["solved", "trained"],
)
def test_given_validation_rows_tune_the_cuts_of_a_linear_model_too(sentences, tmp_path, options, how):
    parts = (["train"] * 6 + ["valid"] * 2 + ["test"] * 2) * 10
    heard = Heard()
    fit(posts_of(sentences, 100, tmp_path / "a.jsonl", parts), on_event=heard, **options)
    assert cuts_of(heard) == how


@pytest.mark.parametrize(
    ("options", "solved", "why"),
    [
        ({}, True, ""),
        ({"device": "cpu", "checkpoint_seconds": 5.0}, True, ""),
        ({"patience": 3}, True, "solved, not trained in epochs: patience without effect"),
        ({"epochs": 2}, False, "trained in epochs, not solved at once, because epochs was given"),
        (
            {"loss": "bce", "clip": 1.0},
            False,
            "trained in epochs, not solved at once, because clip, loss were given",
        ),
    ],
)
def test_only_options_of_epochs_have_a_text_model_trained_and_it_is_said(sentences, options, solved, why):
    texts, labels = sentences(60)
    heard = Heard()
    run = fit(texts, labels, on_event=heard, **options)
    built = next(event for event in heard if isinstance(event, events.ModelBuilt))
    assert (run.history.options is None, built.why) == (solved, why)


def test_random_labels_are_noticed_by_a_solved_model_too():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["one", "two", "three", "four", "five", "six"], 4)) for _ in range(400)]
    heard = Heard()
    fit(texts, [[name for name in "abc" if rng.random() < 0.3] for _ in texts], on_event=heard)
    assert {event.diagnosis.name for event in heard if isinstance(event, Diagnosed)} & {"prior", "unranked"}


def test_a_training_that_learned_nothing_fails_and_leaves_the_folder_free(points, tmp_path):
    huge = replace(points, inputs=type(points.inputs)(points.inputs.frame * 1e3))
    with pytest.raises(TrainingError, match=r"nothing was learned: the \w+ of step \d+ w.*lower the"):
        fit(huge, out=tmp_path / "run", epochs=2, learning_rate=1e30, optimizer="sgd", batch_size=320)
    run = fit(points, out=tmp_path / "run", epochs=2)
    assert run.metrics["hamming"] > 0.5


def test_scores_that_are_all_0_or_1_are_diagnosed_and_the_run_is_kept(points, tmp_path):
    wild = replace(points, inputs=type(points.inputs)(points.inputs.frame * 1e3))

    class Sure(nn.Module):
        width = 2

        def forward(self, batch):
            return batch * 1e6

    run = fit(wild, out=tmp_path / "run", encoder=Sure(), epochs=2, learning_rate=1.0)
    assert set(np.unique(run.made.test_scores.round(6))) == {0.0, 1.0}
    assert "saturated" in {finding.name for finding in run.history.diagnoses}
    assert 0 < run.metrics["ap_macro"] <= 1
    assert np.isfinite(run.metrics["log_loss"])
    assert load(tmp_path / "run", encoder=Sure()).metrics.values == run.metrics.values


def test_the_same_seed_gives_the_same_run_and_another_seed_another(points, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(points, out=tmp_path / name, epochs=2, seed=seed)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    assert (tmp_path / "a" / "decision.json").read_text() == (tmp_path / "b" / "decision.json").read_text()


def test_test_rows_never_tune_the_cuts(points):
    parts = np.array(["train", "train", "valid", "test"] * 100)
    dense = points.targets.to_dense()
    flipped = mh.Targets.from_dense(np.where((parts == "test")[:, None], 1 - dense, dense))
    one = fit(replace(points, part=parts), epochs=2)
    other = fit(replace(points, part=parts, targets=flipped), epochs=2)
    assert one.predictor.rule.cuts.tolist() == other.predictor.rule.cuts.tolist()
    assert one.metrics["exact"] != other.metrics["exact"]


def test_a_run_in_memory_can_be_saved_once(points, tmp_path):
    run = fit(points, epochs=1)
    run.save(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == PARTS
    assert load(tmp_path / "run").metrics.values == run.metrics.values
    with pytest.raises(RunError, match=r"the run is in .* already: copy that folder"):
        run.save(tmp_path / "again")


def test_a_run_in_memory_is_saved_into_no_folder_of_others(points, point_run, tmp_path):
    run = fit(points, epochs=1)
    (tmp_path / "taken" / "checkpoints").mkdir(parents=True)
    (tmp_path / "taken" / "checkpoints" / "precious").write_text("mine")
    begin(points, tmp_path / "begun")
    for folder, told in [
        (tmp_path / "taken", "is not empty and not a run"),
        (tmp_path / "begun", "holds an unfinished run"),
        (point_run.folder, "holds a finished run already"),
    ]:
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(RunError, match=told):
            run.save(folder)
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_data_frame_with_categories_and_missing_cells():
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "blue"], 300)
    frame = pd.DataFrame(
        {
            "colour": colour,
            "size": rng.normal(size=300),
            "noise": np.where(rng.random(300) < 0.1, np.nan, 1.0),
        }
    )
    labels = pd.DataFrame({"is_red": (colour == "red") * 1, "is_big": (frame["size"] > 0) * 1})
    run = fit(frame, labels, epochs=20)
    assert run.metrics["f1_macro"] > 0.9
    assert set(run.predict(pd.DataFrame({"colour": ["red"], "size": [2.0], "noise": [1.0]}))[0]) == {
        "is_red",
        "is_big",
    }


# ------------------------------------------------------------------ stop and go on


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def killed_at(step):
    def listener(event):
        if isinstance(event, StepDone) and event.step == step:
            raise Killed

    return listener


@pytest.mark.parametrize(
    "options", [{"epochs": 4}, {"epochs": 4, "encoder": "linear"}], ids=["mlp", "linear"]
)
def test_a_killed_run_goes_on_to_the_same_weights(points, tmp_path, options):
    fit(points, out=tmp_path / "whole", checkpoint_seconds=0, **options)
    with pytest.raises(Killed):
        fit(points, out=tmp_path / "run", checkpoint_seconds=0, on_event=killed_at(9), **options)
    with pytest.raises(RunError, match="is not finished: go on with `manyhot fit --resume"):
        load(tmp_path / "run")
    heard = Heard()
    fit(points, out=tmp_path / "run", checkpoint_seconds=0, resume=True, on_event=heard, **options)
    assert next(event for event in heard if isinstance(event, Began)).resumed_step > 0
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_ctrl_c_keeps_what_was_trained(points, tmp_path):
    def interrupt(event):
        if isinstance(event, StepDone) and event.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(points, out=tmp_path / "run", epochs=3, on_event=interrupt)
    assert (tmp_path / "run" / "checkpoints" / "training.safetensors").exists()
    fit(points, out=tmp_path / "whole", epochs=3)
    fit(points, out=tmp_path / "run", epochs=3, resume=True)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_resume_reads_what_was_asked_from_the_folder(sentences, tmp_path, monkeypatch):
    texts, labels = sentences(60)
    pl.DataFrame({"body": texts, "tags": ["|".join(names) for names in labels]}).write_csv(
        tmp_path / "posts.csv"
    )
    monkeypatch.chdir(tmp_path)
    options = {"encoder": "mlp", "epochs": 3, "seed": 4, "goal": "f1_micro", "checkpoint_seconds": 0}
    with pytest.raises(Killed):
        fit("posts.csv", "tags", read={"text": "body"}, out="run", on_event=killed_at(2), **options)
    run = resume("run")
    assert run.predictor.origin.goal == "f1_micro"
    with pytest.raises(RunError, match="run is finished: there is nothing to go on with"):
        resume("run")


def test_options_of_read_that_only_python_knows_can_be_given(sentences, tmp_path):
    posts, space = (
        posts_of(sentences, 60, tmp_path / "posts.jsonl"),
        mh.LabelSpace(("weather", "money", "sport")),
    )
    run = fit(posts, read={"space": space}, out=tmp_path / "run")
    assert run.space.names == space.names


def test_the_plan_and_the_fit_agree_on_what_is_solved(sentences, monkeypatch):
    texts, labels = sentences(100)
    space = mh.LabelSpace(("money", "sport", "weather", *map(str, range(2_000))))
    # all rows are too many, and the training rows would not be
    monkeypatch.setattr("manyhot.runs.learn.MOST_CELLS", 95 * len(space))
    heard = Heard()
    run = fit(texts, space.encode(labels), read={"space": space}, on_event=heard)
    (planned,) = [event.plan for event in heard if isinstance(event, events.MemoryPlanned)]
    assert planned.head != "solved"
    assert run.predictor.origin.loss == "bce"


def test_a_run_that_fails_at_its_cuts_goes_on_with_another_goal(points, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise InputError("no cut reaches this")

    path = write_table(points, tmp_path / "points.csv")[0]
    options = {"labels": [*points.space.names], "out": tmp_path / "run", "epochs": 3}
    with monkeypatch.context() as patch:
        patch.setattr("manyhot.runs.learn.rule_for", fails)
        with pytest.raises(InputError, match="no cut reaches this") as told:
            fit(path, goal="precision >= 0.99", **options)
    assert f"go on with `manyhot fit --resume {tmp_path / 'run'}`" in told.value.__notes__[0]
    heard = Heard()
    run = resume(tmp_path / "run", goal="f1_micro", on_event=heard)
    assert run.predictor.origin.goal == "f1_micro"
    assert not [event for event in heard if isinstance(event, StepDone)]  # nothing is trained again


def test_a_kill_before_the_plan_leaves_a_folder_that_can_be_taken(points, tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / ".plan.json.77.part").write_text("{")
    with pytest.raises(RunError, match="stopped before anything was trained: fit into it again"):
        resume(tmp_path / "run")
    fit(points, out=tmp_path / "run", epochs=1)


def begin(points, folder, **options):
    with pytest.raises(Killed):
        fit(points, out=folder, epochs=3, checkpoint_seconds=0, on_event=killed_at(5), **options)


def test_an_unfinished_run_is_not_trodden_on(points, tmp_path):
    begin(points, tmp_path / "run")
    with pytest.raises(RunError, match="holds an unfinished run: go on with `manyhot fit --resume"):
        fit(points, out=tmp_path / "run", epochs=3)
    with pytest.raises(RunError, match=r"was begun with other options \(epochs\)"):
        fit(points, out=tmp_path / "run", epochs=2, checkpoint_seconds=0, resume=True)
    with pytest.raises(RunError, match="was begun on other data, or the data has changed"):
        fit(points.take(slice(0, 399)), out=tmp_path / "run", epochs=3, checkpoint_seconds=0, resume=True)
    with pytest.raises(RunError, match=r"begun from Python with values in memory: call fit\(..., out="):
        resume(tmp_path / "run")


def test_a_taken_folder_is_refused(points, point_run, tmp_path):
    with pytest.raises(RunError, match="holds a finished run already"):
        fit(points, out=point_run.folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="mine is not empty and not a run"):
        fit(points, out=tmp_path / "mine")
    with pytest.raises(RunError, match="is a file: choose another name"):
        fit(points, out=tmp_path / "mine" / "thesis.tex")
    with pytest.raises(RunError, match="no such run"):
        resume(tmp_path / "nowhere")


def test_leftovers_of_a_killed_writer_are_swept_up(points, tmp_path):
    begin(points, tmp_path / "run")
    (tmp_path / "run" / ".metrics.json.99999.part").write_text("half")
    fit(points, out=tmp_path / "run", epochs=3, checkpoint_seconds=0, resume=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == PARTS


# ------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 3}, "option of fit .epoch. is none of .*did you mean epochs"),
        ({"epochs": "three"}, "training option: Expected `int | null`, got `str`"),
        ({"epochs": 0}, "epochs must be >= 1"),
        ({"encoder": "resnet"}, "encoder must be one of"),
        ({"loss": "bse"}, "did you mean .*bce"),
        ({"goal": "f1_makro"}, "f1_makro"),
    ],
)
def test_wrong_options_are_named(points, tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        fit(points, out=tmp_path / "run", **{"epochs": 1} | options)
    assert not list(tmp_path.glob("run/manyhot.json"))


def test_rows_without_any_label_cannot_train():
    with pytest.raises(InputError, match="none of the 3 rows has a label"):
        fit(["a", "b", "c"], np.zeros((3, 2), int))


def test_soft_and_unknown_targets_train(points):
    dense = points.targets.to_dense()
    dense[::7] = np.nan
    dense[1::5] = 0.9 * dense[1::5]
    run = fit(replace(points, targets=mh.Targets.from_dense(dense)), epochs=4)
    assert run.metrics["f1_macro"] > run.metrics.baseline["f1_macro"]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (
            (mh.Group("colour", ("red", "blue")), mh.Group("kind", ("dress", "shirt"))),
            "softmax in colour, kind",
        ),
        ((mh.Group("colour", ("red", "blue")),), "asl(gamma_neg=2) + softmax (colour)"),
        ((), "asl(gamma_neg=2)"),
    ],
)
def test_the_loss_that_is_told_and_kept_is_the_one_that_is_trained(groups, told):
    space = mh.LabelSpace(("red", "blue", "dress", "shirt"), groups=groups)
    x = np.arange(60.0)
    targets = mh.Targets.from_dense(np.stack([x % 2, 1 - x % 2, x % 3 == 0, x % 3 > 0], axis=1))
    heard = Heard()
    frame = pl.DataFrame({"x": x % 2, "y": x % 3})
    run = fit(frame, targets, read={"space": space}, epochs=1, loss="asl(gamma_neg=2)", on_event=heard)
    (built,) = [event for event in heard if isinstance(event, events.ModelBuilt)]
    assert built.loss == run.predictor.origin.loss == told


def test_a_seed_of_numpy_is_written_as_a_number(points, tmp_path):
    run = fit(points, epochs=1, seed=np.int64(3), out=tmp_path / "run")
    assert (
        load(tmp_path / "run").metrics.values
        == run.metrics.values
        == fit(points, epochs=1, seed=3).metrics.values
    )
