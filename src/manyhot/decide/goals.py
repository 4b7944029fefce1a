"""What a cut is tuned for. A goal is a small object, or its name: "f1_macro", "mcc", "precision >= 0.9"."""
# ruff: noqa: ARG002 - every goal is called with all four counts

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import OptionError

Average: TypeAlias = Literal["macro", "micro", "samples"]
AVERAGES = ("macro", "micro", "samples")


@runtime_checkable
class Goal(Protocol):
    """A measure of counts, higher is better: true positives never lower it, false ones never raise it.

    `average` says over what it is taken: "macro" (each label by itself), "micro" (all cells pooled) or
    "samples" (each row by itself).
    """

    @property
    def average(self) -> Average:
        """What the measure is taken over."""
        ...

    @property
    def name(self) -> str:
        """The name that `as_goal` understands."""
        ...

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """The measure of each set of counts; counts need not be whole. NaN-free: 0 where undefined."""
        ...


@dataclass(frozen=True)
class FBeta:
    """Weighted harmonic mean of precision and recall; beta > 1 favours recall.

    Source: van Rijsbergen, Information Retrieval, 2nd ed. 1979, ch. 7.
    """

    beta: float = 1.0
    average: Average = "macro"

    def __post_init__(self) -> None:
        _check.at_least("beta", self.beta, 0.0)
        _check.one_of("average", self.average, AVERAGES)

    @property
    def name(self) -> str:
        """As in "f1_macro", "f0.5_micro"."""
        return f"f{self.beta:g}_{self.average}"

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """(1 + b^2) tp / (tp + fp + b^2 positives)."""
        square = self.beta**2
        return _ratio((1 + square) * np.asarray(tp, np.float64), tp + fp + square * positives)


@dataclass(frozen=True)
class Jaccard:
    """Intersection over union of assigned and true."""

    average: Average = "macro"

    def __post_init__(self) -> None:
        _check.one_of("average", self.average, AVERAGES)

    @property
    def name(self) -> str:
        """As in "jaccard_samples"."""
        return f"jaccard_{self.average}"

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """Tp / (fp + positives)."""
        return _ratio(np.asarray(tp, np.float64), fp + positives)


@dataclass(frozen=True)
class MCC:
    """Matthews correlation of decisions and truth, label by label.

    Source: Matthews, Biochimica et Biophysica Acta 405, 1975.
    """

    average: Average = field(default="macro", init=False)

    @property
    def name(self) -> str:
        """Its name, "mcc"."""
        return "mcc"

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """(tp tn - fp fn) / sqrt(assigned * positives * not assigned * negatives)."""
        tp, fp = np.asarray(tp, np.float64), np.asarray(fp, np.float64)
        fn, tn = positives - tp, negatives - fp
        return _ratio(
            tp * tn - fp * fn, _root(tp + fp) * _root(tn + fn) * _root(positives) * _root(negatives)
        )


@dataclass(frozen=True)
class BalancedAccuracy:
    """Mean of recall and specificity, label by label."""

    average: Average = field(default="macro", init=False)

    @property
    def name(self) -> str:
        """Its name, "balanced_accuracy"."""
        return "balanced_accuracy"

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """(tp / positives + tn / negatives) / 2."""
        return (_ratio(tp, positives) + _ratio(negatives - np.asarray(fp, np.float64), negatives)) / 2


@dataclass(frozen=True)
class Cost:
    """Least cost: `miss` for each false negative, `false_alarm` for each false positive. Both >= 0."""

    miss: float = 1.0
    false_alarm: float = 1.0
    average: Average = field(default="macro", init=False)

    def __post_init__(self) -> None:
        _check.at_least("miss", self.miss, 0.0)
        _check.at_least("false_alarm", self.false_alarm, 0.0)

    @property
    def name(self) -> str:
        """As in "cost(miss=5, false_alarm=1)"."""
        return f"cost(miss={self.miss:g}, false_alarm={self.false_alarm:g})"

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """Minus the cost."""
        return -(
            self.miss * (positives - np.asarray(tp, np.float64))
            + self.false_alarm * np.asarray(fp, np.float64)
        )


