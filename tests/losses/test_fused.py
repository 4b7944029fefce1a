"""The fused linear loss is the loss of the linear layer's logits: value, gradients, refusals."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn import functional

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.kernels.cells import SparseCells
from manyhot.labels import Targets
from manyhot.losses import BCE, LOSSES, ClassBalanced, FusedLinearLoss, make_loss
from manyhot.losses.fused import refusal

ROWS, FEATURES, LABELS = 11, 6, 700  # three chunks under the least memory; too few for compiled kernels
COUNTS = np.random.default_rng(3).integers(0, 90, LABELS)
OPTIONS = {"csl": {"mode": "negative"}}


def build(name, **options):
    return make_loss(name, label_counts=COUNTS, num_rows=100, **OPTIONS.get(name, {}), **options)


FUSED = [name for name in LOSSES if refusal(build(name)) is None]


def layer(dtype=torch.float64, seed=0):
    """Hidden vectors, weight and bias that want gradients."""
    draw = torch.Generator().manual_seed(seed)
    shapes = ((ROWS, FEATURES), (LABELS, FEATURES), (LABELS,))
    return [torch.randn(s, generator=draw, dtype=torch.float64).to(dtype).requires_grad_() for s in shapes]


def targets(seed=0, unknown=False):
    """0/1 (rows, labels); the first row has no positive. Unknown cells are -1."""
    draw = torch.Generator().manual_seed(seed)
    y = (torch.rand(ROWS, LABELS, generator=draw) < 0.01).double()
    y[0] = 0
    return torch.where(torch.rand(ROWS, LABELS, generator=draw) < 0.05, -1.0, y) if unknown else y


def fused(loss, given, y, *args, factor=1.0, **kwargs):
    """Value and gradients of the fused loss."""
    hidden, weight, bias = given
    value = FusedLinearLoss(loss, memory=1)(hidden, weight, y, bias, *args, **kwargs)
    return value.detach(), *torch.autograd.grad(factor * value, [t for t in given if t is not None])


def unfused(loss, given, y, *args, factor=1.0, **kwargs):
    """The same by way of the logits."""
    value = loss(functional.linear(*given), y, *args, **kwargs)
    return value.detach(), *torch.autograd.grad(factor * value, [t for t in given if t is not None])


def assert_same(found, expected, tolerance=1e-10):
    """Equal, to a share of the largest number."""
    for one, other in zip(found, expected, strict=True):
        size = float(other.abs().max())
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * size)


def test_bce_is_torchs():
    given, y = layer(), targets()
    value = functional.binary_cross_entropy_with_logits(functional.linear(*given), y)
    assert_same(fused(BCE(), given, y), (value.detach(), *torch.autograd.grad(value, given)))


@pytest.mark.parametrize("name", FUSED)
def test_every_such_loss_is_that_of_the_logits(name):
    given = layer()
    for y in (targets(), targets(unknown=True)):
        assert_same(fused(build(name), given, y), unfused(build(name), given, y))


@pytest.mark.parametrize("name", FUSED)
def test_float32_too(name):
    given, y = layer(torch.float32), targets().float()
    assert_same(fused(build(name), given, y), unfused(build(name), given, y), 1e-5)


def test_targets_that_want_a_gradient_are_refused():
    hidden, weight = torch.randn(3, 2), torch.randn(4, 2)
    with pytest.raises(InputError, match="no gradient of its targets"):
        FusedLinearLoss("bce")(hidden, weight, torch.rand(3, 4, requires_grad=True))


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in FUSED])
def test_a_loss_that_reads_more_is_refused_with_the_mend(name):
    with pytest.raises(OptionError, match="call it on the logits"):
        FusedLinearLoss(build(name))


def test_cells_and_sums_of_rows_are_fused_and_sorted_rows_pairs_and_memories_are_not():
    assert {"bce", "asl", "focal", "db", "cb", "psp", "brier", "splc", "em", "partial-bce"} <= set(FUSED)
    assert {"zlpr", "lsep", "softmax", "pal", "kl", "dsm", "atl", "gkl", "count"} <= set(FUSED)
    assert not {"lovasz", "warp", "ranknet", "sparsemax", "soft-f1", "role", "ghm", "eqlv2"} & set(FUSED)


def test_choosing_among_all_unknown_cells_is_refused():
    with pytest.raises(OptionError, match="mode='negative'"):
        FusedLinearLoss("csl")


def test_no_reduction_is_refused():
    with pytest.raises(OptionError, match="take 'mean', 'batchmean' or 'sum'"):
        FusedLinearLoss(BCE(reduction="none"))


@pytest.mark.parametrize(
    ("spec", "mend"),
    [
        ("count(count='categorical')", "has parameters of its own"),
        ("count(count_source='sum_sigmoid')", "take count_source='lse'"),
        ("count(count_source='head')", "take count_source='lse'"),
        ("dsm(average='positive')", "take average='row'"),
    ],
)
def test_variants_that_read_something_else_are_refused(spec, mend):
    with pytest.raises(OptionError, match=mend):
        FusedLinearLoss(spec)


FORMS = {
    "bool": lambda y: y.bool(),
    "int64": lambda y: y.long(),
    "numpy": lambda y: y.numpy(),
    "Targets": lambda y: Targets.from_dense(y.numpy()),
    "scipy": lambda y: csr_array(y.numpy()),
    "torch sparse": lambda y: y.to_sparse(),
    "ragged": lambda y: [np.nonzero(row)[0].tolist() for row in y.numpy()],
    "padded": lambda y: torch.tensor(Targets.from_dense(y.numpy()).to_padded()),
}


@pytest.mark.parametrize("name", ["bce", "db", "zlpr"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_targets_means_the_same(name, form):
    given, y = layer(), targets()
    assert_same(fused(build(name), given, FORMS[form](y)), unfused(build(name), given, y))


@pytest.mark.parametrize("name", FUSED)
def test_soft_and_unknown_sparse_targets(name):
    given, y = layer(), targets(unknown=True)
    y = (y * torch.linspace(0.1, 1.0, y.numel(), dtype=y.dtype).reshape(y.shape)).float()
    coded = torch.where(y < 0, torch.nan, y)
    sparse = Targets.from_dense(coded.numpy())
    assert_same(fused(build(name), given, sparse), unfused(build(name), given, coded))


@pytest.mark.parametrize("name", ["bce", "asl", "cb", "psp", "zlpr", "softmax", "dsm"])
@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_smoothing_reductions_and_unknown_as_negative(name, reduction, sparse):
    draw = torch.Generator().manual_seed(5)
    options = {
        "pos_weight": torch.rand(LABELS, generator=draw) + 0.5,
        "label_weight": torch.rand(LABELS, generator=draw),
        "smoothing": (0.1, 0.05),
        "reduction": reduction,
        "unknown": "negative",
    }
    given, y = layer(), targets()
    row_weight = torch.rand(ROWS, generator=draw)
    cell_weight = torch.rand(ROWS, LABELS, generator=draw)
    hidden = (torch.rand(ROWS, LABELS, generator=draw) < 0.1) & (y == 0)
    beside = {"row_weight": row_weight, "cell_weight": cell_weight}
    form = Targets.from_dense(y.numpy()) if sparse else y
    found = fused(build(name, **options), given, form, hidden, **beside)
    assert_same(found, unfused(build(name, **options), given, y, hidden, **beside))


@pytest.mark.parametrize("mode", ["by_class", "average_w", "average_n", "min_n"])
def test_weights_of_rows_are_those_of_all_labels(mode):
    loss, given, y = ClassBalanced(COUNTS, mode=mode), layer(), targets()
    assert_same(fused(loss, given, Targets.from_dense(y.numpy())), unfused(loss, given, y))


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_the_backward_pass_scales_and_can_be_repeated(name):
    given, y = layer(), targets()
    hidden, weight, bias = given
    assert_same(fused(build(name), given, y, factor=-2.5), unfused(build(name), given, y, factor=-2.5))
    value = FusedLinearLoss(build(name), memory=1)(hidden, weight, y, bias)
    first = torch.autograd.grad(3 * value, given, retain_graph=True)
    assert_same(torch.autograd.grad(3 * value, given), first)


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_only_what_wants_a_gradient_gets_one(name):
    y = targets()
    for wanting in ((0,), (1,), (2,), (0, 2)):
        given = [t.detach().requires_grad_(place in wanting) for place, t in enumerate(layer())]
        value = FusedLinearLoss(build(name), memory=1)(given[0], given[1], y, given[2])
        value.backward()
        expected = [t.detach().requires_grad_(place in wanting) for place, t in enumerate(given)]
        build(name)(functional.linear(*expected), y).backward()
        for one, other in zip(given, expected, strict=True):
            assert (one.grad is None) == (other.grad is None)
            if one.grad is not None:
                torch.testing.assert_close(one.grad, other.grad, rtol=1e-10, atol=1e-12)
        with torch.no_grad():
            assert not FusedLinearLoss(build(name))(given[0], given[1], y, given[2]).requires_grad


def test_without_a_bias():
    hidden, weight, _ = layer()
    found = fused(BCE(), (hidden, weight, None), targets())
    assert_same(found, unfused(BCE(), (hidden, weight, None), targets()))


def test_a_second_derivative_is_refused():
    hidden, weight, bias = layer()
    value = FusedLinearLoss("bce")(hidden, weight, targets(), bias)
    with pytest.raises(InputError, match="differentiable once"):
        torch.autograd.grad(value, hidden, create_graph=True)


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_bfloat16_weights_are_widened(name):
    hidden, weight, bias = layer(torch.float32)
    narrow = weight.detach().bfloat16().requires_grad_()
    y = targets().float()
    found = fused(build(name), (hidden, narrow, bias), y)
    expected = unfused(build(name), (hidden, narrow.detach().float().requires_grad_(), bias), y)
    assert found[2].dtype == torch.bfloat16
    assert_same((found[0], found[1], found[3]), (expected[0], expected[1], expected[3]), 1e-5)
    torch.testing.assert_close(found[2].float(), expected[2], rtol=0.005, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_all_in_half_precision_is_near(name, dtype):
    given, y = layer(dtype), targets().float()
    found = fused(build(name), given, y, factor=1024.0)
    expected = unfused(build(name), [t.detach().float().requires_grad_() for t in given], y, factor=1024.0)
    assert found[0].dtype == torch.float32
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.02 * float(other.abs().max()))


def test_autocast_says_what_the_products_are_in():
    given, y = layer(torch.float32), targets().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fused(BCE(), given, y)
    narrow = [t.detach().bfloat16().requires_grad_() for t in given]
    expected = fused(BCE(), narrow, y)
    assert {t.dtype for t in found} == {torch.float32}
    assert_same((found[0],), (expected[0],), 1e-7)


def test_autocast_leaves_float64_alone():
    given, y = layer(), targets()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(fused(BCE(), given, y), unfused(BCE(), given, y))


@pytest.mark.parametrize("name", ["bce", "zlpr", "softmax", "dsm"])
def test_a_gradient_scaler_saves_what_float16_would_lose(name):
    draw = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(n, 8, generator=draw).half() / 2 for n in (32, 40_000))
    y = [[3 * row] for row in range(32)]  # the other labels have slopes of about 1e-6
    gradients = []
    for dtype in (torch.float16, torch.float64):
        own = [t.detach().to(dtype).requires_grad_() for t in (hidden, weight)]
        if dtype == torch.float16:
            value = FusedLinearLoss(name)(own[0], own[1], y)
        else:
            value = make_loss(name)(functional.linear(*own), y)
        (2.0**16 * value).backward()
        gradients.append([own[0].grad.double(), own[1].grad[100:].double()])
    for found, expected in zip(*gradients, strict=True):
        assert (found - expected).norm() < 2e-3 * expected.norm()


def test_losses_with_a_schedule_are_told_the_epoch():
    given, y = layer(), targets()
    loss = FusedLinearLoss("splc", memory=1)
    loss.set_epoch(4)
    plain = make_loss("splc")
    plain.set_epoch(4)
    expected = plain(functional.linear(*given), y)
    torch.testing.assert_close(loss(given[0], given[1], y, given[2]), expected)
    assert expected != make_loss("splc")(functional.linear(*given), y)


def test_sparse_targets_are_never_made_dense(monkeypatch):
    def refuse(self):
        raise AssertionError("dense targets")

    coded = targets(unknown=True)
    sparse = Targets.from_dense(torch.where(coded < 0, torch.nan, coded).numpy())
    monkeypatch.setattr(SparseCells, "dense", refuse)
    monkeypatch.setattr(SparseCells, "known", refuse)
    by_cell = {"em", "splc"}  # these make those of one chunk dense
    for name in set(FUSED) - by_cell:
        fused(build(name), layer(), sparse)


def test_infinite_logits_count_as_very_large_ones():
    given, y = layer(torch.float32), targets().float()
    with torch.no_grad():
        given[2][5] = torch.inf
        given[2][600] = -torch.inf
    for name in ("bce", "zlpr"):
        found = fused(build(name), given, y)
        expected = unfused(build(name), given, y)
        assert all(t.isfinite().all() for t in found)
        assert_same(found, expected, 1e-5)


def test_nan_is_an_error_unless_nobody_knows_the_cell():
    given, y = layer(), targets()
    with torch.no_grad():
        given[1][300] = torch.nan
    with pytest.raises(InputError, match=rf"{ROWS} of {ROWS * LABELS} logits are NaN"):
        FusedLinearLoss("bce", memory=1)(given[0], given[1], y, given[2])
    y[:, 300] = torch.nan
    assert FusedLinearLoss("bce", memory=1)(given[0], given[1], y, given[2]).isfinite()


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_no_rows_and_no_labels_cost_nothing(name):
    hidden, weight, bias = layer()
    for h, w, b in ((hidden[:0], weight, bias), (hidden, weight[:0], bias[:0])):
        value = FusedLinearLoss(make_loss(name))(h, w, torch.zeros(len(h), len(w)), b)
        value.backward()
        assert value == 0


def test_what_does_not_fit_is_said():
    hidden, weight, bias = layer()
    y, loss = targets(), FusedLinearLoss("bce")
    with pytest.raises(ShapeError, match=r"hidden must be \(rows, features\)"):
        loss(hidden, weight[:, :3], y, bias)
    with pytest.raises(ShapeError, match=r"bias must have shape \(700,\)"):
        loss(hidden, weight, y, bias[:5])
    with pytest.raises(ShapeError, match="targets"):
        loss(hidden, weight, y[:, :600], bias)
    with pytest.raises(InputError, match=r"weight must be a torch tensor of floats, got torch\.int64"):
        loss(hidden, weight.long(), y, bias)
    with pytest.raises(ShapeError, match="expected a weight of 3 labels, got 700"):
        FusedLinearLoss(BCE(pos_weight=[1.0, 2.0, 3.0]))(hidden, weight, y, bias)
    y[4, 7] = 2
    with pytest.raises(InputError, match="got 2 in row 4, label 7"):
        FusedLinearLoss("bce")(hidden, weight, y, bias)
    with pytest.raises(OptionError, match="memory must be >= 1"):
        FusedLinearLoss("bce", memory=0)


def test_outside_of_transformed_code_only():
    hidden, weight, bias = layer()
    with pytest.raises(InputError, match=r"torch\.func"):
        torch.func.grad(lambda h: FusedLinearLoss("bce")(h, weight, targets(), bias))(hidden)


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_compiled_kernels_read_chunks_too(name):
    given = layer(torch.float32)
    hidden = torch.cat([given[0].detach()] * 9).requires_grad_()  # 99 x 256 cells in a chunk
    coded = torch.cat([targets(seed, unknown=True) for seed in range(9)])
    sparse = Targets.from_dense(torch.where(coded < 0, torch.nan, coded).float().numpy())
    given = (hidden, *given[1:])
    expected = unfused(build(name), [t.detach().double().requires_grad_() for t in given], coded)
    for y in (coded, sparse):
        found = [t.double() for t in fused(build(name), given, y)]
        assert_same(found, expected, 1e-5)


@pytest.mark.parametrize("memory", [1, 1 << 16, 1 << 30])
def test_the_memory_changes_chunks_only(memory):
    given, y = layer(), targets()
    expected = unfused(build("asl"), given, y)
    value = FusedLinearLoss(build("asl"), memory=memory)(given[0], given[1], y, given[2])
    assert_same((value.detach(), *torch.autograd.grad(value, given)), expected)
