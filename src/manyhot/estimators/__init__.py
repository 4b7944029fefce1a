"""scikit-learn citizens: estimators, compositions, scorers, splitters, resampling.

Each is imported when it is first used, so that the linear ones need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhot.estimators.adapter import adapt
    from manyhot.estimators.batches import LabelAwareBatches
    from manyhot.estimators.chains import ProbabilisticChain
    from manyhot.estimators.dummy import DummyManyHot
    from manyhot.estimators.linear import LinearManyHot
    from manyhot.estimators.neighbours import MLkNN
    from manyhot.estimators.powerset import LabelPowerset, RAkEL
    from manyhot.estimators.resampling import MLROS, MLRUS, MLSMOTE, REMEDIAL
    from manyhot.estimators.scoring import SCORERS, Scorer, register_scorers, scorer, scorers
    from manyhot.estimators.splitters import (
        MultilabelStratifiedGroupKFold,
        MultilabelStratifiedKFold,
        MultilabelStratifiedShuffleSplit,
    )
    from manyhot.estimators.trained import ManyHotClassifier
    from manyhot.estimators.tuned import ThresholdTuned

_HOME = {
    "LinearManyHot": "linear",
    "ManyHotClassifier": "trained",
    "DummyManyHot": "dummy",
    "ThresholdTuned": "tuned",
    "adapt": "adapter",
    "MultilabelStratifiedKFold": "splitters",
    "MultilabelStratifiedGroupKFold": "splitters",
    "MultilabelStratifiedShuffleSplit": "splitters",
    "SCORERS": "scoring",
    "Scorer": "scoring",
    "register_scorers": "scoring",
    "scorer": "scoring",
    "scorers": "scoring",
    "ProbabilisticChain": "chains",
    "LabelPowerset": "powerset",
    "RAkEL": "powerset",
    "MLkNN": "neighbours",
    "MLROS": "resampling",
    "MLRUS": "resampling",
    "MLSMOTE": "resampling",
    "REMEDIAL": "resampling",
    "LabelAwareBatches": "batches",
}

__all__ = [
    "MLROS",
    "MLRUS",
    "MLSMOTE",
    "REMEDIAL",
    "SCORERS",
    "DummyManyHot",
    "LabelAwareBatches",
    "LabelPowerset",
    "LinearManyHot",
    "MLkNN",
    "ManyHotClassifier",
    "MultilabelStratifiedGroupKFold",
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "ProbabilisticChain",
    "RAkEL",
    "Scorer",
    "ThresholdTuned",
    "adapt",
    "register_scorers",
    "scorer",
    "scorers",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOME)
