"""What a preparation makes of raw inputs: rows that can be sliced into batches, in any order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor


@dataclass(frozen=True)
class InputShape:
    """What an encoder is given.

    Args:
        form: "dense" float32 (rows, width), "sparse" a `SparseBatch`, or "image" float32
            (rows, 3, width, width).
        width: number of features, or the side of the square image in pixels.
        categories: how many codes each of the last `len(categories)` dense columns holds. Those
            columns are whole numbers to be embedded, not quantities.
    """

    form: Literal["dense", "sparse", "image"]
    width: int
    categories: tuple[int, ...] = ()


@dataclass(frozen=True)
class SparseBatch:
    """A batch of rows with few non-zero features, compressed by row; it is never made dense.

    Row i owns columns[starts[i]:starts[i + 1]] and the values at the same places.

    Args:
        starts: (rows + 1,) int64.
        columns: (non-zeros,) int64, in [0, width).
        values: (non-zeros,) float32.
        width: number of features.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor
    width: int

    @classmethod
    def of(cls, matrix: Any) -> "SparseBatch":
        """The rows of a SciPy matrix."""
        return cls(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            int(matrix.shape[1]),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.values.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "SparseBatch":
        """The same batch on another device."""
        parts = (self.starts, self.columns, self.values)
        starts, columns, values = (part.to(device, non_blocking=non_blocking) for part in parts)
        return SparseBatch(starts, columns, values, self.width)

    def to_scipy(self) -> csr_array:
        """The same batch as a SciPy matrix that shares its memory; the batch must be on the CPU."""
        parts = (self.values.numpy(), self.columns.numpy(), self.starts.numpy())
        return csr_array(parts, shape=(len(self), self.width))


Batch: TypeAlias = Tensor | SparseBatch


class Prepared(Protocol):
    """Prepared rows. Rows are numbered from 0; a batch may hold any of them in any order."""

    def __len__(self) -> int: ...

    def batch(self, rows: Tensor) -> Batch:
        """The given rows, on the CPU."""
        ...

    def batches(self, plan: Iterable[Tensor]) -> Iterator[Batch]:
        """One batch for each entry of the plan, in its order."""
        ...


@dataclass(frozen=True)
class DenseRows:
    """Rows of a float32 matrix (rows, features)."""

    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, rows: Tensor) -> Tensor:
        """(len(rows), features) float32."""
        return self.values[rows]

    def batches(self, plan: Iterable[Tensor]) -> Iterator[Tensor]:
        """One matrix for each entry of the plan."""
        return map(self.batch, plan)


@dataclass(frozen=True)
class SparseRows:
    """Rows of a float32 CSR matrix (rows, features)."""

    matrix: csr_array

    def __len__(self) -> int:
        return len(self.matrix.indptr) - 1

    def batch(self, rows: Tensor) -> SparseBatch:
        """The rows, still compressed."""
        picked: Any = self.matrix[rows.numpy()]
        return SparseBatch.of(picked)

    def batches(self, plan: Iterable[Tensor]) -> Iterator[SparseBatch]:
        """One compressed batch for each entry of the plan."""
        return map(self.batch, plan)


def unit_rows_held_out(rows: SparseRows, fold: NDArray[np.integer[Any]], least: int = 1) -> SparseRows:
    """Rows of length 1 without the columns that too few rows of the other folds have, at length 1 again.

    A new row has none of the words that only it would bring. A training row has, the columns were made of it,
    and by their share of its length it would score lower than new rows do.

    Args:
        rows: of length 1.
        fold: (rows,) number of each row's fold.
        least: rows of the other folds that a column needs to be known.
    """
    known = rows.matrix.copy()
    own = fold[np.repeat(np.arange(len(rows)), np.diff(known.indptr))]
    width = int(known.indices.max(initial=-1)) + 1
    rows_with = np.bincount(known.indices, minlength=width)
    for number in np.unique(fold):
        cells = own == number
        inside = np.bincount(known.indices[cells], minlength=width)
        known.data[cells] *= (rows_with - inside >= least)[known.indices[cells]]
    known.eliminate_zeros()
    return SparseRows(unit_rows(known))


def unit_rows(matrix: Any) -> csr_array:
    """The rows divided by their lengths; rows of zeros stay. In float64, where no square is 0 or infinite."""
    values = matrix.data.astype(np.float64)
    squares = csr_array((values**2, matrix.indices, matrix.indptr), shape=matrix.shape)
    lengths = np.sqrt(squares.sum(axis=1))
    values /= np.repeat(lengths, np.diff(matrix.indptr))
    return csr_array((values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
