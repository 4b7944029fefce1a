"""`checkpoints/plan.json`: what an unfinished run was asked to do, so that it can go on after a kill."""

from pathlib import Path
from typing import Any

import msgspec

from manyhot.bundle.atomic import write_bytes
from manyhot.bundle.manifest import NAME as MANIFEST
from manyhot.errors import RunError
from manyhot.runs.run import CHECKPOINTS

NAME = "plan.json"


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
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise RunError(f"{path} is damaged ({error}): delete {folder} and fit again") from error


def claim(folder: Path, plan: Plan, resume: bool) -> None:
    """Make the folder ready for this run, or refuse it.

    A folder of an unfinished run is taken only to go on with that very run; one that holds a finished run, or
    anything else, is never touched.

    Raises:
        RunError: the folder is taken, or its unfinished run is another one.
    """
    if (folder / MANIFEST).exists():
        raise RunError(f"{folder} holds a finished run already: choose another folder, or delete that one")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: choose another name for the run folder")
    before = read_plan(folder)
    if before is None and folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and not a run: choose a new folder for the run")
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
    if before.parts_digest != plan.parts_digest or before.options != plan.options:
        ours, theirs = plan.options or {}, before.options or {}
        changed = [name for name in ours if ours.get(name) != theirs.get(name)]
        raise RunError(
            f"{folder} was begun with other options ({', '.join(changed) or 'another split'}): "
            "resume with the same ones, or fit into a new folder"
        )
