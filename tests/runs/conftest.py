"""Small data that trains in a second."""

from collections.abc import Callable

import numpy as np
import pytest

from manyhot.data import Table
from manyhot.datasets import toy
from manyhot.runs import Run, fit

WORDS = {"sport": "match goal team", "money": "bank loan market", "weather": "rain sun storm"}


def make_sentences(rows: int = 120, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Texts that hold two words of each of their labels, and their labels."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        names = [name for name in WORDS if rng.random() < 0.4]
        words = [str(rng.choice(WORDS[name].split())) for name in names for _ in range(2)]
        texts.append(" ".join([*words, "the", "day", str(rng.choice(["was", "is"]))]))
        labels.append(names)
    return texts, labels


@pytest.fixture(scope="session")
def sentences() -> Callable[..., tuple[list[str], list[list[str]]]]:
    """Makes texts and their labels."""
    return make_sentences


@pytest.fixture(scope="session")
def points() -> Table:
    """400 points in two columns with three labels: an MLP's job."""
    return toy(400)


@pytest.fixture(scope="session")
def text_run(tmp_path_factory) -> Run:
    """A run on sentences, solved, in a folder."""
    texts, labels = make_sentences()
    return fit(texts, labels, out=tmp_path_factory.mktemp("runs") / "text")


@pytest.fixture(scope="session")
def point_run(points, tmp_path_factory) -> Run:
    """A run on points, an MLP with validation rows, in a folder."""
    return fit(points, out=tmp_path_factory.mktemp("runs") / "points", epochs=8)
