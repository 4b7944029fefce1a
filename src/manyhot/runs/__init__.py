"""The main job: `fit` a model to data, `load` it again, predict and evaluate with it."""

from importlib import import_module
from typing import Any

# public name -> the module that defines it
PUBLIC = {
    "Run": "manyhot.runs.run",
    "fit": "manyhot.runs.fitting",
    "load": "manyhot.runs.run",
    "open_data": "manyhot.runs.source",
    "plan_fit": "manyhot.runs.probe",
    "resume": "manyhot.runs.fitting",
}

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'manyhot.runs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
