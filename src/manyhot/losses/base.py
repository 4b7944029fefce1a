"""`MultiLabelLoss`: what every loss has in common. Reduction, weights, unknown cells, smoothing, checks."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.pointwise import plain, suits_triton, use_engine
from manyhot.kernels.reduction import REDUCTIONS, Reduction
from manyhot.kernels.torch_engine import computed
from manyhot.losses import door
from manyhot.losses.watch import Watch, bounded, is_finite, refuse_nan

PerLabel: TypeAlias = float | ArrayLike | Tensor | Mapping[str, float]


class Options(TypedDict, total=False):
    """What every loss takes beside its own parameters.

    reduction: "mean" over known units (default), "batchmean" (sum over units, mean over rows), "sum",
        "positives" (sum by the summed targets of the batch, at least 1), "none". A unit is a cell of a
        pointwise loss, a row of a row-wise one.
    pos_weight: number, (labels,) or {name: weight}; multiplies the positive side.
    label_weight: number, (labels,) or {name: weight}; multiplies both sides.
    smoothing: s moves targets to y (1 - s) + s / 2; (a, b) moves positives to 1 - a and negatives to b.
    unknown: "ignore" (default) leaves unknown cells out, "negative" takes them for negative.
    strict: probabilities in place of logits are an error instead of one warning.
    names: the label names, for messages and for weights given by name.
    """

    reduction: Reduction
    pos_weight: PerLabel | None
    label_weight: PerLabel | None
    smoothing: float | tuple[float, float]
    unknown: Literal["ignore", "negative"]
    strict: bool
    names: Sequence[str] | None


@dataclass(frozen=True)
class Traits:
    """What holds of a class of losses; tried for all that `LOSSES` lists.

    Args:
        bounded: no gradient grows with the logit.
        sparse: what becomes of sparse targets: "kept", "kept on the CPU" (its compiling engine needs no dense
            ones), "made dense".
        batch: the cost of a row depends on the other rows of the batch.
        calls: what a training loop has to do beside calling it, of "row_ids", "set_epoch", "parameters".
        soft: what a target between 0 and 1 means, where the base class does not tell.
    """

    bounded: bool = True
    sparse: Literal["kept", "kept on the CPU", "made dense"] = "kept"
    batch: bool = False
    calls: tuple[str, ...] = ()
    soft: str | None = None


class MultiLabelLoss(nn.Module, ABC):
    """Base of all losses: logits and targets in, one number out.

    A family of losses gives `evaluate`. A loss may change the targets first by `select`, and read the
    training epoch from `self.epoch`.
    """

    ignores_unknown: ClassVar[bool] = True
    """False for a loss that learns from unknown cells."""

    traits: ClassVar[Traits] = Traits()

    shows_nan: ClassVar[bool] = False
    """True for a loss whose cost is NaN if a known logit is; else the logits are looked at as well."""

    by_triton: ClassVar[bool] = False
    """True for a loss whose logits Triton's kernels read: they take infinite ones as they are, as a pass that
    bounds them would double the time."""

    epoch: int
    pos_weight: Tensor | float | None
    label_weight: Tensor | float | None

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__()
        for name in options:
            _check.one_of(f"an argument of {type(self).__name__}", name, arguments(type(self)))
        self._sized: list[str] = []  # parameters that hold a number per label
        self.reduction = _check.one_of("reduction", options.get("reduction", "mean"), REDUCTIONS)
        names = options.get("names")
        self.names = None if names is None else tuple(names)
        self.smoothing = _smoothing(options.get("smoothing", 0.0))
        self.unknown = _check.one_of("unknown", options.get("unknown", "ignore"), ("ignore", "negative"))
        self.strict = options.get("strict", False)
        self.per_label("pos_weight", options.get("pos_weight"), low=0.0)
        self.per_label("label_weight", options.get("label_weight"), low=0.0)
        self.epoch = 0
        self._watch = Watch()

    @final
    def forward(
        self,
        logits: Tensor,
        targets: Any,
        unknown: Any = None,
        *,
        row_weight: Any = None,
        cell_weight: Any = None,
        row_ids: Any = None,
    ) -> Tensor:
        """Cost of a batch, reduced.

        Args:
            logits: (rows, labels), what comes before sigmoid; any float dtype. An infinite logit counts as
                1e15 (the largest number of the dtype in float16).
            targets: (rows, labels) 0/1 of any dtype, soft in [0, 1], NaN or -1 for unknown; or `Targets`,
                SciPy or torch sparse, -1 padded label indices, ragged lists of label indices. A soft tensor
                that requires a gradient gets one.
            unknown: (rows, labels), true where nobody knows the value; beside what `targets` says.
            row_weight: (rows,), multiplies the cost of a row.
            cell_weight: (rows, labels), multiplies the cost of a cell.
            row_ids: (rows,), number of each row in the training set; for losses that remember rows.

        Returns:
            0-d, in nats unless the loss says otherwise; with the reduction "none" a cost per unit. float32
            for half-precision logits, else of their dtype. A batch of no rows or no known cell costs 0.
            A gradient beyond 65,504 is infinite for float16 logits, as gradient scalers expect.

        Raises:
            InputError: NaN among the logits of known cells, numbers that cannot be targets or weights.
            ShapeError: shapes that do not fit each other.

        Inside of torch.compile and torch.func no number can be looked at, and on a GPU that would wait for it
        in every step: there NaN makes the cost NaN. Triton's kernels of pointwise and row-wise losses take
        infinite logits as they are.
        """
        outputs, logits = self.outputs(logits), door.check_logits(self.joined(logits), self.width, self.names)
        watch = self._watch if plain(logits) else None
        if watch is not None:
            watch.begin_call()
        cells = door.read_cells(logits, targets, unknown, row_weight, cell_weight, row_ids, watch)
        cells = cells if outputs is None else replace(cells, outputs=outputs)
        if watch is not None:
            watch.check(logits, cells, self.names, self.strict)
        if watch is None or not cells.learned:
            return self._of_batch(logits, cells, looking=watch is not None)
        with use_engine("torch"):  # the others know of the logits' gradient alone
            return self._of_batch(logits, cells, looking=watch is not None)

    def _of_batch(self, logits: Tensor, cells: Cells, looking: bool) -> Tensor:
        """The reduced cost; NaN among the logits is an error where numbers can be looked at."""
        if not looking or logits.device.type != "cpu":
            return self._unseen(logits, cells)
        if not self.shows_nan and not is_finite(logits):
            logits = self._mended(logits, cells)
        prepared = self.prepare(logits, cells)
        cost = self.evaluate(logits, prepared)
        if not is_finite(cost):
            cost = self.evaluate(self._mended(logits, cells), prepared)
        return self._by_positives(cost, cells)

    def _by_positives(self, cost: Tensor, cells: Cells) -> Tensor:
        if self.reduction != "positives":
            return cost
        return cost / cells.label_sums().sum().clamp(min=1).to(cost.dtype)

    def _mended(self, logits: Tensor, cells: Cells) -> Tensor:
        """Logits with their infinities made finite, or an error that names the cells that are NaN."""
        refuse_nan(logits, self._read(cells), self.names)
        if cells.outputs is not None:
            refuse_nan(cells.outputs, None, None, "outputs beside the logits", "columns")
        return bounded(logits)

    def _unseen(self, logits: Tensor, cells: Cells) -> Tensor:
        """The cost where no number can be looked at, or to look would wait for the device in every step."""
        if not (self.by_triton and self.shows_nan and suits_triton(logits)):
            logits = bounded(logits)
        cost = self._by_positives(self.evaluate(logits, self.prepare(logits, cells)), cells)
        if self.shows_nan:
            return cost
        read = self._read(cells)
        return cost + 0.0 * computed(logits if read is None else torch.where(read, logits, 0.0)).sum()

    def _read(self, cells: Cells) -> Tensor | None:
        """(rows, labels), False where a logit is never read; None where all are."""
        return cells.known() if self.ignores_unknown and self.unknown == "ignore" else None

    @final
    def prepare(self, logits: Tensor, cells: Cells) -> Cells:
        """The targets as this loss means them: unknown cells settled, selection made."""
        if self.unknown == "negative":
            cells = _assumed_negative(cells)
        return self.select(logits.detach(), cells)

    def joined(self, logits: Any) -> Any:
        """The logits as one matrix; losses over several heads put them together here."""
        return logits

    def outputs(self, logits: Any) -> Tensor | None:  # noqa: ARG002
        """(rows, numbers) what was given beside the logits; `evaluate` finds it in `cells.outputs`."""
        return None

    def select(self, logits: Tensor, cells: Cells) -> Cells:  # noqa: ARG002
        """Targets changed in the light of the model's own answer; the base changes nothing."""
        return cells

    @abstractmethod
    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost of a batch whose targets were read and prepared."""

    def trust_logits(self) -> None:
        """Look no further for probabilities in place of logits: for callers whose head gives logits."""
        self._watch.trusting = True

    def set_epoch(self, epoch: int) -> None:
        """Tell the loss which epoch begins, from 0; losses with a schedule read it."""
        self.epoch = epoch

    def training_state(self) -> bool:
        """True for a loss that remembers earlier batches."""
        return False

    @property
    def width(self) -> int | None:
        """Number of labels this loss is made for; None when any."""
        if not self._sized:
            return None
        sizes = {name: len(getattr(self, name)) for name in self._sized}
        if len(set(sizes.values())) > 1:
            raise ShapeError(f"parameters of this loss are for different numbers of labels: {sizes}")
        return next(iter(sizes.values()))

    def per_label(self, name: str, value: PerLabel | None, low: float = -np.inf) -> None:
        """Store a parameter that is one number or a number per label: float attribute or (labels,) buffer.

        Raises:
            OptionError: text, NaN, below `low`, a missing or unknown label name.
            ShapeError: more than one axis.
        """
        if value is None:
            setattr(self, name, None)
            return
        if isinstance(value, str):
            raise OptionError(
                f"{name}={value!r} needs the training targets: {name}=label_weights(targets, {value!r})"
            )
        if isinstance(value, Mapping):
            value = by_name(name, value, self.names)
        tensor = torch.as_tensor(np.asarray(value) if not isinstance(value, Tensor) else value).detach()
        tensor = tensor.clone().to(torch.float64 if tensor.dtype == torch.float64 else torch.float32)
        if tensor.ndim > 1:
            raise ShapeError(f"{name} must be one number or (labels,), got shape {tuple(tensor.shape)}")
        wrong = ~(tensor >= low) | tensor.isinf()
        if wrong.any():
            raise OptionError(f"{name} must be finite and >= {low}, got {float(tensor[wrong].flatten()[0])}")
        if tensor.ndim == 0:
            setattr(self, name, float(tensor))
        else:
            self.register_buffer(name, tensor)
            self._sized.append(name)

    def extra_repr(self) -> str:
        """Own parameters, and the options that are not at their default."""
        shown = []
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name not in ("self", "options") and hasattr(self, name):
                shown.append(f"{name}={_short(getattr(self, name), parameter.default)}")
        defaults = {
            "reduction": "mean",
            "smoothing": (0.0, 0.0),
            "unknown": "ignore",
            "pos_weight": None,
            "label_weight": None,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if isinstance(value, Tensor) or value != default:
                shown.append(f"{name}={_short(value, default)}")
        return ", ".join(shown)


def arguments(kind: type[MultiLabelLoss]) -> tuple[str, ...]:
    """All argument names of a loss: its own, then those that every loss has."""
    own = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "options")]
    return (*own, *Options.__annotations__)


def by_name(name: str, weights: Mapping[str, float], names: Sequence[str] | None) -> np.ndarray:
    """Weights of named labels in label order, 1 for labels not named.

    Raises:
        OptionError: the label names are not given, or a name is none of them.
    """
    if names is None:
        raise OptionError(f"{name} by label name needs the label names: names=space.names")
    for label in weights:
        _check.one_of(f"a label of {name}", label, names)
    return np.array([float(weights.get(label, 1.0)) for label in names])


def _assumed_negative(cells: Cells) -> Cells:
    if isinstance(cells, SparseCells):
        return cells.without_unknown()
    if cells.known() is None:
        return cells
    dense = cells.dense()
    return cells.with_values(dense.mass(dense.values.dtype if dense.values.is_floating_point() else None))


def _smoothing(value: float | tuple[float, float]) -> tuple[float, float]:
    of_positives, of_negatives = (value / 2, value / 2) if isinstance(value, (int, float)) else value
    _check.between("smoothing", of_positives, 0.0, 0.5)
    _check.between("smoothing", of_negatives, 0.0, 0.5)
    return float(of_positives), float(of_negatives)


def _short(value: Any, default: Any) -> str:  # noqa: ARG001
    if isinstance(value, Tensor):
        return f"{float(value):g}" if value.ndim == 0 else f"<{len(value)} numbers>"
    return repr(value)
