"""A run in a folder: fitted once, loaded anywhere, asked for names, scores and metrics."""

import tempfile
from pathlib import Path

import manyhot as mh

folder = Path(tempfile.mkdtemp()) / "run"
mh.fit("toy", out=folder, epochs=5)

run = mh.load(folder)
points = [[0.05, 0.95], [0.9, 1.0], [0.1, 0.0]]

print(run.predict({"x0": [p[0] for p in points], "x1": [p[1] for p in points]}))
print(run.predict({"x0": [0.9], "x1": [1.0]}, topk=2)[0])
print(list(run.predict({"x0": [0.5], "x1": [0.5]}).records(all_scores=True)))
print(run.evaluate("toy")["exact"])
