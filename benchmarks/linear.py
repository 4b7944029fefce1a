"""LinearManyHot with tuned cuts against the linear and tree methods that people use, on real data.

    OMP_NUM_THREADS=1 python benchmarks/linear.py [SET ...] [--data ../shared/data] [--only WORDS] [--out DIR]

All see the same features: TF-IDF of texts, unit rows of word counts, standardised numbers. Ours have the
same options on every set: C = 0.5, and where there are at most 5,000 features also 1,200 landmarks with C =
1. The column `cut` tells what the cuts give and what the model gives: `0` is the model's own, `global` one
cut for micro-F1, `tuned` a cut for each label for macro-F1 that holds micro-F1 up, `balanced` the same for
the mean of both figures, which is what LibMultiLabel's thresholding aims at too. Each contestant has a
process of its own, so that its memory can be told; a peer that is not installed is skipped with the reason.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from linear_peers import PEERS
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler, normalize

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.estimators import LinearManyHot
from manyhot.metrics import evaluate

SETS = ("reuters_modapte90", "goemotions", "yeast", "delicious", "bibtex", "corel5k")
METRICS = ("f1_micro", "f1_macro", "p@1", "p@3", "p@5")
MODELS = {
    "LinearManyHot": {"C": 0.5},
    "LinearManyHot, landmarks": {"loss": "squared", "C": 1.0, "landmarks": 1200},
}
CUTS = {
    "0": {},
    "global": {"rule": GlobalCut(), "goal": "f1_micro"},
    "tuned": {"goal": "f1_macro"},
    "balanced": {"rule": PerLabelCut(balance=0.3), "goal": "f1_macro"},
}
FEATURES_OF_LANDMARKS = 5000
COLUMNS = (
    "model",
    "cut",
    "f1_micro",
    "f1_macro",
    "p@1",
    "p@3",
    "p@5",
    "fit_s",
    "fit_cpu_s",
    "predict_s",
    "mb",
)


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


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, processor seconds and result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - processor, result


def alone(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The record that `work` makes in a process of its own, with the memory it took on top."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        record = work()
        record["mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        sender.send(record)

    child = context.Process(target=run)
    child.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return {"failed": f"its process ended with exit status {child.exitcode}"}
    finally:
        child.join()


def ours(data: tuple[Any, Any, Any, Any], options: dict[str, Any]) -> dict[str, Any]:
    train, labels, test, truth = data
    warm = np.random.default_rng(0).random((40, 3))
    LinearManyHot(solver="dual", goal="f1_macro").fit(warm, warm > 0.5)  # loads what is compiled
    model = LinearManyHot(**options)
    wall, processor, _ = timed(lambda: model.fit(train, labels))
    seconds, _, decided = timed(lambda: model.predict(test))
    return record(truth, model.decision_function(test), decided, wall, processor, seconds)


def theirs(data: tuple[Any, Any, Any, Any], peer: Any) -> dict[str, Any]:
    train, labels, test, truth = data
    importlib.import_module(peer.module)
    wall, processor, scorer = timed(lambda: peer.train(train, labels))
    seconds, _, scores = timed(lambda: scorer(test))
    scores = np.nan_to_num(scores, neginf=-1e30)
    return record(truth, scores, scores >= peer.cut, wall, processor, seconds)


def record(
    truth: Any, scores: Any, decided: Any, wall: float, processor: float, predict: float
) -> dict[str, Any]:
    result = evaluate(truth, scores=scores, decisions=decided, metrics=METRICS, baseline=False)
    seconds = {"fit_s": round(wall, 2), "fit_cpu_s": round(processor, 2), "predict_s": round(predict, 3)}
    return {**{name: round(result[name], 4) for name in METRICS}, **seconds}


def contestants(data: tuple[Any, Any, Any, Any], words: list[str]) -> Iterator[dict[str, Any]]:
    """Records of all whose name holds one of the words, or of all."""

    def wanted(name: str) -> bool:
        return not words or any(word in name for word in words)

    for name, options in MODELS.items():
        if not wanted(name) or ("landmarks" in options and data[0].shape[1] > FEATURES_OF_LANDMARKS):
            continue
        for cut, how in CUTS.items():
            found = alone(lambda options=options, how=how: ours(data, {**options, **how}))
            yield {"model": name, "cut": cut, **found}
    for peer in filter(lambda peer: wanted(peer.name), PEERS):
        found = {"failed": f"{peer.package} is not installed"}
        if importlib.util.find_spec(peer.module) is not None:
            found = alone(lambda peer=peer: theirs(data, peer))
        yield {"model": peer.name, "cut": "tuned" if "thresholding" in peer.name else "own", **found}


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", *(peer.package for peer in PEERS)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def table(everything: dict[str, Any]) -> str:
    """Markdown, a table for each set."""
    lines = [
        "# Linear models and their cuts on real data",
        "",
        f"`{everything['command']}`, {everything['load']}.",
        "",
    ]
    lines += [", ".join(f"{name} {version}" for name, version in everything["versions"].items()) + ".", ""]
    for name, found in everything["sets"].items():
        lines += [f"### {name} ({found['size']})", "", "| " + " | ".join(COLUMNS) + " |"]
        lines += ["|" + "---|" * len(COLUMNS)]
        for each in found["records"]:
            lines.append("| " + " | ".join(str(each.get(column, "")) for column in COLUMNS) + " |")
            if "failed" in each:
                lines[-1] = f"| {each['model']} | {each['failed']} |" + " |" * (len(COLUMNS) - 2)
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=list(SETS))
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--only", default="", help="only those whose name holds one of these words")
    parser.add_argument("--load", default="machine not described", help="what else the machine did")
    parser.add_argument(
        "--out", type=Path, help="folder of linear.json and linear.md, whose other records are kept"
    )
    options = parser.parse_args()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    everything: dict[str, Any] = {"sets": {}}
    if options.out and (options.out / "linear.json").exists():
        everything = json.loads((options.out / "linear.json").read_text())
    everything |= {
        "command": f"OMP_NUM_THREADS={threads} python benchmarks/linear.py",
        "machine": platform.processor() or platform.machine(),
        "load": options.load,
        "versions": versions(),
    }
    for name in options.sets:
        data = load(options.data / name)
        size = f"{data[0].shape[0]} x {data[0].shape[1]}, {data[1].shape[1]} labels"
        print(f"{name}: {size}", flush=True)
        records = {
            (each["model"], each["cut"]): each for each in everything["sets"].get(name, {}).get("records", [])
        }
        for each in contestants(data, [word for word in options.only.split(",") if word]):
            records[each["model"], each["cut"]] = each
            print("  ", each, flush=True)
        everything["sets"][name] = {"size": size, "records": list(records.values())}
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "linear.json").write_text(json.dumps(everything, indent=1) + "\n")
            (options.out / "linear.md").write_text(table(everything))


if __name__ == "__main__":
    main()
