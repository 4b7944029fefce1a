"""The GPU engine in Triton's interpreter against torch in float64; `test_triton.py` runs this file.

The interpreter must be chosen before Triton is imported, so these tests have a process of their own.
"""

import copy
import logging
import os

import numpy as np
import pytest
import torch

from manyhot.kernels.cells import SparseCells
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import BCE, LOSSES, Asymmetric, DistributionBalanced, Pointwise, make_loss

pytestmark = [
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="TRITON_INTERPRET=1 is not set"),
    # NumPy stands in for the GPU, and warns of what is computed and then not chosen.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

ROWS, LABELS = 5, 331  # blocks end within rows, and the last one is not full
DTYPES = {torch.float32: 1e-6, torch.float64: 1e-12}


def batch(rows=ROWS, labels=LABELS, density=0.01):
    draw = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(rows, labels, generator=draw)
    targets = (torch.rand(rows, labels, generator=draw) < density).float()
    extreme = torch.tensor([1e4, -1e4, 100.0, -100.0, 30.0, 0.0])[:labels]
    logits[0, : len(extreme)] = logits[-1, : len(extreme)] = extreme
    targets[0, : len(extreme)] = 1
    targets[-1] = 0
    return logits, targets


@pytest.fixture
def unknown():
    return torch.rand(ROWS, LABELS, generator=torch.Generator().manual_seed(2)) < 0.004


@pytest.fixture(autouse=True)
def nothing_falls_back(caplog):
    with caplog.at_level(logging.WARNING, logger="manyhot.kernels"):
        yield
    assert not caplog.records


@pytest.fixture(autouse=True)
def listed_cells_stay_listed(monkeypatch):
    """Batches as small as these would be spread to matrices, and the kernels of listed cells never run."""
    monkeypatch.setattr("manyhot.kernels.triton_engine.MANY", 1)


def answer(engine, loss, logits, targets, **beside):
    logits = logits.clone().requires_grad_()
    with use_engine(engine):
        value = loss(logits, targets, **beside)
    value.backward()
    return value.detach(), logits.grad


def assert_agrees(loss, logits, targets, rtol=1e-6, **beside):
    """As torch in float64, or where the formula itself loses digits no worse than torch in this dtype."""
    # Copies, because some losses remember the batches that they have seen.
    found = answer("triton", copy.deepcopy(loss), logits, targets, **beside)
    same = answer("torch", copy.deepcopy(loss), logits, targets, **beside)
    expected = answer("torch", copy.deepcopy(loss), logits.double(), targets, **beside)
    largest = expected[1].abs().amax().item() if logits.numel() else 0.0
    for own, torchs, exact, size in zip(
        found, same, expected, (expected[0].abs().item(), largest), strict=True
    ):
        allowed = torch.maximum(rtol * (exact.abs() * 10 + size), 2 * (torchs.double() - exact).abs()) + 1e-12
        assert bool(((own.double() - exact).abs() <= allowed).all()), (own, exact)


@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
def test_dense_and_sparse_targets(reduction, unknown):
    logits, targets = batch()
    loss = BCE(reduction=reduction)
    coded = torch.where(unknown, torch.nan, targets)
    forms = (targets, targets.bool(), targets.long(), coded, torch.where(unknown, -1.0, targets))
    for form in (*forms, Targets.from_dense(targets.numpy()), Targets.from_dense(coded.numpy())):
        assert_agrees(loss, logits, form)
    hidden = torch.where(unknown, torch.nan, logits)
    assert_agrees(loss, hidden, targets, unknown=unknown)
    assert_agrees(loss, hidden, Targets.from_dense(coded.numpy()))


@pytest.mark.parametrize("many", [1, 64])
@pytest.mark.parametrize("density", [0.0, 0.6])
def test_no_positives_and_many(density, many, monkeypatch):
    from manyhot.kernels import triton_engine

    monkeypatch.setattr(triton_engine, "MANY", many)
    logits, targets = batch(density=density)
    sparse = Targets.from_dense(targets.numpy())
    assert triton_engine.few_listed(SparseCells.of(sparse, logits.device)) == (many == 1 or density == 0)
    assert_agrees(Asymmetric(), logits, sparse)


