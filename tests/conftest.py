"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

# What several tests start. Not this folder itself: an `import keras` would find tests/keras.
sys.path.append(str(Path(__file__).parent / "processes"))

# Two cores are shared by everything that a test run starts; one thread is faster than two that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside this checkout (../shared/data)")
    return folder
