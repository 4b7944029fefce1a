"""What `fit` tells while it works; the events of the training come between these."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from manyhot.data import Table
from manyhot.metrics import Result
from manyhot.runs.parts import Parts

if TYPE_CHECKING:
    from manyhot.models import Model
    from manyhot.runs.memory import MemoryPlan
    from manyhot.train import Event as TrainEvent


@dataclass(frozen=True)
class DataRead:
    """The data is in memory; `table.notes` says how it was understood."""

    table: Table


@dataclass(frozen=True)
class RowsParted:
    """It is settled which rows train, which tune the cuts (`how` says it where none do), which judge."""

    parts: Parts
    how: str = ""


@dataclass(frozen=True)
class Doubted:
    """Something about the rows is worth knowing before they train."""

    sentence: str


@dataclass(frozen=True)
class MemoryPlanned:
    """How a wide label space will be trained, and what memory that takes."""

    plan: "MemoryPlan"


@dataclass(frozen=True)
class BaselineKnown:
    """What a predictor that has learned nothing gets on the test rows: `result.baseline`."""

    result: Result


@dataclass(frozen=True)
class ModelBuilt:
    """The model, untrained, its bias at the prior.

    Its training takes `rows` rows, whose positives have the `weights`; `why` tells of an unusual way.
    """

    model: "Model"
    rows: int
    loss: str
    weights: str | None = None
    why: str = ""


@dataclass(frozen=True)
class ModelChosen:
    """Two models were tried: which is kept, and the mean average precision of each on validation rows."""

    kept: str
    linear: float
    network: float
    rows: int


@dataclass(frozen=True)
class CutsTuned:
    """The decision rule is fitted: for which goal, on how many rows, and how these were scored."""

    goal: str
    rows: int
    how: str


@dataclass(frozen=True)
class RunWritten:
    """The run folder is complete."""

    folder: Path


OwnEvent: TypeAlias = (
    DataRead
    | RowsParted
    | Doubted
    | BaselineKnown
    | MemoryPlanned
    | ModelBuilt
    | ModelChosen
    | CutsTuned
    | RunWritten
)
Event: TypeAlias = "OwnEvent | TrainEvent"
Listener: TypeAlias = Callable[[Event], None]
