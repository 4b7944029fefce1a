"""A progress bar of a training, on standard error, and only where that is a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from manyhot.runs.events import Event, Listener
from manyhot.train import Began, Ended, EpochDone, EpochRecord, StepDone

WIDE = 110
"""Columns of a terminal from which on there is room for a long bar."""


class TrainingBar:
    """Listens to the events of `fit` and draws how far the training is.

    Args:
        console: where it draws; nothing is drawn where it is no terminal.
    """

    def __init__(self, console: Console) -> None:
        whole, rest = Column(no_wrap=True), Column(no_wrap=True, overflow="ellipsis", ratio=1)
        self.progress = Progress(
            TextColumn("{task.description}", table_column=whole),
            BarColumn(bar_width=24 if console.width >= WIDE else 10),
            TimeElapsedColumn(whole),
            TextColumn("left", table_column=whole),
            TimeRemainingColumn(compact=True, table_column=whole),
            TextColumn("{task.fields[figures]}", table_column=rest),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
        )
        self.task: Any = None
        self.epochs = 0

    def __call__(self, event: Event) -> None:
        """Draw what the event changes."""
        if isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, StepDone) and self.task is not None:
            self.progress.update(
                self.task, completed=event.step, description=f"epoch {event.epoch}/{self.epochs}"
            )
        elif isinstance(event, EpochDone) and self.task is not None:
            self.progress.update(self.task, figures=figures(event.record))
        elif isinstance(event, Ended):
            self._end()

    def _begin(self, event: Began) -> None:
        self.epochs = event.options.epochs or 0
        total = self.epochs * event.steps_per_epoch
        self._draw(f"epoch 0/{self.epochs}", event.resumed_step, total)

    def _draw(self, text: str, completed: int, total: int) -> None:
        self.task = self.progress.add_task(text, completed=completed, total=total, figures="")
        self.progress.start()

    def _end(self) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)
            self.task = None
            self.progress.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while something else is printed."""
        drawn = self.task is not None
        self.progress.stop()
        yield
        if drawn:
            self.progress.start()

    def close(self) -> None:
        """Take the bar away."""
        self._end()


def figures(record: EpochRecord) -> str:
    """Losses and metrics of an epoch, short."""
    values = {"loss": record.train_loss, "valid loss": record.valid_loss, **record.metrics}
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)


@contextmanager
def progress_where_seen() -> Iterator[Listener]:
    """A listener that draws a bar where standard error is a terminal, and does nothing elsewhere."""
    bar = TrainingBar(Console(file=sys.stderr))
    try:
        yield bar
    finally:
        bar.close()
