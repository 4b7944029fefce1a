"""Kernels of the GPU engine as modules that Triton compiles; `source` writes their formulas.

Whether they run on a GPU or in Triton's interpreter, which needs none, is decided by TRITON_INTERPRET=1 when
Triton is imported.
"""

from functools import cache
from pathlib import Path
from types import ModuleType

import triton

from manyhot.kernels import triton_math
from manyhot.kernels.source import module_of

HEADER = '''"""Written by manyhot for one formula; may be deleted at any time."""

import triton
import triton.language as tl

from manyhot.kernels.triton_math import BOUND

globals().update(BOUND)
part = whole = triton.jit
KIND = tl.constexpr(tl.{kind})


@part
def real(x):
    return tl.full((), x, KIND)
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
    return Path(triton_math.__file__).read_text() + triton.__version__
