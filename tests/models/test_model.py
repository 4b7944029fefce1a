"""Whole models: built from raw inputs, restored without pickle, honest about what does not fit."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load, save
from scipy.sparse import csr_array
from torch import nn

from manyhot.data.images import Images
from manyhot.data.inputs import Columns, SparseColumns, Texts
from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models import Model

RNG = np.random.default_rng(0)
SPACE = LabelSpace(("a", "b", "c", "d"), groups=(Group("g", ("b", "c"), allow_none=True),))
DENSE = np.zeros((30, 4))
DENSE[::2, 0], DENSE[::3, 1], DENSE[1::3, 2], DENSE[:4, 3] = 1, 1, 1, 1
TARGETS = Targets.from_dense(DENSE)
INPUTS = {
    "columns": Columns(
        pl.DataFrame(
            {"x": RNG.normal(size=30), "s": ["u", "v"] * 15, "k": [f"c{i % 40}" for i in range(29)] + ["c0"]}
        )
    ),
    "sparse": SparseColumns(csr_array(np.eye(30, 8, dtype=np.float32)), tuple("abcdefgh")),
    "text": Texts([f"word{i % 5} other{i % 3}" for i in range(30)]),
    "image": Images.of_array(RNG.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)),
}
OPTIONS = {"image": {"size": 16}}


def build(kind, **options):
    return Model.build(INPUTS[kind], TARGETS, SPACE, preparation_options=OPTIONS.get(kind), **options)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("encoder", ["auto", "linear", "mlp"])
def test_restored_through_safetensors_and_json_it_gives_the_same_scores(kind, encoder):
    model = build(kind, encoder=encoder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    config, arrays = model.to_state()
    stored = load(save({name: torch.as_tensor(array) for name, array in arrays.items()}))
    restored = Model.from_state(json.loads(json.dumps(config)), stored)
    np.testing.assert_array_equal(restored.scores(INPUTS[kind]), model.scores(INPUTS[kind]))
    assert restored.space == SPACE
    assert not restored.training


@pytest.mark.parametrize("kind", INPUTS)
def test_an_untrained_linear_model_scores_the_prior_in_every_row(kind):
    scores = build(kind, encoder="linear").scores(INPUTS[kind])
    np.testing.assert_allclose(scores, np.tile(DENSE.mean(0), (30, 1)), atol=0.02)


@pytest.mark.parametrize("kind", INPUTS)
def test_an_untrained_model_scores_near_the_prior(kind):
    np.testing.assert_allclose(build(kind).scores(INPUTS[kind]).mean(0), DENSE.mean(0), atol=0.1)


@pytest.mark.parametrize("kind", INPUTS)
def test_the_batch_size_does_not_matter(kind):
    model = build(kind)
    np.testing.assert_allclose(model.scores(INPUTS[kind], 7), model.scores(INPUTS[kind], 1000), atol=1e-6)
    np.testing.assert_allclose(
        model.logits(INPUTS[kind], 1), model.logits(model.prepare(INPUTS[kind])), atol=1e-5
    )


def test_the_seed_decides_the_weights_and_leaves_the_callers_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (build("columns", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.state_dict()["encoder.layers.0.weight"] for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_any_module_can_be_the_encoder():
    def module():
        return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    model = build("image", encoder=module())
    assert model.head.layer.weight.shape == (4, 5)
    config, arrays = model.to_state()
    with pytest.raises(
        OptionError, match="the encoder was a module of your own, Sequential: pass one like it"
    ):
        Model.from_state(config, arrays)
    restored = Model.from_state(config, arrays, encoder=module())
    np.testing.assert_array_equal(restored.scores(INPUTS["image"]), model.scores(INPUTS["image"]))


def test_pixels_reach_the_encoder_scaled():
    options = {"size": 16, "mean": (0.5, 0.25, 0.0), "deviation": (0.5, 1.0, 2.0)}
    model = Model.build(INPUTS["image"], TARGETS, SPACE, preparation_options=options)
    batch = model.prepare(INPUTS["image"]).batch(torch.arange(3))
    expected = batch.double() / 255
    for channel, (mean, deviation) in enumerate(zip(options["mean"], options["deviation"], strict=True)):
        expected[:, channel] = (expected[:, channel] - mean) / deviation
    torch.testing.assert_close(model.to_input(batch).double(), expected, atol=1e-6, rtol=0)


def test_scoring_keeps_the_training_mode():
    model = build("columns").train()
    model.scores(INPUTS["columns"])
    assert model.training


def test_no_rows_have_no_scores():
    assert build("text").scores(Texts([])).shape == (0, 4)


def test_a_table_that_lacks_a_column_is_refused():
    with pytest.raises(InputError, match="missing columns: 's', 'k'"):
        build("columns").scores(Columns(INPUTS["columns"].frame.select("x")))


def test_inputs_of_another_kind_are_refused():
    with pytest.raises(InputError, match="the model reads text inputs, got columns"):
        build("text").scores(INPUTS["columns"])


def test_what_does_not_fit_is_refused_with_the_names_of_what_does():
    with pytest.raises(
        OptionError, match="encoder must be one of linear, mlp, smallervgg, got 'mpl'; did you mean mlp"
    ):
        build("columns", encoder="mpl")
    with pytest.raises(
        OptionError, match="option of encoder mlp must be one of hidden, dropout, got 'width'"
    ):
        build("columns", encoder="mlp", encoder_options={"width": 3})
    with pytest.raises(OptionError, match="encoder linear takes no options, got 'hidden'"):
        build("columns", encoder="linear", encoder_options={"hidden": 3})
    with pytest.raises(
        OptionError, match=r"preparation tfidf reads text, the inputs are columns: take \['columns', 'bag'\]"
    ):
        build("columns", preparation="tfidf")
    with pytest.raises(InputError, match="expected as many inputs as targets, at least one, got 2 and 30"):
        Model.build(Texts(["a b", "c d"]), TARGETS, SPACE)
    with pytest.raises(ShapeError, match="4"):
        Model.build(INPUTS["text"], TARGETS, LabelSpace(("a", "b")))


def test_an_encoder_of_a_wrong_size_is_told_in_shapes():
    inputs = Columns(pl.DataFrame({"a": [1.0, 2, 3], "b": [0.0, 1, 5]}))
    targets, space = Targets.from_index_lists([[0], [], [0]], 1), LabelSpace(("x",))
    with pytest.raises(OptionError, match=r"Linear cannot read .*, float32 \(rows, 2\): mat1"):
        Model.build(inputs, targets, space, encoder=nn.Linear(7, 4))

    class Liar(nn.Linear):
        width = 9

    with pytest.raises(OptionError, match="the encoder Liar says width=9 and gives vectors of 4"):
        Model.build(inputs, targets, space, encoder=Liar(2, 4))


def test_threads_of_torch_are_as_they_were_whatever_is_left_open():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = Model.build(
            Texts(["oil and gas", "gas"]), Targets.from_dense(np.eye(2)), LabelSpace(("a", "b"))
        )
        rows = model.prepare(Texts(["oil"] * 300))
        for _ in zip(model.hidden(rows, 100), model.hidden(rows, 100), strict=True):
            assert torch.get_num_threads() == 2
        model.scores(rows)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
