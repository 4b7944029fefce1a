"""Columns of numbers and categories in a DataFrame, one 0/1 column a label."""

import numpy as np
import pandas as pd

import manyhot as mh

rng = np.random.default_rng(0)
films = pd.DataFrame(
    {
        "minutes": rng.normal(100, 20, 600),
        "year": rng.integers(1950, 2025, 600),
        "country": rng.choice(["FR", "IT", "US"], 600),
    }
)
genres = pd.DataFrame(
    {
        "epic": (films["minutes"] > 115).astype(int),
        "classic": (films["year"] < 1980).astype(int),
        "western": ((films["country"] == "US") & (films["year"] < 1990)).astype(int),
    }
)

run = mh.fit(films, genres, epochs=15)

for name in ("f1_macro", "exact", "hamming"):
    print(f"{name:10} {run.metrics[name]:.3f}  baseline {run.metrics.baseline[name]:.3f}")
print(run.predict(pd.DataFrame({"minutes": [150.0], "year": [1966], "country": ["IT"]}))[0])
