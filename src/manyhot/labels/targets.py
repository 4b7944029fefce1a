"""Targets: the values of all labels for all rows, each cell positive, negative or unknown, never dense."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Self, final

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array, vstack

from manyhot._typing import BoolArray
from manyhot.errors import InputError, ShapeError
from manyhot.labels import _sparse, formats
from manyhot.labels.provenance import Provenance


@final
class Targets:
    """An immutable matrix (rows, labels) of positive, negative and unknown cells.

    Positives have values in (0, 1], below 1 only where targets are soft; what is neither positive nor
    unknown is negative and costs no memory.

    Args:
        positives: sparse (rows, labels), values in [0, 1]; stored zeros are dropped, stored NaN is unknown.
        unknown: sparse (rows, labels) with non-zero cells where nobody knows the value.

    Raises:
        InputError: a value outside [0, 1], or a cell that is both positive and unknown.
        ShapeError: the two matrices differ in shape.
    """

    __slots__ = ("_positives", "_provenance", "_unknown")
    __hash__ = None  # type: ignore[assignment]  # compared by value, and too large to hash

    def __init__(self, positives: Any, unknown: Any = None) -> None:
        self._positives, self._unknown = formats.csr_cells(positives, unknown)
        self._provenance: Provenance | None = None

    @classmethod
    def _of(cls, cells: formats.Cells) -> Self:
        """Targets of cells that are already canonical."""
        targets = object.__new__(cls)
        targets._positives, targets._unknown = cells
        targets._provenance = None
        return targets

    # ---------------------------------------------------------------- in

    @classmethod
    def from_dense(cls, matrix: Any, unknown_code: float | None = None) -> Self:
        """Targets of a multi-hot matrix (rows, labels).

        Args:
            matrix: NumPy array, torch tensor, or pandas / polars DataFrame (by column position; by name:
                `LabelSpace.from_columns`) of booleans, 0/1 or values in [0, 1]. NaN and null are unknown.
            unknown_code: a further value that means unknown, often -1.

        Raises:
            InputError: a known value outside [0, 1], or text.
            ShapeError: not a matrix.
        """
        return cls._of(formats.dense_cells(matrix, unknown_code))

    @classmethod
    def from_index_lists(cls, rows: Iterable[Iterable[int]], width: int) -> Self:
        """Targets of ragged lists of label indices in [0, width), each at most once in a row."""
        return cls._of(formats.index_cells(rows, width))

    @classmethod
    def from_padded(cls, matrix: Any, width: int, pad: int = -1) -> Self:
        """Targets of an integer matrix (rows, most labels in a row) of indices, filled up with `pad`."""
        return cls._of(formats.padded_cells(matrix, width, pad))

    @classmethod
    def from_csr(cls, matrix: Any, unknown: Any = None) -> Self:
        """Targets of SciPy sparse matrices: the constructor by another name."""
        return cls(matrix, unknown)

    @classmethod
    def from_torch_sparse(cls, tensor: Any) -> Self:
        """Targets of a torch sparse tensor (COO or CSR); stored NaN is unknown."""
        return cls._of(formats.torch_sparse_cells(tensor))

    @classmethod
    def negative(cls, rows: int, width: int) -> Self:
        """Targets without any positive or unknown cell."""
        return cls._of((_sparse.compressed(np.zeros(0), np.zeros(rows + 1), width), None))

    @classmethod
    def concat(cls, parts: Sequence["Targets"]) -> Self:
        """The rows of all parts, one after the other; all of one width."""
        if not parts:
            raise InputError(
                "expected at least one Targets to concatenate, got none; Targets.negative(0, width)"
            )
        widths = sorted({part.width for part in parts})
        if len(widths) > 1:
            raise ShapeError(f"expected parts of one width, got {widths}; encode all with one LabelSpace")
        unknown = None
        if any(part.has_unknown for part in parts):
            unknown = vstack([part._unknown_or_empty() for part in parts], format="csr")
        joined = cls(vstack([part.positives for part in parts], format="csr"), unknown)
        joined._provenance = Provenance.concat([part.provenance for part in parts])
        return joined

    # ---------------------------------------------------------------- what it holds

    @property
    def positives(self) -> csr_array:
        """CSR (rows, labels), float32 in (0, 1], canonical; not to be changed in place."""
        return self._positives

    @property
    def unknown(self) -> csr_array | None:
        """CSR (rows, labels) of bool, canonical; None when every cell is known."""
        return self._unknown

    @property
    def provenance(self) -> Provenance | None:
        """What the rule that decided these sets left on them; None of targets. Plays no part in `==`."""
        return self._provenance

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, labels)."""
        return _sparse.shape_of(self._positives)

    @property
    def width(self) -> int:
        """Number of labels."""
        return self.shape[1]

    @property
    def is_soft(self) -> bool:
        """True when a positive has a value below 1."""
        return bool((self._positives.data < 1).any())

    @property
    def has_unknown(self) -> bool:
        """True when a cell is unknown."""
        return self._unknown is not None

    def __len__(self) -> int:
        return self.shape[0]

    __iter__: None = None  # rows by number would make a sequence of it, and a sequence of each of its rows

    __array_ufunc__ = None  # so that comparisons with arrays are ours

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Refused: a dense matrix is to be asked for.

        Raises:
            TypeError: always.
        """
        raise TypeError("Targets are no NumPy array; to_dense() makes one, to_csr() a SciPy matrix")

    def __getitem__(self, index: Any) -> "Targets":
        """`rows(index)`: the rows of a slice, of integers or of a mask; of one integer a matrix of one row.

        Raises:
            InputError: a row that is not there, or rows and labels at once.
        """
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:  # as scikit-learn asks
            index = index[0]
        if isinstance(index, tuple):
            raise InputError(f"expected rows alone, got {index!r:.60}; write targets[rows].columns(labels)")
        return self.rows(index)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Targets):
            return NotImplemented
        return _sparse.same_cells(self._positives, other._positives) and _sparse.same_cells(
            self._unknown_or_empty(), other._unknown_or_empty()
        )

    def __repr__(self) -> str:
        unknown = f", {self._unknown.nnz} unknown" if self._unknown is not None else ""
        soft = ", soft" if self.is_soft else ""
        rows, labels = self.shape
        return f"Targets({rows} rows, {labels} labels, {self._positives.nnz} positive{unknown}{soft})"

    def label_counts(self) -> NDArray[np.int64]:
        """Number of positive cells (value above 0) of every label, (labels,)."""
        return np.bincount(self._positives.indices, minlength=self.width)

    def label_sums(self) -> NDArray[np.float64]:
        """Sum of the values of every label, (labels,); equals `label_counts` unless soft."""
        sums = np.bincount(self._positives.indices, self._positives.data, minlength=self.width)
        return sums.astype(np.float64, copy=False)  # without a single cell NumPy counts in integers

    def known_counts(self) -> NDArray[np.int64]:
        """Number of known cells of every label, (labels,)."""
        hidden = 0 if self._unknown is None else np.bincount(self._unknown.indices, minlength=self.width)
        return np.full(self.width, len(self)) - hidden

    def row_counts(self) -> NDArray[np.int64]:
        """Number of positive cells of every row, (rows,)."""
        return np.diff(self._positives.indptr).astype(np.int64)

    # ---------------------------------------------------------------- parts and changes

    def rows(self, index: Any) -> "Targets":
        """The rows of a slice, of integers (any order, repeats allowed) or of a boolean mask (rows,)."""
        chosen = _indices(index, len(self), "row")
        unknown = None if self._unknown is None else self._unknown[chosen]
        origin = None if self._provenance is None else self._provenance.rows(chosen)
        return Targets(self._positives[chosen], unknown).decided_by(origin)

    def columns(self, index: Any) -> "Targets":
        """The labels of a slice, of integers (any order) or of a boolean mask (labels,)."""
        chosen = _indices(index, self.width, "column")
        unknown = None if self._unknown is None else self._unknown[:, chosen]
        origin = None if self._provenance is None else self._provenance.columns(chosen)
        return Targets(self._positives[:, chosen], unknown).decided_by(origin)

    def decided_by(self, provenance: Provenance | None) -> "Targets":
        """The same with another provenance."""
        marked = Targets._of((self._positives, self._unknown))
        marked._provenance = provenance
        return marked

    def harden(self, cut: float = 0.5) -> "Targets":
        """Soft values made 0/1: positive where value >= cut, itself if hard. Unknown cells stay unknown."""
        if not self.is_soft:
            return self
        kept = _sparse.masked(self._positives, self._positives.data >= cut)
        hard = Targets._of((_sparse.compressed(kept.indices, kept.indptr, self.width), self._unknown))
        return hard.decided_by(self._provenance)

    def assume_negative(self) -> "Targets":
        """The same with every unknown cell negative."""
        return Targets._of((self._positives, None)).decided_by(self._provenance)

    def widen(self, width: int, *, unknown: bool = True) -> "Targets":
        """The same with labels added on the right, as after `LabelSpace.extend`: unknown, or negative."""
        if width < self.width:
            raise ShapeError(
                f"expected a width of at least {self.width}, got {width}; columns(...) drops labels"
            )
        positives = _widened(self._positives, width)
        hidden = _widened(self._unknown_or_empty(), width)
        added = np.arange(self.width, width)
        if unknown and len(added):
            rows = np.concatenate([_sparse.row_numbers(hidden), np.repeat(np.arange(len(self)), len(added))])
            columns = np.concatenate([hidden.indices, np.tile(added, len(self))])
            hidden = _sparse.gathered(rows, columns, np.ones(len(rows), bool), (len(self), width))
        return Targets._of((positives, hidden if hidden.nnz else None))

    # ---------------------------------------------------------------- out

    def to_dense(self, dtype: DTypeLike = np.float32, unknown: float = np.nan) -> NDArray[Any]:
        """Matrix (rows, labels): 0, the positives' values, and `unknown` in unknown cells.

        Raises:
            InputError: the dtype cannot hold soft values, or cannot hold `unknown` where cells are unknown.
        """
        whole = np.dtype(dtype).kind in "biu"
        if whole and self.is_soft:
            raise InputError(f"soft targets do not fit {np.dtype(dtype)}; ask for float32, or harden() first")
        if whole and self._unknown is not None and not _fits(unknown, dtype):
            raise InputError(
                f"unknown={unknown} does not fit {np.dtype(dtype)}; pass unknown=-1 with int8, "
                "or assume_negative() first"
            )
        dense = np.zeros(self.shape, dtype)
        dense[_sparse.row_numbers(self._positives), self._positives.indices] = self._positives.data
        if self._unknown is not None:
            dense[_sparse.row_numbers(self._unknown), self._unknown.indices] = unknown
        return dense

    def to_index_lists(self) -> list[list[int]]:
        """Ascending label indices of every row; soft and unknown cells are an error: lists hold neither."""
        self._require_plain("index lists")
        columns: list[int] = list(self._positives.indices.tolist())
        starts: list[int] = np.asarray(self._positives.indptr).tolist()
        return [columns[start:stop] for start, stop in pairwise(starts)]

    def to_padded(self, pad: int = -1) -> NDArray[np.int64]:
        """Matrix (rows, most labels in a row) of label indices, filled up with `pad`."""
        self._require_plain("padded indices")
        sizes = self.row_counts()
        padded = np.full((len(self), int(sizes.max(initial=0))), pad, np.int64)
        padded[np.arange(padded.shape[1]) < sizes[:, None]] = self._positives.indices
        return padded

    def to_csr(self) -> csr_array:
        """CSR copy (rows, labels) of float32; unknown cells are stored as NaN."""
        if self._unknown is None:
            return self._positives.copy()
        rows = np.concatenate([_sparse.row_numbers(self._positives), _sparse.row_numbers(self._unknown)])
        columns = np.concatenate([self._positives.indices, self._unknown.indices])
        values = np.concatenate([self._positives.data, np.full(self._unknown.nnz, np.nan, np.float32)])
        return _sparse.gathered(rows, columns, values, self.shape)

    def to_torch_sparse(self) -> Any:
        """Coalesced torch sparse COO tensor (rows, labels) of float32; unknown cells are stored as NaN."""
        import torch

        matrix = self.to_csr()
        places = np.stack([_sparse.row_numbers(matrix), matrix.indices.astype(np.int64)])
        tensor = torch.sparse_coo_tensor(
            torch.from_numpy(places), torch.from_numpy(matrix.data), self.shape, check_invariants=False
        )
        return tensor.coalesce()

    def known_mask(self) -> BoolArray:
        """Dense boolean matrix (rows, labels), True where the cell is positive or negative."""
        mask = np.ones(self.shape, bool)
        if self._unknown is not None:
            mask[_sparse.row_numbers(self._unknown), self._unknown.indices] = False
        return mask

    def _unknown_or_empty(self) -> csr_array:
        if self._unknown is not None:
            return self._unknown
        return _sparse.compressed(
            np.zeros(0, np.int32), np.zeros(len(self) + 1, np.int32), self.width, np.zeros(0, bool)
        )

    def _require_plain(self, wanted: str) -> None:
        if self.is_soft:
            raise InputError(f"soft targets cannot be written as {wanted}; harden() first")
        if self._unknown is not None:
            raise InputError(
                f"{self._unknown.nnz} unknown cells cannot be written as {wanted}; assume_negative() first"
            )


def _indices(index: Any, size: int, kind: str) -> NDArray[np.int64]:
    """Positions in [0, size) chosen by a slice, integers or a mask."""
    if isinstance(index, slice):
        return np.arange(size)[index]
    chosen = formats.array_of(index)
    if chosen.dtype.kind == "b":
        if chosen.shape != (size,):
            raise ShapeError(f"expected a mask of shape ({size},), got {chosen.shape}")
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.zeros(0, np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim > 1:
        raise InputError(f"expected {kind} numbers, a slice or a mask, got {chosen.dtype} of {chosen.shape}")
    chosen = np.atleast_1d(chosen).astype(np.int64)
    wrong = (chosen < -size) | (chosen >= size)
    if wrong.any():
        raise InputError(f"{kind} {chosen[wrong][0]} is outside the {size} {kind}s there are")
    return np.where(chosen < 0, chosen + size, chosen)


def _widened(matrix: csr_array, width: int) -> csr_array:
    return _sparse.compressed(matrix.indices, matrix.indptr, width, matrix.data)


def _fits(value: float, dtype: DTypeLike) -> bool:
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind.kind == "b" or not np.isfinite(value) or value != int(value):
        return False
    return np.iinfo(kind.name).min <= value <= np.iinfo(kind.name).max
