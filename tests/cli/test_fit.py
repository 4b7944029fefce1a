"""manyhot fit: what it prints, where the run goes, what it refuses."""

import json
import re

import pytest

from manyhot.cli._narrator import Narrator
from manyhot.cli._options import Setting
from manyhot.cli.fit import free_folder, how_to_go_on
from manyhot.runs.events import MemoryPlanned
from manyhot.runs.memory import MemoryPlan
from manyhot.runs.plan import Plan


def test_it_tells_what_it_does_and_what_came_out(fitted):
    folder, result = fitted
    lines = result.stdout.splitlines()
    assert lines[0].startswith("read      ")
    assert "150 rows, text in 'text', 3 labels in 'labels'" in lines[0]
    assert lines[1] == "split     train 120 | valid 15 | test 15 (stratified, seed 0)"
    assert lines[2] == "          note: 11 of the 15 test rows equal training rows, in inputs and labels"
    assert lines[3].startswith("baseline  no label for any row scores: hamming 0.")
    assert "cuts      tuned for f1_macro out of fold on 120 training rows and on 15 validation rows" in lines
    header = next(line for line in lines if "cut 0.5" in line)
    assert header.split() == ["baseline", "cut", "0.5", "tuned", "cuts", "counted"]
    assert any(line.startswith("F1 macro") and "3/3 labels" in line for line in lines)
    assert lines[-2].startswith(f"run       {folder}")
    assert lines[-1] == f"next      manyhot predict {folder} TEXTS.txt"
    assert any("loss squared-hinge (solved)" in line for line in lines)
    assert any(line.startswith("solved    in ") for line in lines)
    assert (folder / "manyhot.json").exists()


def test_a_training_tells_its_epochs_on_standard_error(manyhot, posts):
    result = manyhot("fit", posts, "--out", "run", "--epochs", "2")
    assert "epoch 2: loss" in result.stderr
    assert "epoch 2: loss" not in result.stdout
    assert "linear, " in result.stdout
    assert "loss bce" in result.stdout
    assert "trained in epochs, not solved at once, because epochs was given" in result.stdout


def test_json_is_all_there_is_on_standard_output(manyhot, posts):
    result = manyhot("fit", posts, "--out", "run", "--epochs", "1", "--json")
    content = json.loads(result.stdout)
    assert content["run"] == "run"
    assert content["test"]["tuned"]["metrics"]["f1_macro"]["baseline"] == 0
    assert "baseline" in result.stderr


def test_runs_are_numbered_when_no_folder_is_named(manyhot, posts, tmp_path):
    assert str(free_folder(str(posts))) == "runs/posts-1"
    manyhot("fit", posts, "--epochs", "1")
    assert (tmp_path / "runs" / "posts-1" / "manyhot.json").exists()
    assert str(free_folder(str(posts))) == "runs/posts-2"
    assert str(free_folder(".")).startswith(f"runs/{tmp_path.name}")
    assert str(free_folder("openml:yeast")) == "runs/yeast-1"


@pytest.mark.parametrize("loss", ["auto", "bce"])
def test_weights_of_positives_are_told(manyhot, posts, loss):
    short = ("fit", posts, "--epochs", "1", "--loss", loss)
    result = manyhot(*short, "--out", "run", "--pos-weight", "balanced")
    (line,) = [line for line in result.stdout.splitlines() if "positive weights of 3 labels:" in line]
    low, high = re.search(r"labels: (\S+) to (\S+), median", line).groups()
    assert 0 < float(low) <= float(high) <= 100
    assert "positive weights" not in manyhot(*short, "--out", "other").stdout


