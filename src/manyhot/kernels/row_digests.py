"""A 64-bit digest of each row of scores: the same for dense and CSR, float32 and float64, in any batch.

Every cell but those of 0 and minus infinity, which may be absent from CSR, adds a mix of its column and its
float32 bits; sums need no order.

Source:
    The mix is the finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot.kernels.threads import spread

GRAIN = 4096  # rows that are worth a thread
BLOCK_CELLS = 16_000_000  # whose bits are looked at together: 64 MB where they are not float32 already
WITHOUT_SIGN, LOWEST = np.uint32(0x7FFFFFFF), np.uint32(0xFF800000)


def row_digests(scores: Any) -> NDArray[np.uint64]:
    """Digests (rows,) of dense scores (rows, labels) or of CSR."""
    digests = np.zeros(scores.shape[0], np.uint64)
    if issparse(scores):
        cells = _bits(scores.data), scores.indices, scores.indptr, digests
        spread(lambda first, last: _digest_stored(first, last, *cells), len(digests), GRAIN)
        return digests
    step = max(1, BLOCK_CELLS // max(scores.shape[1], 1))
    for begin in range(0, len(digests), step):
        bits, own = _bits(scores[begin : begin + step]), digests[begin : begin + step]
        spread(lambda first, last, bits=bits, own=own: _digest_dense(first, last, bits, own), len(own), GRAIN)
    return digests


def _bits(scores: NDArray[Any]) -> NDArray[np.uint32]:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(scores, np.float32).view(np.uint32)


@njit(nogil=True, cache=True, error_model="numpy")
def _mixed(column, bits):
    word = (np.uint64(column + 1) << np.uint64(32)) ^ np.uint64(bits)
    word *= np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(nogil=True, cache=True, error_model="numpy")
def _digest_dense(first, last, bits, digests):
    for row in range(first, last):
        digest = np.uint64(0)
        for column in range(bits.shape[1]):
            cell = bits[row, column]
            if cell & WITHOUT_SIGN and cell != LOWEST:
                digest += _mixed(column, cell)
        digests[row] = digest


@njit(nogil=True, cache=True, error_model="numpy")
def _digest_stored(first, last, bits, columns, starts, digests):
    for row in range(first, last):
        digest = np.uint64(0)
        for place in range(starts[row], starts[row + 1]):
            cell = bits[place]
            if cell & WITHOUT_SIGN and cell != LOWEST:
                digest += _mixed(columns[place], cell)
        digests[row] = digest
