"""Draw the README's picture: what a cut of 0.5 hides, label by label, on Reuters.

    python benchmarks/quality/picture.py [--data ../shared/data] [--out docs/images/reuters.png]

One model, one set of scores, two ways to decide. Each dot is a label of the test rows.
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer

import manyhot as mh
from manyhot.estimators import LinearManyHot
from manyhot.labels import LabelSpace
from manyhot.metrics import Result

mpl.use("Agg")
import matplotlib.pyplot as plt

PALE, GREY, BLUE = "#dddddd", "#9a9a9a", "#1f5fa8"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/images/reuters.png"))
    asked = parser.parse_args()
    counts, half, tuned = measure(asked.data / "reuters_modapte90")
    draw(counts, half, tuned, asked.out)


def measure(folder: Path) -> tuple[np.ndarray, Result, Result]:
    """Training rows of each label; test results of the cut 0.5 and of tuned cuts on the same scores."""
    space = LabelSpace(json.loads((folder / "meta.json").read_text())["label_names"])
    train, test = (pl.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    features = vectorizer.fit_transform(texts(train)), vectorizer.transform(texts(test))
    names = train["labels"].to_list(), test["labels"].to_list()
    model = LinearManyHot(goal="f1_macro").fit(features[0], names[0])
    targets = space.encode(names[1])
    scores = model.predict_proba(features[1])[:, [list(model.classes_).index(name) for name in space.names]]
    tuned = space.encode(model.predict(features[1]))
    return (
        space.encode(names[0]).label_counts(),
        mh.evaluate(targets, scores, scores >= 0.5, space=space),
        mh.evaluate(targets, scores, tuned, space=space),
    )


def texts(frame: pl.DataFrame) -> list[str]:
    return [f"{title or ''} {text or ''}" for title, text in frame.select("title", "text").iter_rows()]


def draw(counts: np.ndarray, half: Result, tuned: Result, out: Path) -> None:
    figure, (overall, each) = plt.subplots(
        1, 2, figsize=(11, 4), width_ratios=(1, 1.7), layout="constrained", dpi=110
    )
    draw_overall(overall, half, tuned)
    draw_each(each, counts, half, tuned)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)


def draw_overall(axis: "plt.Axes", half: Result, tuned: Result) -> None:
    keys = {"hamming": "cells right", "exact": "rows exact", "f1_micro": "F1 micro", "f1_macro": "F1 macro"}
    deciders = (
        ("learned nothing", PALE, half.baseline),
        ("cut at 0.5", GREY, half),
        ("tuned cuts", BLUE, tuned),
    )
    for place, (name, colour, result) in enumerate(deciders):
        values = [result[key] for key in keys]
        bars = axis.barh(np.arange(4) + 0.27 * (place - 1), values, 0.25, color=colour, label=name)
        axis.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axis.set(
        yticks=range(4),
        yticklabels=keys.values(),
        xlim=(0, 1.18),
        xticks=[],
        title="the same scores, decided twice",
    )
    axis.invert_yaxis()
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=3)


def draw_each(axis: "plt.Axes", counts: np.ndarray, half: Result, tuned: Result) -> None:
    before, after = half.per_label["f1"], tuned.per_label["f1"]
    axis.vlines(counts, before, after, color=BLUE, alpha=0.25, linewidth=1)
    axis.scatter(counts, before, s=16, color=GREY, label="cut at 0.5", zorder=2)
    axis.scatter(counts, after, s=16, color=BLUE, label="tuned cuts", zorder=3)
    axis.set(
        xscale="log",
        ylim=(-0.03, 1.03),
        xlabel="training rows that have the label",
        ylabel="F1 on the test rows",
        title="each of the 90 labels: rare ones are what 0.5 throws away",
    )
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="lower right")


if __name__ == "__main__":
    main()
