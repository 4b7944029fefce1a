"""A 64-bit digest of each row of scores: the same for dense and CSR, float32 and float64, in any batch.

Every cell but those of 0 and minus infinity, which may be absent from CSR, adds a mix of its column and its
float32 bits; sums need no order. Few cells are done in NumPy, so that a command that labels a few rows need
not load a compiler.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot.kernels.threads import spread

GRAIN = 4096  # rows that are worth a thread
FEW_CELLS = 200_000  # some 20 ms in NumPy, a tenth of what loading compiled loops takes
BLOCK_CELLS = 16_000_000  # whose bits are looked at together: 64 MB where they are not float32 already
WITHOUT_SIGN, LOWEST = np.uint32(0x7FFFFFFF), np.uint32(0xFF800000)


def row_digests(scores: Any) -> NDArray[np.uint64]:
    """Digests (rows,) of dense scores (rows, labels) or of CSR."""
    digests = np.zeros(scores.shape[0], np.uint64)
    if (scores.nnz if issparse(scores) else scores.size) <= FEW_CELLS:
        _digest_few(csr_array(scores), digests)
        return digests
    from manyhot.kernels.row_digest_loops import digest_dense, digest_stored

    if issparse(scores):
        cells = _bits(scores.data), scores.indices, scores.indptr, digests
        spread(lambda first, last: digest_stored(first, last, *cells), len(digests), GRAIN)
        return digests
    step = max(1, BLOCK_CELLS // max(scores.shape[1], 1))
    for begin in range(0, len(digests), step):
        bits, own = _bits(scores[begin : begin + step]), digests[begin : begin + step]
        spread(lambda first, last, bits=bits, own=own: digest_dense(first, last, bits, own), len(own), GRAIN)
    return digests


def word_of(column: Any, bits: Any) -> Any:
    """A cell as one word, whose mix it adds to the digest of its row; arrays, or numbers in compiled code."""
    word = (np.uint64(column + 1) << np.uint64(32)) ^ np.uint64(bits)
    return word * np.uint64(0x9E3779B97F4A7C15)


def mixed(word: Any) -> Any:
    """A word (uint64) of which every bit depends on every bit that came in; arrays or numbers as before.

    Source:
        The finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014.
    """
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _bits(scores: NDArray[Any]) -> NDArray[np.uint32]:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(scores, np.float32).view(np.uint32)


def _digest_few(scores: Any, digests: NDArray[np.uint64]) -> None:
    bits = _bits(scores.data)
    counts = (bits & WITHOUT_SIGN != 0) & (bits != LOWEST)
    row = np.repeat(np.arange(len(digests)), np.diff(scores.indptr))
    np.add.at(digests, row[counts], mixed(word_of(scores.indices[counts], bits[counts])))
