"""What a loss costs on the CPU: value and gradient, ours against its peers, in one process.

    python benchmarks/losses.py --out FILE
    python benchmarks/losses.py --losses bce asl --sizes 512x1000 --threads 1 2 --compiled --memory --start-up
    python benchmarks/losses.py --curve docs/images/loss-speed.png --losses bce asl

Prints JSON: for every loss, size and number of threads the least and the median milliseconds of ours (sparse
and dense targets) and of every peer (dense targets, see loss_peers.py), how many times faster ours is, the
memory that a step needs beside logits and targets, in sizes of the logits (a fresh process each), and the
machine. A copy of the logits is timed as the floor. With --curve the time is measured against rows and labels
instead, and drawn.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loss_peers import peers
from scipy.sparse import csr_array

import manyhot
from manyhot.labels import Targets
from manyhot.losses import make_loss

SIZES = ("512x1000", "256x10000", "64x131072")
LOSSES = ("bce", "asl", "focal", "zlpr", "two-way", "db", "margin", "soft-margin")
CURVE_SIZES = sorted({*((64, 1 << k) for k in range(8, 21, 2)), *((1 << k, 1024) for k in range(4, 17, 2))})
POSITIVES = 5  # in a row

Step = Callable[[], Any]


def batch(rows: int, labels: int) -> tuple[torch.Tensor, torch.Tensor, Targets]:
    rng = np.random.default_rng(0)
    columns = np.concatenate([rng.choice(labels, POSITIVES, replace=False) for _ in range(rows)])
    matrix = csr_array(
        (np.ones(len(columns), np.float32), columns, np.arange(rows + 1) * POSITIVES), shape=(rows, labels)
    )
    targets = Targets(matrix)
    logits = torch.randn(rows, labels, generator=torch.Generator().manual_seed(0)).requires_grad_()
    return logits, torch.from_numpy(targets.to_dense()), targets


def step(loss: Callable[..., torch.Tensor], logits: torch.Tensor, targets: object) -> Step:
    def run() -> None:
        logits.grad = None
        loss(logits, targets).backward()

    return run


def contenders(name: str, size: tuple[int, int], compiled: bool) -> tuple[dict[str, Step], dict[str, str]]:
    logits, dense, sparse = batch(*size)
    ours = make_loss(name, label_counts=sparse.label_counts(), num_rows=max(2, size[0]))
    others, left_out = peers(name, dense, compiled)
    steps = {"ours, sparse": step(ours, logits, sparse), "ours, dense": step(ours, logits, dense)}
    steps |= {peer: step(function, logits, dense) for peer, function in others.items()}
    floor, source = torch.empty_like(logits.detach()), logits.detach()
    steps["copy of the logits"] = lambda: floor.copy_(source)
    return steps, left_out


def timed(steps: dict[str, Step], repeats: int) -> dict[str, dict[str, float]]:
    """Least and median milliseconds; the contenders take turns, so that a busy machine is unfair to none."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for run in steps.values():
        run()
        run()
    for _ in range(repeats):
        for name, run in steps.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return {
        name: {"min_ms": round(min(found) * 1e3, 4), "median_ms": round(statistics.median(found) * 1e3, 4)}
        for name, found in seconds.items()
    }


def measure(name: str, size: tuple[int, int], options: argparse.Namespace) -> list[dict[str, Any]]:
    steps, left_out = contenders(name, size, options.compiled)
    memory = {who: memory_of(name, who, size) for who in steps if options.memory and "copy" not in who}
    found = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        times: dict[str, dict[str, Any]] = timed(steps, options.repeats)
        for who in ("ours, sparse", "ours, dense"):
            times[who]["times_faster_than"] = {
                peer: [round(times[peer][of] / times[who][of], 2) for of in ("min_ms", "median_ms")]
                for peer in times
                if peer not in ("ours, sparse", "ours, dense", "copy of the logits")
            }
        for who, sizes in memory.items():
            times[who]["extra_memory"] = sizes
        found.append(
            {"loss": name, "rows": size[0], "labels": size[1], "threads": threads, "times": times}
            | ({"left_out": left_out} if left_out else {})
        )
    return found


def memory_of(name: str, who: str, size: tuple[int, int]) -> float | None:
    """Peak memory of a first step in sizes of the logits, measured in a fresh process; Linux only."""
    if not Path("/proc/self/clear_refs").exists() or "compiled" in who:
        return None
    command = [sys.executable, __file__, "--memory-of", name, who, f"{size[0]}x{size[1]}"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout)


