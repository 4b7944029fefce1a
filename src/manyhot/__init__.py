"""Multi-label classification: one description of the labels, from a file to a model.

The public names are imported when they are first used, so that `import manyhot` costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> the module that defines it
PUBLIC = {
    "LabelSpace": "manyhot.labels",
    "Group": "manyhot.labels",
    "Constraint": "manyhot.labels",
    "Targets": "manyhot.labels",
    "read": "manyhot.data",
    "stratify": "manyhot.data",
    "examine": "manyhot.data",
    "evaluate": "manyhot.metrics",
    "fit": "manyhot.runs",
    "load": "manyhot.runs",
    "Run": "manyhot.runs",
    "Predictor": "manyhot.bundle",
    "LinearManyHot": "manyhot.estimators",
    "ManyHotClassifier": "manyhot.estimators",
    "DummyManyHot": "manyhot.estimators",
    "ThresholdTuned": "manyhot.estimators",
}
MODULES = (
    "bundle",
    "data",
    "datasets",
    "decide",
    "estimators",
    "kernels",
    "labels",
    "losses",
    "metrics",
    "models",
    "runs",
    "train",
)

__all__ = ["__version__", *sorted(PUBLIC), *MODULES]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    if name in MODULES:
        return import_module(f"manyhot.{name}")
    raise AttributeError(f"module 'manyhot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
