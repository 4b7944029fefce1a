"""LinearManyHot with tuned cuts against scikit-learn's one-vs-rest, one process, real data.

    OMP_NUM_THREADS=1 python benchmarks/linear.py [SET ...] [--data ../shared/data] [--no-peers] [--json]

Both see the same features: TF-IDF of texts, unit rows of word counts, standardised numbers. `default` cuts at
margin 0, `tuned` adds cuts for macro-F1 from out-of-fold scores, `global` one cut for micro-F1: what the cuts
give and what the model gives can be told apart. Peers beside scikit-learn are run where they are installed.
"""

import argparse
import importlib.util
import json
import platform
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from manyhot.decide import GlobalCut
from manyhot.estimators import LinearManyHot
from manyhot.labels import Targets
from manyhot.metrics import evaluate

# the C of each set
SETS = {
    "reuters_modapte90": 1.0,
    "goemotions": 0.3,
    "yeast": 0.02,
    "delicious": 0.5,
    "corel5k": 0.3,
    "bibtex": 0.5,
}
METRICS = ("f1_micro", "f1_macro", "p@1", "p@3", "p@5")


def load(folder: Path) -> tuple[Any, Any, Any, Any]:
    import polars as pl

    names = json.loads((folder / "meta.json").read_text())["label_names"]
    train, test = (pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    if "labels" in train.columns:
        column = {name: place for place, name in enumerate(names)}
        vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
        texts = [_texts(part) for part in (train, test)]
        features = vectorizer.fit_transform(texts[0]), vectorizer.transform(texts[1])
        labels = [_cells(part["labels"].to_list(), column) for part in (train, test)]
        return features[0], labels[0], features[1], labels[1]
    rows = [part.drop(names).to_numpy().astype(np.float32) for part in (train, test)]
    labels = [csr_array(part[names].to_numpy().astype(np.float32)) for part in (train, test)]
    if np.isin(rows[0], (0, 1)).all():
        return normalize(csr_array(rows[0])), labels[0], normalize(csr_array(rows[1])), labels[1]
    scaler = StandardScaler().fit(rows[0])
    return scaler.transform(rows[0]), labels[0], scaler.transform(rows[1]), labels[1]


def _texts(frame: Any) -> list[str]:
    if "title" in frame.columns:
        return [f"{title or ''} {text or ''}" for title, text in frame.select("title", "text").iter_rows()]
    return [text or "" for text in frame["text"].to_list()]


def _cells(rows: list[list[str]], column: dict[str, int]) -> csr_array:
    cells = [(row, column[name]) for row, names in enumerate(rows) for name in names]
    places = np.array(cells).T
    return csr_array((np.ones(len(cells), np.float32), tuple(places)), shape=(len(rows), len(column)))


def timed(work: Any) -> tuple[float, float, Any]:
    """Wall seconds, processor seconds and result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - processor, result


def figures(truth: Any, scores: Any, decided: Any) -> dict[str, float]:
    result = evaluate(truth, scores=scores, decisions=decided, metrics=METRICS, baseline=False)
    return {name: round(result[name], 4) for name in METRICS}


def ours(train: Any, train_labels: Any, test: Any, truth: Any, C: float) -> list[dict[str, Any]]:
    records = []
    for what, goal, rule in (
        ("default", None, None),
        ("global", "f1_micro", GlobalCut()),
        ("tuned", "f1_macro", None),
    ):
        model = LinearManyHot(C=C, goal=goal, rule=rule)
        wall, processor, _ = timed(lambda model=model: model.fit(train, train_labels))
        predict, _, decided = timed(lambda model=model: model.predict(test))
        found = figures(truth, model.decision_function(test), decided)
        records.append(_record(f"LinearManyHot, {what}", wall, processor, predict, found))
    return records


def scikit_learn(train: Any, train_labels: Any, test: Any, truth: Any) -> dict[str, Any]:
    model = OneVsRestClassifier(LinearSVC())
    wall, processor, _ = timed(lambda: model.fit(train, train_labels.toarray()))
    predict, _, decided = timed(lambda: model.predict(test))
    scores = model.decision_function(test)
    return _record(
        "scikit-learn OneVsRest(LinearSVC)", wall, processor, predict, figures(truth, scores, decided)
    )


def napkinxc(train: Any, train_labels: Any, test: Any, truth: Any) -> dict[str, Any]:
    import tempfile

    from napkinxc.models import BR

    lists = Targets(train_labels).to_index_lists()
    with tempfile.TemporaryDirectory() as folder:
        model = BR(folder, threads=1)
        wall, processor, _ = timed(lambda: model.fit(csr_array(train), lists))
        predict, _, found = timed(lambda: model.predict_proba(csr_array(test), top_k=0))
    scores = np.zeros(truth.shape, np.float32)
    for row, pairs in enumerate(found):
        for label, chance in pairs:
            scores[row, label] = chance
    return _record("napkinXC BR", wall, processor, predict, figures(truth, scores, scores >= 0.5))


def _record(
    name: str, wall: float, processor: float, predict: float, found: dict[str, float]
) -> dict[str, Any]:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seconds = {"fit_s": round(wall, 2), "fit_cpu_s": round(processor, 2), "predict_s": round(predict, 3)}
    return {"model": name, **seconds, **found, "peak_mb": memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=list(SETS))
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm = np.random.default_rng(0).random((40, 3))
    LinearManyHot(solver="dual", goal="f1_macro").fit(warm, warm > 0.5)  # compiles, once a machine
    everything = {"machine": platform.processor() or platform.machine(), "sets": {}}
    for name in options.sets:
        data = load(options.data / name)
        records = ours(*data, SETS.get(name, 1.0))
        if not options.no_peers:
            records.append(scikit_learn(*data))
            if importlib.util.find_spec("napkinxc"):
                records.append(napkinxc(*data))
        everything["sets"][name] = records
        if not options.json:
            print(f"\n{name}: {data[0].shape[0]} x {data[0].shape[1]}, {data[1].shape[1]} labels")
            for record in records:
                print("  " + "  ".join(f"{key} {value}" for key, value in record.items()), flush=True)
    if options.json:
        print(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
