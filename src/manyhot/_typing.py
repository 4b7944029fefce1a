"""Names for what crosses module borders. One meaning each, everywhere.

rows = samples, labels = width of the label space.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Logits: TypeAlias = Any  # torch.Tensor (rows, labels), any real; no activation applied
Scores: TypeAlias = Any  # (rows, labels) in [0, 1]: NumPy array, SciPy CSR (absent = 0) or torch tensor
FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
