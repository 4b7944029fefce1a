"""Sparse matrices: zeros stay zeros, and each column may be divided by its largest value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.errors import InputError
from manyhot.models.preparation import Arrays, Preparation, array_to_text, text_to_array
from manyhot.models.prepared import InputShape, SparseRows


@dataclass(frozen=True, eq=False)
class SparsePreparation(Preparation):
    """Compressed rows, each column divided by its largest absolute value, or left as it is.

    Args:
        names: the column names.
        divisor: (columns,) float32, at least the smallest positive number.
        scale: "maxabs" or "none".
        energy: mean squared length of the scaled training rows, above 0.
    """

    name: ClassVar[str] = "sparse"
    reads: ClassVar[str] = "sparse"

    names: tuple[str, ...]
    divisor: NDArray[np.float32]
    scale: str
    energy: float = 1.0

    @property
    def shape(self) -> InputShape:
        """Sparse, as wide as the training matrix."""
        return InputShape("sparse", len(self.divisor))

    @classmethod
    def fit(cls, inputs: Any, scale: str = "maxabs") -> "SparsePreparation":
        """Find each column's largest absolute value.

        Args:
            inputs: has `.matrix` (CSR float32, a stored NaN is a missing cell), `.names` and `.with_names()`.
            scale: "maxabs" or "none".
        """
        _check.one_of("scale", scale, ("maxabs", "none"))
        matrix = _finite(inputs.matrix)
        divisor = np.ones(len(inputs.names), np.float32)
        if scale == "maxabs" and matrix.nnz:
            largest = abs(matrix).max(axis=0).toarray().ravel().astype(np.float32)
            divisor[largest > 0] = largest[largest > 0]
        squares = float(((matrix.data / divisor[matrix.indices]).astype(np.float64) ** 2).sum())
        return cls(tuple(inputs.names), divisor, scale, squares / max(1, len(inputs)) or 1.0)

    def prepare(self, inputs: Any) -> SparseRows:
        """The rows over the columns of the training matrix, matched by name; absent columns are zero.

        Raises:
            InputError: no column has a known name, or a cell is infinite.
        """
        if self.names and not set(self.names) & set(inputs.names):
            raise InputError(
                f"none of the {len(inputs.names)} columns was there in training; wanted names such as "
                f"{', '.join(self.names[:3])}"
            )
        matrix = _finite(inputs.with_names(self.names).matrix)
        values = (matrix.data / self.divisor[matrix.indices]).astype(np.float32)
        return SparseRows(csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape))

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The scale's name; divisors and names as arrays."""
        return {"scale": self.scale, "energy": self.energy}, {
            "divisor": self.divisor,
            "names": text_to_array(list(self.names)),
        }

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "SparsePreparation":
        """The preparation that gave this state."""
        names = tuple(array_to_text(arrays["names"]))
        return cls(names, np.asarray(arrays["divisor"], np.float32), config["scale"], config["energy"])


def _finite(matrix: Any) -> csr_array:
    """The matrix without its missing cells, which then count as zero."""
    matrix = csr_array(matrix)
    infinite = np.flatnonzero(np.isinf(matrix.data))
    if len(infinite):
        row = int(np.searchsorted(matrix.indptr, infinite[0], side="right")) - 1
        column = int(matrix.indices[infinite[0]])
        raise InputError(
            f"row {row}, column {column} of the sparse matrix is infinite; leave the cell out instead"
        )
    if np.isnan(matrix.data).any():
        matrix = matrix.copy()
        matrix.data[np.isnan(matrix.data)] = 0
        matrix.eliminate_zeros()
    return matrix
