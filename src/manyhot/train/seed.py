"""The only place that touches the process-wide random states: set for a training, given back after it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch, NumPy and Python draw by this seed; afterwards as if nothing had been drawn."""
    before = random_states()
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # users' modules may draw from the old interface
    random.seed(seed)
    try:
        yield
    finally:
        set_random_states(*before)


def random_states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, JSON-able rest) of every process-wide generator."""
    version, internal, gauss = random.getstate()
    legacy: Any = np.random.get_state()
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(legacy[1].astype(np.int64))}
    if torch.cuda.is_available():
        tensors |= {f"cuda.{place}": state for place, state in enumerate(torch.cuda.get_rng_state_all())}
    rest = {
        "python": [version, list(internal), gauss],
        "numpy": [int(legacy[2]), int(legacy[3]), float(legacy[4])],
    }
    return tensors, rest


def set_random_states(tensors: dict[str, Tensor], rest: dict[str, Any]) -> None:
    """Put every generator where `random_states` found it."""
    version, internal, gauss = rest["python"]
    random.setstate((version, tuple(internal), gauss))
    torch.set_rng_state(tensors["torch"])
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, *rest["numpy"]))
    for place in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda.{place}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda.{place}"], place)
