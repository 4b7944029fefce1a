"""Augmentation: each part alone against a hand-made resampling, and the limits of what is drawn."""

import math

import pytest
import torch

from manyhot.errors import OptionError
from manyhot.models import Augmentation

STILL = {"rotation": 0, "shift": 0, "shear": 0, "zoom": 0, "flip": False}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand(16, 3, 12, 12, generator=generator(1))


def by_definition(image, matrix):
    """Bilinear resampling of one image, pixel by pixel, with repeated borders."""
    _, height, width = image.shape
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            place = torch.tensor([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1, 1.0])
            x, y = (matrix @ place).tolist()
            x = min(max(((x + 1) * width - 1) / 2, 0), width - 1)
            y = min(max(((y + 1) * height - 1) / 2, 0), height - 1)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = x - left, y - top
            upper = image[:, top, left] * (1 - a) + image[:, top, right] * a
            lower = image[:, bottom, left] * (1 - a) + image[:, bottom, right] * a
            out[:, row, column] = upper * (1 - b) + lower * b
    return out


def test_equals_resampling_by_hand(images):
    augmentation = Augmentation()
    ours = augmentation(images, generator(5))
    maps = augmentation.maps(16, generator(5))
    for place in (0, 7, 15):
        torch.testing.assert_close(ours[place], by_definition(images[place], maps[place]), atol=1e-4, rtol=0)


def test_with_all_limits_zero_nothing_changes(images):
    torch.testing.assert_close(Augmentation(**STILL)(images, generator()), images, atol=1e-5, rtol=0)


def test_flip_mirrors_some_images_and_only_that(images):
    ours = Augmentation(**{**STILL, "flip": True})(images, generator())
    mirrored = [torch.allclose(o, i.flip(2), atol=1e-5) for o, i in zip(ours, images, strict=True)]
    same = [torch.allclose(o, i, atol=1e-5) for o, i in zip(ours, images, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 0 < sum(mirrored) < 16


@pytest.mark.parametrize(
    ("option", "limit", "measure"),
    [
        ("rotation", 25, lambda m: torch.rad2deg(torch.atan2(m[:, 1, 0], m[:, 0, 0]))),
        ("shift", 0.1, lambda m: m[:, :, 2].flatten() / 2),
        ("shear", 0.2, lambda m: torch.asin(-m[:, 0, 1])),
        ("zoom", 0.2, lambda m: torch.diagonal(m[:, :, :2], dim1=1, dim2=2).flatten() - 1),
    ],
)
def test_each_amount_fills_its_range(option, limit, measure):
    amounts = measure(Augmentation(**{**STILL, option: limit}).maps(4000, generator()))
    assert amounts.abs().max() <= limit + 1e-6
    assert amounts.max() > 0.95 * limit
    assert amounts.min() < -0.95 * limit
    assert abs(float(amounts.mean())) < 0.05 * limit
    assert float(amounts.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)


def test_the_seed_decides(images):
    one, same, other = (Augmentation()(images, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_images_are_not_changed_in_place(images):
    before = images.clone()
    Augmentation()(images, generator())
    assert torch.equal(images, before)


def test_impossible_limits_are_refused():
    with pytest.raises(OptionError, match=r"zoom must be in \[0, 0.99\], got 1"):
        Augmentation(zoom=1)
    with pytest.raises(OptionError, match="rotation must be >= 0, got -1"):
        Augmentation(rotation=-1)
