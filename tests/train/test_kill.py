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

SERVER = """
import os, sys, time, traceback
from pathlib import Path
import numpy as np, polars as pl, torch, torch._dynamo
import manyhot.kernels.numba_engine
from safetensors.torch import save_file
from manyhot.data.images import Images
from manyhot.data.inputs import Columns
from manyhot.labels import LabelSpace, Targets
from manyhot.models import Model
from manyhot.train import StepDone, TrainOptions, train

torch.set_num_threads(1)

def slowly(event):
    if isinstance(event, StepDone):
        time.sleep(0.01)

def work(kind, folder, result):
    generator = np.random.default_rng(0)
    truth = Targets.from_dense((generator.random((120, 4)) < 0.4).astype(np.float32))
    space = LabelSpace(tuple("abcd"))
    if kind == "table":
        inputs = Columns(pl.DataFrame({f"x{i}": generator.normal(size=120) for i in range(300)}))
        options = TrainOptions(
            epochs=12, batch_size=16, average=0.9, clip=1.0, patience=0, checkpoint_seconds=0
        )
        model = Model.build(inputs, truth, space)
    else:
        inputs = Images.of_array(generator.integers(0, 256, (120, 16, 16, 3), dtype=np.uint8))
        options = TrainOptions(epochs=6, batch_size=16, checkpoint_seconds=0)
        model = Model.build(inputs, truth, space, preparation_options={"size": 16})
    print(os.getpid(), flush=True)
    half = range(60), range(60, 120)
    train(
        model, inputs.take(half[0]), truth.rows(half[0]), inputs.take(half[1]), truth.rows(half[1]),
        options=options, checkpoints=folder, on_event=slowly,
    )
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, result)

for line in sys.stdin:
    process = os.fork()
    if process == 0:
        try:
            kind, folder, result = line.rstrip("\\n").split("\\t")
            work(kind, Path(folder), Path(result))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Trainings:
    """Starts trainings as processes of their own, forked from one that has imported torch already."""

    def __init__(self, server):
        self.server = server

    def start(self, kind, folder, result):
        """The id of the process, once it is about to train."""
        print(kind, folder, result, sep="\t", file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline())

    def wait(self):
        """Its exit code; minus the signal that ended it."""
        return int(self.server.stdout.readline())


@pytest.fixture(scope="module")
def trainings():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Trainings(server)
        server.stdin.close()


def finish(trainings, kind, folder, result):
    trainings.start(kind, folder, result)
    assert trainings.wait() == 0
    return load_file(result)


def kill_at_random(trainings, kind, folder, result, moments):
    """Start it and kill it; returns whether it was killed before its end."""
    process = trainings.start(kind, folder, result)
    time.sleep(moments.uniform(0.02, 0.6))
    os.kill(process, signal.SIGKILL)
    return trainings.wait() == -signal.SIGKILL


def compare(trainings, kind, folder: Path, kills):
    moments = random.Random(kills)
    straight = finish(trainings, kind, folder / "straight", folder / "straight.safetensors")
    killed = sum(
        kill_at_random(trainings, kind, folder / "killed", folder / "result", moments) for _ in range(kills)
    )
    assert killed >= 1
    leftover = folder / "killed" / (NAME + ".partial")
    resumed = finish(trainings, kind, folder / "killed", folder / "killed.safetensors")
    assert not leftover.exists()
    assert straight.keys() == resumed.keys()
    assert all((straight[name] == resumed[name]).all() for name in straight)


def test_killed_once_the_weights_are_the_same_bit_for_bit(trainings, tmp_path):
    compare(trainings, "table", tmp_path, kills=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "image"])
def test_killed_six_times_the_weights_are_the_same_bit_for_bit(trainings, kind, tmp_path):
    compare(trainings, kind, tmp_path, kills=6)
