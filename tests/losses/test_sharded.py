"""Labels spread over 1, 2 and 4 processes cost what they cost in one piece, with the same gradients."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing
from torch.nn import functional

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import Targets
from manyhot.losses import ShardedFusedLinearLoss, make_loss, top_k_labels
from manyhot.losses.fused import AdafactorStep, AdamWStep

ROWS, FEATURES, LABELS = 7, 5, 900
COUNTS = np.random.default_rng(3).integers(0, 90, LABELS)
LOSSES = (
    "bce(pos_weight=2)",
    "asl",
    "db",
    "cb(mode='average_w')",
    "partial-bce",
    "splc",
    "zlpr",
    "softmax",
    "kl",
)
CUTS = {1: (0, 900), 2: (0, 300, 900), 4: (0, 256, 256, 850, 900)}  # the second of four has no label at all


def layer():
    draw = torch.Generator().manual_seed(0)
    shapes = ((ROWS, FEATURES), (LABELS, FEATURES), (LABELS,))
    return [torch.randn(s, generator=draw, dtype=torch.float64) for s in shapes]


def targets():
    """0/1 with unknown cells as -1; the first row has no positive."""
    draw = torch.Generator().manual_seed(1)
    y = (torch.rand(ROWS, LABELS, generator=draw) < 0.02).double()
    y[0] = 0
    return torch.where(torch.rand(ROWS, LABELS, generator=draw) < 0.05, -1.0, y)


def build(name):
    loss = make_loss(name, label_counts=COUNTS, num_rows=100)
    loss.set_epoch(3)
    return loss


def own_run(group, processes):
    start, stop = CUTS[processes][dist.get_rank(group) :][:2]
    return slice(start, stop)


def check_every_loss(group, processes):
    own = own_run(group, processes)
    y = targets()
    sparse = Targets.from_dense(torch.where(y < 0, torch.nan, y).numpy())
    for name in LOSSES:
        whole = [t.clone().requires_grad_() for t in layer()]
        expected = build(name)(functional.linear(*whole), y)
        wanted = torch.autograd.grad(2 * expected, whole)
        for form in (y, sparse):
            hidden, weight, bias = layer()
            parts = [t.clone().requires_grad_() for t in (hidden, weight[own], bias[own])]
            fused = ShardedFusedLinearLoss(build(name), memory=1, group=group)
            value = fused(parts[0], parts[1], form, parts[2])
            found = torch.autograd.grad(2 * value, parts)
            torch.testing.assert_close(value, expected.detach(), rtol=1e-10, atol=0, check_dtype=False)
            for one, other in zip(found, (wanted[0], wanted[1][own], wanted[2][own]), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def check_steps(group, processes):
    own = own_run(group, processes)
    hidden, weight, bias = layer()
    whole = [t.clone().requires_grad_() for t in (weight, bias)]
    stepper = torch.optim.AdamW(whole, lr=0.1)
    parts = [t[own].clone().requires_grad_() for t in (weight, bias)]
    fused = ShardedFusedLinearLoss("zlpr", step_in_backward=AdamWStep(0.1), group=group)
    for _ in range(3):
        stepper.zero_grad()
        make_loss("zlpr")(functional.linear(hidden, *whole), targets()).backward()
        stepper.step()
        fused(hidden, parts[0], targets(), parts[1]).backward()
    for one, other in zip(parts, whole, strict=True):
        torch.testing.assert_close(one, other[own], rtol=1e-8, atol=1e-10)
    lean = ShardedFusedLinearLoss("bce", step_in_backward=AdafactorStep(0.1), group=group)
    lean(hidden, parts[0], targets(), parts[1]).backward()


def check_top_k(group, processes):
    own = own_run(group, processes)
    hidden, weight, bias = layer()
    for k in (1, 60, LABELS):  # some have fewer labels than that
        scores, columns = top_k_labels(hidden, weight[own], bias[own], k, memory=1, group=group)
        expected = functional.linear(hidden, weight, bias).topk(k, dim=1)
        torch.testing.assert_close(scores, expected.values)
        assert torch.equal(columns, expected.indices)


def check_errors(group, processes):
    """What one process finds, all of them raise: none waits for ever."""
    own = own_run(group, processes)
    hidden, weight, bias = layer()
    weight[270] = torch.nan
    with pytest.raises(InputError, match="logits are NaN"):
        ShardedFusedLinearLoss("bce", group=group)(hidden, weight[own], targets().relu(), bias[own])
    narrow = ShardedFusedLinearLoss(make_loss("bce", pos_weight=[1.0, 2.0, 3.0]), group=group)
    with pytest.raises(ShapeError, match="expected a weight of 3 labels, got 900"):
        narrow(hidden, weight[own], targets(), bias[own])
    with pytest.raises(OptionError, match="costs each positive against its row"):
        ShardedFusedLinearLoss("dsm", group=group)(hidden, weight[own], targets(), bias[own])
    bias[850] = torch.inf
    weight[270] = 0
    value = ShardedFusedLinearLoss("zlpr", group=group)(hidden, weight[own], targets(), bias[own])
    assert value.isfinite()


def process(rank, check, store):
    """One of four processes; they check alone, in pairs and all together."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=4)
    for processes in (1, 2, 4):
        groups = [dist.new_group(range(k, k + processes)) for k in range(0, 4, processes)]
        check(groups[rank // processes], processes)
    dist.destroy_process_group()


@pytest.mark.parametrize("check", [check_every_loss, check_steps, check_top_k, check_errors])
def test_on_one_two_and_four_processes(check, tmp_path):
    work = partial(process, check=check, store=tmp_path / "store")
    multiprocessing.start_processes(work, nprocs=4, start_method="fork")


def test_without_processes_the_mend_is_said():
    hidden, weight, bias = layer()
    with pytest.raises(OptionError, match="start the program with torchrun"):
        ShardedFusedLinearLoss("bce")(hidden, weight, targets(), bias)


@pytest.mark.slow
def test_the_example_runs_under_torchrun(tmp_path):
    example = Path(__file__).resolve().parents[2] / "examples" / "labels_over_processes.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(example)]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("2 processes differ by") == 2
    assert "found in 2 parts" in done.stdout
