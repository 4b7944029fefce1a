"""From training rows to a model with tuned cuts, by one of two ways.

Trained in epochs: validation rows choose the best epoch, and the cuts are tuned on their scores. Solved, as a
linear model of sparse rows is where nothing else was asked for: each training row is scored by a model that
has not seen it, so that the cuts are tuned on all of them, and on validation rows where there are any.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyhot.data import Table, folds
from manyhot.decide import Decision, rule_for
from manyhot.errors import TrainingError
from manyhot.labels import LabelSpace, ScoreMatrix, Targets
from manyhot.losses import label_weights, losses_for
from manyhot.losses.weighting import summary
from manyhot.metrics import evaluate
from manyhot.models import WIDE, Model, best_of, is_bag, stacked
from manyhot.models.model import DEFAULT_ENCODER
from manyhot.models.text import MAX_TERMS
from manyhot.runs.events import CutsTuned, Listener, ModelBuilt, ModelChosen
from manyhot.runs.parts import Parts
from manyhot.runs.recipe import AUTO, Recipe, given_options
from manyhot.train import History, Solved, solve_linear, train
from manyhot.train.events import nobody

if TYPE_CHECKING:
    from torch import nn

DEFAULT_LOSS = "bce"
SOLVED_LOSS = "squared-hinge (solved)"
FOLDS = 5
SHOWN = 5
"""Groups that are named in a line."""

BAG, BAG_STRENGTHS = "bag", (0.3, 1.0)
"""Preparation of columns as sparse as words, and how strongly their model may fit: measured on bibtex, enron
and medical."""

LINEAR_WEIGHTS = 2**28
"""A linear model of a wide label space has a weight for each feature and label: 1 GB of them at most."""

MOST_CELLS = 200_000_000
"""A solved model holds the scores of all rows at once; beyond so many cells it is trained instead."""

OF_EPOCHS = ("epochs", "batch_size", "accumulate", "optimizer", "learning_rate", "weight_decay", "momentum",
             "schedule", "warmup", "clip", "average")  # fmt: skip
"""Training options that say how to go about epochs: with one of them a model is trained, not solved."""

OF_TRAINING_ONLY = ("head", "precision", "monitor", "cuts", "patience", "augment", "device")
"""Training options that a model can do without that is solved."""


@dataclass(frozen=True)
class Learned:
    """A trained model and its rule.

    Attributes:
        model: trained.
        history: of its training.
        loss: what was minimised.
        options: how, JSON-able.
        rule: fitted.
        how: how the rows were scored that the rule was fitted on, in words.
        tuned: these rows.
        scores: (rows, labels), their scores; of a wide label space the best of each row, CSR.
    """

    model: Model
    history: History
    loss: str
    options: dict[str, Any]
    rule: Decision
    how: str
    tuned: Table
    scores: ScoreMatrix


def is_solved(table: Table, recipe: Recipe) -> bool:
    """Whether the minimum is found directly."""
    return _is_linear(table, recipe) and not _why_trained(table, recipe)


def how_learned(table: Table, recipe: Recipe) -> str:
    """What there is to say of the way a linear model of sparse rows is learned; "" where all is as usual."""
    if not _is_linear(table, recipe):
        return ""
    if reason := _why_trained(table, recipe):
        return f"trained in epochs, not solved at once, because {reason}"
    unused = [name for name in given_options(recipe.training) if name in OF_TRAINING_ONLY]
    if recipe.training.device == "cpu":  # where it is solved anyway
        unused.remove("device")
    return f"solved, not trained in epochs: {', '.join(unused)} without effect" if unused else ""


def _is_linear(table: Table, recipe: Recipe) -> bool:
    """Whether it is a linear model of sparse rows."""
    sparse = table.inputs.kind in ("sparse", "text", "mixed") or recipe.preparation == BAG
    return sparse and encoder_for(table, recipe) == "linear"


def _why_trained(table: Table, recipe: Recipe) -> str:
    """Why a linear model of sparse rows cannot be solved, or should not; "" where it is."""
    asked = [name for name in given_options(recipe.training) if name in OF_EPOCHS]
    if recipe.loss != AUTO:
        asked.append("loss")
    if asked:
        return f"{', '.join(asked)} {'was' if len(asked) == 1 else 'were'} given"
    if table.space.groups:
        return "some labels exclude each other"
    if table.targets.is_soft:
        return "some labels are likelihoods"
    if len(table) * len(table.space) > MOST_CELLS:
        return f"{len(table):,} rows with {len(table.space):,} labels are too many scores to hold at once"
    return ""


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


def learn(table: Table, parts: Parts, recipe: Recipe, checkpoints: Path | None, tell: Listener) -> Learned:
    """A model of the training rows, its cuts tuned on rows that it was not trained on.

    Where the columns are as sparse as words, the usual network and a linear model are both tried: which is
    better hangs on the data, and the linear one takes seconds.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was trained is in `checkpoints`.
        TrainingError: the training came to numbers that are not finite in its first epoch.
    """
    if is_solved(table, recipe):
        return _learn_solved(table, parts, recipe, tell)
    trained = _train(table, parts, recipe, checkpoints, tell)
    linear = _linear_rival(table, recipe)
    if linear is not None and _linear_is_better(table, parts, linear, trained.scores, tell):
        rows = np.sort(np.concatenate([parts.train, parts.valid]))
        return _learn_solved(table, replace(parts, train=rows, valid=rows[:0]), linear, tell)
    rule = _tuned(trained.tuned, trained.scores, recipe, trained.how, tell)
    return Learned(rule=rule, **vars(trained))


def _linear_rival(table: Table, recipe: Recipe) -> Recipe | None:
    """The recipe of a linear model of columns like a bag of words; None where another was asked for."""
    open_ = recipe.encoder == AUTO == recipe.preparation and not recipe.preparation_options
    linear = replace(recipe, encoder="linear", preparation=BAG, encoder_options={})
    fits = open_ and is_bag(table.inputs) and len(table.space) < WIDE
    return linear if fits and is_solved(table, linear) else None


def _linear_is_better(
    table: Table, parts: Parts, linear: Recipe, scores: ScoreMatrix, tell: Listener
) -> bool:
    """Whether a linear model of the training rows ranks the validation rows better than these scores do."""
    valid = table.take(parts.valid)
    model, _ = _solved(table.take(parts.train), linear, nobody)
    own, theirs = (_macro_ap(valid.targets.harden(), each) for each in (model.scores(valid.inputs), scores))
    better = own > theirs  # never where no valid row has a label, and both are NaN
    tell(ModelChosen("linear" if better else "network", own, theirs, len(valid)))
    return better


def _macro_ap(targets: Targets, scores: ScoreMatrix) -> float:
    return float(evaluate(targets, scores, metrics=["ap_macro"], baseline=False)["ap_macro"])


def _learn_solved(table: Table, parts: Parts, recipe: Recipe, tell: Listener) -> Learned:
    """Solve; the cuts are tuned on all rows but those that judge."""
    rows, valid = table.take(parts.train), table.take(parts.valid)
    model, solved = _solved(rows, recipe, tell)
    scores, tuned = solved.out_of_fold, rows
    scores = best_of(scores) if model.is_wide else scores
    how = f"out of fold on {len(rows):,} training rows"
    if len(valid):
        scores = stacked([scores, model.kept_scores(valid.inputs)])
        tuned = table.take(np.concatenate([parts.train, parts.valid]))
        how += f" and on {len(valid):,} validation rows"
    rule = _tuned(tuned, scores, recipe, how, tell)
    return Learned(model, solved.history, SOLVED_LOSS, solved.options, rule, how, tuned, scores)


def _solved(rows: Table, recipe: Recipe, tell: Listener) -> tuple[Model, Solved]:
    """A model for these rows, and their scores by models that have not seen them."""
    model = model_for(rows, recipe)
    tell(ModelBuilt(model, len(rows), SOLVED_LOSS, weights_told(rows, recipe), how_learned(rows, recipe)))
    fold = np.empty(len(rows), np.int64)
    for number, (_, outside) in enumerate(folds(rows.targets, FOLDS, groups=rows.group, seed=recipe.seed)):
        fold[outside] = number
    weight = recipe.pos_weight
    if weight is not None:
        weight = label_weights(rows.targets, weight, rows.space.names)
    solved = solve_linear(
        model,
        rows.inputs,
        rows.targets,
        fold,
        positive_weight=weight,
        strengths=BAG_STRENGTHS if recipe.preparation == BAG else (1.0,),
        seed=recipe.seed,
        on_event=tell,
    )
    return model, solved


@dataclass(frozen=True)
class _Trained:
    """What `Learned` has before the rule is fitted."""

    model: Model
    history: History
    loss: str
    options: dict[str, Any]
    how: str
    tuned: Table
    scores: ScoreMatrix


def _train(table: Table, parts: Parts, recipe: Recipe, checkpoints: Path | None, tell: Listener) -> _Trained:
    """A model trained in epochs, of which validation rows choose the best."""
    rows, valid = table.take(parts.train), table.take(parts.valid)
    loss, told = loss_for(rows, recipe)
    model = model_for(rows, recipe)
    tell(ModelBuilt(model, len(rows), told, weights_told(rows, recipe), how_learned(table, recipe)))
    history = train(
        model,
        rows.inputs,
        rows.targets,
        valid.inputs,
        valid.targets,
        loss=loss,
        options=recipe.training,
        checkpoints=checkpoints,
        on_event=tell,
    )
    if history.ending == "interrupted":
        raise KeyboardInterrupt
    if history.ending == "diverged" and not history.best_epoch:
        found = next(finding for finding in history.diagnoses if finding.name == "not_finite")
        raise TrainingError(f"nothing was learned: {found.finding}: {found.mend}")
    assert history.options is not None
    scores, how = model.kept_scores(valid.inputs), f"on {len(valid):,} validation rows"
    return _Trained(model, history, told, history.options.to_dict(), how, valid, scores)


def loss_for(rows: Table, recipe: Recipe) -> "tuple[nn.Module, str]":
    """The loss that a model is trained with, and what it is, in words."""
    spec = DEFAULT_LOSS if recipe.loss == AUTO else recipe.loss
    loss = losses_for(rows.space, spec, rows.targets, pos_weight=recipe.pos_weight)
    return loss, loss_told(rows.space, spec)


def loss_told(space: LabelSpace, spec: Any) -> str:
    """The loss of the independent labels as it was asked for, and the softmax of the exclusive groups."""
    if not space.groups:
        return str(spec)
    groups = ", ".join(group.name for group in space.groups[:SHOWN])
    groups += ", ..." if len(space.groups) > SHOWN else ""
    return f"{spec} + softmax ({groups})" if space.independent else f"softmax in {groups}"


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
        scores, rows.targets.harden(), space=rows.space, goal=recipe.goal
    )
    tell(CutsTuned(str(getattr(recipe.goal, "name", recipe.goal)), len(rows), how))
    return rule
