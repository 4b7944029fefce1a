"""Kernels of the CPU engine as modules that Numba compiles; `source` writes their formulas."""

from functools import cache
from pathlib import Path
from textwrap import indent
from types import ModuleType

import numba

from manyhot.kernels import numba_math
from manyhot.kernels.source import module_of

HEADER = '''"""Written by manyhot for one formula; may be deleted at any time."""

import numpy as np
from numba import njit

from manyhot.kernels.numba_math import wide_vectors, words

real = np.{kind}
globals().update(words(real))
part = njit(fastmath=True, error_model="numpy", forceinline=True)
whole = njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
'''


SIZE = """
size_of = np.int32 if real is np.float32 else np.int64
sign_bit = size_of(np.iinfo(size_of).min)
infinite = size_of(sign_bit + (0x7F800000 if real is np.float32 else 0x7FF0000000000000))


@part
def size(x):
    return size_of(bits(x) | sign_bit)  # larger for larger |x|; an integer, since fast floats know no NaN
"""
"""`size(x)`, `sign_bit`, which is that of 0, and `infinite`."""

SEEN = """
never = real(-1e30)


@part
def seen(x, mask):
    return of_bits((bits(x) & mask) | (bits(never) & ~mask))
"""
"""`seen(x, mask)`: x where the mask is -1, and `never`, whose exponential is 0, where it is 0."""

CHUNK = 512  # cells that have a mask, and whose sum in the precision of the logits is added to one in float64
NEAR = 60.0  # of a logit over its temperature: its exponential is far from the ends of float32

# No function, for the reason that `numba_pointwise.HIDE` is none.
HIDE = """
if hiding:
    for j in range({chunk}):  # Numba takes seconds to compile mask[:] = -1
        mask[j] = -1
    hiding = False
while k < starts[i + 1] and labels[k] < last:
    mask[labels[k] - c], hiding = 0, True
    k += 1
while h < hidden_starts[i + 1] and hidden_labels[h] < last:
    mask[hidden_labels[h] - c], hiding = 0, True
    h += 1
"""


def hide(depth: int) -> str:
    """Lines that make the mask of a row's cells c to last: 0 at the listed labels, else -1.

    Args:
        depth: spaces before each line.
    """
    return indent(HIDE.replace("{chunk}", str(CHUNK)), " " * depth).rstrip()


def load(source: str, kind: str) -> ModuleType:
    """The module of a kernel's source.

    Args:
        source: definitions that use the names of `HEADER`.
        kind: "float32" or "float64".
    """
    return module_of(HEADER.format(kind=kind) + "\n\n" + source + "\n", _surroundings())


@cache
def _surroundings() -> str:
    """What a kernel depends on beside its source."""
    return Path(numba_math.__file__).read_text() + numba.__version__
