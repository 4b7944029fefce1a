"""The training loop, to be read from top to bottom: train, run, epoch, step."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from manyhot.errors import InputError, OptionError
from manyhot.labels import Targets
from manyhot.losses import MultiLabelLoss, losses_for
from manyhot.models import Augmentation, Batch, Model, Prepared
from manyhot.models.threads import threads_for
from manyhot.train.average import WeightAverage
from manyhot.train.diagnosis import Diagnosis, not_finite
from manyhot.train.events import Began, Diagnosed, Ended, EpochDone, Listener, StepDone, nobody
from manyhot.train.fused import head_for
from manyhot.train.history import Ending, EpochRecord, History
from manyhot.train.identity import identity
from manyhot.train.interrupt import interrupts
from manyhot.train.monitor import Monitor
from manyhot.train.objective import Objective, units_per_row
from manyhot.train.optimizers import make_optimizer
from manyhot.train.options import TrainOptions
from manyhot.train.order import Order
from manyhot.train.saver import Saver
from manyhot.train.schedule import rate_factor
from manyhot.train.seed import seeded
from manyhot.train.state import TrainState

LOOK_AT = (3, 10, 30, 100)
"""Epochs after which the scores are diagnosed while the training runs; they always are at its end."""


def train(
    model: Model,
    train_inputs: Any,
    train_targets: Targets,
    valid_inputs: Any = None,
    valid_targets: Targets | None = None,
    *,
    loss: nn.Module | None = None,
    row_weight: Any = None,
    options: TrainOptions | None = None,
    checkpoints: Path | str | None = None,
    resume: bool = True,
    on_event: Listener = nobody,
) -> History:
    """Train a model; in the end it has the weights of its best epoch and is in evaluation mode.

    The same arguments give the same weights, bit for bit on a CPU with the same number of threads, also
    when the process was killed on the way and called again with the same `checkpoints`.

    Args:
        model: fresh from `Model.build`, or pretrained.
        train_inputs: raw inputs, or rows that `model.prepare` made.
        train_targets: (rows, labels).
        valid_inputs: rows that decide which epoch is best and when to stop; without them the last epoch is.
        valid_targets: of the validation rows.
        loss: a `MultiLabelLoss`, or any module called as loss(logits, targets); None: binary cross-entropy
            on independent labels and a softmax in each exclusive group.
        row_weight: (rows,), multiplies the cost of each training row, for which it takes a `MultiLabelLoss`.
        options: what is left None in them is chosen for the inputs.
        checkpoints: a folder of this training alone; None: nothing is written and a kill loses everything.
        resume: go on from the checkpoint in that folder; False starts over and replaces it.
        on_event: told what happens while it happens.

    Returns:
        The history; its `ending` says whether the training was finished, stopped early, interrupted by
        Ctrl-C (call again to go on) or stopped at numbers that were not finite.

    Raises:
        InputError: inputs and targets do not fit each other.
        OptionError: weights of rows, and a loss that knows of none.
        ShapeError: a number of weights that is not that of the rows.
        RunError: the checkpoint is of another training, or cannot be read or written.
    """
    options = (options or TrainOptions()).resolved(model, len(train_targets))
    model.to(options.device)
    loss = (loss or losses_for(model.space, "bce", train_targets)).to(options.device)
    options = msgspec.structs.replace(options, head=head_for(options.head, model, loss)[0])
    rows = _prepared(model, train_inputs, train_targets, "training")
    if isinstance(row_weight, Tensor):
        row_weight = row_weight.detach().cpu()
    weight = None if row_weight is None else torch.from_numpy(np.array(row_weight, np.float32))
    facts = identity(model, train_targets, valid_targets, loss, options, weight)
    batch = min(options.batch_size or len(rows), len(rows))
    with seeded(options.seed), interrupts() as interrupted, threads_for(model, batch):
        state = _fresh(model, loss, len(rows), options)
        saver = Saver(None if checkpoints is None else Path(checkpoints), options.checkpoint_seconds, facts)
        if resume:
            saver.load(state)
        loop = Loop(
            state,
            rows,
            Objective(loss, train_targets, model.device, options.head == "fused", weight),
            _monitor(model, valid_inputs, valid_targets, loss, options),
            saver,
            interrupted,
            on_event,
        )
        on_event(Began(options, len(rows), state.order.steps, state.step))
        if state.history.ending in (None, "interrupted"):
            loop.run()
        model.load_state_dict(state.best)
    model.eval()
    on_event(Ended(state.history))
    return state.history


class NotFiniteError(Exception):
    """The logits, the loss or the gradient of a step is NaN or infinite; names which."""


@dataclass(eq=False)
class Loop:
    """What the steps of a training share. `state` is all that changes.

    Args:
        state: where the training stands.
        rows: prepared training rows.
        objective: the loss on their targets.
        monitor: what judges an epoch; None without validation rows.
        saver: writes checkpoints.
        interrupted: whether the user wants to stop.
        on_event: the listener.
    """

    state: TrainState
    rows: Prepared
    objective: Objective
    monitor: Monitor | None
    saver: Saver
    interrupted: Callable[[], bool]
    on_event: Listener
    augmentation: Augmentation | None = field(init=False)
    scale: int = field(init=False)
    _told: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.augmentation = Augmentation() if self.options.augment else None
        self.scale = units_per_row(self.objective.loss, self.state.model.space)

    @property
    def options(self) -> TrainOptions:
        """As they are used, nothing left open."""
        options = self.state.history.options
        assert options is not None
        return options

    def run(self) -> None:
        """Epochs until there is a reason to stop; then say how it ended, diagnose and save."""
        self.state.started = time.perf_counter()
        history = self.state.history
        try:
            history.ending = None
            history.ending = self._epochs()
        except NotFiniteError as trouble:
            history.ending = "diverged"
            self._diagnosed(not_finite(str(trouble), self.state.step + 1))
        if history.ending != "interrupted":
            self._diagnose_best()
        self._save()

    def _epochs(self) -> Ending:
        state = self.state
        if not state.history.records:
            self.end_epoch()
        while state.epoch < (self.options.epochs or 0):
            self.epoch()
            if self.interrupted():
                return "interrupted"
            self.end_epoch()
            if self.options.patience and self.monitor and state.stale >= self.options.patience:
                return "early"
        return "finished"

    def epoch(self) -> None:
        """Every step that is left of this epoch, until the user wants to stop."""
        state, loss = self.state, self.state.loss
        state.model.train()
        loss.train()
        if isinstance(loss, MultiLabelLoss):
            loss.set_epoch(state.epoch)
        for parts in self._steps():
            value = self.step(parts)
            count = sum(len(rows) for rows, _ in parts)
            state.step += 1
            state.summed_loss += value * count
            state.order.done += 1
            self.on_event(StepDone(state.epoch + 1, state.step, value, self._rate(state.step - 1)))
            if self.saver.is_due():
                self._save()
            if self.interrupted():
                return

    def _steps(self) -> Iterator[list[tuple[Tensor, Batch]]]:
        """(row numbers, prepared batch) of each batch of each step; batches are prepared ahead."""
        steps = [list(step.split(self._batch_size(len(step)))) for step in self.state.order.remaining()]
        batches = self.rows.batches(part for step in steps for part in step)
        for step in steps:
            yield [(part, next(batches)) for part in step]

    def _batch_size(self, rows: int) -> int:
        """Rows of each batch of a step; an odd row more does not become a batch of its own."""
        size = self.options.batch_size or rows
        return size + 1 if rows % size == 1 else size

    def step(self, parts: list[tuple[Tensor, Batch]]) -> float:
        """One update of the weights from one or more batches; returns the mean loss of their rows."""
        state, options = self.state, self.options
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state.step)
        state.optimizer.zero_grad(set_to_none=True)
        count = sum(len(rows) for rows, _ in parts)
        value = 0.0
        for rows, batch in parts:
            loss = self.batch_loss(rows, batch) * (len(rows) / count)
            state.scaler.scale(loss * self.scale).backward()
            value += float(loss.detach())
        if options.clip:
            state.scaler.unscale_(state.optimizer)
            norm = nn.utils.clip_grad_norm_(state.model.parameters(), options.clip)
            if not torch.isfinite(norm) and not state.scaler.is_enabled():
                raise NotFiniteError("gradient")
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.average:
            state.average.update(state.model)
        return value

    def batch_loss(self, rows: Tensor, batch: Batch) -> Tensor:
        """Loss of one batch, 0-d with a gradient."""
        state = self.state
        inputs = state.model.to_input(batch)
        if self.augmentation and isinstance(inputs, Tensor):
            inputs = self.augmentation(inputs, state.drawing)
        with _precision(self.options, state.model.device):
            hidden = state.model.encoder(inputs)
            logits = None if self.objective.fused else state.model.head(hidden)
        loss = self._fused_loss(hidden, rows) if logits is None else self._plain_loss(logits, rows)
        if not torch.isfinite(loss):
            raise NotFiniteError("loss")
        return loss

    def _plain_loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        if not torch.isfinite(logits).all():
            raise NotFiniteError("logits")
        return self.objective(logits, rows)

    def _fused_loss(self, hidden: Tensor, rows: Tensor) -> Tensor:
        head = self.state.model.head
        try:
            return self.objective.of_hidden(hidden, head, rows)
        except InputError:
            if head.best(hidden.detach(), 1)[1].isnan().any():
                raise NotFiniteError("logits") from None
            raise

    def _rate(self, step: int) -> float:
        options = self.options
        steps = (options.epochs or 0) * self.state.order.steps
        return (options.learning_rate or 0.0) * rate_factor(step, steps, options.warmup, options.schedule)

    def end_epoch(self) -> None:
        """Validate, record, remember the best, and shuffle for the next epoch; also before the first."""
        state, history = self.state, self.state.history
        first = not history.records
        if not first:
            state.epoch += 1
        averaged = state.average.applied(state.model) if state.average else nullcontext()
        with averaged:
            loss, values, better = self._judge()
            if better:
                state.keep_best()
                history.best_epoch = state.epoch
        state.stale = 0 if better else state.stale + 1
        record = EpochRecord(
            epoch=state.epoch,
            step=state.step,
            seconds=state.lap(),
            learning_rate=self._rate(max(0, state.step - 1)),
            train_loss=None if first else state.summed_loss / self.state.order.rows,
            valid_loss=loss,
            metrics={name: value if value == value else None for name, value in values.items()},
            best=better,
        )
        history.records.append(record)
        self.on_event(EpochDone(record))
        if not first:
            state.order.next_epoch()
            state.summed_loss = 0.0
            if self.saver.is_due():
                self._save()

    def _judge(self) -> tuple[float | None, dict[str, float], bool]:
        """Validation loss, metrics, whether they are the best so far; without validation every epoch is."""
        state, history = self.state, self.state.history
        if self.monitor is None:
            return None, {}, True
        loss, values, scores = self.monitor.measure(state.model)
        value = self.monitor.value(loss, values)
        better = self.monitor.is_better(value, history.best_value)
        if better:
            history.best_value = value
        if state.epoch in LOOK_AT:
            for finding in self.monitor.diagnose(state.model, scores):
                self._tell(finding)
        return loss, values, better or not history.records

    def _diagnose_best(self) -> None:
        if self.monitor is None:
            return
        self.state.model.load_state_dict(self.state.best)
        _, _, scores = self.monitor.measure(self.state.model)
        for finding in self.monitor.diagnose(self.state.model, scores):
            self._diagnosed(finding)

    def _diagnosed(self, finding: Diagnosis) -> None:
        self.state.history.diagnoses.append(finding)
        self._tell(finding)

    def _tell(self, finding: Diagnosis) -> None:
        if finding.name not in self._told:
            self._told.add(finding.name)
            self.on_event(Diagnosed(finding))

    def _save(self) -> None:
        self.state.lap()
        saved = self.saver.save(self.state)
        if saved:
            self.on_event(saved)


def _fresh(model: Model, loss: nn.Module, rows: int, options: TrainOptions) -> TrainState:
    optimizer = make_optimizer(
        options.optimizer or "",
        [model, loss],
        options.learning_rate or 0.0,
        options.weight_decay or 0.0,
        options.momentum,
    )
    state = TrainState(
        model,
        loss,
        optimizer,
        torch.amp.GradScaler(model.device.type, enabled=options.precision == "float16"),
        WeightAverage(model, options.average) if options.average else None,
        Order(rows, (options.batch_size or rows) * options.accumulate, options.seed),
        torch.Generator().manual_seed(options.seed),
        History(options=options),
    )
    state.keep_best()
    if (
        any(isinstance(m, nn.BatchNorm1d) for m in model.modules())
        and min(rows, options.batch_size or rows) < 2
    ):
        raise OptionError("batch norm needs two rows in every batch: raise batch_size, or give more rows")
    return state


def _prepared(model: Model, inputs: Any, targets: Targets, which: str) -> Prepared:
    model.space.require_width(targets)
    rows = model.prepare(inputs) if hasattr(inputs, "kind") else inputs
    if len(rows) != len(targets) or not len(rows):
        raise InputError(
            f"expected as many {which} inputs as targets, at least one, got {len(rows)} and {len(targets)}"
        )
    return rows


def _monitor(
    model: Model, inputs: Any, targets: Targets | None, loss: nn.Module, options: TrainOptions
) -> Monitor | None:
    if inputs is None or targets is None or not len(targets):
        if options.monitor not in ("auto", "loss"):
            raise InputError(f"monitor={options.monitor} needs validation rows, there are none")
        return None
    rows = _prepared(model, inputs, targets, "validation")
    objective = Objective(loss, targets, model.device, options.head == "fused")
    return Monitor(rows, objective, model.space, options.monitor, options.cuts)


def _precision(options: TrainOptions, device: torch.device) -> Any:
    if options.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, getattr(torch, options.precision))
