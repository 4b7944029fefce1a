"""Tells what `fit` does, line by line, and draws its progress where standard error is a terminal."""

import math
from typing import Any

import click

from manyhot.cli._show import console, say
from manyhot.runs import events
from manyhot.runs.progress import TrainingBar, figures
from manyhot.train import Began, Diagnosed, Ended, EpochDone

BASELINE = {"hamming": "hamming", "exact": "exact match", "f1_macro": "F1"}
LINES = 12
"""Lines about epochs that a training prints at most where no bar can be drawn."""


class Narrator:
    """A listener of `fit`.

    Args:
        errors: tell on standard error, because standard output is for JSON.
    """

    def __init__(self, *, errors: bool = False) -> None:
        self.errors = errors
        screen = console(errors=True)
        self.draws = screen.is_terminal
        self.bar = TrainingBar(screen)
        self.every = 1

    def __call__(self, event: Any) -> None:
        """Tell of one event."""
        teller = _TELLERS.get(type(event))
        if teller is not None:
            with self.bar.aside():
                teller(self, event)
        self.bar(event)

    def close(self) -> None:
        """Take the bar away, also when the training was stopped."""
        self.bar.close()

    def say(self, kind: str, text: str) -> None:
        """What it is about, then what there is to say."""
        say(kind, text, errors=self.errors)

    def _read(self, event: events.DataRead) -> None:
        notes = event.table.notes
        self.say("read", notes.sentence.removeprefix("read "))
        for line in notes.lines()[1:]:
            self.say("", line)

    def _parted(self, event: events.RowsParted) -> None:
        self.say("split", "; ".join(filter(None, (event.parts.sentence, event.how))))
        if event.parts.impossible:
            names = ", ".join(event.parts.impossible[:5])
            more = len(event.parts.impossible) - 5
            self.say(
                "", f"too rare to be in every part: {names}" + (f" and {more:,} more" if more > 0 else "")
            )

    def _doubted(self, event: events.Doubted) -> None:
        self.say("", f"note: {event.sentence}")

    def _planned(self, event: events.MemoryPlanned) -> None:
        self.say("memory", event.plan.sentence)

    def _baseline(self, event: events.BaselineKnown) -> None:
        values = event.result.baseline
        told = [
            f"{word} {values[name]:.4f}"
            for name, word in BASELINE.items()
            if name in values and not math.isnan(values[name])
        ]
        self.say("baseline", f"no label for any row scores: {', '.join(told)}")

    def _built(self, event: events.ModelBuilt) -> None:
        model = event.model
        encoder = model.encoder_config["name"] or model.encoder_config["module"]
        weights = sum(parameter.numel() for parameter in model.parameters())
        self.say("model", f"{encoder}, {weights:,} weights, {len(model.space):,} labels, loss {event.loss}")
        if event.weights:
            self.say("", f"positive {event.weights}")
        for sentence in filter(None, (event.why, *model.preparation.notes)):
            self.say("", sentence)

    def _chosen(self, event: events.ModelChosen) -> None:
        self.say(
            "chosen",
            f"the {event.kept}: mean average precision on {event.rows:,} validation rows is "
            f"{event.linear:.3f} of a linear model, {event.network:.3f} of the network",
        )

    def _began(self, event: Began) -> None:
        options = event.options
        epochs = options.epochs or 0
        self.every = max(1, math.ceil(epochs / LINES))
        self.say(
            "train",
            f"{event.rows:,} rows, up to {epochs} epochs, batches of {options.batch_size}, "
            f"{options.optimizer} {options.learning_rate:g}, {options.device}",
        )
        if event.resumed_step:
            self.say("", f"going on from step {event.resumed_step:,} of {epochs * event.steps_per_epoch:,}")

    def _epoch(self, event: EpochDone) -> None:
        record = event.record
        if not self.draws and record.epoch and record.epoch % self.every == 0:
            click.echo(f"  epoch {record.epoch}: {figures(record)}  ({record.seconds:.0f} s)", err=True)

    def _diagnosed(self, event: Diagnosed) -> None:
        found = event.diagnosis
        mend = "the cuts are tuned below" if found.name == "under_the_cut" else found.mend
        self.say("noticed", f"{found.finding}: {mend}")

    def _ended(self, event: Ended) -> None:
        history = event.history
        if history.options is None:
            self.say("solved", f"in {history.epochs} passes over the rows, {history.seconds:.0f} s")
            return
        best = f", best epoch {history.best_epoch}" if history.best_value is not None else ""
        self.say("trained", f"{history.epochs} epochs in {history.seconds:.0f} s{best}")

    def _tuned(self, event: events.CutsTuned) -> None:
        self.say("cuts", f"tuned for {event.goal} {event.how}")


_TELLERS: dict[type, Any] = {
    events.DataRead: Narrator._read,
    events.RowsParted: Narrator._parted,
    events.Doubted: Narrator._doubted,
    events.MemoryPlanned: Narrator._planned,
    events.BaselineKnown: Narrator._baseline,
    events.ModelBuilt: Narrator._built,
    events.ModelChosen: Narrator._chosen,
    events.CutsTuned: Narrator._tuned,
    Began: Narrator._began,
    EpochDone: Narrator._epoch,
    Diagnosed: Narrator._diagnosed,
    Ended: Narrator._ended,
}
