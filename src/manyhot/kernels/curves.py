"""`Curves`: a pointwise loss as an engine takes it, all of it data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from manyhot.kernels.formula import Formula, constant_names


@dataclass(frozen=True, eq=False)
class Curves:
    """Two or three formulas, their constants and the weights of their labels.

    Args:
        positive: cost and slope of a cell whose label applies.
        negative: cost and slope of a cell whose label does not apply.
        unknown: cost and slope of a cell that nobody knows; None lets it cost nothing.
        constants: a number, (labels,) or (rows, 1) for every argument name of the formulas.
        positive_weight: (labels,), multiplies the positive side.
        negative_weight: (labels,), multiplies the negative side.
        smoothing: (share of a positive counted as negative, share of a negative counted as positive).
        soft: cost and slope of a target y in [0, 1], whose first argument after the logit is y; at 0 and 1
            that of a side. None mixes the two sides by y.
    """

    positive: Formula
    negative: Formula
    unknown: Formula | None
    constants: Mapping[str, float | Tensor]
    positive_weight: Tensor | None = None
    negative_weight: Tensor | None = None
    smoothing: tuple[float, float] = (0.0, 0.0)
    soft: Formula | None = None

    def formulas(self) -> tuple[Formula, Formula, Formula | None]:
        """Positive, negative, unknown."""
        return self.positive, self.negative, self.unknown

    def all_formulas(self) -> tuple[Formula | None, ...]:
        """Positive, negative, unknown, soft."""
        return *self.formulas(), self.soft

    def arguments(self, formula: Formula) -> tuple[float | Tensor, ...]:
        """Values of the formula's constants, in its order; without the target y of a soft formula."""
        return tuple(self.constants[name] for name in constant_names(formula) if name != "y")

    def to(self, device: torch.device, dtype: torch.dtype) -> "Curves":
        """All tensors on one device, in one dtype."""

        def moved(value: float | Tensor) -> float | Tensor:
            return value.to(device, dtype) if isinstance(value, Tensor) else value

        def weight(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device, dtype)

        return replace(
            self,
            constants={name: moved(value) for name, value in self.constants.items()},
            positive_weight=weight(self.positive_weight),
            negative_weight=weight(self.negative_weight),
        )

    def rows(self, part: slice) -> "Curves":
        """The same for a run of rows."""
        if not any(_per_row(value) for value in self.constants.values()):
            return self
        cut = {n: v[part] if isinstance(v, Tensor) and _per_row(v) else v for n, v in self.constants.items()}
        return replace(self, constants=cut)

    def cells(self, rows: Tensor, labels: Tensor) -> "Curves":
        """The same for single cells, as vectors."""

        def at(value: float | Tensor) -> float | Tensor:
            if not isinstance(value, Tensor):
                return value
            return value[rows, 0] if _per_row(value) else value[labels]

        def weight(value: Tensor | None) -> Tensor | None:
            return None if value is None else value[labels]

        return replace(
            self,
            constants={name: at(value) for name, value in self.constants.items()},
            positive_weight=weight(self.positive_weight),
            negative_weight=weight(self.negative_weight),
        )


def _per_row(value: float | Tensor) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2
