"""Training: one loop, checkpoints that survive any kill, and a diagnosis of what came out."""

from manyhot.train.checkpoint import read_checkpoint as read_checkpoint
from manyhot.train.diagnosis import Diagnosis as Diagnosis
from manyhot.train.diagnosis import diagnose as diagnose
from manyhot.train.events import Began as Began
from manyhot.train.events import Diagnosed as Diagnosed
from manyhot.train.events import Ended as Ended
from manyhot.train.events import EpochDone as EpochDone
from manyhot.train.events import Event as Event
from manyhot.train.events import Listener as Listener
from manyhot.train.events import Saved as Saved
from manyhot.train.events import StepDone as StepDone
from manyhot.train.history import EpochRecord as EpochRecord
from manyhot.train.history import History as History
from manyhot.train.loop import train as train
from manyhot.train.optimizers import OPTIMIZERS as OPTIMIZERS
from manyhot.train.options import TrainOptions as TrainOptions
from manyhot.train.solver import Solved as Solved
from manyhot.train.solver import solve_linear as solve_linear
