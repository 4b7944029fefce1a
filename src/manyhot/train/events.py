"""What a training tells while it runs; a progress bar, a log or a test listens with `on_event`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from manyhot.train.diagnosis import Diagnosis
from manyhot.train.history import EpochRecord, History
from manyhot.train.options import TrainOptions


@dataclass(frozen=True)
class Began:
    """Before the first step. `resumed_step` is 0 for a fresh training."""

    options: TrainOptions
    rows: int
    steps_per_epoch: int
    resumed_step: int


@dataclass(frozen=True)
class StepDone:
    """After every optimiser step; `step` counts over all epochs from 1, `loss` is the step's mean."""

    epoch: int
    step: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class EpochDone:
    """After the validation that ends an epoch, and before the first epoch with the untrained model."""

    record: EpochRecord


@dataclass(frozen=True)
class Diagnosed:
    """Something is wrong or worth knowing; told once per name."""

    diagnosis: Diagnosis


@dataclass(frozen=True)
class Saved:
    """A checkpoint is complete on the disk."""

    path: Path
    step: int


@dataclass(frozen=True)
class Ended:
    """The model has its final weights."""

    history: History


Event: TypeAlias = Began | StepDone | EpochDone | Diagnosed | Saved | Ended
Listener: TypeAlias = Callable[[Event], None]


def nobody(event: object) -> None:
    """The listener that does not listen."""
