"""What a loss costs with its linear layer: fused against the layer and the loss one after the other.

    python benchmarks/fused.py --part time     --threads 1 --out FILE
    python benchmarks/fused.py --part memory   --threads 1
    python benchmarks/fused.py --part million  --threads 2 --products bfloat16 float32 --step sgd adafactor

Prints JSON. "time": a forward and backward pass of 256 rows x 256 features x 131,072 labels with binary
cross-entropy, ours and torch's `linear` + `binary_cross_entropy_with_logits`, taking turns in one process.
"memory": the peak resident memory that such a step adds, each contender in a process of its own, with and
without the gradient of the weight (128 MiB, which both have to hand over). "million": training steps of a
million labels x 256 features, 128 rows, bfloat16 weights, with the optimiser in the backward pass, and the
peak resident memory of the whole process, which has imported torch and holds the weight.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array
from torch.nn import functional

from manyhot.labels import Targets
from manyhot.losses import FusedLinearLoss
from manyhot.losses.fused import AdafactorStep, AdamWStep, SGDStep

ROWS, FEATURES, LABELS = 256, 256, 131072
POSITIVES = 5  # in a row
MILLION, MILLION_ROWS = 1_000_000, 128
STEPS = {
    "sgd": lambda: SGDStep(0.1),
    "adafactor": lambda: AdafactorStep(0.01),
    "adamw": lambda: AdamWStep(0.001),
}
CONTENDERS = ("torch", "fused", "fused_step_in_backward")


def sparse_targets(rows: int, labels: int) -> Targets:
    rng = np.random.default_rng(0)
    columns = np.concatenate([rng.choice(labels, POSITIVES, replace=False) for _ in range(rows)])
    starts = np.arange(rows + 1) * POSITIVES
    return Targets(csr_array((np.ones(len(columns), np.float32), columns, starts), shape=(rows, labels)))


def layer() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, FEATURES, generator=draw)
    weight = torch.randn(LABELS, FEATURES, generator=draw) / 16
    return [hidden.requires_grad_(), weight.requires_grad_(), torch.zeros(LABELS, requires_grad=True)]


def contender(name: str, loss: str, given: list[torch.Tensor]) -> Callable[[], None]:
    """A forward and backward pass that leaves gradients (or, in the third, has made a step)."""
    hidden, weight, bias = given
    targets = sparse_targets(ROWS, LABELS)
    if name == "torch":
        dense = torch.from_numpy(targets.to_dense())

        def run() -> None:
            hidden.grad = weight.grad = bias.grad = None
            logits = functional.linear(hidden, weight, bias)
            functional.binary_cross_entropy_with_logits(logits, dense).backward()

        return run
    step = SGDStep(1e-6) if name == "fused_step_in_backward" else None
    fused = FusedLinearLoss(loss, step_in_backward=step)

    def run_fused() -> None:
        hidden.grad = weight.grad = bias.grad = None
        fused(hidden, weight, targets, bias).backward()

    return run_fused


def timed(repeats: int) -> dict:
    given = layer()
    runs = {name: contender(name, "bce", given) for name in CONTENDERS}
    runs["fused_zlpr"] = contender("fused", "zlpr", given)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    found: dict = {
        name: {"min_ms": round(min(s) * 1e3), "median_ms": round(statistics.median(s) * 1e3)}
        for name, s in seconds.items()
    }
    for kind in ("min_ms", "median_ms"):
        found[f"torch_by_fused_{kind}"] = round(found["torch"][kind] / found["fused"][kind], 2)
    return found


def kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def added_memory(name: str) -> dict:
    """Peak that the second step adds to what is held before it, MiB; run in a process of its own."""
    given = layer()
    run = contender(name, "bce", given)
    run()
    for tensor in given:
        tensor.grad = None
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present
    before = kilobytes("VmRSS")
    run()
    added = (kilobytes("VmHWM") - before) / 1024
    handed = 0 if given[1].grad is None else given[1].numel() * 4 / 2**20
    return {"added_mib": round(added), "added_less_weight_gradient_mib": round(added - handed)}


def million(step: str, products: str, repeats: int) -> dict:
    """Training steps of a million labels; run in a process of its own."""
    weight = torch.empty(MILLION, FEATURES, dtype=torch.bfloat16)
    for start in range(0, MILLION, 10_000):
        weight[start : start + 10_000].normal_(std=1 / 16)
    weight.requires_grad_()
    hidden = torch.randn(MILLION_ROWS, FEATURES).to(getattr(torch, products)).requires_grad_()
    targets = sparse_targets(MILLION_ROWS, MILLION)
    fused = FusedLinearLoss("bce(reduction='batchmean')", step_in_backward=STEPS[step]())
    seconds, costs = [], []
    for _ in range(repeats):
        begin = time.perf_counter()
        cost = fused(hidden, weight, targets)
        cost.backward()
        seconds.append(time.perf_counter() - begin)
        costs.append(round(float(cost.detach()), 1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "optimiser": step,
        "products_in": products,
        "peak_rss_gib": round(peak, 2),
        "seconds_a_step": {"min": round(min(seconds), 2), "median": round(statistics.median(seconds), 2)},
        "loss": [costs[0], costs[-1]],
        "logits_alone_would_be_gib": round(MILLION * MILLION_ROWS * 4 / 2**30, 2),
    }


def in_new_process(arguments: argparse.Namespace, one: str) -> dict:
    command = [sys.executable, __file__, "--one", one, "--threads", str(arguments.threads)]
    command += ["--repeats", str(arguments.repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def one_measurement(one: str, repeats: int) -> dict:
    kind, *rest = one.split(":")
    return added_memory(rest[0]) if kind == "memory" else million(rest[0], rest[1], repeats)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--part", nargs="+", choices=("time", "memory", "million"), default=["time", "memory"]
    )
    parser.add_argument("--step", nargs="+", choices=STEPS, default=["sgd", "adafactor"])
    parser.add_argument("--products", nargs="+", choices=("bfloat16", "float32"), default=["bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        print(json.dumps(one_measurement(arguments.one, arguments.repeats)))
        return
    found: dict = {
        "shape": [ROWS, FEATURES, LABELS],
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "processor": platform.processor() or platform.machine(),
        "load": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "device": "cpu",
    }
    if "time" in arguments.part:
        found["time"] = timed(arguments.repeats)
    if "memory" in arguments.part:
        found["memory"] = {name: in_new_process(arguments, f"memory:{name}") for name in CONTENDERS}
    if "million" in arguments.part:
        pairs = [(step, products) for step in arguments.step for products in arguments.products]
        found["million"] = [in_new_process(arguments, f"million:{s}:{p}") for s, p in pairs]
    text = json.dumps(found, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
