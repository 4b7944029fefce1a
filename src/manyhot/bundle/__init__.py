"""The shipped folder: weights, label space and decision rule together, and the `Predictor` that uses them."""

from manyhot.bundle.manifest import Manifest, Origin, read_manifest
from manyhot.bundle.predictions import Predictions
from manyhot.bundle.predictor import Predictor
from manyhot.bundle.rows import inputs_of
from manyhot.bundle.store import read_bundle, read_rule, write_bundle, write_rule

__all__ = [
    "Manifest",
    "Origin",
    "Predictions",
    "Predictor",
    "inputs_of",
    "read_bundle",
    "read_manifest",
    "read_rule",
    "write_bundle",
    "write_rule",
]
