"""Encoders: shapes, the well-known network's weights, and what they refuse."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import nn

from manyhot.errors import OptionError
from manyhot.models.encoders import ENCODERS, output_width
from manyhot.models.prepared import InputShape, SparseBatch

SHAPES = {
    "dense": InputShape("dense", 7),
    "coded": InputShape("dense", 7, (40, 50)),
    "sparse": InputShape("sparse", 9),
    "image": InputShape("image", 24),
}
INPUTS = {
    "dense": torch.rand(5, 7),
    "coded": torch.cat([torch.rand(5, 5), torch.randint(0, 40, (5, 2)).float()], dim=1),
    "sparse": SparseBatch.of(csr_array(np.eye(5, 9, dtype=np.float32))),
    "image": torch.rand(5, 3, 24, 24),
}


PAIRS = [(name, form) for name in ENCODERS for form in SHAPES if name != "smallervgg" or form == "image"]


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_every_encoder_gives_one_vector_of_its_width_a_row(name, form):
    encoder = ENCODERS[name](SHAPES[form])
    hidden = encoder(INPUTS[form])
    assert len(hidden) == 5
    if isinstance(hidden, SparseBatch):
        assert hidden.width == encoder.width
    else:
        assert tuple(hidden.shape) == (5, encoder.width)


def test_mlp_has_the_layers_it_was_asked_for():
    encoder = ENCODERS["mlp"](SHAPES["dense"], hidden=[16, 4], dropout=0.5)
    weights = [tuple(p.shape) for p in encoder.parameters() if p.ndim == 2]
    assert weights == [(16, 7), (4, 16)]
    assert [m.p for m in encoder.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def test_smallervgg_has_the_weights_of_the_published_network():
    encoder = ENCODERS["smallervgg"](InputShape("image", 96))
    convolutions = [tuple(m.weight.shape) for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [(32, 3, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3), (128, 128, 3, 3)]
    dense = next(m for m in encoder.modules() if isinstance(m, nn.Linear))
    assert tuple(dense.weight.shape) == (1024, 8 * 8 * 128)
    # By hand from the layers: convolutions 896 + 18,496 + 36,928 + 73,856 + 147,584, dense 8,389,632,
    # two numbers for each of 32 + 2 * 64 + 2 * 128 + 1024 normed channels.
    assert sum(p.numel() for p in encoder.parameters()) == 277_760 + 8_389_632 + 2 * 1440


def test_smallervgg_refuses_what_is_no_image():
    with pytest.raises(OptionError, match="the encoder smallervgg reads images only: take linear or mlp"):
        ENCODERS["smallervgg"](SHAPES["dense"])
    with pytest.raises(OptionError, match="12 pixels a side or more, these are made 5 wide: raise the image"):
        ENCODERS["smallervgg"](InputShape("image", 5))


@pytest.mark.parametrize("hidden", [[], [8, 0]])
def test_mlp_refuses_layers_without_width(hidden):
    with pytest.raises(OptionError, match="hidden must name the width of at least one layer"):
        ENCODERS["mlp"](SHAPES["dense"], hidden=hidden)


def test_output_width_finds_it_and_leaves_the_mode_alone():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()
    assert output_width(module, torch.zeros(2, 3, 8, 8)) == 4
    assert module.training


def test_output_width_refuses_feature_maps_and_says_what_to_add():
    with pytest.raises(OptionError, match=r"Conv2d gave \(2, 4, 6, 6\) for 2 rows: end it with pooling"):
        output_width(nn.Conv2d(3, 4, 3), torch.zeros(2, 3, 8, 8))
