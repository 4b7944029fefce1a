"""How results look: aligned tables on standard output, nothing but text where it is no terminal."""

import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from manyhot.metrics import Result

WIDTH = 100
"""Columns of a table where the output is no terminal."""

INDENT = 10
"""Columns of the word that a line of progress begins with."""

# metric -> what the table calls it; the rest of a result is in metrics.json
HEADLINES = {
    "hamming": "hamming (share of right cells)",
    "exact": "exact match (whole rows)",
    "f1_micro": "F1 micro",
    "f1_macro": "F1 macro",
    "f1_samples": "F1 samples",
    "ap_macro": "mAP (average precision, macro)",
    "lrap": "LRAP (ranking of labels)",
}


def console(*, errors: bool = False) -> "Console":
    """A rich console on standard output, or on standard error."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else WIDTH, soft_wrap=False)


def say(kind: str, text: str, *, errors: bool = False) -> None:
    """What a line is about, then what there is to say; on a terminal, long lines are indented.

    Args:
        kind: one word, or "" for more of the line before.
        text: any length.
        errors: on standard error, because standard output is for JSON.
    """
    said = f"{kind:{INDENT}}{text}"
    if console(errors=errors).is_terminal:
        width = shutil.get_terminal_size().columns
        said = textwrap.fill(said, width, subsequent_indent=" " * INDENT, break_on_hyphens=False)
    click.echo(click.style(said[:INDENT], bold=True) + said[INDENT:], err=errors)


def print_json(content: Any) -> None:
    """One JSON document on standard output."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


def print_results(columns: Mapping[str, Mapping[str, float]], result: "Result") -> None:
    """The results table: baseline first, then a column for each way to decide, and what was counted.

    Args:
        columns: heading -> metric -> value.
        result: says which metrics there are, the baseline's values and the counts.
    """
    rows = []
    for name in [name for name in HEADLINES if name in result]:
        values = [
            result.baseline.get(name, math.nan),
            *(values.get(name, math.nan) for values in columns.values()),
        ]
        rows.append([HEADLINES[name], *map(number, values), str(result.counted[name])])
    print_table(["", "baseline", *columns, "counted"], rows, right=range(1, len(columns) + 2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """An aligned table without lines; the columns numbered in `right` are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def number(value: float) -> str:
    """Four digits; a dash where undefined."""
    return "-" if math.isnan(value) else f"{value:.4f}"
