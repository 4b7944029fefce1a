"""Metrics against scikit-learn (and torchmetrics, pyxclib where installed): same numbers, how much faster.

Both sides run in this process on the same arrays. Prints one JSON document: medians in seconds, ratios, the
largest difference of the values, threads. With --out the document is written after every case, so that what
was measured stays when a run is cut short.

    python benchmarks/metrics.py                  all cases, about four minutes on two cores
    python benchmarks/metrics.py dense wide       only cases whose name contains a word
    python benchmarks/metrics.py --out now.json --repeats 3
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from manyhot.labels import Targets
from manyhot.metrics import Bootstrap, evaluate

REPORT = (
    "f1_micro", "f1_macro", "f1_samples", "ap_macro", "auc_macro",
    "lrap", "coverage_error", "ranking_loss", "hamming",
)  # fmt: skip


def dense(rows: int, labels: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, labels), dtype=np.float32) < share
    scores = 1 / (1 + np.exp(3 - rng.normal(size=(rows, labels)).astype(np.float32) - 2.5 * truth))
    return truth, scores, scores > 0.3


def wide(rows: int, labels: int, positives: int, stored: int, seed: int = 0) -> tuple[csr_array, csr_array]:
    """Targets and scores of extreme classification: Zipf labels, about half of the positives are scored."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, labels + 1) ** 0.7
    upto = np.cumsum(popularity / popularity.sum())
    own = np.searchsorted(upto, rng.random((rows, positives)))
    guessed = np.searchsorted(upto, rng.random((rows, stored)))
    guessed[:, : positives // 2] = own[:, : positives // 2]
    targets = _matrix(own, np.ones(own.shape, np.float32), labels)
    scores = _matrix(guessed, rng.random(guessed.shape, dtype=np.float32) + 0.01, labels)
    targets.data[:] = 1
    return targets, scores


def _matrix(columns: np.ndarray, values: np.ndarray, labels: int) -> csr_array:
    starts = np.arange(len(columns) + 1) * columns.shape[1]
    matrix = csr_array(
        (values.ravel(), np.minimum(columns, labels - 1).ravel(), starts), (len(columns), labels)
    )
    matrix.sum_duplicates()
    return matrix


def dense_case(rows: int, labels: int, repeats: int) -> dict[str, Any]:
    truth, scores, decisions = dense(rows, labels, 0.01 if labels > 500 else 0.03)

    def ours() -> dict[str, float]:
        return dict(evaluate(truth, scores, decisions, metrics=REPORT, baseline=False).values)

    peers: dict[str, Callable[[], dict[str, float]]] = {
        "scikit-learn": lambda: sklearn_report(truth, scores, decisions)
    }
    if find_spec("torchmetrics"):
        peers["torchmetrics"] = lambda: torchmetrics_report(truth, scores, decisions)
    return compared(ours, peers, repeats, peer_repeats=0)


def sklearn_report(truth: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    import sklearn.metrics as sk

    return {
        **{f"f1_{kind}": sk.f1_score(truth, decisions, average=kind, zero_division=np.nan)
           for kind in ("micro", "macro", "samples")},
        "ap_macro": sk.average_precision_score(truth, scores, average="macro"),
        "auc_macro": sk.roc_auc_score(truth, scores, average="macro"),
        "lrap": sk.label_ranking_average_precision_score(truth, scores),
        "coverage_error": sk.coverage_error(truth, scores),
        "ranking_loss": sk.label_ranking_loss(truth, scores),
        "hamming": 1 - sk.hamming_loss(truth, decisions),
    }  # fmt: skip


def torchmetrics_report(truth: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    import torch
    from torchmetrics.functional import classification as tm

    target, score, decided = torch.tensor(truth).int(), torch.tensor(scores), torch.tensor(decisions).int()
    labels = truth.shape[1]
    return {
        "f1_micro": float(tm.multilabel_f1_score(decided, target, labels, average="micro")),
        "f1_macro": float(tm.multilabel_f1_score(decided, target, labels, average="macro")),
        "ap_macro": float(tm.multilabel_average_precision(score, target, labels)),
        "auc_macro": float(tm.multilabel_auroc(score, target, labels)),
        "lrap": float(tm.multilabel_ranking_average_precision(score, target, labels)),
        "coverage_error": float(tm.multilabel_coverage_error(score, target, labels)),
        "ranking_loss": float(tm.multilabel_ranking_loss(score, target, labels)),
        "hamming": 1 - float(tm.multilabel_hamming_distance(decided, target, labels)),
    }


def wide_case(repeats: int) -> dict[str, Any]:
    """P@5, nDCG@5, PSP@5 on 50,000 x 100,000 with 10 scores a row; targets read beforehand."""
    matrix, scores = wide(50_000, 100_000, 5, 10)
    targets, found = Targets(matrix), {}
    train = Targets(wide(50_000, 100_000, 5, 10, seed=1)[0])
    for name in ("p@5", "ndcg@5", "psp@5"):
        options = {"metrics": name, "baseline": False, "slices": False}
        if name == "psp@5":
            options["train"] = train

        def ours(name: str = name, options: dict[str, Any] = options) -> dict[str, float]:
            return {name: evaluate(targets, scores, **options)[name]}

        peers = {}
        if find_spec("xclib"):
            peers["pyxclib"] = lambda name=name: xclib_figure(name, matrix, scores, train)
        found[name] = compared(ours, peers, repeats, peer_repeats=repeats)
    return found


def xclib_figure(name: str, matrix: csr_array, scores: csr_array, train: Targets) -> dict[str, float]:
    from xclib.evaluation import xc_metrics as xc

    truth, predicted = csr_matrix(matrix), csr_matrix(scores)
    if name == "p@5":
        return {name: float(xc.precision(predicted, truth, k=5)[-1])}
    if name == "ndcg@5":
        return {name: float(xc.ndcg(predicted, truth, k=5)[-1])}
    inverse = xc.compute_inv_propesity(csr_matrix(train.positives), 0.55, 1.5)
    return {name: float(xc.psprecision(predicted, truth, inverse, k=5)[-1])}


def bootstrap_case(repeats: int) -> dict[str, Any]:
    """1,000 replicates of macro-F1 and mAP on 20,000 x 1,000."""
    truth, scores, decisions = dense(20_000, 1_000, 0.01)
    options: dict[str, Any] = {"metrics": ["f1_macro", "ap_macro"], "baseline": False}

    def ours() -> dict[str, float]:
        result = evaluate(truth, scores, decisions, intervals=Bootstrap(1_000), **options)
        return {f"{name}_{side}": value for name, pair in result.intervals.items()
                for side, value in zip(("low", "high"), pair, strict=True)}  # fmt: skip

    return compared(ours, {}, repeats, peer_repeats=1)


def compared(
    ours: Callable[[], dict[str, float]],
    peers: dict[str, Callable[[], dict[str, float]]],
    repeats: int,
    peer_repeats: int,
) -> dict[str, Any]:
    values = ours()  # compiles
    found: dict[str, Any] = {"manyhot_s": median_seconds(ours, repeats), "values": values}
    for name, peer in peers.items():
        start = time.perf_counter()
        theirs = peer()  # warms up, and is the one timed run of peers that take tens of seconds
        seconds = round(time.perf_counter() - start, 4)
        if peer_repeats:
            seconds = median_seconds(peer, peer_repeats)
        found[name] = {
            "seconds": seconds,
            "ratio": round(seconds / found["manyhot_s"], 1),
            "largest_difference": max(abs(theirs[key] - values[key]) for key in theirs),
        }
    return found


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds), 4)


CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    "dense 100,000 x 100": lambda repeats: dense_case(100_000, 100, repeats),
    "dense 20,000 x 1,000": lambda repeats: dense_case(20_000, 1_000, repeats),
    "wide 50,000 x 100,000, 10 scores a row": wide_case,
    "bootstrap 20,000 x 1,000, 1,000 replicates": lambda repeats: bootstrap_case(min(repeats, 2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="*", help="run the cases whose name contains one of these words")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the document there, after every case")
    asked = parser.parse_args()
    chosen = [name for name in CASES if not asked.only or any(word in name for word in asked.only)]
    absent = [package for package in ("torchmetrics", "xclib") if not find_spec(package)]
    report: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "not installed, so not compared": absent,
        "cases": {},
    }
    for name in chosen:
        report["cases"][name] = CASES[name](asked.repeats)
        if asked.out:
            asked.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    json.dump(report, sys.stdout, indent=2)
    print()


def processor() -> str:
    """The processor's name where the system tells it, else its kind."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
