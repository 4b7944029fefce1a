"""Tables of many numbers of which most are zero - words, tags, codes - as sparse rows of length 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.errors import InputError
from manyhot.models.columns import is_number, require_columns
from manyhot.models.preparation import Arrays, Preparation, array_to_text, text_to_array
from manyhot.models.prepared import InputShape, SparseRows, unit_rows, unit_rows_held_out


@dataclass(frozen=True, eq=False)
class BagPreparation(Preparation):
    """Numeric columns divided by the length of their row; a missing cell is zero.

    Args:
        names: of the columns that are not zero in every training row.
    """

    name: ClassVar[str] = "bag"
    reads: ClassVar[str] = "columns"

    names: tuple[str, ...]

    @property
    def shape(self) -> InputShape:
        """Sparse, one feature a column."""
        return InputShape("sparse", len(self.names))

    @classmethod
    def fit(cls, inputs: Any) -> "BagPreparation":
        """Find the columns that hold anything.

        Args:
            inputs: has `.frame`, a polars frame.

        Raises:
            InputError: a column holds words, a cell is infinite, or all are zero.
        """
        frame = inputs.frame
        words = [name for name in frame.columns if not is_number(frame[name])]
        if words:
            raise InputError(
                f"the preparation bag reads numbers, column {words[0]!r} holds words: take columns"
            )
        used = np.bincount(_matrix(frame, frame.columns).indices, minlength=frame.width) > 0
        if not used.any():
            raise InputError("all columns are zero in every row: there is nothing to learn from")
        return cls(tuple(name for name, kept in zip(frame.columns, used, strict=True) if kept))

    def prepare(self, inputs: Any) -> SparseRows:
        """(rows, columns) float32, each row of length 1.

        Raises:
            InputError: a column is missing, or a cell is infinite.
        """
        require_columns(inputs.frame, self.names)
        return SparseRows(unit_rows(_matrix(inputs.frame, self.names)))

    def held_out(self, rows: Any, fold: NDArray[np.integer[Any]]) -> SparseRows:
        """Rows without the columns that are zero in the other folds, at length 1 again."""
        return unit_rows_held_out(rows, fold)

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The names."""
        return {}, {"names": text_to_array(list(self.names))}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "BagPreparation":  # noqa: ARG003
        """The preparation that gave this state."""
        return cls(tuple(array_to_text(arrays["names"])))


def is_bag(inputs: Any, columns: int = 100, filled: float = 0.1) -> bool:
    """Whether inputs are many numeric columns, nothing missing or infinite, of which most cells are zero."""
    if inputs.kind != "columns" or len(inputs.names) < columns:
        return False
    frame = inputs.frame
    if not all(is_number(frame[name]) and _is_finite(frame[name]) for name in frame.columns):
        return False
    used = sum(int((frame[name] != 0).sum()) for name in frame.columns)
    return used <= filled * len(inputs) * len(inputs.names)


def _is_finite(series: Any) -> bool:
    return not series.null_count() and bool(series.cast(float).is_finite().all())


def _matrix(frame: Any, names: Any) -> csr_array:
    """(rows, names)."""
    dense = frame.select(names).cast(float).fill_null(0).fill_nan(0).to_numpy()
    infinite = np.argwhere(np.isinf(dense))
    if len(infinite):
        row, column = infinite[0]
        raise InputError(
            f"row {row + 1}: column {names[column]!r} is infinite: mend the cell, or leave it blank"
        )
    return csr_array(dense)
