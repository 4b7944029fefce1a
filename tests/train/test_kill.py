"""Processes killed by SIGKILL at random moments, also while they write, end where an undisturbed one does."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from manyhot.train.checkpoint import NAME

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")

TRAINING = """
import sys, time
from pathlib import Path
import numpy as np, polars as pl, torch
from safetensors.torch import save_file
from manyhot.data.images import Images
from manyhot.data.inputs import Columns
from manyhot.labels import LabelSpace, Targets
from manyhot.models import Model
from manyhot.train import StepDone, TrainOptions, train

torch.set_num_threads(1)
kind, folder, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
generator = np.random.default_rng(0)
truth = Targets.from_dense((generator.random((120, 4)) < 0.4).astype(np.float32))
space = LabelSpace(tuple("abcd"))
if kind == "table":
    inputs = Columns(pl.DataFrame({f"x{i}": generator.normal(size=120) for i in range(300)}))
    options = TrainOptions(epochs=12, batch_size=16, average=0.9, clip=1.0, patience=0, checkpoint_seconds=0)
    model = Model.build(inputs, truth, space)
else:
    inputs = Images.of_array(generator.integers(0, 256, (120, 16, 16, 3), dtype=np.uint8))
    options = TrainOptions(epochs=6, batch_size=16, checkpoint_seconds=0)
    model = Model.build(inputs, truth, space, preparation_options={"size": 16})

def slowly(event):
    if isinstance(event, StepDone):
        time.sleep(0.01)

print("ready", flush=True)
half = range(60), range(60, 120)
train(
    model, inputs.take(half[0]), truth.rows(half[0]), inputs.take(half[1]), truth.rows(half[1]),
    options=options, checkpoints=folder, on_event=slowly,
)
save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, result)
"""


def start(kind, folder, result):
    arguments = [sys.executable, "-c", TRAINING, kind, str(folder), str(result)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(kind, folder, result):
    process = start(kind, folder, result)
    assert process.wait() == 0
    return load_file(result)


def kill_at_random(kind, folder, result, moments):
    """Start it and kill it; returns how often it was killed before its end."""
    process = start(kind, folder, result)
    time.sleep(moments.uniform(0.02, 0.6))
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def compare(kind, folder: Path, kills):
    moments = random.Random(kills)
    straight = finish(kind, folder / "straight", folder / "straight.safetensors")
    killed = sum(kill_at_random(kind, folder / "killed", folder / "result", moments) for _ in range(kills))
    assert killed >= 1
    leftover = folder / "killed" / (NAME + ".partial")
    resumed = finish(kind, folder / "killed", folder / "killed.safetensors")
    assert not leftover.exists()
    assert straight.keys() == resumed.keys()
    assert all((straight[name] == resumed[name]).all() for name in straight)


def test_killed_once_the_weights_are_the_same_bit_for_bit(tmp_path):
    compare("table", tmp_path, kills=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "image"])
def test_killed_six_times_the_weights_are_the_same_bit_for_bit(kind, tmp_path):
    compare(kind, tmp_path, kills=6)
