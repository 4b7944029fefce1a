"""How much memory a fit will hold at its peak, part by part, before it begins.

The parts are counted, not guessed: matrices of known size. What libraries take beside them is the process as
it stands when the plan is made, and what they load on first use. An allocator's slack is in no part: a
measured peak may lie a little above.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from manyhot.data import Table
from manyhot.decide.shrinkage import GRID_POINTS, GRID_SIZE
from manyhot.errors import OptionError
from manyhot.losses.fused.chunks import chunk_width
from manyhot.losses.fused.linear import MEMORY
from manyhot.models import KEPT, WIDE, DenseRows, Model, SparseRows
from manyhot.models.model import example
from manyhot.runs.learn import loss_for, model_for
from manyhot.runs.machine import machine_bytes, process_bytes
from manyhot.runs.recipe import Recipe
from manyhot.train import TrainOptions
from manyhot.train.fused import head_for

FLOAT = 4
LOGIT_MATRICES = 3
"""Of a batch: the logits, their gradient, and what the loss needs in between."""

CELL = FLOAT + 4
"""Bytes of a score in CSR: its value and its column."""

SLOTS: Mapping[str, int] = {"adamw": 2, "adam": 2, "sgd": 1, "adadelta": 2, "rmsprop": 2, "adagrad": 1}
"""Numbers that an optimiser remembers of each weight."""

CUT_BYTES = 460
"""Of each place where a label may be cut, while cuts are tuned; measured with 4,000 and 36,650 labels."""

PROBED_ROWS = 512
SOLVED = "solved"

LOADED_LATER = 300_000_000
"""Bytes of PyTorch's compiler, which its optimisers import, and of compiled kernels; both come with the first
step. Measured on Linux, x86-64."""


@dataclass(frozen=True)
class MemoryPlan:
    """What a fit will hold.

    Attributes:
        encoder: its name, or the class of a module of your own.
        head: "fused", "plain", or "solved" for a linear model that is not trained in steps.
        why: why the head is plain in a wide label space; None where it need not be.
        labels, weights: numbers of them.
        batch_size: rows of a batch.
        epochs: passes over the rows, at most; None for a solved model.
        chunk: labels whose logits are held at one time.
        device: of weights and batches.
        training: bytes by what they are for while the model is trained or solved.
        judging: the same while the cuts are tuned and the test rows are scored.
        plain: bytes at the peak with logits, targets and scores as whole matrices.
    """

    encoder: str
    head: str
    why: str | None
    labels: int
    weights: int
    batch_size: int
    epochs: int | None
    chunk: int
    device: str
    training: Mapping[str, int]
    judging: Mapping[str, int]
    plain: int

    @property
    def peak(self) -> int:
        """Bytes of the larger of the two."""
        return max(sum(self.training.values()), sum(self.judging.values()))

    @property
    def sentence(self) -> str:
        """The decision and the peak in one line."""
        ways = {
            "fused": f"fused head, chunks of {self.chunk:,} labels",
            "plain": "plain head",
            SOLVED: "solved, not trained in steps",
        }
        why = f" ({self.why})" if self.why else ""
        other = f"; with whole matrices {size(self.plain)}" if self.plain > 1.05 * self.peak else ""
        return f"{self.labels:,} labels: {ways[self.head]}{why}, peak about {size(self.peak)}{other}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: every attribute, and the peak."""
        return {**asdict(self), "peak": self.peak}


def plan_memory(
    rows: Table, sizes: Mapping[str, int], recipe: Recipe, *, solved: bool
) -> tuple[MemoryPlan, Recipe]:
    """The plan of a fit, and the recipe with the preparation fitted for it; the head's weights are not made.

    Args:
        rows: training rows.
        sizes: number of rows by part; the cuts of a solved model are tuned on the training rows too.
        recipe: of the fit.
        solved: whether the minimum is found directly, as `is_solved` says of all rows.
    """
    model = model_for(rows, recipe, head_device="meta")
    options = recipe.training.resolved(model, len(rows))
    head, why = (SOLVED, None) if solved else head_for(options.head, model, loss_for(rows, recipe)[0])
    tuned = sizes["valid"] + (sizes["train"] if solved else 0)
    batch, labels = min(options.batch_size or len(rows), len(rows)), len(rows.space)
    shape = _Shape(
        weights=sum(p.numel() for p in model.parameters()),
        trained=sum(p.numel() for p in model.parameters() if p.requires_grad),
        chunk=_chunk(model, batch, labels) if head == "fused" else labels,
        batch=batch,
        hidden=_activations(model),
        prepared=_prepared_bytes(model, rows, sum(sizes.values())),
        rows=len(rows),
        tuned=tuned,
        test=sizes["test"],
        labels=labels,
        places=_places(rows, tuned),
    )
    wide = labels >= WIDE
    process = process_bytes() - sum(p.nbytes for p in model.encoder.parameters())  # these are weights, below
    training = _solving(shape, process) if solved else _training(shape, process, options, wide)
    dense = _training(replace(shape, chunk=labels), process, options, False)
    whole = {**(training if solved else dense), "targets": sizes["train"] * labels * FLOAT}
    plan = MemoryPlan(
        encoder=model.encoder_config["name"] or model.encoder_config["module"],
        head=head,
        why=why,
        labels=labels,
        weights=shape.weights,
        batch_size=batch,
        epochs=None if solved else options.epochs,
        chunk=shape.chunk,
        device=options.device,
        training=training,
        judging=_judging(shape, process, wide),
        plain=max(sum(whole.values()), sum(_judging(shape, process, False).values())),
    )
    return plan, replace(recipe, fitted=model.preparation)


