"""Kernels of the CPU engine as modules that Numba compiles; `source` writes their formulas."""

from functools import cache
from pathlib import Path
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