def print_memory(name: str, who: str, size: tuple[int, int]) -> None:
    contenders(name, (128, 128), compiled=False)[0][who]()  # everything is loaded and compiled
    run = contenders(name, size, compiled=False)[0][who]
    status = Path("/proc/self/status")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present
    before = _kilobytes(status, "VmRSS")
    run()
    print(round((_kilobytes(status, "VmHWM") - before) * 1024 / (size[0] * size[1] * 4), 2))


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def start_up(name: str) -> dict[str, float]:
    """Seconds of imports and of a first step in fresh processes, without and with kernels on disk."""
    program = (
        "import time; t = [time.perf_counter()]\n"
        "import torch; t.append(time.perf_counter())\n"
        "import manyhot.losses; t.append(time.perf_counter())\n"
        "z = torch.randn(256, 1000, requires_grad=True); y = (torch.rand(256, 1000) < 0.01).float()\n"
        "s = time.perf_counter()\n"
        f"loss = manyhot.losses.make_loss({name!r}, label_counts=1 + y.sum(0), num_rows=256)\n"
        "loss(z, y).backward(); e = time.perf_counter()\n"
        "print(t[1] - t[0], t[2] - t[1], e - s)"
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        fresh = {**os.environ, "MANYHOT_CACHE_DIR": folder, "NUMBA_CACHE_DIR": folder}
        for state in ("cold", "from_cache", "from_cache"):
            run = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=fresh
            )
            seconds = [round(float(part), 3) for part in run.stdout.split()]
            found[state] = dict(zip(("import_torch", "import_losses", "first_step"), seconds, strict=True))
    return found


def curve(names: list[str], repeats: int) -> list[dict[str, Any]]:
    """Time of a step with sparse targets, and of a copy of the logits, over rows and over labels."""
    found = []
    for rows, labels in CURVE_SIZES:
        for name in names:
            steps, _ = contenders(name, (rows, labels), compiled=False)
            kept = {who: steps[who] for who in ("ours, sparse", "copy of the logits")}
            times = timed(kept, repeats)
            ours, copy = times["ours, sparse"]["min_ms"], times["copy of the logits"]["min_ms"]
            found.append(
                {"loss": name, "rows": rows, "labels": labels, "ms": ours, "copy_ms": copy}
                | {"times_the_copy": round(ours / copy, 2)}
            )
    return found


def draw(points: list[dict[str, Any]], threads: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for pane, fixed, axis in zip(panes, (("rows", 64), ("labels", 1024)), ("labels", "rows"), strict=True):
        shown = sorted((p for p in points if p[fixed[0]] == fixed[1]), key=lambda p, axis=axis: p[axis])
        for name in dict.fromkeys(point["loss"] for point in shown):
            own = [point for point in shown if point["loss"] == name]
            pane.loglog([p[axis] for p in own], [p["ms"] for p in own], "o-", label=name, base=2)
        first = [point for point in shown if point["loss"] == shown[0]["loss"]]
        pane.loglog(
            [p[axis] for p in first],
            [p["copy_ms"] for p in first],
            "k--",
            label="a copy of the logits",
            base=2,
        )
        pane.set(xlabel=axis, title=f"{fixed[1]} {fixed[0]}", yscale="log")
        pane.grid(alpha=0.3)
    panes[0].set_ylabel("ms, forward and gradient")
    panes[0].legend()
    figure.suptitle(f"float32 on the CPU, {threads} thread")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def parsed_size(text: str) -> tuple[int, int]:
    rows, labels = text.split("x")
    return int(rows), int(labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--losses", nargs="+", default=list(LOSSES))
    parser.add_argument("--sizes", nargs="+", type=parsed_size, default=[parsed_size(size) for size in SIZES])
    parser.add_argument("--compiled", action="store_true", help="also peers by torch.compile")
    parser.add_argument("--memory", action="store_true", help="also the memory of a step")
    parser.add_argument("--start-up", action="store_true", help="also the first step of fresh processes")
    parser.add_argument("--curve", type=Path, help="draw time against rows and labels to this file instead")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads[0])
    if options.memory_of:
        name, who, size = options.memory_of
        print_memory(name, who, parsed_size(size))
        return
    result: dict[str, Any] = {
        "manyhot": manyhot.__version__,
        "torch": torch.__version__,
        "processor": platform.processor() or platform.machine(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "device": "CPU; no figure here is of a GPU",
    }
    if options.curve:
        result["curve"] = curve(options.losses, options.repeats)
        draw(result["curve"], options.threads[0], options.curve)
    else:
        result["results"] = [
            found
            for name in options.losses
            for size in options.sizes
            for found in measure(name, size, options)
        ]
    write(result, options.out)
    if options.start_up:
        result["start_up_s"] = {name: start_up(name) for name in options.losses}
        write(result, options.out)
    print(json.dumps(result, indent=1))


def write(result: dict[str, Any], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
