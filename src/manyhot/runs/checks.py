"""What can be wrong about the options of `fit` before any data is read, and before anything is trained."""

from collections.abc import Mapping
from typing import Any

from manyhot import _check
from manyhot.decide.goals import as_goal
from manyhot.decide.tuning import labels_of_goals
from manyhot.labels import LabelSpace
from manyhot.losses import LOSSES
from manyhot.losses.make import arguments, make_loss, parse
from manyhot.losses.weighting import SCHEMES
from manyhot.metrics.table import find_metric
from manyhot.models import ENCODERS
from manyhot.models.preparation import table_of_preparations
from manyhot.runs.parts import shares_of
from manyhot.runs.recipe import AUTO, Recipe
from manyhot.train.options import device_named


def check_recipe(recipe: Recipe) -> None:
    """Look at every option of a recipe whose range does not depend on the data.

    Raises:
        OptionError: the first that is outside its range.
    """
    for goal in recipe.goal.values() if isinstance(recipe.goal, Mapping) else [recipe.goal]:
        as_goal(goal)
    if isinstance(recipe.encoder, str):
        _check.one_of("encoder", recipe.encoder, [AUTO, *ENCODERS])
    if isinstance(recipe.preparation, str):
        _check.one_of("preparation", recipe.preparation, [AUTO, *table_of_preparations()])
    if isinstance(recipe.pos_weight, str):
        _check.one_of("pos_weight", recipe.pos_weight, SCHEMES)
    if recipe.training.monitor not in (AUTO, "loss"):
        find_metric(recipe.training.monitor)
    shares_of(recipe.fractions)
    _check_loss(recipe.loss)
    device_named(recipe.training.device)


def check_goals(goal: Any, space: LabelSpace) -> None:
    """Goals by label name are those of labels that there are.

    Raises:
        InputError, OptionError: a label that is not there, or one without a goal.
    """
    if isinstance(goal, Mapping):
        labels_of_goals(goal, LabelSpace(space.independent))


def _check_loss(loss: Any) -> None:
    if loss == AUTO:
        return
    if not isinstance(loss, str):
        if not isinstance(loss, type):  # a class may want to know the training rows
            make_loss(loss)
        return
    name, given = parse(loss)
    accepted = arguments(LOSSES[name])
    for argument in given:
        _check.one_of(f"an argument of {name}", argument, accepted)
