"""Optimisers in the backward pass do what torch's optimisers do with the gradients that are not kept."""

import pytest
import torch
from torch.nn import functional

from manyhot.errors import OptionError, ShapeError
from manyhot.losses import FusedLinearLoss, make_loss
from manyhot.losses.fused import AdafactorStep, AdamWStep, SGDStep

ROWS, FEATURES, LABELS = 9, 5, 700  # two blocks of labels and a part of a third
BLOCKS = ((0, 256), (256, 512), (512, 700))


def layer(dtype=torch.float64):
    draw = torch.Generator().manual_seed(1)
    weight, bias = (torch.randn(s, generator=draw, dtype=torch.float64) for s in ((LABELS, FEATURES), LABELS))
    return weight.to(dtype).requires_grad_(), bias.to(dtype).requires_grad_()


def batch(number, dtype=torch.float64):
    draw = torch.Generator().manual_seed(100 + number)
    hidden = torch.randn(ROWS, FEATURES, generator=draw, dtype=torch.float64).to(dtype).requires_grad_()
    return hidden, (torch.rand(ROWS, LABELS, generator=draw) < 0.02).double()


def ours(step, dtype=torch.float64, loss="bce(reduction='batchmean')", steps=6, memory=1):
    """Parameters after some steps, and the last gradient of the hidden vectors."""
    weight, bias = layer(dtype)
    fused = FusedLinearLoss(loss, memory=memory, step_in_backward=step)
    for number in range(steps):
        hidden, y = batch(number, dtype)
        fused(hidden, weight, y, bias).backward()
    assert weight.grad is None
    assert bias.grad is None
    return weight.detach(), bias.detach(), hidden.grad


def torchs(optimiser, dtype=torch.float64, loss="bce(reduction='batchmean')", steps=6, rate=None):
    """The same by torch's optimiser on the gradients of the logits."""
    weight, bias = layer(dtype)
    stepper, plain = optimiser(weight, bias), make_loss(loss)
    for number in range(steps):
        hidden, y = batch(number, dtype)
        for group in stepper.param_groups if rate else ():
            group["lr"] = rate(number)
        stepper.zero_grad()
        plain(functional.linear(hidden, weight, bias), y).backward()
        stepper.step()
    return weight.detach(), bias.detach(), hidden.grad


