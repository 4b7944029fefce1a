"""Every loss of `manyhot.losses.LOSSES` for Keras, under the name of its class.

Formulas (pointwise ones, and row-wise ones over shared row sums) run on every backend of Keras, the others on
its torch backend. Losses that learn parameters or remember batches say so when they are made: they are for
torch.
"""

import inspect
from typing import TYPE_CHECKING

import keras

from manyhot.keras.base import KerasLoss
from manyhot.losses import LOSSES, MultiLabelLoss


def _for_keras(kind: type[MultiLabelLoss]) -> type[KerasLoss]:
    text = f"`manyhot.losses.{kind.__name__}` for Keras.\n\n{inspect.getdoc(kind)}"
    made = type(kind.__name__, (KerasLoss,), {"__doc__": text, "__module__": __name__, "kind": kind})
    return keras.saving.register_keras_serializable(package="manyhot")(made)


_CLASSES = {kind.__name__: _for_keras(kind) for kind in LOSSES.values()}
globals().update(_CLASSES)

__all__ = sorted(_CLASSES)  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:

    def __getattr__(name: str) -> type[KerasLoss]: ...