def require_memory(plan: MemoryPlan) -> None:
    """Refuse a fit that cannot fit into this machine.

    Raises:
        OptionError: the plan is a fifth above all the memory there is, what is in use not counted.
    """
    there = machine_bytes()
    if there is not None and plan.device == "cpu" and plan.peak > 1.2 * there:
        raise OptionError(
            f"the fit needs about {size(plan.peak)} of memory, this machine has {size(there)}: take the "
            "encoder mlp with a narrower last layer, a smaller batch, or fewer labels; "
            "`manyhot doctor DATA --plan` says what needs it"
        )


def size(count: int) -> str:
    """Bytes in words: "0.9 GB", "35 MB", "< 1 MB"."""
    if 0 < count < 1e6:
        return "< 1 MB"
    return f"{count / 1e9:.1f} GB" if count >= 5e8 else f"{count / 1e6:.0f} MB"


@dataclass(frozen=True)
class _Shape:
    """Sizes of the parts.

    Args:
        weights: of encoder and head. trained: those that change.
        chunk: labels whose logits are held at one time.
        batch: rows of a batch. hidden: numbers that the encoder keeps of a row for its gradient.
        prepared: bytes of all prepared rows.
        rows: that train.
        tuned: rows that tune the cuts. test: rows that judge.
        labels: of the space.
        places: where labels may be cut: on the grid that all share, and at the tuning rows' positives.
    """

    weights: int
    trained: int
    chunk: int
    batch: int
    hidden: int
    prepared: int
    rows: int
    tuned: int
    test: int
    labels: int
    places: int

    def scores(self, rows: int, wide: bool) -> int:
        """Bytes of their scores."""
        return rows * (min(KEPT, self.labels) * CELL if wide else self.labels * FLOAT)


def _training(shape: _Shape, process: int, options: TrainOptions, wide: bool) -> dict[str, int]:
    slots = SLOTS[options.optimizer or "adamw"]
    kept = shape.weights * (1 + (2 if options.average else 0))
    logits = shape.batch * shape.chunk * LOGIT_MATRICES
    if wide and shape.chunk < shape.labels:
        logits = min(logits, MEMORY // FLOAT)
    return {
        "this process": process,
        "code loaded later": LOADED_LATER,
        "prepared rows": shape.prepared,
        "weights": shape.weights * FLOAT,
        "gradients": shape.trained * FLOAT,
        "optimiser": shape.trained * FLOAT * slots,
        "best weights": kept * FLOAT,
        "logits": logits * FLOAT,
        "hidden vectors": shape.batch * shape.hidden * FLOAT * 2,
        "validation scores": shape.scores(shape.tuned, wide) * (1 if wide else 2),
    }


def _solving(shape: _Shape, process: int) -> dict[str, int]:
    """Scores out of fold are made whole, of texts in two forms; weights are copied into the model."""
    return {
        "this process": process,
        "code loaded later": LOADED_LATER,
        "prepared rows": shape.prepared * 3,
        "weights": shape.weights * FLOAT * 2,
        "scores out of fold": shape.scores(shape.rows, wide=False) * 4,
    }


def _judging(shape: _Shape, process: int, wide: bool) -> dict[str, int]:
    return {
        "this process": process,
        "code loaded later": LOADED_LATER,
        "weights": shape.weights * FLOAT,
        "scores": (shape.scores(shape.tuned, wide) + shape.scores(shape.test, wide)) * 3,
        "cuts": shape.places * CUT_BYTES,
    }


def _places(rows: Table, tuned: int) -> int:
    """Cuts that are compared: those of the common grid for every label, and the score of every positive."""
    labels = len(rows.space)
    grid = min(max(GRID_POINTS // labels, GRID_SIZE[0]), GRID_SIZE[1])
    positives = int(rows.targets.label_counts().sum()) * tuned // len(rows)
    return labels * (1 + min(grid, positives)) + positives


def _chunk(model: Model, batch: int, labels: int) -> int:
    width = chunk_width(batch, model.head.layer.weight.shape[1], MEMORY, torch.float32, torch.device("cpu"))
    return min(width, labels)


def _activations(model: Model) -> int:
    """Numbers that the layers of the encoder put out for a row."""
    counted: list[int] = []

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.is_floating_point():
            counted.append(output.numel() // max(1, len(output)))

    layers = [module for module in model.encoder.modules() if not list(module.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    device = next((p.device for p in model.encoder.parameters()), torch.device("cpu"))
    training = model.encoder.training
    model.encoder.eval()
    try:
        with torch.no_grad():
            model.encoder(example(model.preparation.shape, device))
    finally:
        model.encoder.train(training)
        for hook in hooks:
            hook.remove()
    return sum(counted)


def _prepared_bytes(model: Model, rows: Table, total: int) -> int:
    """Bytes of all rows as the model reads them, from some of them."""
    some = rows.take(range(min(PROBED_ROWS, len(rows))))
    prepared = model.prepare(some.inputs)
    if isinstance(prepared, SparseRows):
        found = prepared.matrix.nnz * CELL
    elif isinstance(prepared, DenseRows):
        found = prepared.values.numel() * FLOAT
    else:
        return min(total * 3 * model.preparation.shape.width**2, getattr(prepared, "cache_bytes", 0))
    return found * total // len(some)
