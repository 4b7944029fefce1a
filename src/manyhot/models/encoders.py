"""Encoders: prepared input in, one hidden vector a row out. Plain modules with a `width`."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.models.layers import ColumnEmbedding, SparseLinear
from manyhot.models.prepared import InputShape


class Linear(nn.Module):
    """No hidden layer: the head sees the features themselves, so the whole model is linear.

    Coded columns are embedded, images flattened, compressed rows left compressed.
    """

    def __init__(self, shape: InputShape) -> None:
        super().__init__()
        self.inner, self.width = _first(shape)

    def forward(self, batch: Any) -> Any:
        """(rows, width), or the `SparseBatch` as it came."""
        return self.inner(batch)


class MLP(nn.Module):
    """Fully connected layers with ReLU and dropout; compressed rows stay so into the first of them.

    Args:
        shape: what the preparation gives.
        hidden: width of each layer.
        dropout: share of hidden units that is dropped in training, in [0, 1).
    """

    def __init__(self, shape: InputShape, hidden: Sequence[int] = (512,), dropout: float = 0.3) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise OptionError(f"hidden must name the width of at least one layer, each >= 1, got {hidden}")
        _check.between("dropout", dropout, 0, 1)
        self.inner, width = _first(shape)
        layers: list[nn.Module] = []
        for place, size in enumerate(hidden):
            compressed = place == 0 and shape.form == "sparse"
            layers.append(SparseLinear(width, size) if compressed else nn.Linear(width, size))
            layers += [nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers)
        self.width = width

    def forward(self, batch: Any) -> Tensor:
        """(rows, width of the last layer)."""
        return self.layers(self.inner(batch))


class SmallerVGG(nn.Module):
    """A small VGG: five 3x3 convolutions in three blocks, then one wide dense layer.

    Convolution, ReLU, batch norm; pooling by 3, 2 and 2; dropout .25 after each block and .5 after
    the dense layer. 8.7 million weights at 96 pixels.

    Args:
        shape: an image shape of at least 12 pixels a side.
        hidden: width of the dense layer.

    Source:
        Rosebrock, "Multi-label classification with Keras", 2018: SmallerVGGNet, after Simonyan and
        Zisserman, "Very Deep Convolutional Networks", ICLR 2015.
    """

    def __init__(self, shape: InputShape, hidden: int = 1024) -> None:
        super().__init__()
        if shape.form != "image":
            raise OptionError("the encoder smallervgg reads images only: take linear or mlp")
        if shape.width < 12:
            raise OptionError(
                f"the encoder smallervgg reads images of 12 pixels a side or more, these are made "
                f"{shape.width} wide: raise the image size, or take linear or mlp"
            )
        side = shape.width // 3 // 2 // 2
        self.layers = nn.Sequential(
            *_convolution(3, 32), nn.MaxPool2d(3), nn.Dropout(0.25),
            *_convolution(32, 64), *_convolution(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
            *_convolution(64, 128), *_convolution(128, 128), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(side * side * 128, hidden), nn.ReLU(), nn.BatchNorm1d(hidden), nn.Dropout(0.5),
        )  # fmt: skip
        self.width = hidden

    def forward(self, images: Tensor) -> Tensor:
        """(rows, hidden) of float images (rows, 3, side, side)."""
        return self.layers(images)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs)]


def _first(shape: InputShape) -> tuple[nn.Module, int]:
    """The step that makes one feature vector a row of each form of input, and its width."""
    if shape.form == "image":
        return nn.Flatten(), 3 * shape.width**2
    if shape.categories:
        embedding = ColumnEmbedding(shape.width, shape.categories)
        return embedding, embedding.width
    return nn.Identity(), shape.width


ENCODERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"linear": Linear, "mlp": MLP, "smallervgg": SmallerVGG}
)


def output_width(encoder: nn.Module, example: Any) -> int:
    """Width of the vectors that a module makes, found by showing it an example batch.

    Raises:
        OptionError: it cannot read the example, or does not give one vector a row.
    """
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            hidden = encoder(example)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # whatever a module makes of it
        raise OptionError(
            f"the encoder {type(encoder).__name__} cannot read what the preparation gives, {_form(example)}: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    finally:
        encoder.train(training)
    if not isinstance(hidden, Tensor) or hidden.ndim != 2 or len(hidden) != len(example):
        came = tuple(hidden.shape) if isinstance(hidden, Tensor) else type(hidden).__name__
        raise OptionError(
            f"an encoder must give one vector a row, (rows, width); {type(encoder).__name__} gave {came} "
            f"for {len(example)} rows: end it with pooling and nn.Flatten()"
        )
    return int(hidden.shape[1])


def _form(example: Any) -> str:
    if isinstance(example, Tensor):
        return f"{str(example.dtype).removeprefix('torch.')} (rows, {', '.join(map(str, example.shape[1:]))})"
    return f"a SparseBatch of {example.width:,} columns"
