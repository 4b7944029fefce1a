"""Everything about a training that changes while it runs, in one place, so that it can be saved whole."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from manyhot.models import Model
from manyhot.train.average import WeightAverage
from manyhot.train.checkpoint import load_optimizer_state, optimizer_state
from manyhot.train.history import History
from manyhot.train.order import Order
from manyhot.train.seed import random_states, set_random_states


@dataclass(eq=False)
class TrainState:
    """A training between two steps.

    Args:
        model: being trained.
        loss: may have parameters and buffers of its own.
        optimizer: over both.
        scaler: of float16 gradients; does nothing for the other precisions.
        average: of the model's weights, or None.
        order: of the training rows.
        drawing: what augmentation draws from.
        history: so far.
        best: the model's weights in its best epoch; the untrained ones at first.
        epoch: epochs done.
        step: optimiser steps done.
        stale: epochs since the best.
        summed_loss: over the steps of this epoch, each weighted by its rows.
        seconds: spent so far, until the last lap.
        started: when this lap began, by `time.perf_counter`.
    """

    model: Model
    loss: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    average: WeightAverage | None
    order: Order
    drawing: torch.Generator
    history: History
    best: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    step: int = 0
    stale: int = 0
    summed_loss: float = 0.0
    seconds: float = 0.0
    started: float = 0.0

    def lap(self) -> float:
        """Seconds spent training up to now, those before a kill or stop included."""
        now = time.perf_counter()
        self.seconds += now - self.started
        self.started = now
        return self.seconds

    def keep_best(self) -> None:
        """Remember the model's present weights."""
        self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def to_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors, JSON-able record) from which the rest of the training follows bit for bit."""
        memory, memory_rest = optimizer_state(self.optimizer)
        random, random_rest = random_states()
        tensors = {
            **_named("model", self.model.state_dict()),
            **_named("loss", self.loss.state_dict()),
            **_named("best", self.best),
            **_named("average", self.average.values if self.average else {}),
            **_named("optimizer", memory),
            **_named("order", self.order.to_state()),
            **_named("random", random),
            "drawing": self.drawing.get_state(),
        }
        record = {
            "optimizer": memory_rest,
            "random": random_rest,
            "scaler": self.scaler.state_dict(),
            "average_updates": self.average.updates if self.average else 0,
            "history": self.history.to_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "stale": self.stale,
            "summed_loss": self.summed_loss,
            "seconds": self.seconds,
        }
        return tensors, record

    def load_state(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Go on where `to_state` was taken."""
        self.model.load_state_dict(_under("model", tensors))
        self.loss.load_state_dict(_under("loss", tensors))
        self.best = like(self.model.state_dict(), _under("best", tensors))
        if self.average:
            self.average.values = like(self.average.values, _under("average", tensors))
            self.average.updates = record["average_updates"]
        load_optimizer_state(self.optimizer, _under("optimizer", tensors), record["optimizer"])
        self.order.load_state(_under("order", tensors))
        self.drawing.set_state(tensors["drawing"])
        self.scaler.load_state_dict(record["scaler"])
        self.history = History.from_dict(record["history"])
        self.epoch, self.step, self.stale = record["epoch"], record["step"], record["stale"]
        self.summed_loss, self.seconds = record["summed_loss"], record["seconds"]
        set_random_states(_under("random", tensors), record["random"])


def like(own: dict[str, Tensor], values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values, each with the device and memory layout of the tensor of the same name."""
    return {name: torch.empty_like(tensor).copy_(values[name]) for name, tensor in own.items()}


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
