"""Digests of many rows, compiled; what they are is said in `row_digests`."""

import numpy as np
from numba import njit

from manyhot.kernels.row_digests import LOWEST, WITHOUT_SIGN, mixed, word_of

_mixed = njit(nogil=True, error_model="numpy")(mixed)
_word_of = njit(nogil=True, error_model="numpy")(word_of)


@njit(nogil=True, cache=True, error_model="numpy")
def digest_dense(first, last, bits, digests):
    """Of rows of float32 bits (rows, labels)."""
    for row in range(first, last):
        digest = np.uint64(0)
        for column in range(bits.shape[1]):
            cell = bits[row, column]
            if cell & WITHOUT_SIGN and cell != LOWEST:
                digest += _mixed(_word_of(column, cell))
        digests[row] = digest


@njit(nogil=True, cache=True, error_model="numpy")
def digest_stored(first, last, bits, columns, starts, digests):
    """Of the stored cells of CSR."""
    for row in range(first, last):
        digest = np.uint64(0)
        for place in range(starts[row], starts[row + 1]):
            cell = bits[place]
            if cell & WITHOUT_SIGN and cell != LOWEST:
                digest += _mixed(_word_of(columns[place], cell))
        digests[row] = digest
