"""A model as a folder that can be copied anywhere: configuration, weights, label space, decision rule.

No pickle: JSON and safetensors only, so that loading a folder runs no code from it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from manyhot.bundle.atomic import replacing, write_bytes
from manyhot.bundle.manifest import NAME, Manifest, Origin, current_versions, now, read_manifest
from manyhot.bundle.predictor import Predictor
from manyhot.errors import RunError
from manyhot.labels import LabelSpace

if TYPE_CHECKING:
    from torch import nn

    from manyhot.data.table import Schema
    from manyhot.decide import Decision
    from manyhot.models import Model

WEIGHTS = "model.safetensors"
DECISION = "decision.json"


def write_bundle(
    folder: str | Path,
    model: "Model",
    rule: "Decision",
    *,
    schema: "Schema | None" = None,
    origin: Origin | None = None,
    parts: tuple[str, ...] = (),
) -> None:
    """Write what is needed to predict. `manyhot.json` comes last: a folder without it is not a bundle yet.

    Args:
        folder: made if absent; must not hold a bundle already.
        model: its label space is the bundle's.
        rule: fitted on that label space.
        schema: how files with new rows are read.
        origin: where the model comes from.
        parts: further files that the caller has put into the folder.

    Raises:
        RunError: the folder holds a bundle already, or the disk is full or not to be written.
    """
    folder = Path(folder)
    if (folder / NAME).exists():
        raise RunError(f"{folder} holds a finished run already: choose another folder or remove that one")
    folder.mkdir(parents=True, exist_ok=True)
    config, arrays = model.to_state()
    space = model.space
    config.pop("space", None)  # the manifest has it once, for all parts
    digest = _write_weights(folder / WEIGHTS, arrays)
    write_rule(folder, rule, space)
    Manifest(
        versions=current_versions(),
        created=now(),
        space=space.to_dict(),
        space_digest=space.digest,
        model=config,
        schema=None if schema is None else schema.to_dict(),
        weights_sha256=digest,
        origin=origin or Origin(),
        parts=(WEIGHTS, DECISION, *parts),
    ).write(folder)


def read_bundle(folder: str | Path, encoder: "nn.Module | None" = None) -> Predictor:
    """Load a bundle written by `write_bundle`, on this machine or another.

    Args:
        folder: the bundle.
        encoder: a module of the same architecture, for a model that was trained with a module of your own.

    Raises:
        OptionError: the model was trained with a module of your own, and no encoder is given.
        RunError: the folder, or a file in it, is missing, damaged, of another format, or of another run.
    """
    from manyhot.data.table import Schema
    from manyhot.models import Model

    folder = Path(folder)
    manifest = read_manifest(folder)
    space = LabelSpace.from_dict(manifest.space)
    if space.digest != manifest.space_digest:
        raise RunError(
            f"{folder / NAME} was edited: its labels do not match their digest; restore it from a copy"
        )
    arrays = _read_weights(folder / WEIGHTS, manifest.weights_sha256)
    model = Model.from_state({**manifest.model, "space": manifest.space}, arrays, encoder)
    schema = None if manifest.schema is None else Schema.from_dict(manifest.schema)
    return Predictor(model, read_rule(folder, space), schema=schema, origin=manifest.origin)


def write_rule(folder: Path, rule: "Decision", space: LabelSpace) -> None:
    """Replace `decision.json`: cuts change without touching the weights."""
    content = {"space_digest": space.digest, "rule": rule.to_dict()}
    write_bytes(folder / DECISION, msgspec.json.format(msgspec.json.encode(content), indent=1))


def read_rule(folder: Path, space: LabelSpace) -> "Decision":
    """Read `decision.json` and check that it was fitted on this label space."""
    from manyhot import decide

    path = folder / DECISION
    try:
        content = msgspec.json.decode(_bytes_of(path), type=_Decision)
    except msgspec.DecodeError as error:
        raise RunError(f"{path} is damaged or was edited: {error}; restore it from a copy") from error
    if content.space_digest != space.digest:
        raise RunError(f"{path} was fitted on other labels than {folder / NAME} has; copy both from one run")
    return decide.read_rule(content.rule, space)


class _Decision(msgspec.Struct):
    space_digest: str
    rule: dict[str, Any]


def _write_weights(path: Path, arrays: dict[str, Any]) -> str:
    """Write the arrays and return the SHA-256 of the file."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: torch.as_tensor(array).detach().cpu().contiguous() for name, array in arrays.items()}
    with replacing(path) as aside:
        try:
            save_file(tensors, aside)  # piece by piece: a copy of the whole may not fit into memory
        except SafetensorError as error:
            raise RunError(
                f"cannot write {path}: {error}; is the disk full? make room, then go on"
            ) from error
        return _digest_of(aside)


def _read_weights(path: Path, digest: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    found = _digest_of(path)
    if found != digest:
        raise RunError(
            f"{path} is not the file that {path.with_name(NAME)} describes (SHA-256 {found[:12]}..., "
            f"expected {digest[:12]}...): copy the whole folder again"
        )
    return load_file(path)


def _digest_of(path: Path) -> str:
    with _readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes_of(path: Path) -> bytes:
    with _readable(path):
        return path.read_bytes()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into a `RunError`."""
    try:
        yield
    except FileNotFoundError:
        raise RunError(f"{path} is missing: copy the whole run folder, not parts of it") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
