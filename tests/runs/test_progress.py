"""The bar is drawn on a terminal only, and steps aside for text."""

import io
import re

import pytest
from rich.console import Console

from manyhot.runs.progress import TrainingBar, figures
from manyhot.train import Began, Ended, EpochDone, EpochRecord, History, StepDone, TrainOptions

RECORD = EpochRecord(
    epoch=1, step=4, seconds=1.0, learning_rate=0.1, train_loss=0.5, valid_loss=None,
    metrics={"f1_micro": 0.25, "ap_micro": None}, best=True,
)  # fmt: skip


def drawn(terminal: bool, width: int = 140) -> str:
    screen = io.StringIO()
    bar = TrainingBar(Console(file=screen, force_terminal=terminal, width=width))
    options = TrainOptions(epochs=3)
    bar(Began(options, rows=40, steps_per_epoch=4, resumed_step=2))
    bar(StepDone(epoch=1, step=4, loss=0.5, learning_rate=0.1))
    bar(EpochDone(RECORD))
    bar.progress.refresh()
    with bar.aside():
        screen.write("a line of text\n")
    bar(Ended(History(options=options)))
    bar.close()
    return screen.getvalue()


def test_a_terminal_sees_epochs_and_figures():
    screen = drawn(terminal=True)
    for text in ("epoch 1/3", "loss 0.5000  f1_micro 0.2500", "a line of text"):
        assert text in screen


@pytest.mark.parametrize("width", [80, 60])
def test_a_narrow_terminal_keeps_epoch_bar_and_time_and_cuts_the_figures(width):
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn(terminal=True, width=width)).splitlines()
    line = next(line for line in lines if "epoch 1/3" in line and "loss" in line)
    assert re.search(r"epoch 1/3 [━╸╺]+ 0:00:0\d left (--:--|00:0\d) loss 0.5000", line)
    assert len(line.rstrip()) <= width


def test_elsewhere_nothing_is_drawn():
    assert drawn(terminal=False) == "a line of text\n"


def test_figures_leave_out_what_is_not_known():
    assert figures(RECORD) == "loss 0.5000  f1_micro 0.2500"


@pytest.mark.parametrize(
    "event", [StepDone(1, 1, 0.5, 0.1), EpochDone(RECORD), Ended(History(options=TrainOptions()))]
)
def test_events_without_a_training_are_no_error(event):
    console = Console(file=io.StringIO(), force_terminal=True)
    bar = TrainingBar(console)
    bar(event)
    bar.close()
    assert "epoch" not in console.file.getvalue()
