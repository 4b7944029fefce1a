"""Do shrunk cuts beat one cut for all labels, and cuts that each label finds alone? Cross-validated on data.

    python benchmarks/cuts.py [SET ...] [--data ../shared/data] [--repeats 3] [--out results.json]

A fast linear model scores each training row out of fold. The rows are then split anew: cuts are tuned on four
fifths, decide the last fifth, and the decisions of all fifths together are measured; repeated with other
splits. Every cut rule sees the same scores, the same rows and the same targets. The last column tunes on all
training rows and measures on the set's own test part, scored by the model of all training rows.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.estimators import LinearManyHot
from manyhot.labels import Targets
from manyhot.metrics import evaluate

RULES = {
    "one cut, for micro-F1": GlobalCut("f1_micro"),
    "one cut, for macro-F1": GlobalCut("f1_macro"),
    "a cut for each label, alone": PerLabelCut(strength=0, balance=0),
    "shrunk": PerLabelCut(balance=0),
    "shrunk and balanced (default)": PerLabelCut(),
}
FIGURES = ("f1_macro", "f1_micro")
SCORING_FOLDS, TUNING_FOLDS = 4, 5
C = 0.5  # of the linear model


def load(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Unit rows of word counts and 0/1 labels, of the training and of the test part."""
    names = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["label_names"]
    parts = []
    for part in ("train", "test"):
        frame = pl.read_parquet(folder / f"{part}.parquet")
        parts.append(normalize(csr_array(frame.drop(names).to_numpy().astype(np.float32))))
        parts.append(csr_array(frame[names].to_numpy().astype(np.float32)))
    return parts[0], parts[1], parts[2], parts[3]


def folds(rows: int, count: int, seed: int) -> np.ndarray:
    """Fold of each row, (rows,)."""
    return np.random.default_rng(seed).permutation(rows) % count


def scored(features: Any, labels: Any) -> np.ndarray:
    """Margins of models that have not seen the row."""
    fold = folds(features.shape[0], SCORING_FOLDS, 0)
    margins = np.empty(labels.shape, np.float32)
    for held in range(SCORING_FOLDS):
        model = LinearManyHot(C=C).fit(features[fold != held], labels[fold != held])
        margins[fold == held] = model.decision_function(features[fold == held])
    return margins


def cross_validated(rule: Any, scores: np.ndarray, targets: Targets, seed: int) -> list[float]:
    fold = folds(len(targets), TUNING_FOLDS, 100 + seed)
    parts, order = [], []
    for held in range(TUNING_FOLDS):
        inside, outside = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        parts.append(rule.fit(scores[inside], targets.rows(inside)).decide(scores[outside]))
        order.append(outside)
    return measured(targets.rows(np.concatenate(order)), Targets.concat(parts))


def measured(targets: Targets, decisions: Targets) -> list[float]:
    result = evaluate(targets, decisions=decisions, metrics=FIGURES, baseline=False)
    return [result[name] for name in FIGURES]


def study(name: str, folder: Path, repeats: int) -> dict[str, Any]:
    features, labels, test, truth = load(folder / name)
    scores, targets = scored(features, labels), Targets(labels)
    model = LinearManyHot(C=C).fit(features, labels)
    margins, truth = model.decision_function(test), Targets(truth)
    counts = targets.label_counts()
    found: dict[str, Any] = {
        "rows": len(targets),
        "labels": targets.width,
        "labels_with_up_to_50_positives": int((counts <= 50).sum()),
        "rules": {},
    }
    for title, rule in RULES.items():
        runs = np.array([cross_validated(rule, scores, targets, seed) for seed in range(repeats)])
        start = time.perf_counter()
        fitted = rule.fit(scores, targets)
        seconds = time.perf_counter() - start
        found["rules"][title] = {
            **{key: round(float(value), 4) for key, value in zip(FIGURES, runs.mean(0), strict=True)},
            **{f"{key}_spread": round(float(v), 4) for key, v in zip(FIGURES, np.ptp(runs, 0), strict=True)},
            **{
                f"{key}_test": round(value, 4)
                for key, value in zip(FIGURES, measured(truth, fitted.decide(margins)), strict=True)
            },
            "fit_s": round(seconds, 3),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=["bibtex", "delicious"])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the document there, after every set")
    options = parser.parse_args()
    report: dict[str, Any] = {}
    for name in options.sets:
        report[name] = study(name, options.data, options.repeats)
        if options.out:
            options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
