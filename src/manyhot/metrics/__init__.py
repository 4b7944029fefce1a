"""Metrics: scores or decisions against targets, exact, dense or sparse, unknown cells left out."""

from manyhot.metrics.average import Counted
from manyhot.metrics.baseline import Training
from manyhot.metrics.counts import Counts
from manyhot.metrics.evaluate import evaluate
from manyhot.metrics.result import Result
from manyhot.metrics.table import METRICS, Metric, find_metric

__all__ = ["METRICS", "Counted", "Counts", "Metric", "Result", "Training", "evaluate", "find_metric"]
