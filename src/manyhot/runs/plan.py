"""`checkpoints/plan.json`: what an unfinished run was asked to do, so that it can go on after a kill."""

import os
from pathlib import Path
from typing import Any

import msgspec

from manyhot.bundle.atomic import write_bytes
from manyhot.bundle.manifest import NAME as MANIFEST
from manyhot.errors import RunError
from manyhot.runs.run import CHECKPOINTS

NAME = "plan.json"
TUNED_FOR = "goal"
"""The option that may be another when a run is gone on with: the cuts come after all training."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and on which rows.

    Attributes:
        data: path or name of the data; None for values in memory.
        labels: label columns that were named.
        read: options of `manyhot.read`.
        options: of `fit`; None where they cannot be written down, such as an encoder of the user's own.
        data_digest: of the table.
        parts_digest: of the split.
    """

    data: str | None
    labels: Any = None
    read: dict[str, Any] = {}
    options: dict[str, Any] | None = None
    data_digest: str
    parts_digest: str

    def write(self, folder: Path) -> None:
        """Put the plan into a run folder, which is made where it is missing."""
        path = folder / CHECKPOINTS / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, msgspec.json.format(msgspec.json.encode(self), indent=1))


def read_plan(folder: Path) -> Plan | None:
    """The plan of an unfinished run; None where there is none.

    Raises:
        RunError: it is damaged.
    """
    path = folder / CHECKPOINTS / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError as error:
        raise RunError(f"{path} is damaged ({error}): delete {folder} and fit again") from error


def require_free(folder: Path) -> None:
    """Refuse a folder that cannot become a run, or go on with one.

    Raises:
        RunError: it holds a finished run or anything else, is a file, or cannot be written.
    """
    if (folder / MANIFEST).exists():
        raise RunError(f"{folder} holds a finished run already: choose another folder, or delete that one")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: choose another name for the run folder")
    if (
        read_plan(folder) is None
        and folder.exists()
        and any(_is_somebodys(path) for path in folder.rglob("*"))
    ):
        raise RunError(f"{folder} is not empty and not a run: choose a new folder for the run")
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RunError(f"{folder} cannot be made: {above} is no folder that may be written")


def _is_somebodys(path: Path) -> bool:
    """Whether a file is more than what a process leaves that was killed before it trained."""
    return path.is_file() and not (path.name.startswith(".") and path.suffix == ".part")


def claim(folder: Path, plan: Plan, resume: bool) -> None:
    """Make the folder ready for this run, or refuse it.

    A folder of an unfinished run is taken only to go on with that very run; one that holds a finished run, or
    anything else, is never touched.

    Raises:
        RunError: the folder is taken, or its unfinished run is another one.
    """
    require_free(folder)
    before = read_plan(folder)
    if before is not None and any(folder.glob(f"{CHECKPOINTS}/**/*.safetensors")):
        _require_same(folder, before, plan, resume)
    plan.write(folder)
    for part in folder.glob(".*.part"):  # of a process that was killed while it wrote
        part.unlink()


def _require_same(folder: Path, before: Plan, plan: Plan, resume: bool) -> None:
    if not resume:
        raise RunError(
            f"{folder} holds an unfinished run: go on with `manyhot fit --resume {folder}` (in Python "
            "fit(..., resume=True)), or choose another folder"
        )
    if before.data_digest != plan.data_digest:
        raise RunError(f"{folder} was begun on other data, or the data has changed: fit into a new folder")
    ours, theirs = plan.options or {}, before.options or {}
    changed = [name for name in ours if ours[name] != theirs.get(name) and name != TUNED_FOR]
    if before.parts_digest != plan.parts_digest or changed:
        raise RunError(
            f"{folder} was begun with other options ({', '.join(changed) or 'another split'}): "
            "resume with the same ones, or fit into a new folder"
        )
