"""The classical augmentation of images, for a whole batch in one resampling."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from manyhot import _check


@dataclass(frozen=True)
class Augmentation:
    """Turns, shifts, shears, zooms and mirrors every image of a batch by its own random amount.

    All amounts are drawn evenly from -limit to limit; what comes in from outside repeats the border.

    Args:
        rotation: degrees, >= 0.
        shift: share of the side, for each axis, >= 0.
        shear: radians, in [0, 1.5].
        zoom: 0.2 scales each axis by 0.8 to 1.2, in [0, 1).
        flip: whether half of the images are mirrored left to right.

    Source:
        The limits, and the shear by an angle, are those of Keras' ImageDataGenerator in
        Rosebrock, "Multi-label classification with Keras", 2018.
    """

    rotation: float = 25.0
    shift: float = 0.1
    shear: float = 0.2
    zoom: float = 0.2
    flip: bool = True

    def __post_init__(self) -> None:
        _check.at_least("rotation", self.rotation, 0)
        _check.at_least("shift", self.shift, 0)
        _check.between("shear", self.shear, 0, 1.5)
        _check.between("zoom", self.zoom, 0, 0.99)

    def maps(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 2, 3) float32: where each pixel of the result comes from, x and y in [-1, 1].

        The linear part is rotation x shear x zoom, as if the image were cut by the inverse order.
        """
        drawn = torch.rand(count, 7, generator=generator) * 2 - 1
        angle, shear = drawn[:, 0] * math.radians(self.rotation), drawn[:, 1] * self.shear
        wide, high = 1 + drawn[:, 2] * self.zoom, 1 + drawn[:, 3] * self.zoom
        if self.flip:
            wide = wide * torch.where(drawn[:, 4] < 0, -1.0, 1.0)
        rotation = _matrices(angle.cos(), -angle.sin(), angle.sin(), angle.cos())
        slant = _matrices(torch.ones(count), -shear.sin(), torch.zeros(count), shear.cos())
        scale = _matrices(wide, torch.zeros(count), torch.zeros(count), high)
        shift = drawn[:, 5:7, None] * 2 * self.shift
        return torch.cat([rotation @ slant @ scale, shift], dim=2)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """New float images of the same shape (rows, channels, height, width).

        Args:
            images: float; bilinear values between the pixels.
            generator: on the CPU, whatever the device of the images: a seed means the same everywhere.
        """
        maps = self.maps(len(images), generator).to(images.device, images.dtype)
        grid = torch.nn.functional.affine_grid(maps, list(images.shape), align_corners=False)
        return torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([torch.stack([a, b], dim=1), torch.stack([c, d], dim=1)], dim=1)
