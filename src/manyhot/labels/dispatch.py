"""`as_targets`: whatever form labels come in, made `Targets`; what could mean two things is refused."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot.errors import InputError, ShapeError
from manyhot.labels import formats
from manyhot.labels.targets import Targets

if TYPE_CHECKING:
    from manyhot.labels.space import LabelSpace


def as_targets(values: Any, width: int | None = None, *, space: "LabelSpace | None" = None) -> Targets:
    """Targets of any supported form.

    Args:
        values: `Targets`; a multi-hot NumPy array, torch tensor or DataFrame (0/1, bool, or soft with NaN for
            unknown); SciPy sparse; torch sparse; a -1 padded integer matrix of label indices; ragged lists
            of label indices; a list of equally long multi-hot rows.
        width: number of labels. Needed for indices; checked otherwise.
        space: the labels, in place of `width`. With it rows of names are read too, and the columns of a
            DataFrame that has names are found by these.

    Raises:
        InputError: names without a space, values outside [0, 1], indices without a width, or integers that
            could be either a multi-hot matrix or label indices.
        ShapeError: another width than asked for.
    """
    if space is not None:
        width = len(space)
    targets = _converted(values, width) if space is None else _named(values, space)
    if width is not None and targets.width != width:
        raise ShapeError(f"expected {width} labels, got {targets.width}; encode with the same LabelSpace")
    return targets


def _named(values: Any, space: "LabelSpace") -> Targets:
    """As `_converted`, where names can be told from each other."""
    if formats.is_frame(values) and formats.has_names(values):
        return space.from_columns(values)
    if _is_iterable_of_rows(values):
        values = _kept(values)
        if any(isinstance(name, str) for row in values if isinstance(row, Iterable) for name in row):
            return space.encode(values)
    return _converted(values, len(space))


def _is_iterable_of_rows(values: Any) -> bool:
    """True for lists, Series and generators: what is neither a matrix, a frame, a tensor nor text."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "OUT"
    if isinstance(values, (Targets, str, bytes)) or issparse(values) or formats.is_frame(values):
        return False
    return isinstance(values, Iterable) and not formats.is_tensor(values)


def _kept(rows: Iterable[Any]) -> list[Any]:
    """The rows in a list, those that can be walked only once made lists too."""
    return [row if hasattr(row, "__len__") or not isinstance(row, Iterable) else list(row) for row in rows]


def _converted(values: Any, width: int | None) -> Targets:
    if isinstance(values, Targets):
        return values
    if issparse(values):
        return Targets.from_csr(values)
    if formats.is_tensor(values) and "sparse" in str(values.layout):
        return Targets.from_torch_sparse(values)
    if formats.is_frame(values):
        return Targets.from_dense(values)
    if formats.is_tensor(values) or isinstance(values, np.ndarray):
        return _from_array(values, width)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InputError(f"expected targets for rows and labels, got {type(values).__name__}")
    return _from_lists(_kept(values), width)


def _from_array(values: Any, width: int | None) -> Targets:
    matrix = formats.array_of(values)
    if matrix.dtype.kind == "O" and matrix.ndim == 1:
        return _from_lists(list(matrix), width)
    if matrix.ndim != 2 or matrix.dtype.kind not in "iu":
        return Targets.from_dense(values)
    low, high = matrix.min(initial=0), matrix.max(initial=0)
    if low >= 0 and high <= 1:
        if width is not None and matrix.shape[1] < width:
            raise ShapeError(
                f"expected {width} labels, got a 0/1 matrix with {matrix.shape[1]} columns; "
                "Targets.from_padded(matrix, width) if these are label indices"
            )
        return Targets.from_dense(matrix)
    if low >= -1 and high <= 1 and width in (None, matrix.shape[1]):
        raise InputError(
            "a matrix of -1, 0 and 1 can be read in two ways: Targets.from_dense(matrix, unknown_code=-1) "
            "for a multi-hot matrix with unknown cells, Targets.from_padded(matrix, width) for label indices"
        )
    return Targets.from_padded(matrix, _needed(width))


def _from_lists(rows: list[Any], width: int | None) -> Targets:
    for number, row in enumerate(rows):
        if isinstance(row, (str, bytes)) or (
            isinstance(row, Iterable) and any(isinstance(item, (str, bytes)) for item in row)
        ):
            raise InputError(
                f"row {number} holds names ({row!r:.60}); LabelSpace.encode(rows) makes targets of them"
            )
    matrix = _multi_hot(rows)
    if matrix is None:
        return Targets.from_index_lists(rows, _needed(width))
    labels = matrix.shape[1]
    if width is None or (width == labels and _cannot_be_indices(matrix)):
        return Targets.from_dense(matrix)
    if width == labels:
        raise InputError(
            f"rows of {labels} values 0 or 1 for {width} labels can be read in two ways: "
            "Targets.from_dense(np.array(rows)) for a multi-hot matrix, "
            "Targets.from_index_lists(rows, width) for label indices"
        )
    return Targets.from_index_lists(rows, width)


def _multi_hot(rows: Sequence[Any]) -> NDArray[Any] | None:
    """The rows as a matrix if they are equally long and hold only booleans or values in [0, 1] or NaN."""
    sized = [row for row in rows if hasattr(row, "__len__")]
    if not rows or len(sized) < len(rows) or len({len(row) for row in sized}) != 1 or not len(sized[0]):
        return None
    matrix = np.array([formats.array_of(row) for row in rows])
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
        return None
    return matrix if (np.isnan(matrix) | ((matrix >= 0) & (matrix <= 1))).all() else None


def _cannot_be_indices(matrix: NDArray[Any]) -> bool:
    """True unless every row is a list of distinct whole numbers."""
    if matrix.dtype.kind in "bf":
        return True
    ordered = np.sort(matrix, axis=1)
    return bool((ordered[:, 1:] == ordered[:, :-1]).any())


def _needed(width: int | None) -> int:
    if width is None:
        raise InputError("label indices do not tell how many labels there are; pass width=len(space)")
    return width
