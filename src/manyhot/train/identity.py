"""What makes a training this one: a checkpoint goes on only in the training that wrote it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from manyhot.errors import RunError
from manyhot.labels import Targets
from manyhot.models import Model
from manyhot.train.options import TrainOptions

_ANY = ("checkpoint_seconds", "device")
"""Options that may differ when a training is taken up again: they do not change what it computes."""


def identity(
    model: Model,
    train: Targets,
    valid: Targets | None,
    loss: nn.Module,
    options: TrainOptions,
    row_weight: Tensor | None = None,
) -> dict[str, Any]:
    """Named facts, JSON-able, that have to be equal."""
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    config, arrays = model.preparation.to_state()
    prepared = [repr(config).encode(), *(np.ascontiguousarray(array).tobytes() for array in arrays.values())]
    return {
        "labels": model.space.digest,
        "preparation": _digest(*prepared),
        "encoder": model.encoder_config,
        "weights": _digest(repr(shapes).encode()),
        "training targets": _targets_digest(train),
        "validation targets": None if valid is None else _targets_digest(valid),
        "loss": repr(loss),
        "row weights": None if row_weight is None else _digest(row_weight.numpy().tobytes()),
        **{name: value for name, value in options.to_dict().items() if name not in _ANY},
    }


def require_same(written: Mapping[str, Any], now: Mapping[str, Any], folder: Any) -> None:
    """Raise `RunError` that names the first difference."""
    for name, value in now.items():
        if written.get(name) != value:
            raise RunError(
                f"the checkpoint in {folder} is of another training: {name} was {written.get(name)}, "
                f"is {value}; take another folder, or resume=False to replace it"
            )


def _targets_digest(targets: Targets) -> str:
    matrices = [targets.positives, *([] if targets.unknown is None else [targets.unknown])]
    parts = [np.ascontiguousarray(part) for m in matrices for part in (m.indptr, m.indices, m.data)]
    return _digest(repr(targets.shape).encode(), *(part.astype(np.float64).tobytes() for part in parts))


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
