"""Exact cuts and macro-at-k against their peers in one process. Prints JSON with seconds and ratios.

    OMP_NUM_THREADS=1 python benchmarks/decide.py [--quick] [--scikit-learn] [--out now.json]

Peers: an exact sweep in plain NumPy (argsort and cumulative sums of each label), scikit-learn's
TunedThresholdClassifierCV fitted label by label on the given scores (minutes; estimated from a few labels),
and xCOLUMNs where it is installed. With --out the document is written after every part, so that what was
measured stays when a run is cut short. About two minutes on one core.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from manyhot.decide import PerLabelCut, macro_at_k
from manyhot.labels import Targets


def best_of(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Least seconds of several runs, after one that is not counted, and the last result."""
    result, least = work(), np.inf
    for _ in range(times):
        begin = time.perf_counter()
        result = work()
        least = min(least, time.perf_counter() - begin)
    return least, result


def drawn(rows: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores of labels with prevalences from 10 % down to 0.2 %, and their truth."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(np.linspace(-3, -8, labels), 2.0, (rows, labels)).astype(np.float32)
    scores = 1 / (1 + np.exp(-odds))
    return scores, rng.random((rows, labels), np.float32) < scores


def numpy_sweep(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Every cut of every label by argsort: what one writes by hand."""
    cuts = np.empty(scores.shape[1])
    for j in range(scores.shape[1]):
        order = np.argsort(-scores[:, j], kind="stable")
        ranked, hits = scores[order, j], truth[order, j].cumsum()
        f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
        f1[:-1][ranked[1:] == ranked[:-1]] = -1
        cuts[j] = ranked[f1.argmax()]
    return cuts


def scikit_learn_loop(scores: np.ndarray, truth: np.ndarray, labels: int) -> float:
    """Seconds a label of TunedThresholdClassifierCV on scores that are handed through."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import TunedThresholdClassifierCV

    class Given(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):  # noqa: ARG002
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return np.concatenate([1 - X, X], axis=1)

    begin = time.perf_counter()
    for j in range(labels):
        given = Given().fit(scores[:, [j]], truth[:, j])
        tuner = TunedThresholdClassifierCV(given, scoring="f1", cv="prefit", refit=False)
        tuner.fit(scores[:, [j]], truth[:, j])
    return (time.perf_counter() - begin) / labels


def cuts(rows: int, labels: int, with_scikit_learn: bool) -> dict[str, Any]:
    scores, truth = drawn(rows, labels)
    targets = Targets.from_dense(truth)
    ours, fitted = best_of(lambda: PerLabelCut(strength=0, balance=0).fit(scores, targets))
    shrunk, _ = best_of(lambda: PerLabelCut(balance=0).fit(scores, targets), 1)
    full, _ = best_of(lambda: PerLabelCut().fit(scores, targets), 1)
    plain, by_hand = best_of(lambda: numpy_sweep(scores, truth), 1)
    same = ((scores >= fitted.cuts) == (scores >= by_hand)).all(axis=0).mean()
    result = {
        "rows": rows,
        "labels": labels,
        "seconds": round(ours, 4),
        "seconds_shrunk": round(shrunk, 4),
        "seconds_shrunk_and_balanced": round(full, 4),
        "numpy_seconds": round(plain, 4),
        "times_faster_than_numpy": round(plain / ours, 2),
        "share_of_labels_with_numpys_decisions": float(same),
    }
    if with_scikit_learn:
        each = scikit_learn_loop(scores, truth, 2)
        result["scikit_learn_seconds_estimated"] = round(each * labels, 1)
        result["times_faster_than_scikit_learn"] = round(each * labels / ours, 1)
    return result


def at_k(rows: int, labels: int, k: int = 5) -> list[dict[str, Any]]:
    scores, _ = drawn(rows, labels)
    top = np.argpartition(-scores, 100, axis=1)[:, :100]
    starts = np.arange(rows + 1) * 100
    sparse = csr_array((np.take_along_axis(scores, top, 1).ravel(), top.ravel(), starts), shape=scores.shape)
    results = []
    for name, form in (("dense", scores), ("CSR, 100 a row", sparse)):
        ours, (choice, value) = best_of(lambda form=form: macro_at_k(form, k), 2)
        result = {"rows": rows, "labels": labels, "k": k, "scores": name, "seconds": round(ours, 3)}
        result["expected_macro_f1"] = round(expected_macro_f1(form, choice.positives), 6)
        assert abs(value - result["expected_macro_f1"]) < 1e-5
        if importlib.util.find_spec("xcolumns"):
            from scipy.sparse import csr_matrix
            from xcolumns.block_coordinate import predict_optimizing_macro_f1_score_using_bc as peer

            given = form if name == "dense" else csr_matrix(form)
            theirs, chosen = best_of(lambda given=given: peer(given, k, seed=0), 1)
            result["xcolumns_seconds"] = round(theirs, 3)
            result["xcolumns_expected_macro_f1"] = round(expected_macro_f1(form, csr_array(chosen)), 6)
            result["times_faster_than_xcolumns"] = round(theirs / ours, 2)
        results.append(result)
    return results


def expected_macro_f1(probabilities: Any, choice: csr_array) -> float:
    """The measure that macro-at-k ascends, computed anew."""
    sparse = csr_array(probabilities)
    tp = sparse.multiply(choice).sum(axis=0)
    total = sparse.sum(axis=0, dtype=np.float64)
    return float(np.mean(2 * tp / (choice.sum(axis=0) + total)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--scikit-learn", action="store_true", help="with scikit-learn's loop")
    parser.add_argument("--out", type=Path, help="also write the document there, after every part")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    report: dict[str, Any] = {
        "device": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
        "commit": commit,
        "not installed, so not compared": [] if importlib.util.find_spec("xcolumns") else ["xcolumns"],
    }
    parts: dict[str, Callable[[], Any]] = {
        "exact_cuts": lambda: cuts(100_000 // share, 100, options.scikit_learn),
        "macro_at_k": lambda: at_k(20_000 // share, 1000),
    }
    for name, measure in parts.items():
        report[name] = measure()
        if options.out:
            options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
