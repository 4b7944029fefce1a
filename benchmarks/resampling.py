"""What does resampling do to each label, and is it worth more than tuning the cuts?

    python benchmarks/resampling.py [SET ...] [--data ../shared/data] [--out results.json]

Training rows are resampled, models fitted to them, and the set's own test part measured. The table of the
rarest and the most frequent labels is the resampler's own.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.preprocessing import StandardScaler

from manyhot.estimators import MLROS, MLRUS, MLSMOTE, REMEDIAL, LinearManyHot, MLkNN
from manyhot.metrics import evaluate

RESAMPLERS = {
    "none": None,
    "MLROS": MLROS(),
    "MLRUS": MLRUS(),
    "MLSMOTE": MLSMOTE(),
    "REMEDIAL": REMEDIAL(),
}
MODELS = {
    "ML-kNN": MLkNN(),
    "linear, cut at 0": LinearManyHot(),
    "linear, tuned cuts": LinearManyHot(goal="f1_macro"),
}
FIGURES = ("f1_macro", "f1_micro")


def load(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Scaled features and 0/1 labels, of the training and of the test part."""
    names = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["label_names"]
    train, test = (pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    features = [part.drop(names).to_numpy().astype(np.float64) for part in (train, test)]
    scaler = StandardScaler().fit(features[0])
    labels = [part.select(names) for part in (train, test)]
    return scaler.transform(features[0]), labels[0], scaler.transform(features[1]), labels[1]


def study(folder: Path) -> dict[str, Any]:
    X, y, X_test, y_test = load(folder)
    found: dict[str, Any] = {"rows": len(X), "labels": y.shape[1], "resamplers": {}}
    for title, resampler in RESAMPLERS.items():
        more, labels = (X, y) if resampler is None else resampler.fit_resample(X, y)
        record: dict[str, Any] = {"rows": len(more), "models": {}}
        if resampler is not None:
            record["table"] = [*resampler.table_[:3], *resampler.table_[-2:]]
        for model_title, model in MODELS.items():
            decided = model.fit(more, labels).predict(X_test)
            result = evaluate(
                y_test.to_numpy(), decisions=decided.to_numpy(), metrics=FIGURES, baseline=False
            )
            record["models"][model_title] = {key: round(result[key], 4) for key in FIGURES}
        found["resamplers"][title] = record
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=["yeast"])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--out", type=Path, help="write the document there")
    options = parser.parse_args()
    report = {name: study(options.data / name) for name in options.sets}
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
