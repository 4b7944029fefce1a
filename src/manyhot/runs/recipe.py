"""The options of `fit` in one record: what is trained, by which loss, for which goal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import msgspec

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.runs.parts import FRACTIONS

if TYPE_CHECKING:
    from torch import nn

    from manyhot.models import Preparation
    from manyhot.train import TrainOptions

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a run becomes, data aside, as `fit` has it where nothing is asked for.

    Args:
        fitted: the preparation, where it was fitted on the training rows already; no option.
    """

    encoder: "str | nn.Module" = AUTO
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    preparation: Any = AUTO
    preparation_options: Mapping[str, Any] = field(default_factory=dict)
    loss: Any = AUTO
    pos_weight: Any = None
    goal: Any = "f1_macro"
    fractions: Sequence[float] = FRACTIONS
    seed: int = 0
    training: "TrainOptions"
    fitted: "Preparation | None" = None

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int) -> "Recipe":
        """The recipe of keyword arguments of `fit`, those of training among them.

        Raises:
            OptionError: no such option (the nearest are listed), or a value of another kind.
        """
        seed = _check.seed(seed)
        own = {each.name for each in fields(cls)} - {"training", "fitted", "seed"}
        training = training_options({name: options[name] for name in options if name not in own}, seed)
        return cls(**{name: options[name] for name in own & set(options)}, seed=seed, training=training)

    def to_dict(self) -> dict[str, Any] | None:
        """The options as `fit` takes them, JSON-able; None where one is an object that only Python knows."""
        if not isinstance(self.encoder, str) or not isinstance(self.preparation, str):
            return None
        own = {
            "encoder": self.encoder,
            "encoder_options": dict(self.encoder_options),
            "preparation": self.preparation,
            "preparation_options": dict(self.preparation_options),
            "loss": self.loss,
            "pos_weight": self.pos_weight,
            "goal": getattr(self.goal, "name", self.goal),
            "fractions": list(self.fractions),
            "seed": self.seed,
        }
        training = self.training.to_dict()
        del training["seed"]
        try:
            return msgspec.json.decode(msgspec.json.encode(own | training))
        except TypeError:
            return None


def training_options(options: Mapping[str, Any], seed: int) -> "TrainOptions":
    """`TrainOptions` of keyword arguments.

    Raises:
        OptionError: no such option (the nearest are listed), or a value of another kind.
    """
    from manyhot.train import TrainOptions

    known = [name for name in TrainOptions.__struct_fields__ if name != "seed"]
    for name in options:
        _check.one_of("option of fit", name, known)
    try:
        return msgspec.convert({**options, "seed": _check.seed(seed)}, TrainOptions)
    except msgspec.ValidationError as error:
        raise OptionError(f"training option: {error}") from error


def given_options(options: "TrainOptions") -> list[str]:
    """Names of the training options that are not left as they are by themselves."""
    from manyhot.train import TrainOptions

    usual = TrainOptions(seed=options.seed)
    return [name for name in usual.__struct_fields__ if getattr(options, name) != getattr(usual, name)]
