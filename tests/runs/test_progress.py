"""The bar is drawn on a terminal only, and steps aside for text."""

import io

import pytest
from rich.console import Console

from manyhot.runs.progress import TrainingBar, figures
from manyhot.train import Began, Ended, EpochDone, EpochRecord, History, StepDone, TrainOptions

RECORD = EpochRecord(
    epoch=1, step=4, seconds=1.0, learning_rate=0.1, train_loss=0.5, valid_loss=None,
    metrics={"f1_micro": 0.25, "ap_micro": None}, best=True,
)  # fmt: skip


def drawn(terminal: bool) -> str:
    screen = io.StringIO()
    bar = TrainingBar(Console(file=screen, force_terminal=terminal, width=100))
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


def test_elsewhere_nothing_is_drawn():
    assert drawn(terminal=False) == "a line of text\n"


def test_figures_leave_out_what_is_not_known():
    assert figures(RECORD) == "loss 0.5000  f1_micro 0.2500"


@pytest.mark.parametrize(
    "event", [StepDone(1, 1, 0.5, 0.1), EpochDone(RECORD), Ended(History(options=TrainOptions()))]
)
def test_events_without_a_training_are_no_error(event):
    bar = TrainingBar(Console(file=io.StringIO(), force_terminal=True))
    bar(event)
    bar.close()