PAIRS = {
    "sgd": (lambda: SGDStep(0.5), lambda w, b: torch.optim.SGD([w, b], lr=0.5)),
    "momentum": (
        lambda: SGDStep(0.2, momentum=0.9, weight_decay=0.01),
        lambda w, b: torch.optim.SGD([w, b], lr=0.2, momentum=0.9, weight_decay=0.01),
    ),
    "adamw": (
        lambda: AdamWStep(0.03, betas=(0.8, 0.95), weight_decay=0.1),
        lambda w, b: torch.optim.AdamW([w, b], lr=0.03, betas=(0.8, 0.95), weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("loss", ["bce(reduction='batchmean')", "zlpr"])
def test_sgd_and_adamw_are_torchs(name, loss):
    made, optimiser = PAIRS[name]
    for found, expected in zip(ours(made(), loss=loss), torchs(optimiser, loss=loss), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_in_float32_too(name):
    made, optimiser = PAIRS[name]
    for found, expected in zip(ours(made(), torch.float32), torchs(optimiser, torch.float32), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("made", [lambda: AdamWStep(0.1), lambda: AdafactorStep(0.1)])
def test_vectors_of_a_wider_dtype_than_the_weight(made):
    (weight, bias), step = layer(torch.float32), made()
    fused = FusedLinearLoss("bce(reduction='batchmean')", step_in_backward=step)
    for number in range(3):
        hidden, y = batch(number)
        fused(hidden, weight, y, bias).backward()
    for found, expected in zip((weight, bias), ours(made(), torch.float32, steps=3), strict=False):
        torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=1e-4)


def test_adafactor_is_torchs_on_blocks_of_labels():
    weight, bias = layer()
    own = [t[a:b].detach().clone().requires_grad_() for t in (weight, bias) for a, b in BLOCKS]
    stepper = torch.optim.Adafactor(own, lr=0.05, weight_decay=0.1)
    plain = make_loss("bce(reduction='batchmean')")
    for number in range(6):
        hidden, y = batch(number)
        stepper.zero_grad()
        plain(functional.linear(hidden, torch.cat(own[:3]), torch.cat(own[3:])), y).backward()
        stepper.step()
    found = ours(AdafactorStep(0.05, weight_decay=0.1))
    torch.testing.assert_close(found[0], torch.cat(own[:3]).detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[1], torch.cat(own[3:]).detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[2], hidden.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("made", [lambda: AdamWStep(0.1), lambda: AdafactorStep(0.1)])
def test_chunks_of_another_width_change_nothing(made):
    for found, expected in zip(ours(made(), memory=1), ours(made(), memory=1 << 24), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_adafactor_remembers_next_to_nothing():
    step = AdafactorStep(0.1)
    ours(step, steps=1)
    kept = sum(b.numel() for b in step.buffers()) - 1
    assert kept == LABELS + 3 * FEATURES + LABELS


def test_the_rate_may_follow_a_schedule_or_be_set():
    def rate(number):
        return 0.5 / (1 + number)

    expected = torchs(lambda w, b: torch.optim.SGD([w, b], lr=1.0), rate=rate)
    torch.testing.assert_close(ours(SGDStep(rate)), expected, rtol=1e-9, atol=1e-12)
    step = SGDStep(0.0)
    before = layer()[0].detach()
    assert torch.equal(ours(step, steps=1)[0], before)
    step.lr = 1.0
    assert not torch.equal(ours(step, steps=1)[0], before)


def test_what_the_loss_is_multiplied_with_counts_unless_it_is_a_loss_scale():
    def weight_after(factor, loss_scale):
        weight, bias = layer()
        step = SGDStep(0.5)
        step.loss_scale = loss_scale
        hidden, y = batch(0)
        (factor * FusedLinearLoss("bce", step_in_backward=step)(hidden, weight, y, bias)).backward()
        return weight.detach(), hidden.grad

    plain, scaled, undone = weight_after(1.0, 1.0), weight_after(8.0, 1.0), weight_after(8.0, 8.0)
    start = layer()[0].detach()
    torch.testing.assert_close(scaled[0] - start, 8 * (plain[0] - start), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(undone[0], plain[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(undone[1], 8 * plain[1], rtol=1e-12, atol=0)


def test_state_is_saved_with_the_loss_and_training_goes_on_as_if_it_had_not_stopped():
    whole = FusedLinearLoss("bce", step_in_backward=AdamWStep(0.1))
    weight, bias = layer()
    for number in range(4):
        hidden, y = batch(number)
        whole(hidden, weight, y, bias).backward()
        if number == 1:
            saved = {name: value.clone() for name, value in whole.state_dict().items()}
            other, other_bias = (t.detach().clone().requires_grad_() for t in (weight, bias))
    resumed = FusedLinearLoss("bce", step_in_backward=AdamWStep(0.1))
    resumed.load_state_dict(saved)
    for number in (2, 3):
        hidden, y = batch(number)
        resumed(hidden, other, y, other_bias).backward()
    assert torch.equal(weight, other)
    assert torch.equal(bias, other_bias)


def test_no_step_without_a_backward_pass():
    weight, bias = layer()
    hidden, y = batch(0)
    fused = FusedLinearLoss("bce", step_in_backward=SGDStep(1.0))
    before = weight.detach().clone()
    value = fused(hidden, weight, y, bias)
    with torch.no_grad():
        assert fused(hidden, weight, y, bias) == value
    assert torch.equal(weight, before)
    assert value.requires_grad


def test_a_second_backward_pass_through_a_stepped_weight_is_an_error():
    weight, bias = layer()
    hidden, y = batch(0)
    value = FusedLinearLoss("bce", step_in_backward=SGDStep(1.0))(hidden, weight, y, bias)
    value.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_what_cannot_be_updated_in_place_is_refused():
    weight, bias = layer()
    hidden, y = batch(0)
    fused = FusedLinearLoss("bce", step_in_backward=SGDStep(1.0))
    with pytest.raises(OptionError, match="updates weight itself"):
        fused(hidden, weight * 2, y, bias)
    with pytest.raises(OptionError, match="updates bias itself"):
        fused(hidden, weight, y, bias.detach())
    with pytest.raises(OptionError, match="lr must be >= 0"):
        SGDStep(-1.0)


def test_an_optimiser_serves_one_layer():
    step = AdamWStep(0.1)
    ours(step, steps=1)
    hidden, y = batch(0)
    small = torch.zeros(3, FEATURES, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ShapeError, match="a loss and an optimiser of its own"):
        FusedLinearLoss("bce", step_in_backward=step)(hidden, small, y[:, :3]).backward()


def test_small_updates_of_bfloat16_survive_on_average():
    torch.manual_seed(0)
    start, lost = torch.ones(LABELS, 256), {}
    hidden = torch.ones(1, 256)
    for rounding in ("stochastic", "nearest"):
        weight = start.bfloat16().requires_grad_()
        step = SGDStep(1e-4, rounding=rounding)  # every logit is 256, so every slope 1
        FusedLinearLoss("bce(reduction='sum')", step_in_backward=step)(
            hidden, weight, torch.zeros(1, LABELS)
        ).backward()
        lost[rounding] = float((start - weight.detach().float()).mean())
    assert lost["nearest"] == 0
    assert lost["stochastic"] == pytest.approx(1e-4, rel=0.05)
