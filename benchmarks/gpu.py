"""What a loss costs on a GPU: value and gradient, ours by Triton against eager and compiled torch.

    python benchmarks/gpu.py --out FILE
    python benchmarks/gpu.py --losses bce asl --sizes 1024x131072 --dtypes bf16 fp32 --no-compiled

Prints JSON: the device's name, and for every loss, size and dtype the copy bandwidth, the least and the
median milliseconds of ours (sparse targets that are on the GPU already, and dense ones) and of every peer,
how many times faster ours is, and the share of copy bandwidth: a copy of the logits moves the bytes that a
loss must move, for it reads every logit once and writes every slope once. The value and gradient of every
loss are also compared with the torch engine in float64. Without a GPU it says so and prints "gpu": null.
"""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loss_peers import peers
from scipy.sparse import csr_array

import manyhot
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.pointwise import suits_triton, use_engine
from manyhot.labels import Targets
from manyhot.losses import MultiLabelLoss, make_loss

SIZES = ("512x1000", "256x10000", "64x131072", "1024x131072")
LOSSES = ("bce", "asl", "focal", "db", "zlpr", "softmax")
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
POSITIVES = 5  # in a row
CHECKED = (64, 10007)  # rows and labels of the batch whose answer is checked: blocks end within rows
GOAL_OF_COPY, GOAL_OF_EAGER = 0.8, 5.0

Step = Callable[[], Any]


def batch(rows: int, labels: int, dtype: torch.dtype) -> tuple[torch.Tensor, Targets]:
    rng = np.random.default_rng(0)
    columns = np.concatenate([rng.choice(labels, POSITIVES, replace=False) for _ in range(rows)])
    matrix = csr_array(
        (np.ones(len(columns), np.float32), columns, np.arange(rows + 1) * POSITIVES), shape=(rows, labels)
    )
    logits = torch.randn(rows, labels, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
    return logits.to(dtype).requires_grad_(), Targets(matrix)


def ours_sparse(loss: MultiLabelLoss, logits: torch.Tensor, cells: SparseCells) -> Step:
    """A step with targets that are on the GPU; what is derived from them is derived in every step."""

    def run() -> None:
        logits.grad = None
        fresh = dataclasses.replace(cells)
        loss.evaluate(logits, loss.prepare(logits, fresh)).backward()

    return run


def dense_step(loss: Callable[..., torch.Tensor], logits: torch.Tensor, targets: torch.Tensor) -> Step:
    def run() -> None:
        logits.grad = None
        loss(logits, targets).backward()

    return run


def milliseconds(steps: dict[str, Step], repeats: int) -> dict[str, dict[str, float]]:
    """Least and median time between two events on the GPU; the contenders take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for run in steps.values():
        for _ in range(3):
            run()
    for _ in range(repeats):
        for name, run in steps.items():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            end.synchronize()
            found[name].append(begin.elapsed_time(end))
    return {
        name: {"min_ms": round(min(times), 4), "median_ms": round(statistics.median(times), 4)}
        for name, times in found.items()
    }


def loss_for(name: str, targets: Targets) -> MultiLabelLoss:
    loss = make_loss(name, label_counts=targets.label_counts(), num_rows=max(2, targets.shape[0]))
    loss.trust_logits()
    return loss.cuda()


def disagreement(name: str, dtype: torch.dtype) -> dict[str, float]:
    """Largest relative difference of value and gradient from torch in float64, sparse and dense targets."""
    logits, targets = batch(*CHECKED, dtype)
    found = {"value": 0.0, "gradient": 0.0}
    for form in (targets, torch.from_numpy(targets.to_dense()).cuda()):
        answers = []
        for engine, kind in (("triton", dtype), ("torch", torch.float64)):
            z = logits.detach().to(kind).requires_grad_()
            with use_engine(engine):
                if engine == "triton" and not suits_triton(z):
                    raise RuntimeError("the GPU engine does not run here; the log says why")
                value = loss_for(name, targets)(z, form)
            value.backward()
            assert z.grad is not None
            answers.append((value.detach().double(), z.grad.double()))
        (value, gradient), (exact, slopes) = answers
        off = {
            "value": (value - exact).abs() / exact,
            "gradient": (gradient - slopes).abs().max() / slopes.abs().max(),
        }
        found = {part: max(found[part], float(off[part])) for part in found}
    return found


def measure(name: str, size: tuple[int, int], dtype: str, repeats: int, compiled: bool) -> dict[str, Any]:
    logits, targets = batch(*size, DTYPES[dtype])
    loss = loss_for(name, targets)
    dense = torch.from_numpy(targets.to_dense()).cuda()
    cells = SparseCells.of(targets, logits.device)
    others, left_out = peers(name, dense, compiled=False)
    if compiled:
        others |= {f"{peer}, compiled": torch.compile(call, dynamic=False) for peer, call in others.items()}
    hard, soft = dense.bool(), dense.to(logits.dtype)
    steps = {"ours, sparse": ours_sparse(loss, logits, cells), "ours, dense": dense_step(loss, logits, hard)}
    steps |= {peer: dense_step(call, logits, soft) for peer, call in others.items()}
    target, source = torch.empty_like(logits.detach()), logits.detach()
    steps["copy of the logits"] = lambda: target.copy_(source)
    times: dict[str, dict[str, Any]] = {**milliseconds(steps, repeats)}
    copied = times["copy of the logits"]["median_ms"]
    for who in ("ours, sparse", "ours, dense"):
        own = times[who]["median_ms"]
        times[who]["share_of_copy_bandwidth"] = round(copied / own, 3)
        times[who]["times_faster_than"] = {peer: round(times[peer]["median_ms"] / own, 2) for peer in others}
    best = times["ours, sparse"]
    eager = [times for peer, times in best["times_faster_than"].items() if "compiled" not in peer]
    by_compiler = [times for peer, times in best["times_faster_than"].items() if "compiled" in peer]
    return {
        "loss": name,
        "rows": size[0],
        "labels": size[1],
        "dtype": dtype,
        "disagreement": disagreement(name, DTYPES[dtype]),
        "copy_gb_per_s": round(2 * source.numel() * source.element_size() / copied / 1e6),
        "times": times,
        "goals": {
            f">= {GOAL_OF_COPY} of copy bandwidth": best["share_of_copy_bandwidth"] >= GOAL_OF_COPY,
            f">= {GOAL_OF_EAGER} times eager": min(eager) >= GOAL_OF_EAGER if eager else None,
            "ahead of every compiled peer": min(by_compiler) > 1 if by_compiler else None,
        },
    } | ({"left_out": left_out} if left_out else {})


def parsed_size(text: str) -> tuple[int, int]:
    rows, labels = text.split("x")
    return int(rows), int(labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--losses", nargs="+", default=list(LOSSES))
    parser.add_argument("--sizes", nargs="+", type=parsed_size, default=[parsed_size(size) for size in SIZES])
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=["bf16", "fp32"])
    parser.add_argument("--no-compiled", action="store_true", help="leave peers by torch.compile out")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"manyhot": manyhot.__version__, "torch": torch.__version__, "gpu": None}
    if torch.cuda.is_available():
        result["gpu"] = torch.cuda.get_device_name()
        result["results"] = [
            measure(name, size, dtype, options.repeats, not options.no_compiled)
            for name in options.losses
            for size in options.sizes
            for dtype in options.dtypes
        ]
    else:
        result["why"] = "torch.cuda.is_available() is False: there is no GPU here, and nothing was measured"
    text = json.dumps(result, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
