"""What torch users take for granted: compiling, functional transforms, second derivatives, autocast."""

import copy
import pickle

import pytest
import torch
from torch.func import functional_call, grad, grad_and_value, hessian, vmap

from manyhot.errors import OptionError
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Group, LabelSpace
from manyhot.losses import (
    BCE,
    LOSSES,
    ROLE,
    ZLPR,
    ApproxNDCG,
    Asymmetric,
    CountDistribution,
    DecoupledSoftmax,
    Focal,
    Mixed,
    Pointwise,
    RankNet,
    SoftF1,
    SoftTopK,
    functional,
    make_loss,
)
from manyhot.losses.base import arguments
from manyhot.losses.rowwise import Rowwise

ROWS, LABELS = 6, 5
COUNTS = [30, 4, 1, 0, 90]
REMEMBERS = ("ghm", "eqlv2", "cdb", "plm", "em-apl")
LEARNS = ("role", "aucm")
# Their slope is by design not the derivative of their value, or the second one has kinks everywhere.
EXACT = {"asl": {"detach_focus": False}, "apl": {"detach_focus": False}, "csl": {"detach_focus": False}}
EXACT |= {"gr": {"detach_weights": False}}

every_loss = pytest.mark.parametrize("name", LOSSES)
torch_s_own_warning = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


def build(name, **options):
    return make_loss(name, label_counts=COUNTS, num_rows=100, **options)


def batch(dtype=torch.float64):
    draw = torch.Generator().manual_seed(4)
    logits = 2 * torch.randn(ROWS, LABELS, generator=draw, dtype=torch.float64)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < 0.4).double()
    return logits.to(dtype), targets


def called(loss):
    """The loss as a function of the logits and the targets alone."""
    return lambda logits, targets: loss(logits, targets, row_ids=torch.arange(len(logits)))


def value_and_gradient(function, logits, targets):
    logits = logits.clone().requires_grad_()
    value = function(logits, targets)
    return value.detach(), torch.autograd.grad(value, logits)[0]


