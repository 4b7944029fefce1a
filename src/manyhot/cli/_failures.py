"""How a failure looks: one message on standard error and an exit code, never a bare traceback.

0 fine, 1 failed, 2 wrong use. `--debug` (or MANYHOT_DEBUG=1) lets the traceback through.
"""

import errno
import os
import re
import shlex
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from manyhot.errors import ManyhotError, ManyhotWarning, OptionError

FAILED, WRONG_USE = 1, 2
# a full disk, a used-up quota, a file larger than the process may write
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ARGUMENT = re.compile(
    r"\b(?P<name>labels|text|image|images|features|separator|unknown|split|group|space|layout|xml|test|valid|"
    r"tuned_rows|device|batch_size)=(?P<value>\[\.\.\.\]|\.\.\.|'[^']*'|True|(?=[ ,:;)]|$))"
)
DEBUG = "manyhot.debug"  # key in the click context's meta, set by the option --debug


class Stopped(ManyhotError):  # noqa: N818 - the user meant it, it is no error
    """The user stopped the command; the message says what is kept and how to go on."""


@contextmanager
def telling_failures(ctx: click.Context) -> Iterator[None]:
    """Report what the block raises as the command line should, and leave with the fitting code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", ManyhotWarning)
        warnings.showwarning = _warner(ctx, warnings.showwarning)
        try:
            yield
            sys.stdout.flush()  # so that a full disk is told here
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except KeyboardInterrupt:
            say("stopped", "nothing is left half-written")
            ctx.exit(FAILED)
        except BrokenPipeError:  # the reader, say `head`, has seen enough
            _close_stdout()
            ctx.exit(FAILED)
        except Exception as error:
            if _debugging(ctx):
                raise
            ctx.exit(_report(error))


def _debugging(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(DEBUG) or os.environ.get("MANYHOT_DEBUG"))


def _close_stdout() -> None:
    """Let what is still to be printed go nowhere: the interpreter would fail at it as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(kind: str, message: str) -> None:
    """Print `kind: message` on standard error, the kind in colour where there is a terminal."""
    click.echo(
        click.style(f"{kind}:", fg="yellow" if kind == "warning" else "red", bold=True), nl=False, err=True
    )
    click.echo(f" {message}", err=True)


def _report(error: Exception) -> int:
    if isinstance(error, Stopped):
        say("stopped", str(error))
        return FAILED
    if isinstance(error, ManyhotError):
        say("error", spoken(str(error)))
        for note in getattr(error, "__notes__", ()):
            click.echo(f"  {note}", err=True)
        return WRONG_USE if isinstance(error, OptionError) else FAILED
    if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
        _close_stdout()
        say("error", f"standard output cannot be written ({error.strerror}): make room, then do it again")
        return FAILED
    kept = _keep_traceback(error)
    say("error", f"an error that manyhot does not know, {type(error).__name__}: {error}")
    click.echo(f"  the full traceback is in {kept}; please report it with the command you typed", err=True)
    return FAILED


def spoken(message: str) -> str:
    """A message in which arguments of Python are the options of the command line: labels=... is --labels."""
    return _ARGUMENT.sub(_as_option, message)


def _as_option(found: "re.Match[str]") -> str:
    name, value = found["name"].replace("_", "-"), found["value"]
    if name == "tuned-rows":
        return "--allow-tuned-rows"
    if value == "[...]":
        return f"--{name} A,B"
    if value in ("", "True", "..."):
        return f"--{name}"
    return f"--{name} {shlex.quote(value[1:-1])}"


def _keep_traceback(error: Exception) -> Path:
    handle, name = tempfile.mkstemp(prefix="manyhot-error-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv)}\n\n")
        traceback.print_exception(error, file=file)
    return Path(name)


def _warner(ctx: click.Context, otherwise: Callable[..., None]) -> Callable[..., None]:
    """What manyhot warns of is for the user; what other packages warn of is for us, with --debug."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ManyhotWarning):
            say("warning", spoken(str(message)))
        elif _debugging(ctx):
            otherwise(message, category, *where, **more)

    return show
