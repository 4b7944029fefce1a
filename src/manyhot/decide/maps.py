"""Rising maps from a score to a probability: logistic families and isotonic regression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit

from manyhot.errors import InputError

METHODS = ("platt", "beta", "isotonic", "temperature")
EDGE = 1e-7  # probabilities are held this far from 0 and 1 before their logarithm is taken
STEPS = 100
SMALL = 1e-9


@dataclass(frozen=True)
class ProbabilityMap:
    """One fitted map.

    Attributes:
        method: one of `METHODS`.
        parameters: weights of the method's features; of "isotonic" the scores of its corners, then the
            probabilities there, which lines join.
        logit: the scores were probabilities, so "platt" and "temperature" work on their log-odds.
    """

    method: str
    parameters: NDArray[np.float64]
    logit: bool = False

    def __call__(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of scores of any shape."""
        if self.method == "isotonic":
            places, values = np.split(self.parameters, 2)
            return np.interp(scores, places, values) if len(places) else np.zeros(scores.shape)
        return expit(_features(self.method, scores, self.logit) @ self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"method": self.method, "parameters": self.parameters.tolist(), "logit": self.logit}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ProbabilityMap":
        """The inverse of `to_dict`."""
        return cls(content["method"], np.array(content["parameters"], np.float64), bool(content["logit"]))


def fit_map(
    method: str,
    scores: NDArray[np.float64],
    truth: NDArray[np.float64],
    label: str,
    mass: NDArray[np.float64] | None = None,
) -> ProbabilityMap:
    """The map of largest likelihood on these cells.

    Args:
        method: one of `METHODS`.
        scores, truth: (cells,); truth in [0, 1].
        label: named in errors.
        mass: (cells,) what each counts for; None = once.

    Raises:
        InputError: "beta" of scores outside [0, 1], naming the label.
    """
    mass = np.ones(len(truth)) if mass is None else mass
    inside = bool(len(scores) and scores.min() >= 0 and scores.max() <= 1)
    if method == "beta" and not inside:
        raise InputError(f"label {label!r}: beta calibration needs scores in [0, 1]; use platt")
    if method == "isotonic":
        return ProbabilityMap(method, _isotonic(scores, truth, mass))
    logit = method in ("platt", "temperature") and inside
    features = _features(method, scores, logit)
    rising = len(features.T) - (method != "temperature")  # all features but the constant
    free = np.ones(features.shape[1], bool)
    smoothed = _smoothed(truth, mass)
    weights = _logistic(features, smoothed, mass, free)
    # A map must not fall: what makes it fall goes, one by one. Scores that rank a label backwards then say
    # nothing of it, and its map is its prior.
    while (weights[:rising] < 0).any():
        free[int(np.argmin(weights[:rising]))] = False
        weights = _logistic(features, smoothed, mass, free)
    return ProbabilityMap(method, weights, logit)


def _features(method: str, scores: NDArray[Any], logit: bool) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    clipped = np.clip(values, EDGE, 1 - EDGE)
    if method == "beta":
        return np.stack([np.log(clipped), -np.log1p(-clipped), np.ones_like(values)], axis=-1)
    if logit:
        values = np.log(clipped) - np.log1p(-clipped)
    return values[..., None] if method == "temperature" else np.stack([values, np.ones_like(values)], axis=-1)


def _smoothed(truth: NDArray[np.float64], mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Platt's targets: a positive is worth (n + 1) / (n + 2), so that separable labels stay finite."""
    positives, negatives = truth @ mass, (1 - truth) @ mass
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    return low + (high - low) * truth


def _logistic(
    features: NDArray[np.float64],
    truth: NDArray[np.float64],
    mass: NDArray[np.float64],
    free: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Weights of the largest likelihood by Newton's method with halved steps; fixed ones stay 0."""
    weights = np.zeros(features.shape[1])
    if not len(truth) or not free.any():
        return weights
    own = features[:, free]
    scale = np.maximum(np.abs(own).max(axis=0), SMALL)
    own = own / scale
    found = np.zeros(own.shape[1])
    value = _log_loss(own @ found, truth, mass)
    for _ in range(STEPS):
        probability = expit(own @ found)
        slope = own.T @ (mass * (probability - truth))
        curve = (own * (mass * probability * (1 - probability))[:, None]).T @ own
        step = np.linalg.solve(curve + SMALL * mass.sum() * np.eye(len(found)), slope)
        size = 1.0
        reached = _log_loss(own @ (found - step), truth, mass)
        while size > SMALL and reached > value:
            size /= 2
            reached = _log_loss(own @ (found - size * step), truth, mass)
        if size <= SMALL or value - reached < SMALL * max(abs(value), 1.0):
            break
        found, value = found - size * step, reached
    weights[free] = found / scale
    return weights


def _log_loss(logits: NDArray[np.float64], truth: NDArray[np.float64], mass: NDArray[np.float64]) -> float:
    return float(np.sum(mass * (np.logaddexp(0.0, logits) - truth * logits)))


def _isotonic(
    scores: NDArray[np.float64], truth: NDArray[np.float64], mass: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Corners of the rising function nearest to the truth, equal scores taken together."""
    places, group = np.unique(scores, return_inverse=True)
    if not len(places):
        return np.zeros(0)
    weight = np.bincount(group, mass)
    values = isotonic_regression(np.bincount(group, truth * mass) / weight, weights=weight).x
    # inside a flat stretch nothing is to be kept but its two ends
    inner = np.zeros(len(places), bool)
    inner[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    return np.concatenate([places[~inner], np.clip(values[~inner], 0.0, 1.0)])
