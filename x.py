#!/usr/bin/env python3
"""Make the environment, then run the project's commands in it. Needs Python 3.11+ and nothing else.

python3 x.py setup           make .venv from pyproject.toml and constraints.txt
python3 x.py demo [...]      the same, then `manyhot demo`
python3 x.py test [...]      the same, then the tests
python3 x.py check           the same, then lint, types and import contracts

MANYHOT_EXTRAS=keras,triton  installs further extras as well
MANYHOT_VENV=path            puts the environment there instead of .venv
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("MANYHOT_VENV") or ROOT / ".venv").absolute()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")
EXTRAS = ["test", *filter(None, os.environ.get("MANYHOT_EXTRAS", "").split(","))]
STAMP = VENV / ".manyhot-stamp"

COMMANDS = {
    "setup": [],
    "demo": [[PYTHON, "-m", "manyhot", "demo"]],
    "test": [[PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile"]],
    "check": [
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "ruff", "format", "--check", "."],
        [str(BIN / "lint-imports")],
        [str(BIN / "pyright"), "--pythonpath", PYTHON],
    ],
}


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - started by whatever python3 the user has
        print(f"x.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    if not make_environment():
        return 1
    steps = COMMANDS[sys.argv[1]]
    for step in steps:
        code = subprocess.call([*step, *sys.argv[2:]], cwd=ROOT)
        if code:
            return code
    if not steps:
        print(f"x.py: the environment is ready: {PYTHON}")
    return 0


def make_environment() -> bool:
    """Install once for each state of the project's own files; True when it stands."""
    with only_one_at_a_time():
        wanted = fingerprint()
        state, *installed = STAMP.read_text().split() if STAMP.exists() else [""]
        if state == wanted and set(EXTRAS) <= set(installed):
            return True
        fresh = state != wanted
        extras = sorted({*EXTRAS} if fresh else {*EXTRAS, *installed})
        print(f"x.py: making {VENV} (about 2 GB, one to three minutes)", file=sys.stderr)
        if not install(extras, fresh):
            return False
        STAMP.write_text(" ".join([wanted, *extras]))
        return True


def fingerprint() -> str:
    inputs = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*inputs, sys.version.encode()])).hexdigest()


def install(extras: list[str], fresh: bool) -> bool:
    # A set PYTHONDONTWRITEBYTECODE would make every later start of torch twice as slow.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    target = ["-c", "constraints.txt", "-e", f".[{','.join(extras)}]"]
    uv = shutil.which("uv")
    if uv:
        links = [part for link in pip_find_links() for part in ("--find-links", link)]
        create = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)]
        fill = [uv, "pip", "install", "--compile-bytecode", "--python", PYTHON, *links, *target]
    else:
        create = [sys.executable, "-m", "venv", "--clear", str(VENV)]
        fill = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", *target]
        if importlib.util.find_spec("ensurepip") is None:
            print(
                "x.py: this Python has no ensurepip; install it (Debian: apt-get install python3-venv) "
                "or put `uv` on the PATH, then run this again",
                file=sys.stderr,
            )
            return False
    steps = [create, fill] if fresh else [fill]
    for step in steps:
        done = subprocess.run(step, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-4000:] + done.stderr[-4000:], file=sys.stderr)
            print(f"x.py: the installation failed: {' '.join(step)}", file=sys.stderr)
            return False
    return True


def pip_find_links() -> list[str]:
    """Folders of wheels that pip is set to look in; uv ignores pip's settings."""
    configured = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True
    )
    return configured.stdout.split() or os.environ.get("PIP_FIND_LINKS", "").split()


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Two first runs at once would write into one environment; the second waits. Freed even by a kill."""
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with VENV.with_name(VENV.name + ".lock").open("w") as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