@pytest.mark.parametrize("shape", [(1, 1), (3000, 1), (700, 3), (1, 4099), (2, 1024), (0, 5), (5, 0)])
def test_odd_shapes(shape):
    logits, targets = batch(max(shape[0], 1), shape[1])
    logits, targets = logits[: shape[0]], targets[: shape[0]]
    loss = BCE(label_weight=np.linspace(0.1, 3, shape[1]))
    weight = torch.linspace(0, 2, shape[0])
    for form in (targets, Targets.from_dense(targets.numpy())):
        assert_agrees(loss, logits, form, row_weight=weight)


def test_logits_that_are_not_contiguous():
    logits, targets = batch()
    assert_agrees(BCE(), torch.cat([logits, logits], 1)[:, ::2], torch.cat([targets, targets], 1)[:, ::2])
    assert_agrees(BCE(), logits.T, targets.T)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    logits, targets = batch()
    loss = Asymmetric()
    value, gradient = answer("triton", loss, logits.to(dtype), targets)
    expected = answer("torch", loss, logits.to(dtype).double(), targets)
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), expected[0], rtol=1e-6, atol=0)
    step = torch.finfo(dtype).eps
    torch.testing.assert_close(gradient.double(), expected[1], rtol=step, atol=torch.finfo(dtype).tiny)


def test_a_gradient_scaler_saves_what_float16_would_lose():
    logits = torch.full((64, 1024), -9.0, dtype=torch.float16, requires_grad=True)
    with use_engine("triton"):
        value = BCE()(logits, torch.zeros(64, 1024))
    (2.0**16 * value).backward()
    expected = torch.full((), -9.0, dtype=torch.float64).sigmoid()  # 2^16 cells, whose mean takes 2^16 away
    torch.testing.assert_close(logits.grad[0, 0].double(), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_constants_per_label_and_per_row(dtype):
    counts = torch.randint(0, 50, (LABELS,), generator=torch.Generator().manual_seed(3))
    logits, targets = batch()
    assert_agrees(DistributionBalanced(counts, 100), logits.to(dtype), targets, DTYPES[dtype])


@pytest.mark.parametrize("kind", [BCE, Asymmetric])
def test_weights_smoothing_and_soft_targets(kind, unknown):
    logits, targets = batch()
    soft = torch.where(unknown, torch.nan, targets * 0.7)
    draw = torch.Generator().manual_seed(4)
    beside = {
        "row_weight": torch.linspace(0, 2, ROWS),
        "cell_weight": torch.rand(ROWS, LABELS, generator=draw),
    }
    weights = np.linspace(0.1, 3, LABELS)
    for smoothing in ((0.1, 0.2), (0.0, 0.0)):
        loss = kind(pos_weight=weights, label_weight=2.0, smoothing=smoothing)
        for form in (soft, Targets.from_dense(soft.numpy())):
            assert_agrees(loss, logits, form, **beside)


def test_the_same_answer_twice():
    logits, targets = batch()
    first, again = (answer("triton", Asymmetric(), logits, targets) for _ in range(2))
    assert first[0] == again[0]
    assert torch.equal(first[1], again[1])


def test_two_backward_passes_and_second_derivatives():
    logits, targets = batch()
    logits.requires_grad_()
    with use_engine("triton"):
        value = BCE(reduction="sum")(logits, targets)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    (second,) = torch.autograd.grad(3 * value, logits, retain_graph=True)
    torch.testing.assert_close(second, 3 * first, rtol=1e-6, atol=0)
    (again,) = torch.autograd.grad(value, logits, create_graph=True)
    (curvature,) = torch.autograd.grad(again.sum(), logits)
    p = torch.sigmoid(logits.detach().double())
    torch.testing.assert_close(curvature.double(), p * (1 - p), rtol=1e-4, atol=1e-6)


def test_a_factor_on_the_loss():
    logits, targets = batch()
    for factor in (1.0, -2.5):
        found = logits.clone().requires_grad_()
        with use_engine("triton"):
            (factor * BCE()(found, targets)).backward()
        expected = factor * answer("torch", BCE(), logits.double(), targets)[1]
        torch.testing.assert_close(found.grad.double(), expected, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if issubclass(kind, Pointwise)])
