"""A model: preparation of raw inputs, encoder, head."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace, ScoreMatrix, Targets
from manyhot.models.best_scores import KEPT, BestScores
from manyhot.models.encoders import ENCODERS, Linear, output_width
from manyhot.models.head import WIDE, Head
from manyhot.models.preparation import Preparation, table_of_preparations
from manyhot.models.prepared import Batch, InputShape, Prepared, SparseBatch
from manyhot.models.threads import threads_for

DEFAULT_PREPARATION = {
    "columns": "columns",
    "sparse": "sparse",
    "text": "tfidf",
    "mixed": "mixed",
    "image": "image",
}
DEFAULT_ENCODER = {
    "columns": "mlp",
    "sparse": "linear",
    "text": "linear",
    "mixed": "linear",
    "image": "smallervgg",
}

_HEAD_SPREAD = 0.01


class Model(nn.Module):
    """From raw inputs to scores of every label. Use `Model.build`, or `Model.from_state` for a saved one.

    Args:
        space: the labels, in column order.
        preparation: fitted on training inputs.
        encoder: gives one vector a row for what the preparation gives.
        config: how the encoder was made: its name in `ENCODERS` and options; name None for a user's module.
        head_device: where the head's weights are made.
    """

    def __init__(
        self,
        space: LabelSpace,
        preparation: Preparation,
        encoder: nn.Module,
        config: Mapping[str, Any],
        head_device: str = "cpu",
    ) -> None:
        super().__init__()
        self.space, self.preparation = space, preparation
        self.encoder = encoder
        self.encoder_config = dict(config)
        shape = preparation.shape
        linear = isinstance(encoder, Linear)
        width = _width(encoder, shape)
        with torch.device(head_device):
            self.head = Head(
                space,
                width,
                sparse=linear and shape.form == "sparse",
                spread=0.0 if linear else _HEAD_SPREAD,
            )
        if any(isinstance(module, nn.Conv2d) for module in encoder.modules()):
            # 1.3 times faster on a CPU, in float32 and bfloat16, and the layout that tensor cores want.
            self.encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @classmethod
    def build(
        cls,
        inputs: Any,
        targets: Targets,
        space: LabelSpace,
        *,
        encoder: str | nn.Module = "auto",
        encoder_options: Mapping[str, Any] | None = None,
        preparation: str | Preparation = "auto",
        preparation_options: Mapping[str, Any] | None = None,
        seed: int = 0,
        head_device: str = "cpu",
    ) -> "Model":
        """A fresh model for these training rows: preparation fitted, bias at the prior, weights drawn.

        Args:
            inputs: training inputs, with `.kind` and a length.
            targets: their targets (rows, labels).
            space: the labels.
            encoder: "auto" (images: smallervgg; tables: mlp; texts and sparse matrices: linear), a name in
                `ENCODERS`, or any module that gives (rows, width) for what the preparation gives.
            encoder_options: of the named encoder, such as {"hidden": [512]}.
            preparation: "auto" (by kind; texts: tfidf), a name, or a fitted preparation.
            preparation_options: of the named preparation, such as {"size": 64}.
            seed: for the weights; the caller's random state is left as it was.
            head_device: "meta" gives a head whose weights can be counted and hold nothing.

        Raises:
            InputError: rows and targets differ in number, there is no row, or the inputs cannot be prepared.
            OptionError: unknown names or options.
        """
        space.require_width(targets)
        if len(inputs) != len(targets) or not len(inputs):
            raise InputError(
                f"expected as many inputs as targets, at least one, got {len(inputs)} and {len(targets)}"
            )
        fitted = _fitted(preparation, preparation_options or {}, inputs)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module, config = _encoder(encoder, encoder_options or {}, inputs.kind, fitted.shape)
            model = cls(space, fitted, module, config, head_device)
        model.head.start_at_prior(space, targets)
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.layer.weight.device

    def prepare(self, inputs: Any) -> Prepared:
        """Rows ready to be sliced into batches."""
        if inputs.kind != self.preparation.reads:
            raise InputError(f"the model reads {self.preparation.reads} inputs, got {inputs.kind}")
        return self.preparation.prepare(inputs)

    def to_input(self, batch: Batch) -> Batch:
        """What the encoder is given for a prepared batch: on the model's device, pixels as scaled floats."""
        batch = batch.to(self.device, non_blocking=True)
        if isinstance(batch, SparseBatch) or batch.dtype != torch.uint8:
            return batch
        images = batch.float().div_(255)
        mean, deviation = (
            getattr(self.preparation, "mean", (0.0,)),
            getattr(self.preparation, "deviation", (1.0,)),
        )
        if any(mean) or set(deviation) != {1.0}:
            images = (images - _per_channel(mean, images)) / _per_channel(deviation, images)
        return images

    def forward(self, batch: Batch) -> Tensor:
        """Logits (rows, labels) of an encoder input, as `to_input` gives it."""
        return self.head(self.encoder(batch))

    @torch.no_grad()
    def logits(self, inputs: Any, batch_size: int = 256) -> NDArray[np.float32]:
        """Logits (rows, labels) of raw inputs or prepared rows; dropout is off meanwhile."""
        rows = self.prepare(inputs) if hasattr(inputs, "kind") else inputs
        return self._in_batches(rows, batch_size, lambda logits: logits.float())

    @torch.no_grad()
    def scores(self, inputs: Any, batch_size: int = 256) -> NDArray[np.float32]:
        """Probabilities (rows, labels) of raw inputs or prepared rows, by the head's activation."""
        rows = self.prepare(inputs) if hasattr(inputs, "kind") else inputs
        return self._in_batches(rows, batch_size, self.head.scores)

    @property
    def is_wide(self) -> bool:
        """Whether there are so many labels that only the best scores of a row are kept."""
        return len(self.space) >= WIDE

    def kept_scores(self, inputs: Any, least: int = KEPT) -> ScoreMatrix:
        """Scores to decide and to measure by: all of them; of a wide label space the 100 best of each row.

        Beside them room is made for the highest label of each exclusive group.

        Args:
            inputs: raw inputs, or prepared rows.
            least: keep at least so many of each row.
        """
        if not self.is_wide:
            return self.scores(inputs)
        return self.best_scores(inputs, max(KEPT, least) + len(self.space.groups))

    @torch.no_grad()
    def best_scores(self, inputs: Any, k: int = KEPT, batch_size: int = 256) -> csr_array:
        """The k highest scores of each row of raw inputs or prepared rows, never all of them at once.

        Returns:
            CSR (rows, labels) float32, as many cells in each row, columns ascending.
        """
        rows = self.prepare(inputs) if hasattr(inputs, "kind") else inputs
        kept = BestScores(len(rows), len(self.space), k)
        with threads_for(self, min(batch_size, len(rows))):
            for part, hidden in self.hidden(rows, batch_size):
                kept.put(part, *self.head.best(hidden, kept.k))
        return kept.matrix()

    def hidden(self, rows: Prepared, batch_size: int = 256) -> Iterator[tuple[Tensor, Any]]:
        """(row numbers, what the encoder makes of them), batch by batch; dropout is off meanwhile."""
        _check.at_least("batch_size", batch_size, 1)
        starts = [*range(0, len(rows), batch_size), len(rows)]
        plan = [torch.arange(start, stop) for start, stop in pairwise(starts)]
        training = self.training
        self.eval()
        try:
            for part, batch in zip(plan, rows.batches(plan), strict=True):
                yield part, self.encoder(self.to_input(batch))
        finally:
            self.train(training)

    def _in_batches(self, rows: Prepared, batch_size: int, finish: Any) -> NDArray[np.float32]:
        result = np.empty((len(rows), len(self.space)), np.float32)
        with threads_for(self, min(batch_size, len(rows))):
            for part, hidden in self.hidden(rows, batch_size):
                result[part[0] : part[-1] + 1] = finish(self.head(hidden)).cpu().numpy()
        return result

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(JSON-able config, arrays: weights as CPU tensors, the preparation's as NumPy arrays)."""
        config, arrays = self.preparation.to_state()
        state = {
            "space": self.space.to_dict(),
            "preparation": {"name": self.preparation.name, **config},
            "encoder": self.encoder_config,
        }
        weights = {f"weights.{name}": tensor for name, tensor in self.state_dict().items()}
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
        return state, plain | {f"preparation.{name}": array for name, array in arrays.items()}

    @classmethod
    def from_state(
        cls, config: Mapping[str, Any], arrays: Mapping[str, Any], encoder: nn.Module | None = None
    ) -> "Model":
        """The model that gave this state, in evaluation mode, on the CPU.

        Args:
            config: as `to_state` gave it.
            arrays: as `to_state` gave them; NumPy arrays or tensors.
            encoder: a module of the same architecture, for a model that was built with a user's own.

        Raises:
            OptionError: the encoder was a user's module and is not given here.
        """
        space = LabelSpace.from_dict(config["space"])
        wanted = dict(config["preparation"])
        name = _check.one_of("preparation", wanted.pop("name"), table_of_preparations())
        fitted = table_of_preparations()[name].from_state(wanted, _under("preparation.", arrays))
        made = config["encoder"]
        if made["name"] is None and encoder is None:
            raise OptionError(
                f"the encoder was a module of your own, {made['module']}: pass one like it as encoder="
            )
        module = encoder or ENCODERS[_check.one_of("encoder", made["name"], ENCODERS)](
            fitted.shape, **made["options"]
        )
        model = cls(space, fitted, module, made)
        model.load_state_dict({name: torch.as_tensor(a) for name, a in _under("weights.", arrays).items()})
        return model.eval()


def _fitted(preparation: str | Preparation, options: Mapping[str, Any], inputs: Any) -> Preparation:
    if isinstance(preparation, Preparation):
        return preparation
    table = table_of_preparations()
    name = DEFAULT_PREPARATION[inputs.kind] if preparation == "auto" else preparation
    made = table[_check.one_of("preparation", name, table)]
    if made.reads != inputs.kind:
        fitting = [each.name for each in table.values() if each.reads == inputs.kind]
        raise OptionError(
            f"preparation {name} reads {made.reads}, the inputs are {inputs.kind}: take {fitting}"
        )
    return _with_options(f"preparation {name}", made.fit, inputs, **options)


def _encoder(
    encoder: str | nn.Module, options: Mapping[str, Any], kind: str, shape: InputShape
) -> tuple[nn.Module, dict[str, Any]]:
    if isinstance(encoder, nn.Module):
        return encoder, {"name": None, "module": type(encoder).__qualname__, "options": {}}
    name = DEFAULT_ENCODER[kind] if encoder == "auto" else encoder
    make = ENCODERS[_check.one_of("encoder", name, ENCODERS)]
    return _with_options(f"encoder {name}", make, shape, **options), {"name": name, "options": dict(options)}


def _with_options(what: str, make: Any, first: Any, **options: Any) -> Any:
    """Call it; an option that it does not have is an `OptionError` that lists those it has."""
    import inspect

    known = list(inspect.signature(make).parameters)[1:]
    for option in options:
        _check.one_of(f"option of {what}", option, known) if known else _none_taken(what, option)
    return make(first, **options)


def _none_taken(what: str, option: str) -> None:
    raise OptionError(f"{what} takes no options, got {option!r}")


def _width(encoder: nn.Module, shape: InputShape) -> int:
    width = getattr(encoder, "width", None)
    if isinstance(width, int) and type(encoder) in ENCODERS.values():
        return width
    device = next((p.device for p in encoder.parameters()), torch.device("cpu"))
    found = output_width(encoder, example(shape, device))
    if isinstance(width, int) and width != found:
        raise OptionError(
            f"the encoder {type(encoder).__name__} says width={width} and gives vectors of {found}"
        )
    return found


def example(shape: InputShape, device: torch.device) -> Batch:
    """Two rows of zeros in the form that the encoder will be given."""
    if shape.form == "sparse":
        starts, none = (torch.zeros(n, dtype=torch.int64, device=device) for n in (3, 0))
        return SparseBatch(starts, none, torch.zeros(0, device=device), shape.width)
    sizes = (2, 3, shape.width, shape.width) if shape.form == "image" else (2, shape.width)
    return torch.zeros(sizes, device=device)


def _per_channel(values: tuple[float, ...], images: Tensor) -> Tensor:
    return images.new_tensor(values)[:, None, None]


def _under(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
