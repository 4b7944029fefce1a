"""What memory this machine and this process have."""

import os
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/memory.max")
_STATUS = Path("/proc/self/statm")
USUAL = 400_000_000
"""Bytes of a process with PyTorch and SciPy in it, where the system does not say."""


def process_bytes() -> int:
    """Memory that this process holds now; the usual, where the system does not say."""
    if _STATUS.exists():
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return USUAL


def machine_bytes() -> int | None:
    """Memory of this machine, or of the container that the process is in; None where it cannot be known."""
    if sys.platform == "win32":
        return None
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.exists() else "max"
    return whole if limit == "max" else min(whole, int(limit))
