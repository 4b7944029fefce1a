"""Every loss that `--loss` takes, trained by `fit` on real data: no NaN, learns, beats the baseline's mAP.

    python benchmarks/quality/losses.py                         every loss on yeast and bibtex
    python benchmarks/quality/losses.py --data reuters fashion  on others
    python benchmarks/quality/losses.py asl zlpr --epochs 5     some losses, few epochs
    python benchmarks/quality/losses.py --json                  JSON instead of the table

Reads the data sets beside the checkout (../shared/data), each once; a line of the table is printed as soon as
its loss is measured. The same encoder, cuts, seed and parts for all; no argument of a loss is tuned and the
epochs are few, so that this is no ranking of losses.
"""

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import manyhot as mh
from manyhot.losses import LOSSES

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
# data set -> folder, how it is read, every how manieth row is taken, and how it is trained
CASES: dict[str, tuple[str, dict[str, Any], int, dict[str, Any]]] = {
    "yeast": ("yeast", {}, 1, {"epochs": 10}),
    "bibtex": ("bibtex", {}, 1, {"epochs": 6}),
    "reuters": ("reuters_modapte90", {"text": ["title", "text"]}, 3, {"epochs": 5}),
    "fashion": (
        "fashion",
        {},
        1,
        {"epochs": 4, "encoder": "smallervgg", "preparation_options": {"size": 24}},
    ),
}
COLUMNS = ("ap_macro", "f1_macro", "f1_micro", "lrap")


def measure(name: str, table: Any, training: dict[str, Any]) -> dict[str, Any]:
    """Figures of one loss on the test part, and whether it held."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        try:
            run = mh.fit(table, out=out, loss=name, **training)
        except Exception as error:  # the other losses are still to be measured, and this is what is shown
            return {"loss": name, "held": False, "error": f"{type(error).__name__}: {error}"}
        epochs = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    wrong = objection(epochs)
    figures = {key: run.metrics[key] for key in COLUMNS}
    baseline = {key: run.metrics.baseline[key] for key in COLUMNS}
    return {
        "loss": name,
        "figures": figures,
        "baseline": baseline,
        "seconds": round(time.perf_counter() - began, 1),
        "held": not wrong and figures["ap_macro"] > baseline["ap_macro"],
        "error": wrong,
    }


def objection(epochs: list[dict[str, Any]]) -> str:
    """What a history has against its run; empty when all is well."""
    costs = [epoch["train_loss"] for epoch in epochs if epoch["train_loss"] is not None]
    if not all(map(math.isfinite, costs)):
        return "a training cost is not finite"
    kept = max(epoch["epoch"] for epoch in epochs if epoch["best"])
    return "" if kept else "the untrained weights were kept: no epoch ranked the validation rows better"


def lines(data: str, results: Iterable[dict[str, Any]]) -> Iterable[str]:
    """The Markdown table, a line as soon as its loss is measured; the baseline first."""
    yield f"### {data}\n"
    yield f"| loss | {' | '.join(COLUMNS)} | seconds | above the baseline's mAP |"
    yield "|---" * (len(COLUMNS) + 3) + "|"
    for place, result in enumerate(results):
        if "figures" not in result:
            yield f"| {result['loss']} |" + " |" * len(COLUMNS) + f" | NO: {result['error']} |"
            continue
        if place == 0:
            yield f"| learned nothing | {row(result['baseline'])} | | |"
        verdict = "yes" if result["held"] else f"NO {result['error']}".rstrip()
        yield f"| {result['loss']} | {row(result['figures'])} | {result['seconds']} | {verdict} |"


def row(figures: dict[str, float]) -> str:
    return " | ".join(f"{figures[key]:.4f}" for key in COLUMNS)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("losses", nargs="*", help="names, all when left out")
    parser.add_argument("--data", nargs="+", choices=CASES, default=["yeast", "bibtex"])
    parser.add_argument("--epochs", type=int, help="for all; else 10, 6, 5 and 4")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.losses) - set(LOSSES)
    if unknown:
        parser.error(f"no such loss: {', '.join(sorted(unknown))}; there are {', '.join(LOSSES)}")
    if not SHARED.is_dir():
        raise SystemExit("the real data sets are not beside this checkout (../shared/data)")
    everything: dict[str, list[dict[str, Any]]] = {}
    for data in arguments.data:
        folder, read, every, training = CASES[data]
        training = training | ({"epochs": arguments.epochs} if arguments.epochs else {})
        table = mh.read(SHARED / folder, **read).take(slice(None, None, every))
        kept = everything.setdefault(data, [])

        def each(kept: list[dict[str, Any]] = kept, table: Any = table, training: Any = training) -> Any:
            for name in arguments.losses or LOSSES:
                kept.append(measure(name, table, training))
                yield kept[-1]

        for line in lines(data, each()):
            if not arguments.json:
                print(line, flush=True)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    if arguments.json:
        print(json.dumps({"on": machine, "epochs": arguments.epochs, "results": everything}, indent=1))
    else:
        print(f"\non {machine['cores']} cores, {machine['machine']}, Python {machine['python']}")
    return 0 if all(result["held"] for results in everything.values() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
