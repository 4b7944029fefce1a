"""Scores in stable descending order: a radix sort that carries numbers along.

Sorting many columns of one length is the cost of every threshold-free metric and of every exact cut. Scores
become unsigned integers whose ascending order is the scores' descending order, so ties are equal keys.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Sparse: TypeAlias = Any  # csr_array, whose annotations know neither its shape nor its arrays
DIGIT = 11  # bits a pass: 2,048 counters stay in the first-level cache


def score_bits(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores as the unsigned integers of their bit patterns: uint64 for float64, uint32 for all else.

    The conversion to float32 loses nothing of integers below 2**24, float16 and bfloat16.
    """
    wide = scores.dtype == np.float64
    floats = np.ascontiguousarray(scores, np.float64 if wide else np.float32)
    return floats.view(np.uint64 if wide else np.uint32)


def sign_of(bits: NDArray[Any]) -> Any:
    """The sign bit, as a scalar of the bit patterns' type."""
    return bits.dtype.type(1 << (bits.dtype.itemsize * 8 - 1))


def passes_for(bits: NDArray[Any]) -> int:
    """Radix passes that the keys' width asks for."""
    return -(-bits.dtype.itemsize * 8 // DIGIT)


@njit(nogil=True, cache=True, error_model="numpy")
def descending_key(bits, sign):
    """Key whose ascending order is the descending order of the float with these bits; -0.0 equals 0.0."""
    if bits == sign:
        return ~sign
    if bits & sign:
        return bits
    return ~sign ^ bits


@njit(nogil=True, cache=True, error_model="numpy")
def sort_keys(keys, rows, spare_keys, spare_rows, passes):
    """Sort keys ascending in place, rows with them; stable. The spare arrays are at least as long."""
    size = len(keys)
    counts = np.zeros((passes, 1 << DIGIT), np.int32)
    mask = np.uint64((1 << DIGIT) - 1)
    for i in range(size):
        for p in range(passes):
            counts[p, (keys[i] >> np.uint64(p * DIGIT)) & mask] += 1
    for p in range(passes):
        if counts[p, (keys[0] >> np.uint64(p * DIGIT)) & mask] == size:
            continue  # all keys share this digit
        total = 0
        for digit in range(1 << DIGIT):
            count = counts[p, digit]
            counts[p, digit] = total
            total += count
        for i in range(size):
            digit = (keys[i] >> np.uint64(p * DIGIT)) & mask
            place = counts[p, digit]
            counts[p, digit] = place + 1
            spare_keys[place] = keys[i]
            spare_rows[place] = rows[i]
        keys[:] = spare_keys[:size]
        rows[:] = spare_rows[:size]
