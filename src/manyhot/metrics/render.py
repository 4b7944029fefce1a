"""How a result looks in a terminal or notebook: baseline first, values, intervals, what was counted."""

import math
from typing import TYPE_CHECKING

from manyhot.metrics.result import Result
from manyhot.metrics.table import find_metric

if TYPE_CHECKING:
    from rich.table import Table


def table(result: Result) -> "Table":
    """A rich table: a row a metric, an arrow where lower is better, columns only for what there is."""
    from rich.table import Table

    shape = f"{result.rows:,} rows, {result.labels:,} labels"
    drawn = Table(box=None, pad_edge=False, title=shape, title_justify="left", title_style="bold")
    drawn.add_column("metric")
    if result.baseline:
        drawn.add_column("baseline", justify="right", style="dim")
    drawn.add_column("value", justify="right", style="bold")
    if result.intervals:
        drawn.add_column("interval", justify="right")
    drawn.add_column("counted", justify="right", style="dim")
    for name, value in result.values.items():
        cells = [name if find_metric(name).higher_is_better else f"{name} ↓"]
        cells += [_number(result.baseline.get(name, math.nan))] if result.baseline else []
        cells.append(_number(value))
        cells += [_interval(result, name)] if result.intervals else []
        drawn.add_row(*cells, str(result.counted[name]))
    if result.baseline_is:
        drawn.caption = f"baseline: {result.baseline_is}"
        drawn.caption_justify = "left"
    return drawn


def _interval(result: Result, name: str) -> str:
    low, high = result.intervals.get(name, (math.nan, math.nan))
    return "-" if math.isnan(low) else f"{low:.4f} - {high:.4f}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
