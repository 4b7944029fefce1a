"""Options that several commands share: how DATA is to be read, `--json`, `--debug`."""

from collections.abc import Callable
from typing import Any

import click

from manyhot.cli._failures import DEBUG
from manyhot.errors import InputError

Command = Callable[..., Any]


class DataPath(click.ParamType):
    """A path where something is, or the name of an embedded data set."""

    name = "data"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from pathlib import Path

        if Path(value).expanduser().exists():
            return value
        from manyhot.data.files import existing
        from manyhot.runs.source import is_embedded

        if is_embedded(value):
            return value

        try:
            existing(value)
        except InputError as error:
            self.fail(str(error), param, ctx)
        return value


class Names(click.ParamType):
    """Column names, separated by commas."""

    name = "a,b,c"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        names = (
            [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
        )
        if not names:
            self.fail("expected one name or several, separated by commas", param, ctx)
        return names


class Setting(click.ParamType):
    """`name=value`, the value a number, true, false, or text."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        if not equals or not name:
            self.fail(f"expected name=value, got {value!r}", param, ctx)
        return name.strip().replace("-", "_"), _value_of(text.strip())


def _value_of(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


_READ_OPTIONS = [
    click.option("--labels", type=Names(), help="Label column, or columns separated by commas."),
    click.option("--text", type=Names(), help="Column, or columns, with the text."),
    click.option("--image", metavar="COLUMN", help="Column with the image file's name."),
    click.option("--features", type=Names(), help="Input columns; all others are left out."),
    click.option("--images", type=click.Path(exists=True), help="Folder or zip that the image names are in."),
    click.option("--separator", help="What joins several labels: in a column, or in folder names."),
    click.option("--unknown", metavar="CODE", help="Value that means: nobody knows. Blank always does."),
    click.option("--split", metavar="COLUMN", help="Column that says train, valid or test; '' for none."),
    click.option("--group", metavar="COLUMN", help="Rows with the same value stay in one part."),
    click.option("--space", type=click.Path(exists=True, dir_okay=False), help="Label space, JSON or YAML."),
    click.option("--layout", help="File layout, where it is not the one that its content suggests."),
    click.option(
        "--xml", type=click.Path(exists=True, dir_okay=False), help="Label names of a Mulan ARFF file."
    ),
    click.option(
        "--test", type=click.Path(exists=True), help="File, split file or folder with the test rows."
    ),
    click.option("--valid", type=click.Path(exists=True), help="File or folder with the validation rows."),
]
READ_NAMES = (
    "labels", "text", "image", "features", "images", "separator", "unknown", "split", "group", "space",
    "layout", "xml", "test", "valid",
)  # fmt: skip


def read_options(command: Command) -> Command:
    """Add the options that say how DATA is read; all may be left out."""
    for option in reversed(_READ_OPTIONS):
        command = option(command)
    return command


def shared_options(command: Command) -> Command:
    """Add `--json` and `--debug`."""
    command = click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember_debug, hidden=True
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON on standard output, nothing else."
    )(command)


def _remember_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[DEBUG] = True


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `read_options` that were given, taken out of a command's keyword arguments."""
    return {name: value for name in READ_NAMES if (value := options.pop(name)) is not None}
