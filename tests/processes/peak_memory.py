"""The most memory that this process held, as Linux tells it.

Not by `getrusage`: its peak begins with that of the process which started this one, so that a small one that
a large test run starts seems as large, and it never falls, so that a step after a larger one seems free.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_OF_THIS_PROCESS = Path("/proc/self")
_FORGET_THE_PEAK = "5"

Value = TypeVar("Value")

readable = (_OF_THIS_PROCESS / "clear_refs").exists()
UNREADABLE = "this system does not tell the peak memory of a process"


def peak() -> int:
    """The most bytes at any time so far."""
    return _bytes("VmHWM")


def grown_by(step: Callable[[], Value]) -> tuple[Value, int]:
    """What a step gives, and the bytes that it held at its peak above those there were."""
    (_OF_THIS_PROCESS / "clear_refs").write_text(_FORGET_THE_PEAK)
    before = _bytes("VmRSS")
    value = step()
    return value, peak() - before


def _bytes(field: str) -> int:
    lines = (_OF_THIS_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024
