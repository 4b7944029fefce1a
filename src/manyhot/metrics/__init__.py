"""Metrics: scores or decisions against targets, exact, dense or sparse, unknown cells left out."""

from manyhot.metrics.average import Counted
from manyhot.metrics.baseline import Training
from manyhot.metrics.counts import Counts
from manyhot.metrics.evaluate import evaluate
from manyhot.metrics.paired import Difference, paired_test
from manyhot.metrics.replicates import Bootstrap
from manyhot.metrics.result import Result
from manyhot.metrics.slices import Slice
from manyhot.metrics.stream import Bounds, Stream
from manyhot.metrics.table import METRICS, Metric, find_metric

__all__ = [
    "METRICS",
    "Bootstrap",
    "Bounds",
    "Counted",
    "Counts",
    "Difference",
    "Metric",
    "Result",
    "Slice",
    "Stream",
    "Training",
    "evaluate",
    "find_metric",
    "paired_test",
]
