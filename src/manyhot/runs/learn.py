"""From training rows to a model with tuned cuts, by one of two ways.

With validation rows: they choose the best epoch, and the cuts are tuned on their scores. Out of fold, for
linear models, which train fast: each row is scored by a model that has not seen it, so that the cuts are
tuned on all training rows and the final model learns from all of them too.

Where nothing else was asked for, a linear model of sparse rows is not trained in epochs but solved.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyhot.data import Table, folds
from manyhot.decide import Cuts, Decision, GroupChoice, rule_for
from manyhot.labels import LabelSpace, ScoreMatrix, Targets
from manyhot.losses import label_weights, losses_for
from manyhot.losses.weighting import summary
from manyhot.models import WIDE, Model, best_of, stacked
from manyhot.models.model import DEFAULT_ENCODER
from manyhot.models.text import MAX_TERMS
from manyhot.runs.events import CutsTuned, FoldBegan, Listener, ModelBuilt
from manyhot.runs.recipe import Recipe
from manyhot.train import History, Solved, TrainOptions, solve_linear, train

if TYPE_CHECKING:
    from torch import nn

AUTO = "auto"
DEFAULT_LOSS = "bce"
SOLVED_LOSS = "squared-hinge (solved)"
FOLDS = 5
LINEAR_WEIGHTS = 2**28
"""A linear model of a wide label space has a weight for each feature and label: 1 GB of them at most."""

MOST_CELLS = 200_000_000
"""Scores of all training rows are held at once; beyond so many cells, validation rows tune the cuts."""


@dataclass(frozen=True)
class Learned:
    """A trained model and its rule.

    Attributes:
        model: trained.
        history: of its training.
        loss: what was minimised.
        rule: fitted.
        how: how the rows were scored that the rule was fitted on, in words.
        tuned: these rows.
        scores: (rows, labels), their scores; of a wide label space the best of each row, CSR.
    """

    model: Model
    history: History
    loss: str
    rule: Decision
    how: str
    tuned: Table
    scores: ScoreMatrix


def learns_out_of_fold(table: Table, recipe: Recipe) -> bool:
    """Whether the cuts will be tuned out of fold: linear model, no validation rows given, scores that fit."""
    given = len(table.where("valid")) > 0
    return _is_linear(table, recipe) and not given and len(table) * len(table.space) <= MOST_CELLS


def is_solved(table: Table, recipe: Recipe) -> bool:
    """Whether the minimum is found directly: linear, sparse rows, independent labels, no option given."""
    return (
        recipe.loss == AUTO
        and recipe.training == TrainOptions(seed=recipe.seed)
        and table.inputs.kind in ("sparse", "text", "mixed")
        and _is_linear(table, recipe)
        and not table.space.groups
        and not table.targets.is_soft
        and len(table) * len(table.space) <= MOST_CELLS
    )


def encoder_for(table: Table, recipe: Recipe) -> "str | nn.Module":
    """The encoder of a recipe; "auto" is the default of the kind of inputs, but no linear model too wide."""
    if recipe.encoder != AUTO:
        return recipe.encoder
    usual = DEFAULT_ENCODER[table.inputs.kind]
    wide = len(table.space) >= WIDE and most_features(table, recipe) * len(table.space) > LINEAR_WEIGHTS
    return "mlp" if usual == "linear" and wide else usual


def most_features(table: Table, recipe: Recipe) -> int:
    """Columns that sparse rows will have: those there are, and of texts as many terms as are kept at most."""
    if table.inputs.kind == "sparse":
        return len(table.inputs.names)
    return recipe.preparation_options.get("max_terms") or MAX_TERMS


def _is_linear(table: Table, recipe: Recipe) -> bool:
    return encoder_for(table, recipe) == "linear"


def learn_with_validation(
    rows: Table, valid: Table, recipe: Recipe, checkpoints: Path | None, tell: Listener
) -> Learned:
    """Train on `rows`, stop and tune the cuts by `valid`."""
    if is_solved(rows, recipe):
        model, solved = _solved(rows, recipe, tell)
        history, loss = solved.history, SOLVED_LOSS
    else:
        model, history, loss = _trained(rows, valid, recipe, checkpoints, tell)
    scores = model.kept_scores(valid.inputs)
    how = f"on {len(valid):,} validation rows"
    rule = _tuned(valid, scores, recipe, how, tell)
    return Learned(model, history, loss, rule, how, valid, scores)


def learn_out_of_fold(rows: Table, recipe: Recipe, checkpoints: Path | None, tell: Listener) -> Learned:
    """Train on all rows, and tune the cuts on scores that models trained on the other folds gave them."""
    if is_solved(rows, recipe):
        model, solved = _solved(rows, recipe, tell)
        history, loss, scores = solved.history, SOLVED_LOSS, solved.out_of_fold
        scores = best_of(scores) if model.is_wide else scores
    else:
        model, history, loss = _trained(rows, None, recipe, checkpoints, tell)
        scores = _scored_by_folds(rows, recipe, checkpoints, tell)
    how = f"out of fold on {len(rows):,} training rows"
    rule = _tuned(rows, scores, recipe, how, tell)
    return Learned(model, history, loss, rule, how, rows, scores)


def _scored_by_folds(rows: Table, recipe: Recipe, checkpoints: Path | None, tell: Listener) -> ScoreMatrix:
    scores, places = [], []
    parts = folds(rows.targets, FOLDS, groups=rows.group, seed=recipe.seed)
    alone = replace(recipe, fitted=None)  # the rows of a fold are not to be seen by its preparation either
    for number, (inside, outside) in enumerate(parts):
        tell(FoldBegan(number + 1, FOLDS))
        own = None if checkpoints is None else checkpoints / f"fold-{number + 1}"
        fold_model, _, _ = _trained(rows.take(inside), None, alone, own, _only_interrupts)
        scores.append(fold_model.kept_scores(rows.take(outside).inputs))
        places.append(outside)
    return stacked(scores)[np.argsort(np.concatenate(places))]


def at_half(space: LabelSpace) -> Decision:
    """The rule that nobody tuned: a label where its score is one half or more, the highest of a group."""
    if not space.groups:
        return Cuts(space, np.full(len(space), 0.5))
    groups = {group.name: 0.5 if group.allow_none else -np.inf for group in space.groups}
    return GroupChoice(space, groups, at_half(LabelSpace(space.independent)) if space.independent else None)


def hard(targets: Targets) -> Targets:
    """Targets that metrics and rules can count: soft ones cut at one half."""
    return targets.harden() if targets.is_soft else targets


def _solved(rows: Table, recipe: Recipe, tell: Listener) -> tuple[Model, Solved]:
    """A model for these rows, and their scores by models that have not seen them."""
    model = model_for(rows, recipe)
    tell(ModelBuilt(model, len(rows), SOLVED_LOSS, weights_told(rows, recipe)))
    fold = np.empty(len(rows), np.int64)
    for number, (_, outside) in enumerate(folds(rows.targets, FOLDS, groups=rows.group, seed=recipe.seed)):
        fold[outside] = number
    weight = recipe.pos_weight
    if weight is not None:
        weight = label_weights(rows.targets, weight, rows.space.names)
    solved = solve_linear(
        model, rows.inputs, rows.targets, fold, positive_weight=weight, seed=recipe.seed, on_event=tell
    )
    return model, solved


def _trained(
    rows: Table, valid: Table | None, recipe: Recipe, checkpoints: Path | None, tell: Listener
) -> tuple[Model, History, str]:
    """A model for these rows, trained, and the loss that it was trained with.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was trained is in `checkpoints`.
    """
    model = model_for(rows, recipe)
    loss, spec = loss_for(rows, recipe)
    tell(ModelBuilt(model, len(rows), str(spec), weights_told(rows, recipe)))
    history = train(
        model,
        rows.inputs,
        rows.targets,
        None if valid is None else valid.inputs,
        None if valid is None else valid.targets,
        loss=loss,
        options=recipe.training,
        checkpoints=checkpoints,
        on_event=tell,
    )
    if history.ending == "interrupted":
        raise KeyboardInterrupt
    return model, history, str(spec)


def loss_for(rows: Table, recipe: Recipe) -> "tuple[nn.Module, Any]":
    """The loss that a model is trained with, and how it was asked for."""
    spec = DEFAULT_LOSS if recipe.loss == AUTO else recipe.loss
    return losses_for(rows.space, spec, rows.targets, pos_weight=recipe.pos_weight), spec


def weights_told(rows: Table, recipe: Recipe) -> str | None:
    """The weights of positives in one line; None where they have none."""
    if recipe.pos_weight is None:
        return None
    columns = rows.space.columns(rows.space.independent)  # in an exclusive group there is no such weight
    weights = label_weights(rows.targets, recipe.pos_weight, rows.space.names)
    return summary(weights[columns], rows.targets.columns(columns))


def model_for(rows: Table, recipe: Recipe, head_device: str = "cpu") -> Model:
    """A fresh model for these training rows."""
    return Model.build(
        rows.inputs,
        rows.targets,
        rows.space,
        encoder=encoder_for(rows, recipe),
        encoder_options=recipe.encoder_options,
        preparation=recipe.fitted or recipe.preparation,
        preparation_options=recipe.preparation_options,
        seed=recipe.seed,
        head_device=head_device,
    )


def _tuned(rows: Table, scores: ScoreMatrix, recipe: Recipe, how: str, tell: Listener) -> Decision:
    rule = rule_for(rows.space, recipe.goal).fit(
        scores, hard(rows.targets), space=rows.space, goal=recipe.goal
    )
    tell(CutsTuned(str(getattr(recipe.goal, "name", recipe.goal)), len(rows), how))
    return rule


def _only_interrupts(event: Any) -> None:
    """Folds tell nothing of their own; what they would say, the final model has said."""
