"""What a fit should say of its rows before it trains, beside what reading them has said."""

from collections.abc import Iterator

import numpy as np

from manyhot.data import Table
from manyhot.data.doctor.findings import separated
from manyhot.data.doctor.repeats import group_leaks
from manyhot.data.frames import listed
from manyhot.data.index import count
from manyhot.runs.parts import Parts
from manyhot.runs.seen import SeenRows


def doubts(table: Table, parts: Parts) -> Iterator[str]:
    """Labels that no training row has, and rows that the label space does not allow, a sentence each."""
    counts = table.targets.rows(parts.train).label_counts()
    tested = table.targets.rows(parts.test).label_counts()
    lost = [
        name for name, has, wants in zip(table.space.names, counts, tested, strict=True) if wants > has == 0
    ]
    if lost:
        yield f"{count(len(lost), 'label is', 'labels are')} in test rows only: {listed(lost, 5)}"
    for rule, rows in table.space.violations(table.targets).items():
        yield f"{count(rows, 'row is', 'rows are')} against the label space: {rule}"


def leaking(table: Table) -> Iterator[str]:
    """Groups that the parts of the data separate, as the doctor tells of them."""
    for finding in separated(group_leaks(table)):
        yield f"{finding.text}: {finding.mend}"


def repeated(seen: SeenRows) -> tuple[str, bool]:
    """Test rows that equal training rows, in words, and whether they are more than repetition explains."""
    rows = int(np.count_nonzero(seen.learned(seen.test)))
    if not rows:
        return "", False
    told = f"{rows:,} of the {len(seen.test):,} test rows equal training rows, in inputs and labels"
    many = seen.are_too_many(rows, len(seen.test))
    return (f"{told}: their figures will flatter the run; test on other rows" if many else told), many