def assert_same(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


# ------------------------------------------------------------------ torch.compile


@torch_s_own_warning
@pytest.mark.slow
@every_loss
def test_every_loss_is_one_graph(name):
    torch.compiler.reset()
    logits, targets = batch()
    compiled = torch.compile(build(name), fullgraph=True, backend="eager")
    assert_same(
        value_and_gradient(called(compiled), logits, targets),
        value_and_gradient(called(build(name)), logits, targets),
    )


@torch_s_own_warning
@pytest.mark.slow
@every_loss
def test_infinite_logits_count_as_large_ones_in_a_graph(name):
    torch.compiler.reset()
    logits, targets = torch.full((ROWS, LABELS), torch.inf), batch()[1]
    logits[::2] = -torch.inf
    compiled = torch.compile(build(name), fullgraph=True, backend="eager")
    value, gradient = value_and_gradient(called(compiled), logits, targets)
    torch.testing.assert_close(value, called(build(name))(logits, targets))
    assert gradient.isfinite().all()


@torch_s_own_warning
@pytest.mark.slow
@pytest.mark.parametrize(
    "loss", [Asymmetric(), ZLPR(), DecoupledSoftmax(), SoftTopK(), RankNet(), ApproxNDCG()], ids=repr
)
def test_compiled_code_has_the_same_value_and_gradient(loss):
    torch.compiler.reset()
    logits, targets = batch()
    compiled = torch.compile(loss, fullgraph=True)
    assert_same(value_and_gradient(compiled, logits, targets), value_and_gradient(loss, logits, targets))


@torch_s_own_warning
def test_a_batch_large_enough_for_the_cpu_engine_compiles_too():
    torch.compiler.reset()
    logits, targets = torch.randn(16, 600), (torch.rand(16, 600) < 0.1).float()
    with use_engine("numba"):
        compiled = torch.compile(ZLPR(), fullgraph=True, backend="eager")
        assert_same(
            value_and_gradient(compiled, logits, targets), value_and_gradient(ZLPR(), logits, targets)
        )


# ------------------------------------------------------------------ torch.func and second derivatives


@every_loss
def test_functional_gradient_is_the_gradient(name):
    logits, targets = batch()
    loss = called(build(name).eval())  # in training, what a loss remembers is written in place
    assert_same([grad(loss)(logits, targets)], [value_and_gradient(loss, logits, targets)[1]])


@every_loss
@pytest.mark.parametrize("infinity", [torch.inf, -torch.inf])
def test_where_nothing_can_be_looked_at_infinity_counts_as_a_large_number_and_nan_shows(name, infinity):
    logits, targets = batch()
    loss = called(build(name).eval())
    logits[1], logits[2, 3] = infinity, -infinity
    large = torch.where(logits.isinf(), 1e15 * logits.sign(), logits)
    gradient, value = grad_and_value(loss)(logits, targets)
    expected = value_and_gradient(loss, large, targets)
    torch.testing.assert_close(value, expected[0])
    assert gradient.isfinite().all()
    logits[3] = torch.nan
    assert grad_and_value(loss)(logits, targets)[1].isnan()


BY_TORCH = [
    name for name, kind in LOSSES.items() if not (issubclass(kind, (Pointwise, Rowwise)) and kind.shows_nan)
]


@pytest.mark.parametrize("name", BY_TORCH)
def test_infinity_counts_as_a_large_number_on_a_gpu_too_in_losses_that_torch_computes(name, monkeypatch):
    monkeypatch.setattr("manyhot.losses.base.suits_triton", lambda _: True)
    logits, targets = batch()
    loss = called(build(name).eval())
    logits[1], logits[2, 3] = torch.inf, -torch.inf
    large = torch.where(logits.isinf(), 1e15 * logits.sign(), logits)
    gradient, value = grad_and_value(loss)(logits, targets)
    torch.testing.assert_close(value, value_and_gradient(loss, large, targets)[0])
    assert gradient.isfinite().all()


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_functional_gradient_of_a_large_batch(engine):
    logits, targets = torch.randn(16, 600), (torch.rand(16, 600) < 0.1).float()
    for loss in (BCE(), ZLPR()):
        with use_engine(engine):
            assert_same(
                [grad(loss)(logits, targets)],
                [value_and_gradient(loss, logits, targets)[1]],
                atol=1e-6,
                rtol=1e-4,
            )


@every_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradients_of_single_rows_at_once(name, smoothing):
    logits, targets = batch()
    targets[0], targets[1], targets[2, 0] = 0, 1, torch.nan
    loss = build(name, reduction="sum", smoothing=smoothing).eval()

    def of_row(z, y, number):
        return loss(z[None], y[None], row_ids=number[None])

    rows = logits, targets, torch.arange(ROWS)
    each = vmap(grad(of_row))(*rows)
    one_by_one = [grad(of_row)(*row) for row in zip(*rows, strict=True)]
    torch.testing.assert_close(each, torch.stack(one_by_one))


@torch_s_own_warning
@pytest.mark.parametrize("loss", [BCE(), Focal(), Asymmetric(detach_focus=False), ZLPR()], ids=repr)
def test_hessian_is_that_of_the_double_backward_pass(loss):
    logits, targets = batch()
    small, few = logits[:2, :3], targets[:2, :3]
    expected = torch.autograd.functional.hessian(lambda z: loss(z, few), small)
    torch.testing.assert_close(hessian(lambda z: loss(z, few))(small), expected)


@torch_s_own_warning
def test_hessian_of_bce_is_p_times_its_rest():
    logits, targets = batch()
    whole = hessian(lambda z: BCE(reduction="sum")(z, targets))(logits).reshape(logits.numel(), -1)
    p = torch.sigmoid(logits).flatten()
    torch.testing.assert_close(whole, torch.diag(p * (1 - p)))


@every_loss
def test_first_and_second_derivatives_pass_torch_s_own_check(name):
    if name in REMEMBERS:
        pytest.skip("changes with every call")
    logits, targets = batch()
    loss, logits = called(build(name, **EXACT.get(name, {}))), logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), (logits,))
    assert torch.autograd.gradgradcheck(lambda z: loss(z, targets), (logits,))


# ------------------------------------------------------------------ autocast, modules, copies


@every_loss
def test_autocast_costs_in_float32(name):
    inputs, model = (
        torch.randn(ROWS, 8, generator=torch.Generator().manual_seed(0)),
        torch.nn.Linear(8, LABELS),
    )
    _, targets = batch()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(inputs)
        value = called(build(name))(logits, targets)
    assert logits.dtype == torch.bfloat16
    assert value.dtype == torch.float32
    value.backward()
    assert torch.isfinite(model.weight.grad).all()
    wide = called(build(name))(logits.detach().float(), targets)
    torch.testing.assert_close(value.detach(), wide.detach(), rtol=1e-5, atol=1e-6)


