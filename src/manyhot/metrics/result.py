"""Result: the values of an evaluation, each with what it is an average of, and the baseline's beside it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from manyhot._check import one_of
from manyhot.metrics.average import Counted
from manyhot.metrics.slices import Slice

Interval = tuple[float, float]
Part: TypeAlias = Literal["metrics", "labels", "slices"]


@dataclass(frozen=True)
class Result:
    """What `evaluate` found.

    Attributes:
        values: metric name -> value, NaN where undefined.
        counted: metric name -> how many labels, rows or cells it is an average of (`931/1000 labels`).
        baseline: the same metrics of a predictor that has learned nothing; empty if not asked for.
        baseline_is: which predictor that is, in words.
        intervals: metric name -> (low, high); empty if not asked for.
        per_label: column name -> one value for each label: `label`, `positives`, `known` and per-label
            metrics, NaN where undefined.
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
            one_of("metric of this result", name, self.values)
        return self.values[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def to_records(self) -> list[dict[str, Any]]:
        """One record a metric: name, value, baseline, low, high, counted, of, what."""
        return [self._record(name) for name in self.values]

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
        low_high = {name: (record["low"], record["high"]) for name, record in metrics.items()}
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
            intervals={name: pair for name, pair in low_high.items() if None not in pair},
            slices=[_slice_of(part) for part in content.get("slices", ())],
        )

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def __rich__(self) -> Any:
        """A table, baseline first, for `rich.print` and notebooks."""
        from manyhot.metrics.render import table

        return table(self)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, color_system=None, highlight=False)
        with console.capture() as text:
            console.print(self)
        return text.get().rstrip()

    def _record(self, name: str) -> dict[str, Any]:
        low, high = self.intervals.get(name, (math.nan, math.nan))
        counted = self.counted[name]
        return {
            "metric": name,
            "value": self.values[name],
            "baseline": self.baseline.get(name, math.nan),
            "low": low,
            "high": high,
            "counted": counted.used,
            "of": counted.of,
            "what": counted.what,
        }


def _number(value: Any) -> Any:
    """The inverse of `_plain_value` where None stands for a number that is not finite."""
    return math.nan if value is None else value


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in record.items()}


def _plain_slice(part: Slice) -> dict[str, Any]:
    metrics = {
        name: _plain(
            {
                "value": value,
                "baseline": part.baseline.get(name, math.nan),
                "counted": part.counted[name].used,
                "of": part.counted[name].of,
                "what": part.counted[name].what,
            }
        )
        for name, value in part.values.items()
    }
    return {"kind": part.kind, "name": part.name, "size": part.size, "what": part.what, "metrics": metrics}


def _slice_of(content: Mapping[str, Any]) -> Slice:
    """The inverse of `_plain_slice`."""
    metrics = content["metrics"]
    return Slice(
        content["kind"],
        content["name"],
        content["size"],
        content["what"],
        {name: _number(record["value"]) for name, record in metrics.items()},
        {name: _number(record["baseline"]) for name, record in metrics.items()},
        {name: Counted(r["counted"], r["of"], r["what"]) for name, r in metrics.items()},
    )


def _plain_list(column: NDArray[Any]) -> list[Any]:
    return [_plain_value(value) for value in column.tolist()]


def _plain_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
