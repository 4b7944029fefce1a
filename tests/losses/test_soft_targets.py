"""Soft targets against the papers' and programs' formulas, written out in NumPy, and against each engine."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit

from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import (
    BCE,
    LOSSES,
    MAE,
    MSE,
    AbsKL,
    Asymmetric,
    AsymmetricPolynomial,
    Brier,
    ClassBalanced,
    Focal,
    Pointwise,
    RobustAsymmetric,
    make_loss,
)

DRAW = np.random.default_rng(11)
Z = DRAW.normal(0, 2.5, (9, 5))
Y = np.where(DRAW.random((9, 5)) < 0.5, DRAW.random((9, 5)), DRAW.random((9, 5)) < 0.4)  # soft and hard ones
P = expit(Z)


def cross_entropy(y):
    return -(y * log_expit(Z) + (1 - y) * log_expit(-Z))


def focal(y, gamma=2.0, alpha=None):
    truth = P * y + (1 - P) * (1 - y)
    share = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return share * (1 - truth) ** gamma * cross_entropy(y)


def asymmetric(y, gamma_neg=4.0, gamma_pos=1.0, clip=0.05, up=None, down=None):
    kept = np.minimum(1 - P + clip, 1)
    truth = P * y + kept * (1 - y)
    up, down = -np.log(P) if up is None else up, -np.log(kept) if down is None else down
    return (1 - truth) ** (gamma_pos * y + gamma_neg * (1 - y)) * (y * up + (1 - y) * down)


POLYNOMIAL = -np.log(P) - (1 - P) + 1.25 * (1 - P) ** 2
KEPT = np.minimum(1 - P + 0.05, 1)


def absolute_kl(y):
    t, q = np.maximum(y, 1e-7), np.maximum(P, 1e-7)
    return np.abs((t - q) * np.log(t / q))


COUNTS = [3, 1, 4, 1, 5]
CB = (1 - 0.99) / (1 - 0.99 ** np.array(COUNTS))
DEFINITIONS = {
    "bce": (BCE(), cross_entropy),
    "focal": (Focal(), focal),
    "focal, alpha": (Focal(0.5, 0.25), lambda y: focal(y, 0.5, 0.25)),
    "asl": (Asymmetric(), asymmetric),
    "asl, no clip": (Asymmetric(2, 0.5, 0.0), lambda y: asymmetric(y, 2, 0.5, 0.0)),
    "apl": (
        AsymmetricPolynomial(epsilon_neg=0.7),
        lambda y: asymmetric(y, 4, 0, up=POLYNOMIAL, down=-np.log(KEPT) - 0.7 * KEPT),
    ),
    "ral": (
        RobustAsymmetric(),
        lambda y: asymmetric(y, 4, 0, up=POLYNOMIAL, down=-np.log(KEPT) * (1.5 - P) * P**2 * (1.5 - KEPT)),
    ),
    "ral, paper": (
        RobustAsymmetric(variant="paper"),
        lambda y: asymmetric(y, 4, 0, up=POLYNOMIAL, down=-np.log(KEPT) * (1.5 - P)),
    ),
    "brier": (Brier(), lambda y: (P - y) ** 2),
    "mse": (MSE(), lambda y: (P - y) ** 2),
    "mae": (MAE(), lambda y: np.abs(P - y)),
    "abs-kl": (AbsKL(), absolute_kl),
    "cb": (ClassBalanced(COUNTS, 0.99, 2.0, normalize=False), lambda y: CB * focal(y)),
}
every = pytest.mark.parametrize("name", DEFINITIONS)


def cells(loss, targets, z=Z):
    loss.reduction = "none"
    return loss(torch.as_tensor(z), targets)


@every
def test_a_soft_target_costs_what_the_formula_says(name):
    loss, definition = DEFINITIONS[name]
    np.testing.assert_allclose(cells(loss, Y), definition(Y), rtol=1e-9, atol=1e-12)
    single = Targets.from_dense(Y.astype(np.float32))
    np.testing.assert_allclose(cells(loss, single), definition(single.to_dense()), rtol=1e-6, atol=1e-9)


@every
def test_smoothing_moves_the_target_that_the_formula_reads(name):
    loss, definition = DEFINITIONS[name]
    hard = (Y > 0.5).astype(float)
    loss.smoothing = (0.3, 0.05)
    try:
        for form in (hard, hard.astype(bool), Targets.from_dense(hard)):
            expected = definition(hard * (1 - 0.3) + (1 - hard) * 0.05)
            np.testing.assert_allclose(cells(loss, form), expected, rtol=1e-9, atol=1e-12)
    finally:
        loss.smoothing = (0.0, 0.0)


@every
def test_side_weights_are_mixed_by_the_target(name):
    kind, definition = type(DEFINITIONS[name][0]), DEFINITIONS[name][1]
    if name in ("bce", "focal, alpha", "asl, no clip", "ral, paper"):
        pytest.skip("two sides with a weight each, or another form of the same class")
    options = {"epsilon_neg": 0.7} if name == "apl" else {}
    options |= (
        {"label_counts": COUNTS, "beta": 0.99, "gamma": 2.0, "normalize": False} if name == "cb" else {}
    )
    up, both = np.array([1.0, 2, 0.5, 3, 1]), np.array([0.5, 1, 1, 2, 1])
    loss = kind(pos_weight=up, label_weight=both, **options)
    expected = both * (Y * up + 1 - Y) * definition(Y)
    np.testing.assert_allclose(cells(loss, Y), expected, rtol=1e-6, atol=1e-9)


@every
def test_the_slope_is_the_derivative(name):
    loss, _ = DEFINITIONS[name]
    flow, loss.reduction = getattr(loss, "flow", None), "sum"
    loss.flow = 1.0
    try:
        z = torch.tensor(Z, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(z, Y), z)
        up, down = (cells(loss, Y, Z + sign * 1e-6) for sign in (1, -1))
        np.testing.assert_allclose(gradient, (up - down) / 2e-6, atol=1e-8)
    finally:
        loss.flow = flow


@every
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_cpu_engine_gives_soft_batches_the_same_cost(name, smoothing):
    loss, _ = DEFINITIONS[name]
    found = []
    loss.reduction, loss.smoothing = "mean", (smoothing / 2, smoothing / 2)
    try:
        for engine in ("numba", "torch"):
            z = torch.tensor(Z, requires_grad=True)
            with use_engine(engine):
                value = loss(z, Y)
                value.backward()
            found.append((value.detach(), z.grad))
    finally:
        loss.smoothing = (0.0, 0.0)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)  # it reads targets in float32


@every
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_at_hard_targets_the_soft_formula_is_that_of_the_side(name, y):
    loss, _ = DEFINITIONS[name]
    logits = [[-1e4, -100, -30, -3, -0.3], [0, 0.4, 20, 100, 1e4]]
    loss.reduction = "sum"
    sides, mixed = [], []
    for targets, kept in ((torch.full((2, 5), y).bool(), sides), (torch.full((2, 5), y), mixed)):
        z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        value = loss(z, targets)
        kept += [value.detach(), *torch.autograd.grad(value, z)]
    for one, other in zip(mixed, sides, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_met_soft_target_costs_nothing_and_does_not_pull():
    for kind in (MSE, Brier, MAE, AbsKL):
        z = torch.tensor([[-1.2, 0.4]], dtype=torch.float64, requires_grad=True)
        value = kind()(z, z.detach().sigmoid())
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-15)
        assert z.grad.abs().max() < 1e-8


def test_a_loss_without_a_formula_of_its_own_has_the_expected_cost():
    class Cubed(Pointwise):
        """p^3 of what is wrong."""

        @staticmethod
        def positive(z):
            return torch.sigmoid(-z) ** 3, -3 * torch.sigmoid(-z) ** 3 * torch.sigmoid(z)

        @staticmethod
        def negative(z):
            return torch.sigmoid(z) ** 3, 3 * torch.sigmoid(z) ** 3 * torch.sigmoid(-z)

    np.testing.assert_allclose(cells(Cubed(), Y), Y * (1 - P) ** 3 + (1 - Y) * P**3)


# ------------------------------------------------------------------ targets that are learned


# Some train with a slope that is not the derivative of their value; this switches it off.
EXACT = {name: {"detach_focus": False} for name in ("asl", "apl", "csl")} | {"gr": {"detach_weights": False}}


@pytest.mark.parametrize("name", LOSSES)
def test_soft_targets_get_the_gradient_that_they_ask_for(name):
    if name == "warp":
        pytest.skip("no gradient passes through its ranks")
    draw = torch.Generator().manual_seed(4)
    logits = 2 * torch.randn(3, 5, generator=draw, dtype=torch.float64)
    targets = 0.1 + 0.8 * torch.rand(3, 5, generator=draw, dtype=torch.float64)
    loss = make_loss(name, label_counts=[30, 4, 1, 0, 90], num_rows=100, **EXACT.get(name, {})).eval()

    def cost(z, y):
        return loss(z, y, row_ids=torch.arange(3))

    logits.requires_grad_()
    (alone,) = torch.autograd.grad(cost(logits, targets), logits)
    targets.requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(cost(logits, targets), logits)[0], alone)
    assert torch.autograd.gradcheck(cost, (logits, targets))


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_loss_remembers_holds_no_gradient_of_targets(name):
    loss = make_loss(name, label_counts=[30, 4, 1, 0, 90], num_rows=100)
    targets = torch.full((3, 5), 0.7, requires_grad=True)
    for _ in range(2):
        loss(torch.zeros(3, 5, requires_grad=True), targets, row_ids=torch.arange(3)).backward()
    assert not [name for name, buffer in loss.named_buffers() if buffer.requires_grad]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch's own
def test_targets_in_a_graph_get_their_gradient_too():
    torch.compiler.reset()
    logits, targets = torch.randn(3, 5), torch.rand(3, 5)
    gradients = []
    for loss in (Focal(), torch.compile(Focal(), backend="eager", fullgraph=True)):
        soft = targets.clone().requires_grad_()
        loss(logits, soft).backward()
        gradients.append(soft.grad)
    torch.testing.assert_close(*gradients)
    found = torch.func.grad(Focal(), argnums=1)(logits, targets)
    torch.testing.assert_close(found, gradients[0])


def test_a_teacher_gets_the_gradient_that_torch_gives_it():
    student, teacher = torch.randn(30, 400), torch.randn(30, 400)
    gradients = []
    for loss in (BCE(), torch.nn.BCEWithLogitsLoss()):
        s, t = student.clone().requires_grad_(), teacher.clone().requires_grad_()
        loss(s, torch.sigmoid(t)).backward()
        gradients.append((s.grad, t.grad))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)
