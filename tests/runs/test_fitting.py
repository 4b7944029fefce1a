"""fit: the whole way in memory and into a folder, resumed, repeated, refused."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import manyhot as mh
from manyhot.errors import InputError, OptionError, RunError
from manyhot.runs import events, fit, load, resume
from manyhot.train import Began, Ended, EpochDone, StepDone

PARTS = {
    "manyhot.json",
    "model.safetensors",
    "decision.json",
    "metrics.json",
    "history.jsonl",
    "predictions.parquet",
    "rows.parquet",
}


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


def test_a_linear_model_is_tuned_out_of_fold_on_all_training_rows(text_run):
    manifest = json.loads((text_run.folder / "manyhot.json").read_text())
    assert manifest["origin"]["split"]["rows"]["valid"] == 0
    assert manifest["origin"]["split"]["cuts"] == "out of fold on 108 training rows"
    assert text_run.metrics.rows == 12
    assert len(text_run.made.seen.train) == 108


def test_given_validation_rows_tune_the_cuts_of_a_linear_model_too(sentences, tmp_path):
    texts, labels = sentences(100)
    path = tmp_path / "texts.jsonl"
    parts = (["train"] * 6 + ["valid"] * 2 + ["test"] * 2) * 10
    path.write_text(
        "".join(
            json.dumps({"text": t, "labels": names, "split": p}) + "\n"
            for t, names, p in zip(texts, labels, parts, strict=True)
        )
    )
    heard = Heard()
    fit(path, epochs=2, on_event=heard)
    assert (
        next(event for event in heard if isinstance(event, events.CutsTuned)).how == "on 20 validation rows"
    )


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
    "options", [{"epochs": 4}, {"epochs": 4, "encoder": "linear"}], ids=["valid", "out of fold"]
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
