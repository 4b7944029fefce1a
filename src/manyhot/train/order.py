"""In which order the training rows come, and how far it has got."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Order:
    """A fresh random permutation for every epoch, cut into steps; it can be stopped and taken up anywhere.

    Args:
        rows: number of training rows, at least 1.
        step_rows: rows of one step. A last step of one row joins the step before it: batch norm
            cannot work on one row.
        seed: the same seed gives the same permutations.

    Attributes:
        done: steps done of this epoch.
    """

    def __init__(self, rows: int, step_rows: int, seed: int) -> None:
        self.rows, self.step_rows = rows, step_rows
        self.generator = torch.Generator().manual_seed(seed)
        self.permutation = torch.randperm(rows, generator=self.generator)
        self.done = 0

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        full, rest = divmod(self.rows, self.step_rows)
        return full + (rest > 1 or not full)

    def remaining(self) -> Iterator[Tensor]:
        """Row numbers of every step left in this epoch; the caller counts up `done`."""
        for step in range(self.done, self.steps):
            last = step == self.steps - 1
            yield self.permutation[step * self.step_rows : None if last else (step + 1) * self.step_rows]

    def next_epoch(self) -> None:
        """Draw the next permutation."""
        self.permutation = torch.randperm(self.rows, generator=self.generator)
        self.done = 0

    def to_state(self) -> dict[str, Any]:
        """Everything that the rest of the order depends on, as tensors."""
        return {
            "permutation": self.permutation,
            "done": torch.tensor(self.done),
            "generator": self.generator.get_state(),
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on where `to_state` was taken."""
        self.permutation = state["permutation"].clone()
        self.done = int(state["done"])
        self.generator.set_state(state["generator"])
