"""What a loss costs on the CPU: value and gradient, ours against plain torch, in one process.

    python benchmarks/losses.py --losses bce asl --sizes 512x1000 256x10000 --repeats 15 --out FILE

Prints JSON: for every loss and size the least and the median milliseconds of ours (sparse and dense targets)
and of the peer (dense targets), their ratio, the memory that a step needs beside the logits, in sizes of the
logits, and the machine. Peers are torch's own losses, and for losses that torch does not have the formula
written out in plain torch below, as programs do that are published with papers. A copy of the logits is
timed as the floor.
"""

import argparse
import gc
import json
import platform
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

import manyhot
from manyhot.labels import Targets
from manyhot.losses import make_loss

SIZES = ("512x1000", "256x10000", "64x131072")
POSITIVES = 5  # in a row


def peer_bce(z, y):
    return functional.binary_cross_entropy_with_logits(z, y)


def peer_asl(z, y):
    p = torch.sigmoid(z)
    kept = (1 - p + 0.05).clamp(max=1)
    cost = y * torch.log(p.clamp(min=1e-8)) + (1 - y) * torch.log(kept.clamp(min=1e-8))
    right = p * y + kept * (1 - y)
    return -(cost * torch.pow(1 - right, 1 * y + 4 * (1 - y))).mean()


def peer_focal(z, y):
    p = torch.sigmoid(z)
    cost = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    right = p * y + (1 - p) * (1 - y)
    return (cost * (1 - right) ** 2).mean()


def peer_zlpr(z, y):
    signed = (1 - 2 * y) * z
    zero = z.new_zeros(len(z), 1)
    negatives = torch.cat([signed.masked_fill(y > 0, -torch.inf), zero], 1)
    positives = torch.cat([signed.masked_fill(y == 0, -torch.inf), zero], 1)
    return (torch.logsumexp(negatives, 1) + torch.logsumexp(positives, 1)).mean()


def peer_margin(z, y):
    ids = torch.full(z.shape, -1)
    rows, labels = torch.nonzero(y, as_tuple=True)
    ids[rows, torch.arange(len(rows)) % POSITIVES] = labels
    return functional.multilabel_margin_loss(z, ids)


PEERS: dict[str, Callable] = {
    "bce": peer_bce,
    "asl": peer_asl,
    "focal": peer_focal,
    "zlpr": peer_zlpr,
    "margin": peer_margin,
}


def batch(rows: int, labels: int) -> tuple[torch.Tensor, torch.Tensor, Targets]:
    rng = np.random.default_rng(0)
    columns = np.concatenate([rng.choice(labels, POSITIVES, replace=False) for _ in range(rows)])
    matrix = csr_array(
        (np.ones(len(columns), np.float32), columns, np.arange(rows + 1) * POSITIVES), shape=(rows, labels)
    )
    targets = Targets(matrix)
    logits = torch.randn(rows, labels, generator=torch.Generator().manual_seed(0)).requires_grad_()
    return logits, torch.from_numpy(targets.to_dense()), targets


def step(loss: Callable, logits: torch.Tensor, targets: object) -> Callable[[], None]:
    def run() -> None:
        logits.grad = None
        loss(logits, targets).backward()

    return run


def timed(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, dict[str, float]]:
    """Least and median milliseconds; the contenders take turns, so that a busy machine is unfair to none."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return {
        name: {"min_ms": round(min(found) * 1e3, 4), "median_ms": round(statistics.median(found) * 1e3, 4)}
        for name, found in seconds.items()
    }


def extra_memory(run: Callable[[], None], logits: torch.Tensor) -> float | None:
    """Peak memory of one step beside what was there, in sizes of the logits; Linux only."""
    counter, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not counter.exists():
        return None
    logits.grad = None
    gc.collect()
    counter.write_text("5")  # sets the peak back to the present
    before = _kilobytes(status, "VmRSS")
    run()
    return round((_kilobytes(status, "VmHWM") - before) * 1024 / (logits.numel() * 4), 2)


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def start_up(code: str) -> float:
    """Seconds of a first step in a fresh process, imports of torch not counted."""
    program = (
        "import torch, time; from manyhot.losses import make_loss\n"
        "z = torch.randn(256, 1000, requires_grad=True); y = torch.zeros(256, 1000)\n"
        f"begin = time.perf_counter(); make_loss({code!r})(z, y).backward()\n"
        "print(time.perf_counter() - begin)"
    )
    return float(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )


def measure(name: str, rows: int, labels: int, repeats: int) -> dict:
    logits, dense, sparse = batch(rows, labels)
    ours = make_loss(name)
    runs = {
        "ours_sparse": step(ours, logits, sparse),
        "ours_dense": step(ours, logits, dense),
        "copy_of_logits": lambda: logits.detach().clone(),
    }
    if name in PEERS:
        runs["peer_dense"] = step(PEERS[name], logits, dense)
    found: dict = {"loss": name, "rows": rows, "labels": labels, **timed(runs, repeats)}
    if labels * rows >= 1 << 21:
        for contender in ("ours_sparse", "peer_dense"):
            if contender in runs:
                found[contender]["extra_memory"] = extra_memory(runs[contender], logits)
    if name in PEERS:
        for contender in ("ours_sparse", "ours_dense"):
            for statistic in ("min_ms", "median_ms"):
                ratio = found["peer_dense"][statistic] / found[contender][statistic]
                found[contender]["times_faster_" + statistic[:-3]] = round(ratio, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--losses", nargs="+", default=list(PEERS))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES))
    parser.add_argument("--start-up", action="store_true", help="also time the first step of fresh processes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = [tuple(map(int, size.split("x"))) for size in options.sizes]
    result: dict = {
        "manyhot": manyhot.__version__,
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "threads": options.threads,
        "device": "CPU; no figure here is of a GPU",
        "results": [measure(name, *size, options.repeats) for name in options.losses for size in sizes],
    }
    if options.start_up:
        result["first_step_s"] = {name: round(start_up(name), 3) for name in options.losses}
    text = json.dumps(result, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
