"""How a result looks in a terminal and in a notebook: baseline first, values, intervals, what was counted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from manyhot.metrics.result import Result
from manyhot.metrics.table import find_metric

if TYPE_CHECKING:
    from rich.table import Table

# What is shown of slices and in one line, as far as it is there.
SHOWN = ("f1_micro", "f1_macro", "ap_macro", "exact", "hamming", "lrap")
COLUMNS, WITH_ENDS = 6, 3  # of a table of slices or labels
ENDS = ("_low", "_high")


@dataclass(frozen=True)
class Grid:
    """One table as text.

    Attributes:
        title, caption: above and below it.
        headings: of its columns; the first one is left-aligned.
        rows: cells, a list a row.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def to_rich(self) -> "Table":
        """For a terminal."""
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=None, pad_edge=False, title=self.title, title_justify="left", title_style="bold")
        for place, heading in enumerate(self.headings):
            style = {"value": "bold", "baseline": "dim", "counted": "dim"}.get(heading)
            drawn.add_column(heading, justify="right" if place else "left", style=style)
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        if self.caption:
            drawn.caption, drawn.caption_justify = self.caption, "left"
        return drawn

    def to_html(self) -> str:
        """For a notebook."""
        head = "".join(f"<th>{escape(heading)}</th>" for heading in self.headings)
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        caption = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        return (
            f"<p><b>{escape(self.title)}</b></p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{caption}"
        )


def metrics_grid(result: Result) -> Grid:
    """A row a metric, an arrow where lower is better, columns only for what there is."""
    rows = []
    for record in result.to_records():
        name = record["metric"]
        cells = [name if find_metric(name).higher_is_better else f"{name} ↓"]
        cells += [_number(record["baseline"])] if result.baseline else []
        cells.append(_number(record["value"]))
        cells += [_ends(record["low"], record["high"])] if result.intervals else []
        rows.append([*cells, str(result.counted[name])])
    headings = ["metric", *(["baseline"] if result.baseline else []), "value"]
    headings += [*(["interval"] if result.intervals else []), "counted"]
    notes = [f"baseline: {result.baseline_is}"] if result.baseline_is else []
    further = [f"{len(result.slices)} slices"] if result.slices else []
    notes.append(f"{' and '.join([*further, f'{result.labels:,} labels'])} by themselves: result.show()")
    return Grid(f"{result.rows:,} rows, {result.labels:,} labels", headings, rows, "\n".join(notes))


def slices_grids(result: Result, limit: int) -> list[Grid]:
    """A table for each way to slice, of the metrics that most people look at first."""
    present = [name for name in result.values if any(name in part.values for part in result.slices)]
    names = [name for name in SHOWN if name in present] or present
    names = names[: WITH_ENDS if result.intervals else COLUMNS]
    grids = []
    for kind in dict.fromkeys(part.kind for part in result.slices):
        parts = [part for part in result.slices if part.kind == kind]
        rows = [
            [part.name, f"{part.size:,} {part.what}"]
            + [_with_ends(part.values.get(name, math.nan), part.intervals.get(name)) for name in names]
            for part in parts[:limit]
        ]
        grids.append(Grid(f"by {kind}", ["", "size", *names], rows, _left_out(len(parts), limit)))
    return grids


def labels_grid(result: Result, limit: int) -> Grid:
    """A row a label, the most frequent first."""
    table = result.per_label
    names = [name for name in list(table)[3:] if not name.endswith(ENDS)]
    names = names[: WITH_ENDS if any(name.endswith(ENDS) for name in table) else COLUMNS]
    rows = []
    for place in np.argsort(-np.asarray(table["positives"]), kind="stable")[:limit]:
        cells = [str(table["label"][place]), f"{int(table['positives'][place]):,}"]
        for name in names:
            ends = [float(table[f"{name}{end}"][place]) for end in ENDS if f"{name}{end}" in table]
            cells.append(_with_ends(float(table[name][place]), (ends[0], ends[1]) if ends else None))
        rows.append(cells)
    return Grid("by label", ["", "positives", *names], rows, _left_out(result.labels, limit))


def one_line(result: Result) -> str:
    """Shape and first metrics."""
    names = [name for name in SHOWN if name in result] or list(result)[:COLUMNS]
    shown = ", ".join(f"{name} {_number(result[name])}" for name in names)
    more = f" and {len(result) - len(names)} more" if len(result) > len(names) else ""
    return f"Result({result.rows:,} rows, {result.labels:,} labels: {shown}{more})"


def _left_out(size: int, limit: int) -> str:
    return f"{size - limit:,} more: limit={size}" if size > limit else ""


def _with_ends(value: float, ends: tuple[float, float] | None) -> str:
    if ends is None or math.isnan(value):
        return _number(value)
    return f"{value:.3f} ({ends[0]:.2f} - {ends[1]:.2f})"


def _ends(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{low:.4f} - {high:.4f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
