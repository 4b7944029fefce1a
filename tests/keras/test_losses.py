"""The Keras losses cost and pull what the torch losses do, and train, save and load as Keras losses."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

keras = pytest.importorskip("keras")

from manyhot.errors import InputError, ManyhotWarning, OptionError, ShapeError  # noqa: E402
from manyhot.keras import losses  # noqa: E402
from manyhot.losses import LOSSES, make_loss  # noqa: E402

# Keras asks torch's tensors for their numbers in a way that NumPy 2 speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONTEXT = {"label_counts": [30.0, 4.0, 1.0, 9.0, 60.0], "num_rows": 100}
LEARN = ("aucm", "role", "em-apl", "ghm", "eqlv2", "cdb", "plm")
KINDS = {name: kind for name, kind in LOSSES.items() if name not in LEARN}
FORMULAS = [
    *("bce", "poly1", "gce", "focal", "asl", "apl", "ral", "hill", "logit-adjusted", "ldam", "cb", "psp"),
    *("unbiased", "squared-hinge", "brier", "mse", "mae", "abs-kl", "zlpr", "lsep", "softmax", "pal", "kl"),
]
ON_TORCH = keras.backend.backend() == "torch"
every_loss = pytest.mark.parametrize("name", KINDS if ON_TORCH else FORMULAS)
every_formula = pytest.mark.parametrize("name", FORMULAS)


def batch(hidden=True):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(7, 5)) * 3
    logits[0, 0], logits[1, 1] = 0.0, 40.0
    targets = (rng.random((7, 5)) < 0.4).astype(float)
    targets[2], targets[3], targets[4, 1] = 0.0, 1.0, 0.3
    if hidden:
        targets[0, 3], targets[5, :2], targets[6] = np.nan, -1.0, np.nan
    return logits, targets


def made(name, **options):
    """The Keras loss and the torch loss, with the same arguments, both in float64."""
    there = make_loss(name, **CONTEXT, **options)
    kind = getattr(losses, LOSSES[name].__name__)
    accepted = {k: v for k, v in CONTEXT.items() if k in LOSSES[name].__init__.__code__.co_varnames}
    here = kind(**accepted, **options, dtype="float64")
    for loss in (here, there):
        loss.set_epoch(2)
    return here, there


def gradient(loss, logits, targets):
    z = torch.tensor(logits, requires_grad=True)
    loss(z, targets).backward()
    return z.grad.numpy()


@pytest.mark.parametrize("name", LEARN)
def test_losses_that_learn_numbers_of_their_own_are_sent_to_torch(name):
    assert LOSSES[name].__name__ in losses.__all__
    with pytest.raises(OptionError, match="learns numbers of its own, which Keras would not keep"):
        made(name)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum", "positives", "none"])
def test_values_are_those_of_torch(name, reduction):
    here, there = made(name, reduction=reduction)
    logits, targets = batch()
    expected = there(torch.tensor(logits), targets).numpy()
    found = keras.ops.convert_to_numpy(here(targets, logits))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@every_loss
def test_options_and_weights_mean_the_same(name):
    options = {"pos_weight": [1.0, 2, 3, 4, 5], "label_weight": 0.5}
    here, there = made(name, **options)
    logits, targets = batch()
    rows, cells = np.linspace(0.5, 2, 7), np.linspace(0, 2, 35).reshape(7, 5)
    for weight, given in ((rows, "row_weight"), (cells, "cell_weight")):
        expected = there(torch.tensor(logits), targets, **{given: weight}).item()
        found = float(here(targets, logits, sample_weight=weight))
        assert found == pytest.approx(expected, rel=1e-6), given
    found = float(here(targets, logits, sample_weight=rows[:, None]))
    assert found == pytest.approx(there(torch.tensor(logits), targets, row_weight=rows).item(), rel=1e-6)


@every_formula
@pytest.mark.parametrize("options", [{"smoothing": (0.1, 0.02)}, {"unknown": "negative"}])
def test_smoothing_and_assumed_negatives(name, options):
    here, there = made(name, **options)
    logits, targets = batch()
    expected = there(torch.tensor(logits), targets).item()
    assert float(here(targets, logits)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.skipif(not ON_TORCH, reason="gradients are taken by torch")
@every_loss
def test_gradients_are_those_of_torch(name):
    here, there = made(name)
    logits, targets = batch()
    expected = gradient(there, logits, targets)
    found = gradient(lambda z, y: here(y, z), logits, torch.tensor(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@every_formula
def test_unknown_cells_change_nothing_whatever_their_logit(name):
    here, _ = made(name)
    logits, targets = batch()
    other = np.where(targets >= 0, logits, 1e6)
    other[6] = np.nan
    assert float(here(targets, other)) == float(here(targets, logits))


@every_formula
def test_a_formula_runs_wherever_keras_does(name):
    assert made(name)[0].portable


@every_formula
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(name, dtype):
    _, there = made(name)
    kind = getattr(losses, LOSSES[name].__name__)
    accepted = {k: v for k, v in CONTEXT.items() if k in LOSSES[name].__init__.__code__.co_varnames}
    logits, targets = batch()
    halves = torch.tensor(logits).to(getattr(torch, dtype)).float()
    found = float(kind(**accepted, dtype=dtype)(targets, halves.numpy()))
    assert found == pytest.approx(there(halves, targets).item(), rel=1e-5)


def test_what_a_torch_loss_refuses_is_refused_on_arrays():
    logits, targets = batch(hidden=False)
    p = 1 / (1 + np.exp(-logits))
    with pytest.raises(InputError, match="look like probabilities"):
        losses.BCE(strict=True)(targets, p)
    with pytest.warns(ManyhotWarning, match="look like probabilities"):
        losses.ZLPR()(targets, p)
    with pytest.raises(InputError, match=r"targets must be in \[0, 1\], .* got 3 in row 1, label 2"):
        losses.Focal()(np.where(np.arange(35).reshape(7, 5) == 7, 3.0, targets), logits)
    logits[2, 3] = np.nan
    for loss in (losses.Asymmetric(), losses.LSEP(), *([losses.WARP()] if ON_TORCH else [])):
        with pytest.raises(InputError, match="1 of 35 logits are NaN: rows 2, labels 3"):
            loss(targets, logits)
    targets[2, 3] = -1
    assert np.isfinite(float(losses.Asymmetric()(targets, logits)))
    with pytest.raises(InputError, match="row_weight must be finite and >= 0"):
        losses.BCE()(targets, logits, sample_weight=-np.ones(7))


def test_infinite_logits_are_finite_costs():
    value = losses.BCE(dtype="float64")([[1.0, 0.0]], [[np.inf, -np.inf]])
    assert float(value) == 0.0
    assert np.isfinite(float(losses.ZLPR(dtype="float64")([[0.0, 1.0]], [[np.inf, -np.inf]])))


# ------------------------------------------------------------------ a citizen of Keras


def small_model(activation=None):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3, activation=activation)])


def rule():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 6)).astype("float32")
    return inputs, (inputs @ rng.normal(size=(6, 3)) > 0.5).astype("float32")


@pytest.mark.parametrize(
    "loss",
    [losses.Asymmetric(gamma_neg=2), losses.ZLPR(), *([losses.TwoWay()] if ON_TORCH else [])],
)
def test_a_model_learns(loss):
    inputs, targets = rule()
    model = small_model()
    model.compile(keras.optimizers.Adam(0.05), loss=loss)
    history = model.fit(inputs, targets, epochs=6, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]
    assert ((model.predict(inputs, verbose=0) > 0) == targets).mean() > 0.85


def test_weights_of_rows_reach_the_loss():
    inputs, targets = rule()
    model = small_model()
    model.compile("sgd", loss=losses.BCE())
    weights = np.zeros(200, "float32")
    assert model.fit(inputs, targets, sample_weight=weights, verbose=0).history["loss"] == [0.0]


def test_a_loss_for_each_named_output():
    inputs, targets = rule()
    start = keras.layers.Input((6,))
    outputs = {"a": keras.layers.Dense(2, name="a")(start), "b": keras.layers.Dense(1, name="b")(start)}
    model = keras.Model(start, outputs)
    answers = {"a": targets[:, :2], "b": targets[:, 2:]}
    model.compile("sgd", loss={"a": losses.ZLPR(), "b": losses.Focal()}, loss_weights={"a": 1.0, "b": 2.0})
    before = model.predict(inputs, verbose=0)
    found = model.evaluate(inputs, answers, verbose=0, return_dict=True, batch_size=200)["loss"]
    a = LOSSES["zlpr"]()(torch.tensor(before["a"]), answers["a"])
    b = LOSSES["focal"]()(torch.tensor(before["b"]), answers["b"])
    assert found == pytest.approx(float(a + 2 * b), rel=1e-5)
    model.compile("sgd", loss=[losses.ZLPR(), losses.Focal()])


def test_a_saved_model_keeps_its_loss(tmp_path):
    inputs, targets = rule()
    model = small_model()
    weighted = losses.Asymmetric(
        gamma_neg=2, pos_weight=np.array([1.0, 2.0, 3.0]), reduction="sum", name="asl"
    )
    model.compile("sgd", loss=weighted)
    model.fit(inputs, targets, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, losses.Asymmetric)
    assert again.loss.get_config() == weighted.get_config()
    assert again.evaluate(inputs, targets, verbose=0) == pytest.approx(
        model.evaluate(inputs, targets, verbose=0)
    )


@every_loss
def test_a_config_makes_the_same_loss(name):
    here, _ = made(name, pos_weight=torch.tensor([1.0, 2, 3, 4, 5]))
    config = json.loads(json.dumps(here.get_config()))
    logits, targets = batch()
    again = type(here).from_config(config)
    again.set_epoch(2)
    assert float(again(targets, logits)) == float(here(targets, logits))


def test_keras_words_for_reductions_are_understood():
    logits, targets = batch(hidden=False)
    mean = losses.BCE(reduction="sum_over_batch_size")(targets, logits)
    peer = keras.losses.BinaryCrossentropy(from_logits=True)(targets, logits)
    assert float(mean) == pytest.approx(float(peer), rel=1e-6)
    assert tuple(losses.BCE(reduction=None)(targets, logits).shape) == (7, 5)


# ------------------------------------------------------------------ what is refused


def test_wrong_use_says_the_mend():
    logits, targets = batch()
    with pytest.raises(OptionError, match=r"drop activation='sigmoid' from the last layer"):
        losses.BCE(from_logits=False)
    with pytest.raises(OptionError, match="did you mean gamma_neg"):
        losses.Asymmetric(gamma_ngg=2)
    with pytest.raises(OptionError, match="learns numbers of its own"):
        losses.CountDistribution(count="categorical")
    with pytest.raises(ShapeError, match=r"one shape \(rows, labels\), got \(7, 4\) and \(7, 5\)"):
        losses.BCE()(targets[:, :4], logits)
    with pytest.raises(ShapeError, match="expected logits for 3 labels, got 5 columns"):
        losses.BCE(pos_weight=[1.0, 2, 3])(targets, logits)
    with pytest.raises(ShapeError, match=r"sample_weight must be .* got \(7, 4\)"):
        losses.BCE()(targets, logits, sample_weight=np.ones((7, 4)))


@pytest.mark.skipif(not ON_TORCH, reason="seen in eager mode only")
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_model_that_ends_in_an_activation_is_seen(activation):
    inputs, targets = rule()
    model = small_model(activation)
    model.compile("sgd", loss=losses.BCE())
    with pytest.raises(InputError, match="drop activation= from the last layer"):
        model.fit(inputs, targets, verbose=0)


def test_nothing_else_imports_keras():
    code = "import sys, manyhot.losses, manyhot.cli, manyhot.runs; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_same_on_jax():
    pytest.importorskip("jax")
    import os

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "torch or learns or config or refuse or half", __file__],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
