"""Where decisions come from: what a decided set remembers of the rule that made it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manyhot.labels.tuned_rows import RowMarks, TunedRows


@dataclass(frozen=True)
class Provenance:
    """What a rule writes on the sets that it decides.

    Attributes:
        names: of the labels by column; None where nothing named them.
        tuned_on: the rows that the rule was tuned on; None of one that was not tuned.
        marks: what the decided rows can be told by; None where nothing was tuned.
    """

    names: tuple[str, ...] | None = None
    tuned_on: TunedRows | None = None
    marks: RowMarks | None = None

    def rows(self, chosen: NDArray[np.int64]) -> "Provenance":
        """That of some rows only."""
        return self if self.marks is None else replace(self, marks=self.marks.rows(chosen))

    def columns(self, chosen: NDArray[np.int64]) -> "Provenance":
        """That of some labels only."""
        return self if self.names is None else replace(self, names=tuple(self.names[j] for j in chosen))

    @classmethod
    def concat(cls, parts: "Sequence[Provenance | None]") -> "Provenance | None":
        """That of the rows of all parts where one rule decided them, else None."""
        first, *others = parts
        if first is None or any(
            part is None or (part.names, part.tuned_on) != (first.names, first.tuned_on) for part in others
        ):
            return None
        marks = [part.marks for part in parts if part is not None and part.marks is not None]
        return replace(first, marks=RowMarks.concat(marks) if marks else None)
