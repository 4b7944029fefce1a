"""A fingerprint of data: equal for equal content, whatever file it came from."""

import hashlib
from typing import Any

import numpy as np

from manyhot.data import Table
from manyhot.labels import Targets

_SEPARATOR = b"\x1f"  # unit separator: ends each string, so that ["ab", "c"] and ["a", "bc"] differ


def digest_of(table: Table) -> str:
    """SHA-256 of inputs, targets, label space and row names, in hex. Images count by name, not by pixel."""
    total = hashlib.sha256()
    total.update(table.space.digest.encode())
    _add_targets(total, table.targets)
    _add_strings(total, table.row_ids)
    _add_inputs(total, table.inputs)
    return total.hexdigest()


def _add_inputs(total: Any, inputs: Any) -> None:
    total.update(inputs.kind.encode())
    if inputs.kind == "text":
        _add_strings(total, inputs.values)
    elif inputs.kind == "image":
        _add_strings(total, inputs.names)
    elif inputs.kind == "sparse":
        _add_strings(total, inputs.names)
        _add_matrix(total, inputs.matrix)
    else:
        _add_strings(total, inputs.names)
        for name in inputs.names:
            _add_column(total, inputs.frame[name])


def _add_column(total: Any, column: Any) -> None:
    if column.dtype.is_numeric():
        total.update(np.ascontiguousarray(column.is_null().to_numpy()).tobytes())
        total.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).tobytes())
    else:
        _add_strings(total, ("\x00" if value is None else str(value) for value in column.to_list()))


def _add_targets(total: Any, targets: Targets) -> None:
    _add_matrix(total, targets.positives)
    if targets.unknown is not None:
        _add_matrix(total, targets.unknown)


def _add_matrix(total: Any, matrix: Any) -> None:
    total.update(str(matrix.shape).encode())
    for part in (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data):
        total.update(np.ascontiguousarray(part).tobytes())


def _add_strings(total: Any, values: Any) -> None:
    for value in values:
        total.update(str(value).encode("utf-8", "surrogatepass") + _SEPARATOR)
