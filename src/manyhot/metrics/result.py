"""Result: the values of an evaluation, each with what it is an average of, and the baseline's beside it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from manyhot._check import one_of
from manyhot.metrics.average import Counted

Interval = tuple[float, float]


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
    """

    values: Mapping[str, float]
    counted: Mapping[str, Counted]
    baseline: Mapping[str, float]
    baseline_is: str
    per_label: Mapping[str, NDArray[Any]]
    rows: int
    labels: int
    intervals: Mapping[str, Interval] = field(default_factory=dict)

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

    def to_columns(self) -> dict[str, list[Any]]:
        """The same as columns, ready for any DataFrame: `polars.DataFrame(result.to_columns())`."""
        records = self.to_records()
        return {key: [record[key] for record in records] for key in (records[0] if records else ())}

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold; NaN becomes None."""
        return {
            "rows": self.rows,
            "labels": self.labels,
            "baseline_is": self.baseline_is,
            "metrics": {record.pop("metric"): record for record in map(_plain, self.to_records())},
            "per_label": {name: _plain_list(column) for name, column in self.per_label.items()},
        }

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

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


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in record.items()}


def _plain_list(column: NDArray[Any]) -> list[Any]:
    return [_plain_value(value) for value in column.tolist()]


def _plain_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
