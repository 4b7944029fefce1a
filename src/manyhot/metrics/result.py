"""Result: the values of an evaluation, each with what it is an average of, and the baseline's beside it."""

import json
import math
import sys
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from manyhot._check import one_of
from manyhot.errors import OptionError, UnknownNameError
from manyhot.metrics.average import Counted
from manyhot.metrics.slices import Slice, records_of

if TYPE_CHECKING:
    from manyhot.metrics.render import Grid

WIDTH = 100  # of text that goes to no terminal
Interval = tuple[float, float]
Part: TypeAlias = Literal["metrics", "labels", "slices"]


@dataclass(frozen=True, repr=False)
class Result:
    """What `evaluate` found: a mapping of metric names to values, and what belongs to them.

    Attributes:
        values: metric name -> value, NaN where undefined.
        counted: metric name -> how many labels, rows or cells it is an average of (`931/1000 labels`).
        baseline: the same metrics of a predictor that has learned nothing; empty if not asked for.
        baseline_is: which predictor that is, in words.
        intervals: metric name -> (low, high); empty if not asked for.
        per_label: column name -> one value for each label: `label`, `positives`, `known` and per-label
            metrics, NaN where undefined; with intervals also `f1_low`, `f1_high` and so on.
        rows, labels: shape of what was evaluated.
        slices: the same metrics of parts of the labels or rows.
        replicates: metric name -> (replicates,) bootstrap values behind the intervals, for `paired_test`.
        draws_of: fingerprint of the rows and draws; equal in results that can be paired.
    """

    values: Mapping[str, float]
    counted: Mapping[str, Counted]
    baseline: Mapping[str, float]
    baseline_is: str
    per_label: Mapping[str, NDArray[Any]]
    rows: int
    labels: int
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    slices: Sequence[Slice] = ()
    replicates: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    draws_of: str = ""

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            try:
                one_of("metric of this result", name, self.values)
            except OptionError as error:
                raise UnknownNameError(str(error)) from None
        return self.values[name]

    def keys(self) -> KeysView[str]:
        """The metrics' names, so that `dict(result)` works."""
        return self.values.keys()

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def to_records(self) -> list[dict[str, Any]]:
        """One record a metric: name, value, baseline, low, high, counted, of, what."""
        return records_of(self.values, self.baseline, self.intervals, self.counted)

    def to_columns(self, part: Part = "metrics") -> dict[str, list[Any]]:
        """A table as columns, ready for any DataFrame: `polars.DataFrame(result.to_columns("labels"))`.

        Args:
            part: "metrics" has a row a metric, as `to_records`; "labels" a row a label, as `per_label`;
                "slices" a row for each metric of each slice.

        Raises:
            OptionError: no such part.
        """
        if one_of("part", part, get_args(Part)) == "labels":
            return {name: column.tolist() for name, column in self.per_label.items()}
        records = self.to_records()
        if part == "slices":
            records = [record for each in self.slices for record in each.to_records()]
        return {key: [record[key] for record in records] for key in (records[0] if records else ())}

    def to_frame(
        self, part: Part = "metrics", *, frame: Callable[[dict[str, list[Any]]], Any] | None = None
    ) -> Any:
        """A table as a DataFrame: `result.to_frame("labels")`, `result.to_frame(frame=pandas.DataFrame)`.

        Decision: metrics need neither polars nor pandas. The frame is made by the constructor that is passed;
        polars, which manyhot installs, is imported here and nowhere else, and only where none is passed. The
        import contract in pyproject.toml names this one exception.

        Args:
            part: see `to_columns`.
            frame: makes a DataFrame of a dict of columns; None is `polars.DataFrame`.

        Raises:
            OptionError: no such part.
        """
        columns = self.to_columns(part)
        if frame is not None:
            return frame(columns)
        import polars

        return polars.DataFrame(columns)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold; NaN becomes None."""
        return {
            "rows": self.rows,
            "labels": self.labels,
            "baseline_is": self.baseline_is,
            "metrics": {record.pop("metric"): record for record in map(_plain, self.to_records())},
            "slices": [_plain_slice(part) for part in self.slices],
            "per_label": {name: _plain_list(column) for name, column in self.per_label.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Result":
        """The result that `to_dict` wrote."""
        metrics = content["metrics"]
        return cls(
            values={name: _number(record["value"]) for name, record in metrics.items()},
            counted={name: Counted(r["counted"], r["of"], r["what"]) for name, r in metrics.items()},
            baseline={name: _number(r["baseline"]) for name, r in metrics.items()}
            if content["baseline_is"]
            else {},
            baseline_is=content["baseline_is"],
            per_label={
                name: np.array([_number(v) for v in column] if None in column else column)
                for name, column in content["per_label"].items()
            },
            rows=content["rows"],
            labels=content["labels"],
            intervals=_ends_of(metrics),
            slices=[_slice_of(part) for part in content.get("slices", ())],
        )

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def show(self, *, labels: bool = True, slices: bool = True, limit: int = 20) -> None:
        """Print the table, the slices, and a line for each label, the most frequent first.

        Args:
            labels, slices: whether to print them.
            limit: of the slices of one kind, and of the labels.
        """
        from rich.console import Console

        console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
        for grid in self._grids(labels, slices, limit):
            console.print(grid.to_rich())

    def __rich__(self) -> Any:
        """A table, baseline first, for `rich.print`."""
        from manyhot.metrics.render import metrics_grid

        return metrics_grid(self).to_rich()

    def _repr_html_(self) -> str:
        """The tables, for notebooks."""
        return "".join(grid.to_html() for grid in self._grids(True, True, 20))

    def __repr__(self) -> str:
        from manyhot.metrics.render import one_line

        return one_line(self)

    def _grids(self, labels: bool, slices: bool, limit: int) -> "list[Grid]":
        from manyhot.metrics.render import labels_grid, metrics_grid, slices_grids

        grids = [metrics_grid(self)]
        grids += slices_grids(self, limit) if slices else []
        return [*grids, labels_grid(self, limit)] if labels else grids

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, color_system=None, highlight=False)
        with console.capture() as text:
            console.print(self)
        return text.get().rstrip()


def _number(value: Any) -> Any:
    """The inverse of `_plain_value` where None stands for a number that is not finite."""
    return math.nan if value is None else value


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in record.items()}


def _plain_slice(part: Slice) -> dict[str, Any]:
    records = records_of(part.values, part.baseline, part.intervals, part.counted)
    metrics = {record.pop("metric"): record for record in map(_plain, records)}
    return {"kind": part.kind, "name": part.name, "size": part.size, "what": part.what, "metrics": metrics}


def _slice_of(content: Mapping[str, Any]) -> Slice:
    """The inverse of `_plain_slice`; slices of older results have no intervals."""
    metrics = content["metrics"]
    return Slice(
        content["kind"],
        content["name"],
        content["size"],
        content["what"],
        {name: _number(record["value"]) for name, record in metrics.items()},
        {name: _number(record["baseline"]) for name, record in metrics.items()},
        {name: Counted(r["counted"], r["of"], r["what"]) for name, r in metrics.items()},
        _ends_of(metrics),
    )


def _ends_of(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Interval]:
    """The intervals of those metrics that have one."""
    ends = {name: (record.get("low"), record.get("high")) for name, record in metrics.items()}
    return {name: (low, high) for name, (low, high) in ends.items() if low is not None and high is not None}


def _plain_list(column: NDArray[Any]) -> list[Any]:
    return [_plain_value(value) for value in column.tolist()]


def _plain_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
