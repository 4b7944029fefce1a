"""The code of the how-to page for Keras runs: tests/test_docs.py leaves it out, as keras is an extra."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "losses-in-keras.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras and its backends, on the way through fit
def test_the_page_runs_and_its_model_gives_scores():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(64, 8)).astype("float32")
    names = {"inputs": inputs, "targets": (inputs[:, :5] > 0.5).astype("float32")}
    assert BLOCKS
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    scores = keras.ops.convert_to_numpy(names["scores"])
    assert scores.shape == (64, 5)
    assert ((scores > 0) & (scores < 1)).all()
