"""The command `manyhot`: each command is one file of this folder and is imported when it is called."""

import os
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from manyhot import __version__
from manyhot.cli._failures import telling_failures

# command -> what `manyhot --help` says of it; the command is `command` in the module of that name
COMMANDS = {
    "demo": "Train, evaluate and predict on embedded data, in about a minute.",
    "doctor": "Say what is in DATA, what will go wrong, and what to do about it.",
    "fit": "Train on DATA, tune the cuts, evaluate against the baseline, keep the run.",
    "evaluate": "Measure a run on its own test rows, or on new labelled data.",
    "predict": "Name the labels of files, folders or rows from standard input.",
    "losses": "List the losses, or explain and draw one.",
    "datasets": "List the embedded data sets, or write one as files.",
}


class Commands(click.Group):
    """Looks a command up by name without importing the others, and reports every failure in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Names of all commands, in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command, imported now; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"manyhot.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The list of commands for --help, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that the arguments name; a misspelt one is answered with the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever fails in it is reported here."""
        # Threads that spin while they wait take the time of those waited for, where processors are shared.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        with telling_failures(ctx):
            return super().invoke(ctx)


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, package_name="manyhot", message="%(prog)s %(version)s")
def main() -> None:
    """Multi-label classification, from a file to a model you can trust.

    DATA is a CSV, TSV, JSONL or Parquet file, a folder or zip of images whose sub-folder names carry the
    labels, ARFF, multi-label libsvm, fastText lines, or the extreme-classification format.

    \b
      manyhot demo                        the whole way on embedded data
      manyhot doctor DATA                 look before you train
      manyhot fit DATA --out runs/a       train, tune, evaluate
      manyhot predict runs/a NEW          names for new rows
    """
