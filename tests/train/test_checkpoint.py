"""Checkpoint files: whole or not there; what comes back is what went in."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from manyhot.errors import RunError
from manyhot.train.checkpoint import (
    NAME,
    load_optimizer_state,
    optimizer_state,
    read_checkpoint,
    write_checkpoint,
)
from manyhot.train.optimizers import OPTIMIZERS, make_optimizer

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3).T,
    "b": torch.tensor(3),
    "c": torch.zeros(0, 4),
    "d": torch.randn(3, dtype=torch.bfloat16),
    "e": torch.randint(0, 255, (7,), dtype=torch.uint8),
}
RECORD = {"step": 3, "loss": 0.1 + 0.2, "none": None, "text": "größe", "list": [1, 2.5]}


def test_what_comes_back_is_what_went_in(tmp_path):
    shared = TENSORS["a"]
    path = write_checkpoint(tmp_path / "new" / "folder", {**TENSORS, "again": shared}, RECORD)
    assert [p.name for p in path.parent.iterdir()] == [NAME]
    tensors, record = read_checkpoint(path.parent)
    assert {name: record[name] for name in RECORD} == RECORD
    for name, tensor in {**TENSORS, "again": shared}.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_an_empty_folder_holds_none(tmp_path):
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 100, b"{}", None], ids=["empty", "zeros", "braces", "cut off"]
)
def test_a_damaged_file_is_named_with_the_mend(tmp_path, damage):
    path = write_checkpoint(tmp_path, TENSORS, RECORD)
    path.write_bytes(path.read_bytes()[:-5] if damage is None else damage)
    with pytest.raises(
        RunError, match=r"training.safetensors cannot be read .*; delete it to train from the start"
    ):
        read_checkpoint(tmp_path)


def test_somebody_elses_safetensors_file_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / NAME)
    with pytest.raises(RunError, match="cannot be read"):
        read_checkpoint(tmp_path)


def test_another_format_is_refused(tmp_path):
    write_checkpoint(tmp_path, TENSORS, {**RECORD, "format": 99})
    with pytest.raises(RunError, match="has format 99, this version reads 1"):
        read_checkpoint(tmp_path)


FULL = """
import resource, signal, sys, torch
from pathlib import Path
from manyhot.errors import RunError
from manyhot.train.checkpoint import write_checkpoint
folder = Path(sys.argv[1])
write_checkpoint(folder, {"a": torch.ones(10)}, {"step": 1})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_checkpoint(folder, {"a": torch.ones(100_000)}, {"step": 2})
except RunError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="no file size limit to run into")
def test_a_full_disk_leaves_the_checkpoint_before_and_says_so(tmp_path):
    assert resource  # the limit is set in a process of its own
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "could not be written" in done.stdout
    assert "the one before it is untouched: make room" in done.stdout
    tensors, record = read_checkpoint(tmp_path)
    assert record["step"] == 1
    assert len(tensors["a"]) == 10
    assert [path.name for path in Path(tmp_path).iterdir()] == [NAME]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_optimiser_goes_on_as_if_it_had_never_stopped(tmp_path, name, layout):
    """Also for weights in channels-last order, whose memory a file cannot keep."""

    def fresh():
        torch.manual_seed(0)
        module = nn.Conv2d(3, 4, 3).to(memory_format=layout)
        return module, make_optimizer(name, [module], 0.1, 0.01, 0.9)

    def step(module, optimizer):
        optimizer.zero_grad()
        module(torch.ones(2, 3, 5, 5).to(memory_format=layout)).square().mean().backward()
        optimizer.step()

    straight, optimizer = fresh()
    for _ in range(4):
        step(straight, optimizer)

    first, optimizer = fresh()
    for _ in range(2):
        step(first, optimizer)
    memory, rest = optimizer_state(optimizer)
    write_checkpoint(tmp_path, memory, rest)
    second, optimizer = fresh()
    second.load_state_dict(first.state_dict())
    tensors, record = read_checkpoint(tmp_path)
    load_optimizer_state(optimizer, tensors, {name: record[name] for name in rest})
    for _ in range(2):
        step(second, optimizer)
    assert torch.equal(straight.weight, second.weight)
    assert torch.equal(straight.bias, second.bias)
