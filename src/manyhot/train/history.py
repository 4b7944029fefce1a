"""What happened in a training: one record an epoch, why it ended, what was noticed."""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from manyhot.train.diagnosis import Diagnosis
from manyhot.train.options import TrainOptions

Ending: TypeAlias = Literal["finished", "early", "interrupted", "diverged"]
"""All epochs done; patience ran out; Ctrl-C; a loss or gradient was not finite."""


class EpochRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One epoch. Epoch 0 is the untrained model, which scores the prior.

    Args:
        epoch: from 0.
        step: optimiser steps done so far.
        seconds: since the training began, stops not counted.
        learning_rate: of the last step.
        train_loss: mean over the epoch's steps, with dropout and augmentation; None for epoch 0.
        valid_loss: None without validation rows.
        metrics: validation metrics by name; None where undefined.
        best: whether the monitored value is the best so far.
    """

    epoch: int
    step: int
    seconds: float
    learning_rate: float
    train_loss: float | None
    valid_loss: float | None
    metrics: dict[str, float | None]
    best: bool


class History(msgspec.Struct, kw_only=True):
    """The story of one training.

    Args:
        options: as they were used, nothing left open; None where a model was solved, not trained.
        records: one an epoch.
        ending: why it stopped; None while it runs.
        best_epoch: whose weights the model has in the end.
        best_value: of the monitored quantity there; None without validation rows.
        diagnoses: what was noticed, each with its mend.
    """

    options: TrainOptions | None
    records: list[EpochRecord] = []
    ending: Ending | None = None
    best_epoch: int = 0
    best_value: float | None = None
    diagnoses: list[Diagnosis] = []

    @property
    def seconds(self) -> float:
        """Time spent training, interruptions not counted."""
        return self.records[-1].seconds if self.records else 0.0

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return self.records[-1].epoch if self.records else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, JSON-able."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "History":
        """The history of `to_dict`."""
        return msgspec.convert(values, cls)

    def write_jsonl(self, path: Path) -> None:
        """One line an epoch."""
        path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in self.records))
