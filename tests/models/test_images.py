"""Image rows: cached and streamed give the same pixels; the decoder is called with what it expects."""

import numpy as np
import pytest
import torch

from manyhot.errors import InputError, OptionError
from manyhot.models.images import ImagePreparation, ImageRows

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)


class Inputs:
    kind = "image"

    def __init__(self):
        self.asked = []

    def __len__(self):
        return len(PIXELS)

    def decode(self, rows, size):
        assert size == 8
        self.asked.append(list(rows))
        return PIXELS[rows]


def expected(rows):
    return torch.from_numpy(PIXELS[rows]).permute(0, 3, 1, 2)


@pytest.mark.parametrize("cache_bytes", [2**20, 0], ids=["cached", "streamed"])
def test_batches_have_the_pixels_in_the_order_of_the_plan(cache_bytes):
    rows = ImagePreparation.fit(Inputs(), size=8, cache_bytes=cache_bytes).prepare(Inputs())
    plan = [torch.tensor([i, (7 * i) % 23]) for i in range(23)]
    for part, batch in zip(plan, rows.batches(plan), strict=True):
        assert batch.dtype == torch.uint8
        assert torch.equal(batch, expected(part.numpy()))


def test_what_fits_is_decoded_once():
    inputs = Inputs()
    rows = ImagePreparation.fit(inputs, size=8).prepare(inputs)
    for _ in range(3):
        rows.batch(torch.tensor([1, 2]))
    assert sorted(row for part in inputs.asked for row in part) == list(range(23))


def test_what_does_not_fit_is_decoded_only_when_it_is_near():
    inputs = Inputs()
    rows = ImagePreparation.fit(inputs, size=8, cache_bytes=10).prepare(inputs)
    batches = rows.batches(torch.arange(23).split(1))
    assert not inputs.asked
    next(batches)
    batches.close()
    assert len(inputs.asked) < 10


def test_an_error_of_the_decoder_comes_out():
    def broken(rows):
        raise OSError("disk gone")

    rows = ImageRows(broken, 3, 8, cache_bytes=0)
    with pytest.raises(OSError, match="disk gone"):
        list(rows.batches([torch.tensor([0])]))


def test_a_decoder_that_gives_another_shape_is_refused():
    rows = ImageRows(lambda rows: np.zeros((len(rows), 4, 4, 3), np.uint8), 3, 8)
    with pytest.raises(
        InputError, match=r"expected \(3, 8, 8, 3\) uint8 pixels from the decoder, got \(3, 4, 4, 3\)"
    ):
        rows.batch(torch.tensor([0]))


def test_options_come_back_from_the_state():
    preparation = ImagePreparation.fit(Inputs(), size=16, mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.2, 0.2))
    assert ImagePreparation.from_state(*preparation.to_state()) == preparation
    assert preparation.shape.width == 16


def test_a_deviation_of_zero_is_refused():
    with pytest.raises(OptionError, match="deviation must be >= 1e-06, got 0"):
        ImagePreparation.fit(Inputs(), deviation=(1.0, 0.0, 1.0))
