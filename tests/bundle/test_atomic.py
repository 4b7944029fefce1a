"""Files that are either the old one or the new one."""

import errno
import multiprocessing
import os
import resource
import signal
import stat
import time
from pathlib import Path

import pytest

from manyhot.bundle.atomic import replacing, write_bytes
from manyhot.errors import RunError


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write_half(path: Path, error: Exception) -> None:
    with replacing(path) as aside:
        aside.write_bytes(b"half")
        raise error


def test_writes_a_new_file_and_leaves_nothing_beside_it(tmp_path):
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names_in(tmp_path) == ["a"]


def test_an_error_in_the_block_keeps_the_old_file_and_cleans_up(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError, match="in the block"):
        write_half(tmp_path / "a", ZeroDivisionError("in the block"))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_the_mend_and_keeps_the_old_file(tmp_path, code):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(RunError, match=r"no room left on the disk for .*/a: make room there"):
        write_half(tmp_path / "a", OSError(code, os.strerror(code)))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a"]


def write_with_a_limit(path: Path, limit: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        write_bytes(path, b"x" * (limit * 4))
    except RunError:
        os._exit(7)
    os._exit(0)


def test_a_real_limit_on_file_size_is_met_with_a_run_error(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    process = multiprocessing.get_context("fork").Process(
        target=write_with_a_limit, args=(tmp_path / "a", 4096)
    )
    process.start()
    process.join()
    assert process.exitcode == 7
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a"]


def write_for_ever(path: Path) -> None:
    for number in range(10**9):
        write_bytes(path, str(number % 10).encode() * 300_000)


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "a"
    for delay in (0.05, 0.1, 0.13, 0.17):
        process = multiprocessing.get_context("fork").Process(target=write_for_ever, args=(path,))
        process.start()
        while not path.exists():
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        process.join()
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match=r"cannot write .*/none/a: No such file or directory"):
        write_bytes(tmp_path / "none" / "a", b"")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_has_the_mode_that_the_umask_gives_whoever_writes_it(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "weights") as aside:
            aside.unlink()
            aside.touch(0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == mode
