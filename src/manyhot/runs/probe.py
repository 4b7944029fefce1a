"""What a fit will take, before it begins: memory, and minutes from a few of its steps on few labels."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from manyhot.data import Table
from manyhot.labels import LabelSpace
from manyhot.runs.learn import FOLDS, is_solved, loss_for, model_for
from manyhot.runs.memory import SOLVED, MemoryPlan, plan_memory
from manyhot.runs.parts import parts_of
from manyhot.runs.recipe import Recipe
from manyhot.runs.source import open_data, require_learnable
from manyhot.train import StepDone, solve_linear, train

STEPS = 6
"""Measured with each number of labels; the first half warms up."""

WIDTHS = (256, 2048)
"""Labels that steps are measured with; a step's time is a straight line in their number."""

SOLVED_LABELS = 64


def plan_fit(
    data: Any, labels: Any = None, *, read: Mapping[str, Any] | None = None, seed: int = 0, **options: Any
) -> tuple[MemoryPlan, float]:
    """What memory a fit into a folder takes, and how many minutes it trains at most.

    Args:
        data, labels, read, seed: as for `fit`.
        options: of `fit`, but `out`, `resume` and `on_event`.

    Raises:
        InputError: the data cannot be used.
        OptionError: an option outside its range.
    """
    table = open_data(data, labels, **dict(read or {}))
    require_learnable(table)
    recipe = Recipe.of(options, seed)
    solved = is_solved(table, recipe)
    parts = parts_of(table, recipe.fractions, seed, cut_valid=not solved)
    rows = table.take(parts.train)
    plan, recipe = plan_memory(rows, parts.sizes, recipe, solved=solved)
    return plan, minutes_to_train(rows, recipe, plan)


def minutes_to_train(rows: Table, recipe: Recipe, plan: MemoryPlan) -> float:
    """Minutes that the training takes if no patience ends it; cuts, metrics and files are not in it.

    Args:
        rows: training rows.
        recipe: with the preparation fitted.
        plan: of the fit.
    """
    if plan.head == SOLVED:
        return _solving(rows, recipe) / 60
    narrow, broad = (min(width, plan.labels) for width in WIDTHS)
    step = _step_seconds(rows, recipe, plan, broad)
    if plan.labels > broad:
        slope = (step - _step_seconds(rows, recipe, plan, narrow)) / (broad - narrow)
        step += max(0.0, slope) * (plan.labels - broad)
    steps = max(1, len(rows) // plan.batch_size) * (plan.epochs or 1)
    return step * steps / 60


def _step_seconds(rows: Table, recipe: Recipe, plan: MemoryPlan, labels: int) -> float:
    some = _with_labels(rows.take(np.arange(min(len(rows), plan.batch_size * STEPS))), labels)
    short = replace(
        recipe,
        training=msgspec.structs.replace(
            recipe.training, epochs=-(-STEPS * plan.batch_size // len(some)), batch_size=plan.batch_size,
            monitor="loss", head=plan.head,
        ),
    )  # fmt: skip
    model, times = model_for(some, short), [time.perf_counter()]

    def tell(event: Any) -> None:
        if isinstance(event, StepDone):
            times.append(time.perf_counter())

    train(
        model, some.inputs, some.targets, loss=loss_for(some, short)[0], options=short.training, on_event=tell
    )
    seconds = np.diff(times)
    return float(np.median(seconds[len(seconds) // 2 :]))


def _solving(rows: Table, recipe: Recipe) -> float:
    """Seconds, from some labels out of the whole range of frequencies."""
    labels = min(SOLVED_LABELS, len(rows.space))
    some = _with_labels(rows, labels)
    fold = np.arange(len(rows)) % FOLDS
    for width in (1, labels):  # the first compiles what is not compiled yet
        few = _with_labels(some, width)
        model, began = model_for(few, recipe), time.perf_counter()
        solve_linear(model, few.inputs, few.targets, fold)
    return (time.perf_counter() - began) * len(rows.space) / labels


def _with_labels(rows: Table, labels: int) -> Table:
    """The rows with so many of their labels, evenly spaced by frequency."""
    order = np.argsort(rows.targets.label_counts(), kind="stable")
    columns = np.sort(order[np.linspace(0, len(order) - 1, labels).astype(np.int64)])
    space = LabelSpace(tuple(rows.space.names[column] for column in columns))
    return Table.of(rows.inputs, rows.targets.columns(columns), space)
