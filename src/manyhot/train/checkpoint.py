"""One file that holds a whole training: tensors, and everything else as JSON in the same file's header.

Written aside and renamed, so that the file is always a complete one, whenever the process dies.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from manyhot.errors import RunError

NAME = "training.safetensors"
FORMAT = 1
_KEY = "manyhot"


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> Path:
    """Replace the checkpoint in a folder, which is made where it is missing.

    Args:
        folder: of this training only.
        tensors: any device, any layout.
        record: JSON-able.

    Raises:
        RunError: it could not be written; the checkpoint before it is untouched.
    """
    path = folder / NAME
    aside = path.with_name(NAME + ".partial")
    plain = _plain(tensors)
    text = msgspec.json.encode({"format": FORMAT, **record}).decode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(plain, aside, metadata={_KEY: text})
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise RunError(
            f"the checkpoint {path} could not be written ({error}); the one before it is untouched: "
            "make room, then run the same training again and it goes on from there"
        ) from error
    return path


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """(tensors on the CPU, record) of the checkpoint in a folder; None where there is none.

    Raises:
        RunError: it is damaged, or of another format.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            record = msgspec.json.decode((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, KeyError, msgspec.DecodeError) as error:
        raise RunError(
            f"the checkpoint {path} cannot be read ({error}); delete it to train from the start"
        ) from error
    if record["format"] != FORMAT:
        raise RunError(
            f"the checkpoint {path} has format {record['format']}, this version reads {FORMAT}; "
            "finish it with the version that began it, or delete it"
        )
    return tensors, record


def optimizer_state(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, JSON-able rest) of what an optimiser remembers of each parameter."""
    tensors, rest = {}, {}
    for place, memory in optimizer.state_dict()["state"].items():
        for name, value in memory.items():
            if isinstance(value, Tensor):
                tensors[f"{place}.{name}"] = value
            else:
                rest[f"{place}.{name}"] = value
    return tensors, rest


def load_optimizer_state(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Put back what `optimizer_state` took; the options of the groups stay as they were made."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **rest}.items():
        place, _, name = key.partition(".")
        if isinstance(value, Tensor) and value.shape == parameters[int(place)].shape:
            # Fused kernels walk over weight and memory side by side: both need the layout of the weight,
            # channels last or not, and a file has but one layout.
            value = torch.empty_like(parameters[int(place)], dtype=value.dtype, device="cpu").copy_(value)
        state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, row after row; copied where names share memory, which cannot be saved."""
    plain: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().to("cpu").contiguous()
        if own.untyped_storage().data_ptr() in places or own.untyped_storage().nbytes() > own.nbytes:
            own = own.clone()
        places.add(own.untyped_storage().data_ptr())
        plain[name] = own
    return plain