@every_loss
def test_a_loss_inside_a_model_is_saved_copied_and_moved_with_it(name):
    logits, targets = batch()
    model = torch.nn.ModuleDict({"head": torch.nn.Linear(3, LABELS), "loss": build(name)})
    twin = torch.nn.ModuleDict({"head": torch.nn.Linear(3, LABELS), "loss": build(name)})
    called(model["loss"])(logits, targets)
    twin.load_state_dict(model.state_dict())
    copies = [twin, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model).double()]
    expected = called(model["loss"])(logits, targets).detach()
    for other in copies:
        torch.testing.assert_close(
            called(other["loss"])(logits, targets).detach(), expected, rtol=1e-6, atol=1e-9
        )


def test_text_of_a_loss_shows_its_parameters_and_changed_options():
    assert repr(Asymmetric()) == "Asymmetric(gamma_neg=4.0, gamma_pos=1.0, clip=0.05, detach_focus=True)"
    assert repr(BCE(pos_weight=[1.0, 2.0], reduction="sum")) == "BCE(reduction='sum', pos_weight=<2 numbers>)"


# ------------------------------------------------------------------ parameters for the optimiser


def learned(space):
    return Mixed(space, {"independent": BCE()}, weights="learned")


def test_what_a_loss_learns_is_among_its_parameters():
    space = LabelSpace(["a", "b", "c"], groups=(Group("g", ("a", "b")),))
    sizes = {
        learned(space): [2],
        ROLE(num_rows=7, label_counts=COUNTS): [7 * LABELS],
        CountDistribution("categorical", max_count=4): [5],
    }
    for loss, expected in sizes.items():
        assert [parameter.numel() for parameter in loss.parameters()] == expected
    assert not [name for name in LOSSES if name not in LEARNS and list(build(name).parameters())]


def test_parameters_of_a_loss_can_be_given_from_outside():
    logits, targets = batch()
    loss = CountDistribution("categorical", max_count=4)
    other = {"bias": torch.linspace(-1, 1, 5)}
    value = functional_call(loss, other, (logits, targets))
    loss.load_state_dict(other)
    torch.testing.assert_close(loss(logits, targets), value)


# ------------------------------------------------------------------ functional forms


@every_loss
def test_functional_forms_are_the_losses(name):
    logits, targets = batch()
    wanted = arguments(LOSSES[name])
    context = {"label_counts": tuple(COUNTS), "num_rows": 100}
    context = {key: value for key, value in context.items() if key in wanted}
    function = getattr(functional, name.replace("-", "_"))
    if name in (*REMEMBERS, *LEARNS):
        with pytest.raises(OptionError, match="remembers or learns"):
            function(logits, targets, **context)
        return
    value = function(logits, targets, reduction="sum", **context)
    torch.testing.assert_close(value, build(name, reduction="sum")(logits, targets))


def test_functional_forms_take_weights_parameters_and_the_epoch():
    logits, targets = batch()
    weight = torch.arange(ROWS)
    value = functional.asymmetric(logits, targets, row_weight=weight, gamma_neg=2.0)
    assert functional.asymmetric(logits, targets, row_weight=weight, gamma_neg=2) == value
    torch.testing.assert_close(value, Asymmetric(gamma_neg=2)(logits, targets, row_weight=weight))
    torch.testing.assert_close(
        functional.asl(logits, targets, gamma_pos=0), Asymmetric(gamma_pos=0)(logits, targets)
    )
    later = build("splc")
    later.set_epoch(3)
    assert functional.splc(logits, targets, epoch=3) == later(logits, targets)
    assert functional.splc(logits, targets) != later(logits, targets)
    pos_weight = torch.ones(LABELS)
    before = functional.bce(logits, targets, pos_weight=pos_weight)
    assert functional.bce(logits, targets, pos_weight=pos_weight.mul_(3)) > before


def test_functional_forms_name_what_is_near():
    logits, targets = batch()
    with pytest.raises(AttributeError, match="did you mean soft_f1"):
        _ = functional.softf1
    with pytest.raises(OptionError, match=r"an argument of asymmetric .* did you mean gamma_neg"):
        functional.asl(logits, targets, gamma_negs=2)
    assert "soft_jaccard" in dir(functional)
    assert functional.soft_f1.__doc__ == SoftF1.__doc__
    assert not hasattr(functional, "__wrapped__")
