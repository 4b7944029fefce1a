"""Diagnosis: all that the doctor found, as one record."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from manyhot.data.doctor.features import Features
from manyhot.data.doctor.groups import FoundGroup
from manyhot.data.doctor.label_counts import Frequencies
from manyhot.data.doctor.pairs import AlwaysTogether, NeverTogether
from manyhot.data.doctor.repeats import Leaks, Repeats

Severity: TypeAlias = Literal["problem", "warning", "note"]
MARKS: Mapping[Severity, str] = {"problem": "!!", "warning": "!", "note": "-"}


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        severity: "problem": results would be wrong or nothing can be trained; "warning": something will go
            worse than it could; "note": worth knowing.
        text: what was found, with names and numbers.
        mend: what to do about it; "" where there is nothing to do.
    """

    severity: Severity
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{MARKS[self.severity]} {self.text}" + (f": {self.mend}" if self.mend else "")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is in a table.

    Attributes:
        rows, cells: number of rows; number of known cells.
        names: of the labels.
        parts: part -> rows, in the order train, valid, test; empty where the data names none.
        cardinality: labels a row, mean. density: share of the known cells that are positive.
        label_sets: number of different label sets.
        rows_without_labels: rows in which no label is positive.
        unknown_cells: cells whose value nobody knows.
        frequencies: of the labels.
        soft: targets were soft; everything here counts values from 0.5 on.
        grouped: the table names groups of rows that belong together.
        skipped: rows that reading left out, each with its reason.
        all_zero: metric -> value of a predictor that assigns no label and scores each label by its
            prevalence; only metrics that are defined.
        groups: labels that exclude each other and are not yet declared to.
        groups_complete: the search for groups ended by itself, not at its limit of work.
        always_together, never_together: surprising pairs outside those and the declared groups.
        pairs_complete: all labels took part in the search for pairs, not only frequent ones.
        violations: rule or group of the label space, as text -> rows that break it.
        absent_in: part -> names of labels without a row there though they occur elsewhere.
        repeats, leaks: equal rows; groups that parts separate.
        features: constant columns and missing cells.
        findings: of the above what matters, worst first, each with its mend.
    """

    rows: int
    cells: int
    names: tuple[str, ...]
    parts: Mapping[str, int]
    cardinality: float
    density: float
    label_sets: int
    rows_without_labels: int
    unknown_cells: int
    soft: bool
    grouped: bool
    skipped: tuple[str, ...]
    frequencies: Frequencies
    all_zero: Mapping[str, float]
    groups: tuple[FoundGroup, ...]
    groups_complete: bool
    always_together: tuple[AlwaysTogether, ...]
    never_together: tuple[NeverTogether, ...]
    pairs_complete: bool
    violations: Mapping[str, int]
    absent_in: Mapping[str, tuple[str, ...]]
    repeats: Repeats
    leaks: Leaks
    features: Features
    findings: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """Plain text: the data in a line, what all-zero predictions score, and a line a finding."""
        return [self.summary, *([self.baseline] if self.all_zero else []), *map(str, self.findings)]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"Diagnosis({self.summary}; {len(self.findings):,} findings, print it to read them)"

    @property
    def summary(self) -> str:
        """Rows, labels, cardinality, density and imbalance in one line."""
        parts = ", ".join(f"{name} {rows:,}" for name, rows in self.parts.items())
        return (
            f"{self.rows:,} rows{f' ({parts})' if parts else ''}, {len(self.names):,} labels, "
            f"{self.cardinality:.2f} labels a row{f' ({self.cut_told})' if self.soft else ''}, "
            f"density {self.density:.3g}, "
            f"{self.label_sets:,} label sets, mean imbalance {self.frequencies.mean_imbalance:.3g}"
        )

    @property
    def cut_told(self) -> str:
        """Where soft targets count as positive; "" of hard ones."""
        return "likelihoods cut at 0.5" if self.soft else ""

    @property
    def baseline(self) -> str:
        """What a predictor that has learned nothing scores, in one line."""
        shown = ("hamming", "exact", "f1_micro", "f1_macro", "ap_macro", "log_loss")
        scores = (f"{name} {self.all_zero[name]:.3f}" for name in shown if name in self.all_zero)
        return f"all-zero predictions score {', '.join(scores)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold, one record a label under `labels`; NaN and inf become None."""
        record = asdict(self)
        frequencies = record.pop("frequencies")
        columns = ("positives", "known", "prevalence", "imbalance")
        names = record.pop("names")
        record["labels"] = [
            dict(zip(("name", *columns), row, strict=True))
            for row in zip(names, *(frequencies.pop(column).tolist() for column in columns), strict=True)
        ]
        return _plain({**record, **frequencies})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