@dataclass(frozen=True)
class Floor:
    """A measure that must not fall below a number, and within that the best of its counterpart.

    "precision >= 0.9" and "specificity >= 0.9" give the most recall, "recall >= 0.9" the fewest false
    positives. A label for which no cut reaches a precision floor is never assigned.
    """

    measure: Literal["precision", "recall", "specificity"]
    at_least: float
    average: Average = field(default="macro", init=False)

    def __post_init__(self) -> None:
        _check.one_of("measure", self.measure, ("precision", "recall", "specificity"))
        _check.between("at_least", self.at_least, 0.0, 1.0)

    @property
    def name(self) -> str:
        """As in "precision >= 0.9"."""
        return f"{self.measure} >= {self.at_least:g}"

    def measured(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """The measure itself; 1 where nothing is assigned (precision) or nothing is to be found (recall)."""
        tp, fp = np.asarray(tp, np.float64), np.asarray(fp, np.float64)
        if self.measure == "precision":
            return np.where(tp + fp > 0, _ratio(tp, tp + fp), 1.0)
        if self.measure == "recall":
            return np.where(positives > 0, _ratio(tp, positives), 1.0)
        return np.where(negatives > 0, _ratio(negatives - fp, negatives), 1.0)

    def value(self, tp: Any, fp: Any, positives: Any, negatives: Any) -> NDArray[np.float64]:
        """The counterpart where the floor holds, and less than any of these where it does not."""
        held = self.measured(tp, fp, positives, negatives) >= self.at_least
        tp, fp = np.asarray(tp, np.float64), np.asarray(fp, np.float64)
        if self.measure == "recall":
            return np.where(held, -fp, tp - positives - negatives - 1.0)
        return np.where(held, tp, -1.0 - fp)


GOALS = {
    "f1_macro": FBeta(1.0, "macro"),
    "f1_micro": FBeta(1.0, "micro"),
    "f1_samples": FBeta(1.0, "samples"),
    "jaccard_macro": Jaccard("macro"),
    "jaccard_micro": Jaccard("micro"),
    "jaccard_samples": Jaccard("samples"),
    "mcc": MCC(),
    "balanced_accuracy": BalancedAccuracy(),
    "hamming": Cost(1.0, 1.0),
}
_F = re.compile(r"f(\d+(?:\.\d+)?)_(macro|micro|samples)")
_FLOOR = re.compile(r"(precision|recall|specificity)\s*>=\s*(\d*\.?\d+)\s*(%?)")
_COST = re.compile(r"cost\(\s*miss\s*=\s*(\d*\.?\d+)\s*,\s*false_alarm\s*=\s*(\d*\.?\d+)\s*\)")


def as_goal(goal: "Goal | str") -> Goal:
    """A goal object from itself or from its name.

    Names: f<beta>_macro | _micro | _samples, jaccard_macro | _micro | _samples, mcc, balanced_accuracy,
    hamming, cost(miss=5, false_alarm=1), and the floors "precision >= 0.9", "recall >= 95%",
    "specificity >= 0.99".

    Raises:
        OptionError: no such goal.
    """
    if not isinstance(goal, str):
        return goal
    text = goal.strip()
    if text in GOALS:
        return GOALS[text]
    if found := _F.fullmatch(text):
        return FBeta(float(found[1]), found[2])  # type: ignore[arg-type]
    if found := _FLOOR.fullmatch(text):
        return Floor(found[1], float(found[2]) / (100 if found[3] else 1))  # type: ignore[arg-type]
    if found := _COST.fullmatch(text):
        return Cost(float(found[1]), float(found[2]))
    known = [*GOALS, "f2_macro", "precision >= 0.9", "recall >= 0.9", "specificity >= 0.9"]
    _check.one_of("goal", text, [*known, "cost(miss=5, false_alarm=1)"])
    raise OptionError(f"goal {goal!r} is not understood")


def _ratio(above: Any, below: Any) -> NDArray[np.float64]:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.zeros(shape), where=below > 0)


def _root(count: Any) -> NDArray[np.float64]:
    return np.sqrt(np.asarray(count, np.float64))
