"""`KerasLoss`: a loss of `manyhot.losses` as a Keras 3 loss, by formula on any backend, or in torch."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from manyhot import _check
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.keras.cells import Cells, read_cells
from manyhot.keras.row_sums import as_vector, row_sums
from manyhot.keras.words import KERAS_WORDS, numbers_of, ops
from manyhot.kernels.cells import DenseCells
from manyhot.kernels.formula import Formula, bind, constant_names
from manyhot.kernels.row_sums import ROW_SUMS, RowReading
from manyhot.losses import MultiLabelLoss, Pointwise, Rowwise, make_loss
from manyhot.losses.base import arguments
from manyhot.losses.pointwise import side_weights
from manyhot.losses.watch import INFINITE, is_finite, refuse_nan

KERAS_REDUCTIONS = {"sum_over_batch_size": "mean", None: "none"}  # Keras's word -> ours


class KerasLoss(keras.losses.Loss):
    """Logits and targets in, one number out: `model.compile(loss=...)`.

    The arguments are those of the torch loss `kind`, beside those below. `y_true` is (rows, labels), 0/1 or
    soft, NaN or -1 for unknown; `sample_weight` (rows,) or (rows, labels), which multiplies costs and enters
    no denominator, as in Keras. Gradients are those of the torch loss; second derivatives are not.

    Args:
        name: of the loss, for Keras.
        dtype: that costs are computed in; Keras's floatx by default. Half precision is widened to float32.
        from_logits: must be True; the model must not end in an activation.
        parameters: of the loss, by name; reduction "mean" (over known cells or rows; also called
            "sum_over_batch_size"), "batchmean", "sum", "positives" or "none".

    Raises:
        OptionError: no such argument; a loss that learns parameters, or needs torch on another backend.
    """

    kind: ClassVar[type[MultiLabelLoss]]

    def __init__(
        self, *, name: str | None = None, dtype: Any = None, from_logits: bool = True, **parameters: Any
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if not from_logits:
            raise OptionError(
                f"{type(self).__name__} takes logits: drop activation='sigmoid' from the last layer, and put "
                "keras.ops.sigmoid on what the model predicts"
            )
        given = parameters.get("reduction", "mean")
        self.parameters = {**parameters, "reduction": KERAS_REDUCTIONS.get(given, given)}
        self.core = make_loss(self.kind, **_checked(self.kind, self.parameters))
        self.reduction = self.core.reduction
        called = f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in parameters.items())})"
        if self.core.training_state() or next(self.core.parameters(), None) is not None:
            raise OptionError(
                f"{called} learns numbers of its own, which Keras would not keep: use it in torch"
            )
        self.portable = _portable(self.core)
        if not self.portable and keras.backend.backend() != "torch":
            raise OptionError(
                f"{called} computes in torch, Keras runs on {keras.backend.backend()}: set "
                "KERAS_BACKEND=torch before keras is imported, or take a loss that is a formula, such as "
                "BCE, Asymmetric or ZLPR"
            )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Cost of a batch, reduced.

        Raises:
            InputError: the model ends in a sigmoid or softmax; NaN or probabilities as logits, and the like.
                No number is looked at while a backend compiles, nor on a GPU.
            ShapeError: logits of other than two axes, targets or weights of another shape.
        """
        if getattr(y_pred, "_keras_logits", None) is not None:
            raise InputError(
                f"the model ends in an activation, {type(self).__name__} takes logits: drop activation= from "
                "the last layer"
            )
        dtype = "float32" if self.dtype in ("float16", "bfloat16") else self.dtype
        z, y = (ops.convert_to_tensor(tensor, dtype=dtype) for tensor in (y_pred, y_true))
        if len(z.shape) != 2 or len(y.shape) != 2 or z.shape[1] != y.shape[1]:
            raise ShapeError(
                f"expected y_true and logits of one shape (rows, labels), got {tuple(y.shape)} and "
                f"{tuple(z.shape)}"
            )
        width = self.core.width if self.core.names is None else len(self.core.names)
        if width is not None and z.shape[1] != width:
            raise ShapeError(f"expected logits for {width} labels, got {z.shape[1]} columns")
        cells = read_cells(y, sample_weight, self.core.unknown)
        if not self.portable:
            return self._in_torch(y, z, cells)
        self._look(y, z, cells)
        z = ops.where(cells.known > 0, ops.clip(z, -INFINITE, INFINITE), ops.zeros_like(z))
        if isinstance(self.core, Rowwise):
            counted = ops.max(cells.known, axis=1)
            costs = self._rows(z, cells) * counted
        else:
            costs, counted = self._cells(z, cells), cells.known
        return self._reduced(costs, counted, cells)

    def _look(self, y: Any, z: Any, cells: Cells) -> None:
        """The checks of the torch losses, where a backend computes at once and not on a GPU."""
        logits, targets, known = (numbers_of(tensor) for tensor in (z, y, cells.known))
        if logits is None or targets is None or known is None or logits.device.type != "cpu":
            return
        weights = {"row_weight": cells.row_weight, "cell_weight": cells.cell_weight}
        given = {name: None if weight is None else numbers_of(weight) for name, weight in weights.items()}
        watch, names = self.core._watch, self.core.names
        watch.begin_call()
        watch.check(logits, DenseCells(values=targets, **given), names, self.core.strict)
        if not is_finite(logits):
            refuse_nan(logits, known > 0, names)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The same without weights."""
        return self(y_true, y_pred)

    def set_epoch(self, epoch: int) -> None:
        """Tell a loss with a schedule which epoch begins, from 0; `LambdaCallback(on_epoch_begin=...)`."""
        self.core.set_epoch(epoch)

    def get_config(self) -> dict[str, Any]:
        """The arguments, JSON-able."""
        config = {name: _plain(value) for name, value in self.parameters.items()}
        return {**config, "name": self.name, "dtype": self.dtype}

    def _cells(self, z: Any, cells: Cells) -> Any:
        """(rows, labels) costs of a pointwise loss."""
        positive, negative, _ = self.core.formulas()  # type: ignore[operator]
        of_positives, of_negatives = self.core.smoothing
        share = cells.values * (1 - of_positives - of_negatives) + of_negatives
        up, down = self._side_weights(z)
        soft = self.core.soft_formula()  # type: ignore[operator]
        if soft is None:
            costs = share * self._side(positive, z) * up + (1 - share) * self._side(negative, z) * down
        else:
            costs = self._side(soft, z, share) * (share * up + (1 - share) * down)
        return costs * cells.known if cells.cell_weight is None else costs * cells.known * cells.cell_weight

    def _side(self, formula: Formula, z: Any, *targets: Any) -> Any:
        """Costs whose derivative is the formula's own slope; a soft formula takes the targets too."""
        still = ops.stop_gradient(z)
        constants = [self._constant(name, z) for name in constant_names(formula)[len(targets) :]]
        value, slope = bind(formula, KERAS_WORDS)(still, *targets, *constants)
        # z - still is 0, with slope 1: automatic derivatives of |z|, powers and clips are wrong at the kinks.
        return value + slope * (z - still)

    def _rows(self, z: Any, cells: Cells) -> Any:
        """(rows,) costs of a row-wise loss."""
        formula = type(self.core).row  # type: ignore[attr-defined]
        names = formula.__code__.co_varnames[: formula.__code__.co_argcount]
        up, down = side_weights(self.core, _any_cells(z.shape[1]))
        reading = RowReading(
            **{
                name: getattr(self.core, name, 1.0)
                for name in ("temperature", "temperature_pos", "temperature_neg")
            },
            positive_weight=up,
            negative_weight=down,
            smoothing=self.core.smoothing,
        )
        sums = row_sums(z, cells, reading, [name for name in names if name in ROW_SUMS])
        arguments = [sums[name] if name in sums else getattr(self.core, name) for name in names]
        return bind(formula, KERAS_WORDS)(*arguments)[0]

    def _side_weights(self, z: Any) -> tuple[Any, Any]:
        weights = side_weights(self.core, _any_cells(z.shape[1]))
        return tuple(1.0 if weight is None else as_vector(weight, z) for weight in weights)  # type: ignore[return-value]

    def _constant(self, name: str, z: Any) -> Any:
        value = getattr(self.core, name)
        return value if isinstance(value, (int, float)) else as_vector(value, z)

    def _reduced(self, costs: Any, counted: Any, cells: Cells) -> Any:
        if cells.row_weight is not None:
            costs = costs * ops.reshape(cells.row_weight, (-1, *[1] * (len(costs.shape) - 1)))
        if self.reduction == "none":
            return costs
        summed = ops.sum(costs)
        if self.reduction == "sum":
            return summed
        units = {
            "mean": lambda: ops.sum(counted),
            "positives": lambda: ops.sum(cells.values),
            "batchmean": lambda: ops.cast(ops.shape(costs)[0], costs.dtype),
        }[self.reduction]()
        return summed / ops.maximum(units, 1.0)

    def _in_torch(self, y: Any, z: Any, cells: Cells) -> Any:
        targets = ops.where(cells.known > 0, cells.values, ops.full_like(y, float("nan")))
        core = self.core.to(z.device)
        return core(z, targets, row_weight=cells.row_weight, cell_weight=cells.cell_weight)


def _portable(loss: MultiLabelLoss) -> bool:
    """True for a loss that is nothing but its formulas."""
    if not isinstance(loss, Pointwise):
        return isinstance(loss, Rowwise)
    plain = all(
        getattr(type(loss), name) is getattr(Pointwise, name) for name in ("select", "evaluate", "curves")
    )
    return plain and not loss.row_constants(_any_cells(loss.width or 1))


def _any_cells(width: int) -> DenseCells:
    return DenseCells(values=torch.zeros(1, width))


def _checked(kind: type[MultiLabelLoss], parameters: Mapping[str, Any]) -> dict[str, Any]:
    for name in parameters:
        _check.one_of(f"an argument of {kind.__name__}", name, arguments(kind))
    return dict(parameters)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(number) for name, number in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
