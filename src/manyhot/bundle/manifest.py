"""`manyhot.json`: what a run folder says of itself. Written last, so its presence means that all is there."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from manyhot.bundle.atomic import write_bytes
from manyhot.errors import RunError

FORMAT = 1
NAME = "manyhot.json"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model comes from: enough to tell two runs apart and to make one again.

    Attributes:
        loss: what was minimised, such as "asl(gamma_neg=2)" or "bce + softmax (colour)".
        goal: the metric that the cuts were tuned for.
        seed: of the split, the first weights and the order of rows.
        data: source (file name, no path), sentence (what was understood), rows, digest (SHA-256).
        split: how the rows were parted, rows in each part, digest of the assignment.
        options: the training options as JSON values.
    """

    loss: str = ""
    goal: str = ""
    seed: int = 0
    data: dict[str, Any] = {}
    split: dict[str, Any] = {}
    options: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `manyhot.json`.

    Attributes:
        space, space_digest: the label space and its digest; the other parts carry the same digest.
        model: the model's configuration (preparation, encoder, head) as JSON values.
        schema: how a data file was understood, so that a new file is read the same way; None for a model
            that was trained on values in memory.
        weights_sha256: SHA-256 of `model.safetensors`.
        parts: the other files of the folder, by name.
    """

    format: int = FORMAT
    versions: dict[str, str]
    created: str
    origin: Origin
    space: dict[str, Any]
    space_digest: str
    model: dict[str, Any]
    schema: dict[str, Any] | None
    weights_sha256: str
    parts: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Put the manifest into the folder; everything else must be there already."""
        write_bytes(folder / NAME, msgspec.json.format(msgspec.json.encode(self), indent=1))


class _Header(msgspec.Struct):
    format: int
    versions: dict[str, str] = {}


def read_manifest(folder: Path) -> Manifest:
    """Read and check `manyhot.json`.

    Raises:
        RunError: no such folder, no manifest in it, not JSON, a field missing or of another kind, or a format
            number that this version does not read.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(_absent(folder)) from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format != FORMAT:
            raise RunError(_other_format(path, header))
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise RunError(f"{path} is damaged or was edited: {error}; restore the folder from a copy") from error


def current_versions() -> dict[str, str]:
    """Versions of Python and of the packages whose change can change a result."""
    packages = ("manyhot", "torch", "numpy", "scipy", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def now() -> str:
    """The present moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _absent(folder: Path) -> str:
    if not folder.exists():
        return f"no such run: {folder}"
    if (folder / "checkpoints" / "plan.json").exists():
        return f"the run in {folder} is not finished: go on with `manyhot fit --resume {folder}`"
    if (folder / "checkpoints").is_dir():
        return f"the run in {folder} was stopped before anything was trained: fit into it again"
    return f"{folder} is not a run folder: it has no {NAME}"


def _other_format(path: Path, header: _Header) -> str:
    writer = header.versions.get("manyhot", "another version")
    return (
        f"{path} has format {header.format}, written by manyhot {writer}; this is manyhot "
        f"{version('manyhot')}, which reads format {FORMAT}: install the one that wrote it, or a newer one"
    )
