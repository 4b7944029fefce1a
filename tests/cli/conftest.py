"""A small file of posts and a run that was fitted to it through the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from manyhot.cli import main

WORDS = {"sport": "match goal team", "money": "bank loan market", "weather": "rain sun storm"}


@pytest.fixture
def manyhot(tmp_path, monkeypatch):
    """Runs a command in an empty folder: manyhot("fit", "posts.csv") -> click's result."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **options: CliRunner().invoke(main, [str(a) for a in arguments], **options)


@pytest.fixture(scope="session")
def posts(tmp_path_factory):
    """150 posts as JSON lines, with labels."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "posts.jsonl"
    with path.open("w") as file:
        for _ in range(150):
            names = [name for name in WORDS if rng.random() < 0.4]
            words = [str(rng.choice(WORDS[name].split())) for name in names for _ in range(2)]
            file.write(json.dumps({"text": " ".join([*words, "the day"]), "labels": names}) + "\n")
    return path


@pytest.fixture(scope="session")
def fitted(posts, tmp_path_factory):
    """The folder of a run, and what fitting it printed."""
    folder = tmp_path_factory.mktemp("runs") / "posts"
    result = CliRunner().invoke(main, ["fit", str(posts), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result
