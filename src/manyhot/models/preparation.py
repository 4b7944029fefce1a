"""What turns raw inputs into numbers: fitted once on the training rows, saved with the model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from manyhot.models.prepared import InputShape, Prepared

Arrays = dict[str, NDArray[Any]]


class Preparation(ABC):
    """Fitted on raw inputs, then gives the same numbers for the same row for ever.

    Each class has a class method `fit(inputs, **options)` with options of its own. A state is
    a JSON-able dict and named arrays; a preparation made from its state equals the first.
    """

    name: ClassVar[str]
    reads: ClassVar[str]
    """The kind of inputs it takes: columns, sparse, text, mixed or image."""

    notes: tuple[str, ...] = ()
    """What was left out or assumed while fitting, one sentence each."""

    energy: float = 1.0
    """Mean squared length of the training rows, which bounds how long a gradient step may be; 1 for texts."""

    @property
    @abstractmethod
    def shape(self) -> InputShape:
        """What the encoder will be given."""

    @abstractmethod
    def prepare(self, inputs: Any) -> Prepared:
        """Rows ready to be sliced into batches.

        Raises:
            InputError: the inputs lack what was fitted on.
        """

    def held_out(self, rows: Prepared, fold: NDArray[np.integer[Any]]) -> Prepared:  # noqa: ARG002
        """The training rows as new rows would look to a preparation that was fitted without their fold.

        Args:
            rows: of the training inputs, prepared.
            fold: (rows,) number of each row's fold.
        """
        return rows

    @abstractmethod
    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """(JSON-able config, arrays) that `from_state` takes."""

    @classmethod
    @abstractmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Preparation":
        """The preparation that gave this state."""


def text_to_array(lines: list[str]) -> NDArray[np.uint8]:
    """Strings without line breaks as the bytes of one text, so that they can lie beside weights."""
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8).copy()


def array_to_text(array: Any) -> list[str]:
    """What `text_to_array` was given; an empty array is no line."""
    text = np.asarray(array, dtype=np.uint8).tobytes().decode()
    return text.split("\n") if text else []


def table_of_preparations() -> Mapping[str, Any]:
    """Name -> class, for options and for saved states."""
    from manyhot.models.bag import BagPreparation
    from manyhot.models.columns import ColumnsPreparation
    from manyhot.models.images import ImagePreparation
    from manyhot.models.mixed import MixedPreparation
    from manyhot.models.sparse import SparsePreparation
    from manyhot.models.text import HashedPreparation, TfidfPreparation

    classes = (
        ColumnsPreparation,
        BagPreparation,
        SparsePreparation,
        TfidfPreparation,
        HashedPreparation,
        MixedPreparation,
        ImagePreparation,
    )
    return MappingProxyType({each.name: each for each in classes})
