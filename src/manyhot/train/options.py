"""What a training can be told, and what it does when it is told nothing."""

from typing import Any, Literal, TypeAlias

import msgspec
import torch
from torch import nn

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.models import Linear, Model
from manyhot.train.fused import HEADS
from manyhot.train.optimizers import OPTIMIZERS

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
SCHEDULES = ("cosine", "constant")


class TrainOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to train. What is None is chosen by the kind and the number of the inputs (`resolved`).

    Args:
        epochs: passes over the training rows, at most.
        batch_size: rows in memory at once.
        accumulate: batches that make one step together.
        optimizer: adamw, adam, sgd, adadelta, rmsprop or adagrad; None: sgd for a linear model of sparse
            rows, else adamw.
        learning_rate: at its highest.
        weight_decay: of weights, not of biases and norms; decoupled for adamw, else added to the gradient.
        momentum: of sgd and rmsprop.
        schedule: "cosine" falls from the learning rate to 0 over all epochs, "constant" stays.
        warmup: share of all steps in which the learning rate rises to its full height.
        clip: largest norm of the whole gradient; 0 switches clipping off.
        average: decay of the running average of the weights that is evaluated and kept (0.99 to 0.9999);
            0 switches averaging off.
        head: "plain" makes the logits of all labels at once; "fused" those of some labels at a time inside
            the loss, in less memory and to the same result but for rounding; "auto" fuses in a label space
            of 2,000 labels or more, where encoder and loss allow it.
        precision: "auto" takes bfloat16 where the device computes convolutions faster in it.
        monitor: what decides which epoch is best: "loss" or a metric's name, on the validation rows; "auto"
            takes the mean average precision where it is defined.
        cuts: "tuned" or "default": where scores become decisions for monitored metrics that need them.
        patience: epochs without a better value before the training stops; 0 never stops early.
        augment: whether images are augmented.
        seed: for the order of rows, dropout and augmentation.
        checkpoint_seconds: time between checkpoints; a kill loses at most that much, and never the result.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1"...

    Raises:
        OptionError: a value outside its range.
    """

    epochs: int | None = None
    batch_size: int | None = None
    accumulate: int = 1
    optimizer: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup: float = 0.05
    clip: float | None = None
    average: float = 0.0
    head: str = "auto"
    precision: Precision = "auto"
    monitor: str = "auto"
    cuts: Literal["tuned", "default"] = "tuned"
    patience: int | None = None
    augment: bool | None = None
    seed: int = 0
    checkpoint_seconds: float = 30.0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate"):
            value = getattr(self, name)
            if value is not None:
                _check.at_least(name, value, 1)
        for name in ("learning_rate", "weight_decay", "clip", "patience", "checkpoint_seconds"):
            value = getattr(self, name)
            if value is not None:
                _check.at_least(name, value, 0)
        for name in ("momentum", "warmup", "average"):
            _check.between(name, getattr(self, name), 0, 1)
        if self.optimizer is not None:
            _check.one_of("optimizer", self.optimizer, OPTIMIZERS)
        _check.one_of("schedule", self.schedule, SCHEDULES)
        _check.one_of("head", self.head, HEADS)
        _check.one_of("precision", self.precision, ("auto", "float32", "bfloat16", "float16"))
        _check.one_of("cuts", self.cuts, ("tuned", "default"))
        msgspec.structs.force_setattr(self, "seed", _check.seed(self.seed))  # a NumPy number has no JSON

    def resolved(self, model: Model, rows: int) -> "TrainOptions":
        """The same options with every open one chosen for this model and number of training rows."""
        device = device_named(self.device)
        chosen = defaults(model, rows, self.optimizer)
        given = {name: getattr(self, name) for name in chosen if getattr(self, name) is not None}
        precision = _precision(self.precision, model, torch.device(device))
        return msgspec.structs.replace(self, **(chosen | given), precision=precision, device=device)

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names of the options."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainOptions":
        """The options of `to_dict`, or of a config file; an unknown name is an error."""
        return msgspec.convert(values, cls)


def defaults(model: Model, rows: int, optimizer: str | None = None) -> dict[str, Any]:
    """What was measured to work: on fashion (images), yeast and bibtex (tables), reuters (texts)."""
    form = model.preparation.shape.form
    if form == "image":
        chosen = _choice(epochs=75, batch_size=32, weight_decay=1e-4, augment=True)
    elif form == "sparse" and isinstance(model.encoder, Linear):
        return _linear_of_sparse_rows(model, rows, optimizer)
    elif form == "sparse":
        chosen = _choice(epochs=15, batch_size=128, weight_decay=1e-2, patience=4)
    else:
        chosen = _choice(epochs=60, batch_size=_batch(rows), weight_decay=1e-2, patience=12)
    name = optimizer or "adamw"
    return chosen | {"optimizer": name, "learning_rate": 1e-3 * OPTIMIZERS[name].rate}


def _batch(rows: int) -> int:
    """Few rows want small batches: else a few epochs are a handful of steps."""
    return 32 if rows < 2000 else 64 if rows < 20_000 else 256


def _linear_of_sparse_rows(model: Model, rows: int, optimizer: str | None) -> dict[str, Any]:
    """Plain gradient steps, as long as the rows allow.

    Adaptive steps are as long for a word that occurs once as for a common one, and so learn the training
    rows by heart: on reuters, average precision (macro) .27 with AdamW, .57 with SGD.
    """
    name = optimizer or "sgd"
    rate = 30.0 / model.preparation.energy if name == "sgd" else 0.03 * OPTIMIZERS[name].rate
    chosen = _choice(epochs=20, batch_size=_batch(rows), weight_decay=0.0, patience=5)
    return chosen | {"optimizer": name, "learning_rate": rate}


def _choice(
    epochs: int, batch_size: int, weight_decay: float, patience: int = 0, augment: bool = False
) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
        "clip": 0.0,
        "patience": patience,
        "augment": augment,
    }


def device_named(name: str) -> str:
    """The device that an option means, tried.

    Raises:
        OptionError: no device has this name, or it cannot be used here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # as many kinds as there are devices
        reason = str(error).split("\n")[0]
        raise OptionError(f"device {name} cannot be used here ({reason}): take the device cpu") from None
    return name


def _precision(wanted: Precision, model: Model, device: torch.device) -> Precision:
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    convolutions = any(isinstance(module, nn.Conv2d) for module in model.modules())
    return "bfloat16" if convolutions and device.type == "cpu" and cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself: convolutions then train twice as fast as in float32.

    Emulated, it is slower. Small matrix products gain nothing either way.
    """
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, ask, bool)()) for ask in asks)
