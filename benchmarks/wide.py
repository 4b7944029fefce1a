"""A whole fit of a wide label space: peak memory, time and what it learned, planned and measured.

    OMP_NUM_THREADS=1 python benchmarks/wide.py [--set made|headings] [--labels 4000] [--heads fused plain]
        [--encoder mlp|linear] [--epochs 5] [--data ../shared/data] [--json]

Each fit runs in a fresh process of its own, from a file to a run folder. `made` is 20,000 texts that hold two
words for each of their labels, whose frequencies fall like 1 / rank. `headings` are titles and authors of
books with the most frequent of their subject headings (gutenberg_lcsh); `--labels 40000` takes all 36,650.
The peak is what the system counts for the process, with PyTorch in it; `plan` is what the plan said before.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

METRICS = ("p@1", "p@5", "f1_micro", "ap_micro")
ROWS = 20_000


def made(labels: int) -> list[dict[str, Any]]:
    """Rows of words, each label with two of its six words."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(5, labels + 5)
    words = rng.integers(0, 30_000, (labels, 6))
    rows = []
    for _ in range(ROWS):
        own = np.unique(rng.choice(labels, 3, p=share / share.sum()))
        said = [rng.choice(words[label], 2, replace=False) for label in own]
        text = " ".join(f"w{word}" for word in np.concatenate([*said, rng.integers(0, 30_000, 6)]))
        rows.append({"text": text, "labels": [f"label {label:06d}" for label in own]})
    return rows


def headings(labels: int, data: Path) -> list[dict[str, Any]]:
    """Books with the most frequent headings, in the parts of the set."""
    import polars as pl

    parts = {part: pl.read_parquet(data / "gutenberg_lcsh" / f"{part}.parquet") for part in ("train", "test")}
    counts = Counter(name for frame in parts.values() for row in frame["labels"].to_list() for name in row)
    kept = {name for name, _ in counts.most_common(labels)}
    return [
        {"text": f"{title or ''} {author or ''}", "labels": own, "split": part}
        for part, frame in parts.items()
        for title, author, names in frame.select("title", "author", "labels").iter_rows()
        if (own := [name for name in names if name in kept])
    ]


def write(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def measure(path: str, folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """One fit in this process."""
    from manyhot.runs import fit
    from manyhot.runs.events import MemoryPlanned

    plans = []

    def tell(event: Any) -> None:
        if isinstance(event, MemoryPlanned):
            plans.append(event.plan)

    began = time.perf_counter()
    run = fit(path, out=folder, on_event=tell, **options)
    history = run.history
    assert history is not None, "a run that was fitted just now has its history"
    return {
        "plan": plans[0].sentence if plans else None,
        "plan_gb": round(plans[0].peak / 1e9, 2) if plans else None,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "seconds": round(time.perf_counter() - began, 1),
        "seconds_training": round(history.seconds, 1),
        "epochs": history.epochs,
        "metrics": {name: round(run.metrics[name], 4) for name in METRICS},
        "baseline": {name: round(run.metrics.baseline[name], 4) for name in METRICS},
        "run_mb": round(sum(p.stat().st_size for p in Path(folder).iterdir()) / 1e6),
    }


def in_fresh_process(path: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    call = [sys.executable, __file__, "--one", str(path), str(folder), json.dumps(options)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--set", choices=("made", "headings"), default="made")
    parser.add_argument("--labels", type=int, default=4000)
    parser.add_argument("--heads", nargs="+", default=["fused", "plain"])
    parser.add_argument("--encoder", default="mlp")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("FILE", "RUN", "OPTIONS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], given.one[1], json.loads(given.one[2]))))
        return
    if given.set == "headings" and not (given.data / "gutenberg_lcsh").exists():
        print(f"skipped: {given.data / 'gutenberg_lcsh'} is not there")
        return
    options: dict[str, Any] = {"encoder": given.encoder, "device": "cpu"}
    if given.encoder == "mlp":
        options |= {"encoder_options": {"hidden": [given.hidden]}, "epochs": given.epochs}
    heads = given.heads if given.encoder == "mlp" else ["solved"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        write(made(given.labels) if given.set == "made" else headings(given.labels, given.data), path)
        found = {
            head: in_fresh_process(
                path, Path(folder, head), options | ({} if head == "solved" else {"head": head})
            )
            for head in heads
        }
    machine = {"machine": platform.machine(), "python": platform.python_version(), "set": given.set}
    if given.json:
        print(json.dumps({**machine, "labels": given.labels, "fits": found}, indent=1))
        return
    for head, result in found.items():
        print(f"{head}: {result['plan']}")
        print(f"  measured peak {result['peak_gb']} GB; run folder {result['run_mb']} MB")
        print(f"  {result['seconds']} s, of them {result['seconds_training']} for {result['epochs']} epochs")
        told = [
            f"{name} {value} (baseline {result['baseline'][name]})"
            for name, value in result["metrics"].items()
        ]
        print("  " + ", ".join(told))


if __name__ == "__main__":
    main()
