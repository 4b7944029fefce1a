"""Options that several commands share: how DATA is to be read, `--json`, `--debug`."""

import shlex
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.core import ParameterSource

from manyhot._check import LARGEST_SEED
from manyhot.cli._failures import DEBUG
from manyhot.errors import InputError

Command = Callable[..., Any]
SEED = click.IntRange(0, LARGEST_SEED)


class DataPath(click.ParamType):
    """A path where something is, or the name of an embedded data set."""

    name = "data"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from pathlib import Path

        if Path(value).expanduser().exists():
            return value
        from manyhot.runs.source import is_embedded

        return value if is_embedded(value) else self.there(value, param, ctx)

    def there(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path; a usage error with the nearest names where nothing is there."""
        from manyhot.data.files import existing

        try:
            existing(value)
        except InputError as error:
            self.fail(str(error), param, ctx)
        return value


class InputPath(DataPath):
    """A path where something is, or - for standard input."""

    name = "input"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value == "-":
            return value
        return self.there(value, param, ctx)


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


def given(ctx: click.Context) -> dict[str, click.Parameter]:
    """The options that were typed, by their long names."""
    return {
        parameter.opts[0]: parameter
        for parameter in ctx.command.params
        if parameter.param_type_name == "option"
        and ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    }


def typed_again(ctx: click.Context, names: Iterable[str]) -> str:
    """Those of these options that were typed, as they can be typed again, with a space before each."""
    again = []
    for option, parameter in given(ctx).items():
        value = ctx.params.get(parameter.name or "")
        if parameter.name in names:
            text = ",".join(value) if isinstance(value, list) else str(value)
            again.append(f" {option} {shlex.quote(text)}")
    return "".join(again)
