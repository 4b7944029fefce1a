"""Files that are either the old one or the new one, never half of it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyhot.errors import RunError

# full disk, used-up quota, file larger than the process may write
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes the place of `path` when the block ends well.

    A kill or an error at any moment leaves the old file (or none) under `path`. The new file is on the
    disk, not only in its cache, before it takes the old one's name.

    Raises:
        RunError: the disk is full or the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with telling_disk_errors(path):
        try:
            aside.touch()
            mode = aside.stat().st_mode  # as the umask has it; some writers make files for their owner alone
            yield aside
            aside.chmod(mode)
            _flush(aside)
            aside.replace(path)
            _flush(path.parent)
        finally:
            aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Make `content` the whole of the file at `path`, or leave what was there."""
    with replacing(path) as aside:
        aside.write_bytes(content)


@contextmanager
def telling_disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write at `path` into a `RunError` with the mend."""
    try:
        yield
    except OSError as error:
        raise RunError(_mend(path, error)) from error


def _mend(path: Path, error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return f"no room left on the disk for {path}: make room there; what was written before is kept"
    return f"cannot write {path}: {error.strerror or error}"


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
