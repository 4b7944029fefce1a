"""Texts and the columns beside them, as one sparse matrix: TF-IDF first, then numbers and categories."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from manyhot import _check
from manyhot.errors import InputError
from manyhot.models.columns import (
    Column,
    ColumnsPreparation,
    NumberColumn,
    fitted_columns,
    require_columns,
)
from manyhot.models.preparation import Arrays, Preparation
from manyhot.models.prepared import InputShape, SparseRows
from manyhot.models.text import TfidfPreparation


@dataclass(frozen=True, eq=False)
class MixedPreparation(Preparation):
    """TF-IDF rows of length 1, and beside them columns that are together about as long.

    Numbers are scaled and categories one-hot, as for tables; all are then multiplied by one factor, so that
    a handful of them neither drowns the words nor drowns among them.

    Args:
        names: of the text columns, joined as one text.
        words: fitted on the texts.
        columns: fitted on the other columns; none if these tell no rows apart.
        factor: of the columns.
        energy: mean squared length of the training rows.
        notes: what was left out.
    """

    name: ClassVar[str] = "mixed"
    reads: ClassVar[str] = "mixed"

    names: tuple[str, ...]
    words: TfidfPreparation
    columns: tuple[Column, ...]
    factor: float
    energy: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> InputShape:
        """Sparse: the terms, then the columns."""
        return InputShape("sparse", len(self.words.terms) + sum(map(_width, self.columns)))

    @classmethod
    def fit(cls, inputs: Any, column_weight: float = 1.0, **options: Any) -> "MixedPreparation":
        """Collect vocabulary, scales and categories.

        Args:
            inputs: has `.frame`, a polars frame, `.text`, the names of its text columns, `.texts` and
                `.columns`, the two parts.
            column_weight: mean squared length of the columns of a row, where that of its words is 1; > 0.
            options: of `TfidfPreparation.fit`.

        Raises:
            InputError: no row has a term, or no column is named as text.
        """
        _check.at_least("column_weight", column_weight, 1e-6)
        if not inputs.text:
            raise InputError(
                f"none of the columns {', '.join(inputs.names[:8])} holds texts: name it with text="
            )
        words = TfidfPreparation.fit(inputs.texts, **options)
        columns, notes = fitted_columns(inputs.columns.frame)
        energy = float(_side_by_side(columns, inputs.frame, 1.0).power(2).sum()) / max(1, len(inputs))
        factor = float(np.sqrt(column_weight / energy)) if energy else 1.0
        total = 1.0 + (column_weight if energy else 0.0)
        return cls(inputs.text, words, columns, factor, total, notes)

    def prepare(self, inputs: Any) -> SparseRows:
        """(rows, terms and columns) float32.

        Raises:
            InputError: a column is missing, or holds text where numbers were.
        """
        require_columns(inputs.frame, (*self.names, *(column.name for column in self.columns)))
        words = self.words.prepare(inputs.with_text(self.names).texts).matrix
        beside = _side_by_side(self.columns, inputs.frame, self.factor)
        return SparseRows(csr_array(hstack([words, beside], format="csr", dtype=np.float32)))

    def held_out(self, rows: Any, fold: NDArray[np.integer[Any]]) -> SparseRows:
        """The words as texts are held out, the columns beside them as they are."""
        terms = len(self.words.terms)
        words = self.words.held_out(SparseRows(csr_array(rows.matrix[:, :terms])), fold).matrix
        beside = [words, rows.matrix[:, terms:]]
        return SparseRows(csr_array(hstack(beside, format="csr", dtype=np.float32)))

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The options and columns as JSON; vocabulary and weights as arrays."""
        words, arrays = self.words.to_state()
        columns, _ = ColumnsPreparation(self.columns, self.notes).to_state()
        config = {"names": list(self.names), "words": words, "factor": self.factor, "energy": self.energy}
        return config | columns, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "MixedPreparation":
        """The preparation that gave this state."""
        words = TfidfPreparation.from_state(config["words"], arrays)
        fitted = ColumnsPreparation.from_state(config, {})
        names = tuple(config["names"])
        return cls(names, words, fitted.columns, config["factor"], config["energy"], fitted.notes)


def _width(column: Column) -> int:
    return 1 + column.marked if isinstance(column, NumberColumn) else len(column.categories)


def _side_by_side(columns: tuple[Column, ...], frame: Any, factor: float) -> csr_array:
    """(rows, widths of the columns) float32; zeros are not stored."""
    blocks: list[Any] = [csr_array((frame.height, 0), dtype=np.float32)]
    for column in columns:
        series = frame[column.name]
        if isinstance(column, NumberColumn):
            blocks += [csr_array(part[:, None]) for part in column.features(series)]
        else:
            blocks.append(_one_hot(column.codes(series), len(column.categories)))
    return csr_array(hstack(blocks, format="csr", dtype=np.float32) * np.float32(factor))


def _one_hot(codes: NDArray[np.int64], width: int) -> csr_array:
    """A row a code: code 0 is none of the categories."""
    rows = np.flatnonzero(codes)
    values = np.ones(len(rows), np.float32)
    return csr_array((values, (rows, codes[rows] - 1)), shape=(len(codes), width))
