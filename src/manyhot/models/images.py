"""Images: resized, kept as bytes, decoded once where they fit into memory and per batch where not."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyhot import _check
from manyhot.errors import InputError
from manyhot.models.preparation import Arrays, Preparation
from manyhot.models.prepared import InputShape

CACHE_BYTES = 2 * 2**30
"""Images are held in memory up to this size; beyond it they are decoded for every batch."""

_AHEAD = 4
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Images of one size as bytes.

    Args:
        decode: row numbers -> (rows, size, size, 3) uint8; called from several threads.
        count: number of images.
        size: side in pixels.
        cache_bytes: decode everything once when it needs no more memory than this.
        threads: how many batches are decoded at the same time.
    """

    decode: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    count: int
    size: int
    cache_bytes: int = CACHE_BYTES
    threads: int = 2
    _cache: list[Tensor] = field(default_factory=list, repr=False)
    _filling: Any = field(default_factory=threading.Lock, repr=False)

    def __len__(self) -> int:
        return self.count

    @property
    def fits(self) -> bool:
        """Whether all images are held in memory."""
        return self.count * self.size**2 * 3 <= self.cache_bytes

    def batch(self, rows: Tensor) -> Tensor:
        """(len(rows), 3, size, size) uint8; in memory the colours of a pixel lie side by side."""
        images = self._all()[rows] if self.fits else self._decoded(rows.numpy())
        return images.permute(0, 3, 1, 2)

    def batches(self, plan: Iterable[Tensor]) -> Iterator[Tensor]:
        """The batches in the order of the plan; those not in memory are decoded ahead of their use."""
        if self.fits:
            yield from map(self.batch, plan)
            return
        waiting: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(self.threads, "decode") as pool:
            try:
                for rows in plan:
                    waiting.append(pool.submit(self.batch, rows))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _all(self) -> Tensor:
        with self._filling:
            if not self._cache:
                parts = [np.arange(at, min(at + _CHUNK, self.count)) for at in range(0, self.count, _CHUNK)]
                whole = torch.empty(self.count, self.size, self.size, 3, dtype=torch.uint8)
                with ThreadPoolExecutor(self.threads, "decode") as pool:
                    for part, images in zip(parts, pool.map(self._decoded, parts), strict=True):
                        whole[torch.from_numpy(part)] = images
                self._cache.append(whole)
            return self._cache[0]

    def _decoded(self, rows: NDArray[np.int64]) -> Tensor:
        images = np.asarray(self.decode(rows))
        wanted = (len(rows), self.size, self.size, 3)
        if images.shape != wanted or images.dtype != np.uint8:
            raise InputError(
                f"expected {wanted} uint8 pixels from the decoder, got {images.shape} {images.dtype}"
            )
        return torch.from_numpy(np.ascontiguousarray(images))


@dataclass(frozen=True)
class ImagePreparation(Preparation):
    """Images of one size, three channels, scaled to (pixel / 255 - mean) / deviation on the device.

    Args:
        size: side in pixels.
        mean: of each channel.
        deviation: of each channel; (0, 0, 0) and (1, 1, 1) leave the values in [0, 1].
        cache_bytes: how many bytes of decoded images are kept in memory.
    """

    name: ClassVar[str] = "image"
    reads: ClassVar[str] = "image"

    size: int = 96
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)
    cache_bytes: int = CACHE_BYTES

    @property
    def shape(self) -> InputShape:
        """Images of the chosen side."""
        return InputShape("image", self.size)

    @classmethod
    def fit(
        cls,
        inputs: Any,  # noqa: ARG003 - nothing is learned from them
        size: int = 96,
        mean: tuple[float, ...] = (0.0, 0.0, 0.0),
        deviation: tuple[float, ...] = (1.0, 1.0, 1.0),
        cache_bytes: int = CACHE_BYTES,
    ) -> "ImagePreparation":
        """Check the options; there is nothing to learn."""
        _check.at_least("size", size, 1)
        _check.at_least("deviation", min(deviation), 1e-6)
        return cls(size, tuple(mean), tuple(deviation), cache_bytes)

    def prepare(self, inputs: Any) -> ImageRows:
        """Rows that are decoded when they are first used; needs `inputs.decode(rows, size)`."""
        return ImageRows(
            lambda rows: inputs.decode(rows, self.size), len(inputs), self.size, self.cache_bytes
        )

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The options."""
        config = {"size": self.size, "mean": list(self.mean), "deviation": list(self.deviation)}
        return config, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "ImagePreparation":  # noqa: ARG003
        """The preparation that gave this state."""
        return cls(config["size"], tuple(config["mean"]), tuple(config["deviation"]))
