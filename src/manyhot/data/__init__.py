"""Files -> (inputs, targets): readers, splits, the doctor. A name is imported when it is first used."""

from importlib import import_module
from typing import Any

# public name -> the module that defines it
PUBLIC = {
    "read": "manyhot.data.reading",
    "read_inputs": "manyhot.data.rows",
    "stream_inputs": "manyhot.data.rows",
    "stream": "manyhot.data.streaming",
    "sniff": "manyhot.data.streaming",
    "Table": "manyhot.data.table",
    "Schema": "manyhot.data.table",
    "LabelColumns": "manyhot.data.table",
    "Notes": "manyhot.data.table",
    "BadRow": "manyhot.data.table",
    "Columns": "manyhot.data.inputs",
    "SparseColumns": "manyhot.data.inputs",
    "Texts": "manyhot.data.inputs",
    "Mixed": "manyhot.data.inputs",
    "Images": "manyhot.data.images",
    "Inputs": "manyhot.data.inputs",
    "Split": "manyhot.data.split",
    "stratify": "manyhot.data.split",
    "folds": "manyhot.data.split",
    "Diagnosis": "manyhot.data.doctor",
    "examine": "manyhot.data.doctor",
}

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'manyhot.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