def test_options_reach_the_run(manyhot, posts, tmp_path):
    result = manyhot(
        "fit", posts, "--out", "run", "--encoder", "mlp", "--epochs", "2", "--batch-size", "16",
        "--lr", "0.01", "--optimizer", "sgd", "--seed", "5", "--goal", "f1_micro", "--loss", "bce",
        "--pos-weight", "sqrt",
        "--set", "momentum=0.5", "--set", "warmup=0", "--labels", "labels", "--text", "text",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    origin = json.loads((tmp_path / "run" / "manyhot.json").read_text())["origin"]
    assert (origin["seed"], origin["goal"]) == (5, "f1_micro")
    wanted = {
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 0.01,
        "optimizer": "sgd",
        "momentum": 0.5,
        "warmup": 0,
    }
    assert wanted.items() <= origin["options"].items()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("clip=1", ("clip", 1)), ("warmup=.1", ("warmup", 0.1)), ("augment=False", ("augment", False)),
     ("checkpoint-seconds=5", ("checkpoint_seconds", 5)), ("monitor=f1_micro", ("monitor", "f1_micro"))],
)  # fmt: skip
def test_settings_are_numbers_words_or_truth_values(text, expected):
    assert Setting().convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "name the DATA to train on, or --resume RUN"),
        (["posts.jsnl"], 2, "posts.jsnl: no such file; "),
        (["DATA", "--epochs", "none"], 2, "'none' is not a valid integer"),
        (["DATA", "--epochs", "0"], 2, "epochs must be >= 1, got 0"),
        (["DATA", "--loss", "bse"], 2, "did you mean"),
        (["DATA", "--encoder", "mpl"], 2, "did you mean mlp"),
        (["DATA", "--seed", "-1"], 2, "-1 is not in the range 0<=x<="),
        (["DATA", "--seed", "99999999999999999999"], 2, "99999999999999999999 is not in the range 0<=x<="),
        (["DATA", "--set", "clip"], 2, "expected name=value, got 'clip'"),
        (["DATA", "--set", "clop=1"], 2, "did you mean clip"),
        (["DATA", "--set", "seed=7"], 2, "--set seed=...: it has an option of its own: --seed"),
        (["DATA", "--set", "pos_weight=sqrt"], 2, "it has an option of its own: --pos-weight"),
        (["DATA", "--set", "out=x"], 2, "out"),
        (["DATA", "--labels", "lables"], 1, "lables"),
        (["DATA", "--image-size", "64"], 2, "size"),
        (["--resume", "nowhere"], 1, "no such run: nowhere"),
        (
            ["DATA", "--resume", "run"],
            2,
            "--resume run goes on with the data that the run was begun on: leave out",
        ),
        (
            ["--resume", "run", "--epochs", "4", "--lr", "0.1", "--set", "clip=1"],
            2,
            "--goal alone may be another: leave out --epochs, --learning-rate, --set, or fit into",
        ),
        (["DATA", "--device", "cuda:77"], 2, "device cuda:77 cannot be used here"),
        (["DATA", "--goal", "f1_makro"], 2, "did you mean f1_macro"),
    ],
)
def test_wrong_use_is_code_2_and_bad_data_code_1(manyhot, posts, arguments, code, message):
    result = manyhot("fit", *[posts if argument == "DATA" else argument for argument in arguments])
    assert (result.exit_code, result.stdout.count("Traceback")) == (code, 0)
    assert message in result.stderr


def test_a_wrong_goal_is_told_before_anything_is_read(manyhot, posts, tmp_path):
    result = manyhot("fit", posts, "--goal", "f1_makro", "--out", "run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert not (tmp_path / "run").exists()


def test_what_ctrl_c_leaves_is_told_as_it_is(tmp_path):
    assert how_to_go_on(tmp_path / "a run") == "nothing was trained yet, and nothing is written"
    (tmp_path / "a run" / "checkpoints").mkdir(parents=True)
    plan = Plan(data="posts.csv", options={}, data_digest="", parts_digest="")
    plan.write(tmp_path / "a run")
    again = f"with `manyhot fit --resume '{tmp_path}/a run'`"
    assert how_to_go_on(tmp_path / "a run") == f"nothing was trained yet: start again {again}"
    (tmp_path / "a run" / "checkpoints" / "training.safetensors").touch()
    assert how_to_go_on(tmp_path / "a run") == f"what was trained is kept: go on {again}"


def test_a_taken_folder_is_refused(manyhot, posts, fitted):
    result = manyhot("fit", posts, "--out", fitted[0])
    assert result.exit_code == 1
    assert "holds a finished run already: choose another folder" in result.stderr


def test_the_plan_of_a_wide_label_space_is_told_in_a_line(capsys):
    plan = MemoryPlan(
        encoder="mlp", head="fused", why=None, labels=36_000, weights=10**7, batch_size=64, epochs=5,
        chunk=4_096, device="cpu", training={"weights": 900_000_000}, judging={}, plain=5_200_000_000,
    )  # fmt: skip
    Narrator()(MemoryPlanned(plan))
    assert " ".join(capsys.readouterr().out.split()) == (
        "memory 36,000 labels: fused head, chunks of 4,096 labels, peak about 0.9 GB; "
        "with whole matrices 5.2 GB"
    )


def test_the_head_can_be_chosen(manyhot, posts):
    result = manyhot("fit", posts, "--encoder", "mlp", "--epochs", "1", "--head", "fused", "--out", "run")
    assert result.exit_code == 0, result.output
    assert "fast" in (wrong := manyhot("fit", posts, "--head", "fast").output)
    assert "fused" in wrong
