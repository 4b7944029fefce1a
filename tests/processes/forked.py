"""`manyhot` commands as processes of their own, forked from one that has imported torch already.

A fresh interpreter takes seconds to import torch; a forked one starts at once, and is killed, interrupted and
limited as any other.
"""

import multiprocessing.process
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PRELOADED = [
    "forked",
    "torch._dynamo",  # loaded by the first optimiser, in two seconds
    "manyhot.cli.fit",
    "manyhot.cli.predict",
    "manyhot.runs.fitting",
    "manyhot.train.loop",
    "manyhot.kernels.numba_engine",
    "manyhot.kernels.linear_solver",
    "polars",
    "rich.progress",
]


@dataclass
class Command:
    """A started command; what it prints goes to two files."""

    process: "multiprocessing.process.BaseProcess"
    out: Path
    err: Path

    def wait(self, seconds: float = 120) -> int:
        """Its exit code; minus the signal that ended it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running after {seconds} s: {self.stderr}"
        return self.process.exitcode

    def wait_for(self, wanted: str, seconds: float = 120) -> None:
        """Until standard error holds these words."""
        begin = time.monotonic()
        while wanted not in self.stderr:
            assert self.process.is_alive(), f"it ended early: {self.stderr}"
            assert time.monotonic() - begin < seconds, f"{wanted!r} was not printed in {seconds} s"
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    @property
    def stdout(self) -> str:
        """All that it has printed on standard output so far."""
        return self.out.read_text()

    @property
    def stderr(self) -> str:
        """All that it has printed on standard error so far."""
        return self.err.read_text()


class Starter:
    """Starts commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, 0
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)

    def __call__(self, *arguments: object, before: Callable[[], None] | None = None) -> Command:
        """`manyhot ARGUMENTS`; `before` is called in its process first."""
        self.started += 1
        out, err = (self.folder / f".{self.started}.{name}" for name in ("out", "err"))
        out.touch()
        err.touch()
        process = self.context.Process(
            target=work, args=([str(a) for a in arguments], self.folder, out, err, before)
        )
        process.start()
        return Command(process, out, err)


def limit_file_size() -> None:
    """Files may grow to 64 kB: what a full disk does, without one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))


def work(arguments: list[str], folder: Path, out: Path, err: Path, before: Callable[[], None] | None) -> None:
    """What the process does; it ends with the command's exit code."""
    from manyhot.cli import main

    os.chdir(folder)
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), stream)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if before is not None:
        before()
    sys.argv = ["manyhot", *arguments]
    main(arguments, prog_name="manyhot")
