"""What an epoch is judged by: the validation loss and metrics, and whether it is the best so far."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from manyhot import decide, metrics
from manyhot._typing import FloatArray
from manyhot.decide import Decision
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, ScoreMatrix, Targets
from manyhot.models import KEPT, WIDE, BestScores, Model, Prepared
from manyhot.train.diagnosis import Diagnosis, diagnose, spread_rows
from manyhot.train.objective import Objective

ALWAYS = ("f1_micro", "ap_micro")
"""Metrics in every record, where the validation targets are hard and few enough to be sorted."""

ALWAYS_CELLS = 5_000_000

AUTO = "auto"

_GOAL = re.compile(r"(f[\d.]+|jaccard)_(micro|macro|samples)|hamming")


@dataclass(frozen=True, eq=False)
class Monitor:
    """Validation rows and the quantity that ranks epochs.

    Args:
        rows: prepared validation rows.
        objective: the loss on their targets.
        space: the labels.
        name: "loss", a metric's name, or "auto": mean average precision (ap_macro), because a ranking means
            the same under every loss and in every epoch. A validation loss does not where the loss has a
            schedule, remembers batches or learns numbers of its own, and it often rises again while the
            ranking still improves. Per label, because the scores of a loss that takes the prior out cannot be
            ranked across labels. Of many cells or labels, ndcg@5; of soft targets or no
            positive, the loss.
        cuts: "tuned": the best global cut on these very rows, for the monitored metric where it can be tuned
            for, else micro-F1; "default": 0.5. In exclusive groups the highest score is decided either way.
        batch_size: rows of one batch.

    Raises:
        OptionError: no such metric, or one that cannot be had from these targets.
    """

    rows: Prepared
    objective: Objective
    space: LabelSpace
    name: str = AUTO
    cuts: str = "tuned"
    batch_size: int = 256
    _takes_ties: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_takes_ties", self.name == AUTO)
        if self.name == AUTO:
            object.__setattr__(self, "name", _chosen(self.objective.targets))
        if self.name != "loss":
            needs = metrics.find_metric(self.name).needs
            if needs == "scores and train":
                raise OptionError(
                    f"{self.name} needs propensities of the training rows: monitor p@5 or ndcg@5"
                )
            if self.objective.targets.is_soft:
                raise OptionError(
                    f"{self.name} needs hard targets, the validation targets are soft: monitor loss"
                )

    @property
    def higher_is_better(self) -> bool:
        """Which way the quantity should go."""
        return self.name != "loss" and metrics.find_metric(self.name).higher_is_better

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the metrics of every record."""
        targets = self.objective.targets
        own = () if self.name == "loss" else (self.name,)
        stored = len(targets) * (KEPT if targets.width >= WIDE else targets.width)
        if targets.is_soft or stored > ALWAYS_CELLS:
            return own
        return tuple(dict.fromkeys((*own, *ALWAYS)))

    @torch.no_grad()
    def measure(self, model: Model) -> tuple[float, dict[str, float], ScoreMatrix]:
        """(loss, metrics by name, `Model.kept_scores` (rows, labels)) of the model as it is."""
        return self._measure_wide(model) if model.is_wide else self._measure_whole(model)

    @torch.no_grad()
    def diagnose(self, model: Model, scores: ScoreMatrix) -> list[Diagnosis]:
        """What the scores of `measure` show; of a wide label space, all scores of a few rows."""
        targets = self.objective.targets
        parts = self.objective.loss.modules()
        weighted = any(getattr(part, "pos_weight", None) is not None for part in parts)
        if not model.is_wide:
            return diagnose(scores, targets, weighted=weighted)
        picked = spread_rows(*targets.shape)
        training = model.training
        model.eval()
        logits = model(model.to_input(self.rows.batch(torch.from_numpy(picked))))
        model.train(training)
        return diagnose(model.head.scores(logits).cpu().numpy(), targets.rows(picked), weighted=weighted)

    def _measure_wide(self, model: Model) -> tuple[float, dict[str, float], ScoreMatrix]:
        """Batch by batch, so that no matrix (rows, labels) is made."""
        kept = BestScores(len(self.rows), len(self.space), KEPT + len(self.space.groups))
        self.objective.loss.eval()
        total = 0.0
        for rows, hidden in model.hidden(self.rows, self.batch_size):
            columns, best = model.head.best(hidden, kept.k)
            kept.put(rows, columns, best)
            if torch.isfinite(best).all():
                total += float(self.objective.of_hidden(hidden, model.head, rows)) * len(rows)
            else:
                total = float("nan")
        loss, scores = total / max(1, len(self.rows)), kept.matrix()
        if not self.wanted or not np.isfinite(loss):
            return loss, dict.fromkeys(self.wanted, float("nan")), scores
        return loss, self._metrics(scores), scores

    def _measure_whole(self, model: Model) -> tuple[float, dict[str, float], FloatArray]:
        logits = model.logits(self.rows, self.batch_size)
        loss = self._loss(logits)
        scores = np.empty_like(logits)
        for start in range(0, len(logits), 4096):
            part = torch.from_numpy(logits[start : start + 4096]).to(model.device)
            scores[start : start + 4096] = model.head.scores(part).cpu().numpy()
        if not self.wanted or not np.isfinite(logits).all():
            return loss, dict.fromkeys(self.wanted, float("nan")), scores
        return loss, self._metrics(scores), scores

    def value(self, loss: float, values: dict[str, float]) -> float:
        """The monitored quantity."""
        return loss if self.name == "loss" else values[self.name]

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best so far; an undefined one never does.

        What "auto" chose also takes a draw: a ranking that is perfect after one epoch is no reason to keep
        the probabilities of that epoch.
        """
        if not np.isfinite(value):
            return False
        if self._takes_ties and value == best:
            return True
        if best is None or not np.isfinite(best):
            return True
        return value > best if self.higher_is_better else value < best

    def _loss(self, logits: FloatArray) -> float:
        """Mean over the batches by their rows: the loss of everything at once may not fit into memory."""
        if not np.isfinite(logits).all():
            return float("nan")
        self.objective.loss.eval()  # what a loss remembers is of the training rows alone
        total = 0.0
        for start, stop in pairwise([*range(0, len(logits), 4096), len(logits)]):
            rows = torch.arange(start, stop)
            part = torch.from_numpy(logits[start:stop]).to(self.objective.device)
            total += float(self.objective(part, rows)) * len(rows)
        return total / max(1, len(logits))

    def _metrics(self, scores: ScoreMatrix) -> dict[str, float]:
        targets = self.objective.targets
        decided = self._rule(scores, targets).decide(scores)
        found = metrics.evaluate(
            targets, scores, decided, metrics=self.wanted, baseline=False, tuned_rows="allow"
        )
        return {name: float(found[name]) for name in self.wanted}

    def _rule(self, scores: ScoreMatrix, targets: Targets) -> Decision:
        if self.cuts == "default":
            return decide.at_half(self.space)
        goal = self.name if _GOAL.fullmatch(self.name) else "f1_micro"
        return decide.rule_for(self.space, goal, kind="global").fit(scores, targets, space=self.space)


def _chosen(targets: Targets) -> str:
    if targets.is_soft or not len(targets.positives.data):
        return "loss"
    # Of a wide label space only the best scores of a row are kept.
    return "ndcg@5" if targets.width >= WIDE or _has_many_cells(targets) else "ap_macro"


def _has_many_cells(targets: Targets) -> bool:
    return targets.shape[0] * targets.shape[1] > ALWAYS_CELLS
