"""When a checkpoint is written, and where."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyhot.train.checkpoint import read_checkpoint, write_checkpoint
from manyhot.train.events import Saved
from manyhot.train.identity import require_same
from manyhot.train.state import TrainState


class Saver:
    """Writes the state every so many seconds; a checkpoint changes nothing in what is computed.

    Args:
        folder: of this training alone; None never writes.
        seconds: between two checkpoints, 0 after every step.
        facts: the identity of the training.
    """

    def __init__(self, folder: Path | None, seconds: float, facts: Mapping[str, Any]) -> None:
        self.folder, self.seconds, self.facts = folder, seconds, facts
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time for the next."""
        return self.folder is not None and time.monotonic() - self._last >= self.seconds

    def save(self, state: TrainState) -> Saved | None:
        """Write the state now."""
        if self.folder is None:
            return None
        tensors, record = state.to_state()
        path = write_checkpoint(self.folder, tensors, {"identity": self.facts, **record})
        self._last = time.monotonic()
        return Saved(path, state.step)

    def load(self, state: TrainState) -> None:
        """Put the state where the checkpoint of this training was taken; nothing happens without one.

        Raises:
            RunError: the checkpoint is of another training, or damaged.
        """
        found = read_checkpoint(self.folder) if self.folder is not None else None
        if found is None:
            return
        tensors, record = found
        require_same(record["identity"], self.facts, self.folder)
        state.load_state(tensors, record)