def test_every_pointwise_loss(name, dtype, unknown):
    counts = torch.randint(0, 50, (LABELS,), generator=torch.Generator().manual_seed(3))
    loss = make_loss(name, label_counts=counts, num_rows=100)
    logits, targets = batch()
    coded = torch.where(unknown, torch.nan, targets)
    sparse = Targets.from_dense(coded.numpy())
    for form in (coded, sparse) if dtype == torch.float32 else (sparse,):
        assert_agrees(loss, logits.to(dtype), form, DTYPES[dtype])


ROWWISE = ("zlpr", "lsep", "softmax", "pal", "kl", "atl", "dsm", "count")


@pytest.mark.parametrize("name", [name for name in LOSSES if name in ROWWISE])
def test_row_wise_losses(name, unknown):
    logits, targets = batch()
    logits = logits.clamp(-50, 50)
    coded = torch.where(unknown, torch.nan, targets)
    for form in (targets, coded, Targets.from_dense(coded.numpy()), targets * 0.7):
        for weights in (None, np.linspace(0.0, 3, LABELS)):
            assert_agrees(make_loss(name, label_weight=weights), logits, form)


@pytest.mark.parametrize("name", ["zlpr", "softmax"])
def test_a_label_without_weight_hides_no_other_however_high(name):
    logits, targets = batch()
    logits[:, 7], targets[:, 7] = 300.0, 0
    weights = torch.ones(LABELS)
    weights[7] = 0
    assert_agrees(make_loss(name, label_weight=weights), logits.clamp(-50, 300), targets)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_row_wise_losses_in_half_precision(dtype):
    logits, targets = batch()
    halves = logits.clamp(-50, 50).to(dtype)
    value, gradient = answer("triton", make_loss("zlpr"), halves, targets)
    expected = answer("torch", make_loss("zlpr"), halves.double(), targets)
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), expected[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(
        gradient.double(), expected[1], rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).tiny
    )


def test_rows_with_second_derivatives():
    logits, targets = batch(4, 50, density=0.02)
    curvatures = []
    for engine in ("triton", "torch"):
        z = logits.clamp(-9, 9).double().requires_grad_()
        with use_engine(engine):
            (slopes,) = torch.autograd.grad(make_loss("zlpr")(z, targets), z, create_graph=True)
        curvatures.append(torch.autograd.grad((slopes**2).sum(), z)[0])
    torch.testing.assert_close(*curvatures)


WORD = """
@whole
def apply(given, found, COUNT: tl.constexpr):
    place = tl.arange(0, COUNT)
    tl.store(found + place, {word}(tl.load(given + place)))
"""
EXACT = {
    "softplus": lambda x: torch.where(x < 0, torch.log1p(torch.exp(x)), x + torch.log1p(torch.exp(-x))),
    "sigmoid": torch.sigmoid,
    "expm1": torch.expm1,
    "tanh": torch.tanh,
    "log1p": torch.log1p,
}


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("word", EXACT)
def test_words_in_both_tails(word, kind):
    from manyhot.kernels.triton_source import load

    sizes = np.concatenate([np.geomspace(1e-30, 85, 2048), np.linspace(0, 4, 2048)])
    signed = np.concatenate([sizes, sizes if word == "log1p" else -sizes])
    given = torch.tensor(signed, dtype=getattr(torch, kind))
    found = torch.empty_like(given)
    load(WORD.format(word=word), kind).apply[(1,)](given, found, COUNT=len(given))
    rtol = 3e-7 if kind == "float32" else 1e-15
    torch.testing.assert_close(found.double(), EXACT[word](given.double()), rtol=rtol, atol=1e-38)
