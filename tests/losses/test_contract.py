"""What every loss promises, tested for all that `LOSSES` lists."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.errors import InputError, ManyhotWarning, ShapeError
from manyhot.kernels.pointwise import use_engine
from manyhot.kernels.reduction import REDUCTIONS
from manyhot.labels import Targets
from manyhot.losses import LOSSES, Pointwise, describe, make_loss

ROWS, LABELS = 7, 5
COUNTS = [30, 4, 1, 0, 90]
# Some train with a slope that is not the derivative of their value; this switches it off.
EXACT = {
    "asl": {"detach_focus": False},
    "apl": {"detach_focus": False},
    "csl": {"detach_focus": False},
    "gr": {"detach_weights": False},
    "ghm": {"bins": 9},  # with 10, the size of the gradient at a logit of 0 lies between two bins
    "lovasz": {"average": "macro"},  # two equal logits in a row are a kink
}

every_loss = pytest.mark.parametrize("name", LOSSES)


def build(name, labels=None, **options):
    """A loss of the table, for all or some of the labels."""
    chosen = range(LABELS) if labels is None else labels
    context = {"label_counts": [COUNTS[j] for j in chosen], "num_rows": 100}
    loss = make_loss(name, **context, **options)
    if "row_ids" in describe(name).calls:
        loss.register_forward_pre_hook(number_rows, with_kwargs=True)
    return loss


def number_rows(loss, args, kwargs):
    """Row numbers of a batch that is the first of the training set."""
    return args, {"row_ids": torch.arange(len(args[0])), **kwargs}


def batch(seed=0, dtype=torch.float64, rows=ROWS):
    """Logits and 0/1 targets; the first row has no positive, the second nothing else."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, LABELS, generator=draw, dtype=torch.float64)
    targets = (torch.rand(rows, LABELS, generator=draw) < 0.35).double()
    targets[0], targets[1] = 0, 1
    return logits.to(dtype), targets


def answer(loss, logits, targets, *args, **kwargs):
    """Value and gradient."""
    logits = logits.clone().requires_grad_()
    value = loss(logits, targets, *args, **kwargs)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    return value.detach(), gradient


def assert_same(one, other, tolerance=1e-9):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


FORMS = {
    "float": lambda y: y.float(),
    "bool": lambda y: y.bool(),
    "int64": lambda y: y.long(),
    "uint8": lambda y: y.to(torch.uint8),
    "numpy": lambda y: y.numpy(),
    "Targets": lambda y: Targets.from_dense(y.numpy()),
    "scipy": lambda y: csr_array(y.numpy()),
    "torch sparse": lambda y: y.to_sparse(),
    "ragged": lambda y: [np.nonzero(row)[0].tolist() for row in y.numpy()],
    "padded": lambda y: torch.tensor(Targets.from_dense(y.numpy()).to_padded()),
}


@every_loss
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_targets_means_the_same(name, form):
    logits, targets = batch()
    expected = answer(build(name), logits, targets)
    assert_same(answer(build(name), logits, FORMS[form](targets)), expected)


@every_loss
def test_soft_sparse_targets_equal_soft_dense_ones(name):
    logits, targets = batch()
    soft = targets * torch.linspace(0.1, 1.0, targets.numel(), dtype=torch.float64).reshape(targets.shape)
    soft = soft.float()
    expected = answer(build(name), logits, soft)
    assert_same(answer(build(name), logits, Targets.from_dense(soft.numpy())), expected)


@every_loss
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("smoothing", [(0.0, 0.0), (0.1, 0.02)], ids=["plain", "smoothed"])
def test_options_and_weights_mean_the_same_for_sparse_targets(name, soft, smoothing):
    logits, targets = batch()
    if soft:
        targets = targets * torch.linspace(0.2, 1.0, LABELS).double()
    targets[2, 1:3], targets[6] = torch.nan, torch.nan
    options = {"pos_weight": 3.0, "label_weight": np.linspace(0.5, 2, LABELS), "smoothing": smoothing}
    weights = {
        "row_weight": torch.linspace(0, 2, ROWS),
        "cell_weight": torch.linspace(2, 0.1, 35).reshape(7, 5),
    }
    expected = answer(build(name, **options), logits, targets.float(), **weights)
    given = Targets.from_dense(targets.float().numpy())
    assert_same(answer(build(name, **options), logits, given, **weights), expected)


@every_loss
def test_the_gradient_is_the_derivative(name):
    loss = build(name, **EXACT.get(name, {}))
    logits, targets = batch()
    logits[2] = torch.tensor([0.0, -0.0, 1.5, -1.5, 0.5])
    _, gradient = answer(copy.deepcopy(loss), logits, targets)
    step = 1e-6
    for cell in np.ndindex(ROWS, LABELS):
        moved = torch.zeros_like(logits)
        moved[cell] = step
        above, below = (copy.deepcopy(loss)(logits + sign * moved, targets) for sign in (1, -1))
        assert gradient[cell].item() == pytest.approx(
            ((above - below) / (2 * step)).item(), abs=2e-7, rel=1e-5
        )


@every_loss
def test_a_loss_is_differentiable_twice(name):
    logits, targets = batch()
    loss = build(name)
    if loss.training_state():
        pytest.skip("changes with every call")
    logits = logits.requires_grad_()
    (first,) = torch.autograd.grad(loss(logits, targets), logits, create_graph=True)
    (plain,) = torch.autograd.grad(loss(logits, targets), logits)
    torch.testing.assert_close(first.detach(), plain, rtol=1e-9, atol=1e-12)
    if first.requires_grad:
        (second,) = torch.autograd.grad(first.sum(), logits)
        assert second.isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 100.0, 1e4])
def test_value_and_gradient_are_finite_at_any_logit(name, dtype, size):
    _, targets = batch()
    signs = torch.tensor([1.0, -1.0]).repeat(ROWS * LABELS)[: ROWS * LABELS].reshape(ROWS, LABELS)
    for logits in (size * signs, -size * signs, torch.full((ROWS, LABELS), size)):
        value, gradient = answer(build(name), logits.to(dtype), targets)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


@every_loss
@pytest.mark.parametrize("infinity", [torch.inf, -torch.inf])
def test_an_infinite_logit_counts_as_a_very_large_one(name, infinity):
    logits, targets = batch(dtype=torch.float32)
    logits[3, 1] = infinity
    value, gradient = answer(build(name), logits, targets)
    assert not value.isnan()
    assert gradient.isfinite().all()


@every_loss
def test_float32_agrees_with_float64(name):
    logits, targets = batch(dtype=torch.float32)
    value, gradient = answer(build(name), logits, targets)
    wide_value, wide_gradient = answer(build(name), logits.double(), targets)
    torch.testing.assert_close(value.double(), wide_value, rtol=2e-6, atol=1e-6)
    torch.testing.assert_close(gradient.double(), wide_gradient, rtol=2e-5, atol=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_logits_give_what_their_float32_values_give(name, dtype):
    logits, targets = batch(dtype=dtype)
    value, gradient = answer(build(name), logits, targets)
    wide_value, wide_gradient = answer(build(name), logits.float(), targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, wide_value, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, wide_gradient.to(dtype), rtol=0.02, atol=1e-3)


@every_loss
def test_the_order_of_rows_and_labels_does_not_matter(name):
    logits, targets = batch()
    rows, labels = torch.tensor([3, 1, 0, 6, 5, 2, 4]), [4, 0, 3, 1, 2]
    value, gradient = answer(build(name), logits, targets)
    moved = answer(build(name, labels), logits[rows][:, labels], targets[rows][:, labels])
    assert_same(moved, (value, gradient[rows][:, labels]))


@every_loss
def test_reductions_are_one_sum_in_five_forms(name):
    logits, targets = batch()
    values = {r: build(name, reduction=r)(logits, targets) for r in REDUCTIONS}
    torch.testing.assert_close(values["batchmean"] * ROWS, values["sum"])
    torch.testing.assert_close(values["positives"] * targets.sum(), values["sum"])
    nothing = torch.zeros_like(targets)
    by_one = build(name, reduction="positives")(logits, Targets.from_dense(nothing.numpy()))
    torch.testing.assert_close(by_one, build(name, reduction="sum")(logits, nothing))
    if values["none"].ndim:
        torch.testing.assert_close(values["none"].sum(), values["sum"])
    assert values["mean"].isfinite()


@every_loss
def test_unknown_cells_have_no_gradient_even_if_nan(name):
    if not LOSSES[name].ignores_unknown:
        pytest.skip("learns from unknown cells")
    logits, targets = batch()
    unknown = torch.zeros(ROWS, LABELS, dtype=torch.bool)
    unknown[[2, 3, 4, 4, 5, 5, 5, 5, 5], [0, 4, 1, 2, 0, 1, 2, 3, 4]] = True
    expected = answer(build(name), logits, targets, unknown)
    assert not expected[1][unknown].any()
    poisoned = torch.where(unknown, torch.nan, logits)
    coded = torch.where(unknown, torch.nan, targets)
    for form in (coded, torch.where(unknown, -1.0, targets), Targets.from_dense(coded.numpy())):
        assert_same(answer(build(name), poisoned, form), expected)
    given_apart = answer(build(name), poisoned, targets, unknown.numpy())
    assert_same(given_apart, expected)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_label_unknown_in_all_rows_is_as_if_deleted(name, reduction):
    if not LOSSES[name].ignores_unknown:
        pytest.skip("learns from unknown cells")
    logits, targets = batch()
    kept = [0, 1, 3, 4]
    coded = targets.clone()
    coded[:, 2] = torch.nan
    # Frequencies of the other labels are the same, so whatever is scaled over all labels is set apart.
    options = {"normalize": False} if name == "cb" else {}
    if name == "ldam":
        options = {"margin": 0.0}
    value, gradient = answer(build(name, reduction=reduction, **options), logits, coded)
    without = answer(build(name, kept, reduction=reduction, **options), logits[:, kept], targets[:, kept])
    assert_same((value, gradient[:, kept]), without)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_row_unknown_in_all_labels_is_as_if_deleted(name, reduction):
    if not LOSSES[name].ignores_unknown:
        pytest.skip("learns from unknown cells")
    logits, targets = batch()
    kept = [0, 1, 2, 4, 5, 6]
    coded = targets.clone()
    coded[3] = torch.nan
    value, gradient = answer(build(name, reduction=reduction), logits, coded)
    assert_same(
        (value, gradient[kept]),
        answer(build(name, reduction=reduction), logits[kept], targets[kept]),
    )


@every_loss
@pytest.mark.parametrize("kind", ["no row", "one label", "no positive", "no negative", "nothing known"])
@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
@pytest.mark.parametrize("sparse", [False, True])
def test_degenerate_batches_are_finite(name, kind, reduction, sparse):
    logits, targets = batch()
    labels = range(LABELS)
    if kind == "no row":
        logits, targets = logits[:0], targets[:0]
    elif kind == "one label":
        logits, targets, labels = logits[:, :1], targets[:, :1], [0]
    else:
        targets = torch.full_like(targets, {"no positive": 0.0, "no negative": 1.0}.get(kind, torch.nan))
    given = Targets.from_dense(targets.numpy()) if sparse else targets
    loss = build(name, labels, reduction=reduction)
    value, gradient = answer(loss, logits, given)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient.shape == logits.shape
    if kind == "no row" or (kind == "nothing known" and loss.ignores_unknown):
        assert value == 0
        assert not gradient.any()


@every_loss
def test_arguments_are_left_alone(name):
    logits, targets = batch()
    before = logits.clone(), targets.clone()
    logits.requires_grad_()
    build(name)(logits, targets).sum().backward()
    assert torch.equal(logits.detach(), before[0])
    assert torch.equal(targets, before[1])


@every_loss
def test_logits_need_not_be_contiguous(name):
    logits, targets = batch()
    expected = answer(build(name), logits, targets)
    spread = torch.zeros(2 * ROWS, LABELS, dtype=torch.float64)[::2]
    spread.copy_(logits)
    assert_same(answer(build(name), spread, targets), expected)
    assert_same(answer(build(name), logits.t().contiguous().t(), targets), expected)


@every_loss
def test_copies_pickles_and_states_are_the_same_loss(name):
    logits, targets = batch()
    expected = build(name)(logits, targets)
    for twin in (copy.deepcopy(build(name)), pickle.loads(pickle.dumps(build(name)))):
        torch.testing.assert_close(twin(logits, targets), expected)
    fresh = build(name)
    fresh.load_state_dict(build(name).state_dict())
    torch.testing.assert_close(fresh(logits, targets), expected)
    assert type(fresh).__name__ in repr(fresh)


@every_loss
def test_nothing_is_computed_for_a_gradient_that_nobody_wants(name):
    logits, targets = batch()
    with torch.no_grad():
        value = build(name)(logits, targets)
        assert not torch.is_grad_enabled()
    assert not value.requires_grad
    torch.testing.assert_close(value, build(name)(logits.requires_grad_(), targets).detach())


@every_loss
def test_a_row_of_weight_zero_teaches_nothing_and_of_weight_two_twice(name):
    logits, targets = batch()
    if not issubclass(LOSSES[name], Pointwise) and "rows" not in dir(LOSSES[name]):
        pytest.skip("its unit is not within a row")
    weight = torch.ones(ROWS)
    weight[2], weight[4] = 0, 2
    plain = answer(build(name, reduction="sum"), logits, targets)[1]
    weighted = answer(build(name, reduction="sum"), logits, targets, row_weight=weight)[1]
    torch.testing.assert_close(weighted, plain * weight[:, None])


@every_loss
def test_the_docstring_tells_the_source_or_the_formula(name):
    text = LOSSES[name].__doc__ or ""
    assert len(text) > 60
    assert LOSSES[name].__doc__ is not LOSSES[name].__mro__[1].__doc__


# ---------------------------------------------------------------- the door


@every_loss
def test_nan_logits_are_named(name):
    logits, targets = batch()
    logits[2, 3] = torch.nan
    names = ["red", "blue", "dress", "jeans", "new"]
    with pytest.raises(InputError, match=r"1 of 35 logits are NaN: rows 2, labels 3 \('jeans'\)"):
        build(name, names=names)(logits, targets)


PLACES = {"no positive": (0, 2), "all positive": (1, 3), "a positive": (2, 1), "a negative": (2, 2)}


@every_loss
@pytest.mark.parametrize("form", FORMS)
def test_a_nan_logit_is_named_wherever_it_is_and_in_whatever_form_the_targets_are(name, form):
    _, targets = batch()
    targets[2, 1], targets[2, 2] = 1, 0
    for row, label in PLACES.values():
        logits = batch(dtype=torch.float32)[0]
        logits[row, label] = torch.nan
        for engine in ("torch", "numba"):
            with (
                use_engine(engine),
                pytest.raises(InputError, match=f"1 of 35 logits are NaN: rows {row}, labels {label}"),
            ):
                build(name)(logits, FORMS[form](targets))


@every_loss
@pytest.mark.parametrize("form", FORMS)
def test_many_nan_logits_are_named(name, form):
    logits, targets = batch()
    logits[:, 2:] = torch.nan
    with pytest.raises(
        InputError, match="21 of 35 logits are NaN: rows 0, 1, 2, 3, 4 and 2 more, labels 2, 3"
    ):
        build(name)(logits, FORMS[form](targets))


@every_loss
def test_a_nan_logit_of_an_unknown_cell_that_is_learned_from_is_named(name):
    if LOSSES[name].ignores_unknown or name == "partial-bce":
        pytest.skip("does not read it")
    logits, targets = batch()
    logits[2, 3], targets[2, 3] = torch.nan, torch.nan
    for form in (targets, Targets.from_dense(targets.numpy())):
        with pytest.raises(InputError, match="1 of 35 logits are NaN: rows 2, labels 3"):
            build(name)(logits, form)


@every_loss
@pytest.mark.parametrize("form", ["float", "Targets"])
def test_infinite_logits_count_as_very_large_ones_wherever_they_are(name, form):
    _, targets = batch()
    targets[2, 1], targets[2, 2] = 1, 0
    given = FORMS[form](targets)
    for place in PLACES.values():
        for infinity in (torch.inf, -torch.inf):
            logits = batch()[0]
            logits[place] = infinity
            large = torch.where(logits.isinf(), logits.sign() * 1e15, logits)
            value, gradient = answer(build(name, **EXACT.get(name, {})), logits, given)
            expected = answer(build(name, **EXACT.get(name, {})), large, given)
            torch.testing.assert_close(value, expected[0])
            others = ~logits.isinf()
            torch.testing.assert_close(gradient[others], expected[1][others])
            assert gradient.isfinite().all()


@every_loss
def test_what_a_loss_remembers_is_as_before_a_batch_of_nan(name):
    logits, targets = batch()
    loss = build(name)
    loss(logits, targets)
    before = copy.deepcopy(loss.state_dict())
    with pytest.raises(InputError, match="35 of 35 logits are NaN"):
        loss(torch.full_like(logits, torch.nan), targets)
    for key, value in loss.state_dict().items():
        torch.testing.assert_close(value, before[key], equal_nan=True)


@every_loss
def test_probabilities_are_noticed(name):
    probabilities, targets = torch.rand(ROWS, LABELS).double(), batch()[1]
    loss = build(name)
    with pytest.warns(ManyhotWarning, match="look like probabilities"):
        loss(probabilities, targets)
    for _ in range(4):
        loss(probabilities, targets)  # once is enough
    with pytest.raises(InputError, match="look like probabilities"):
        build(name, strict=True)(probabilities, targets)


@every_loss
def test_a_wrong_width_is_an_error(name):
    logits, targets = batch()
    with pytest.raises(ShapeError, match=r"\(7, 4\)|4 columns"):
        build(name)(logits, targets[:, :4])


@every_loss
def test_weights_of_any_precision_beside_logits_of_any(name):
    logits, targets = batch()
    targets[2, 1:3] = torch.nan
    weight = np.array([0.3, 1.7, 0.9, 0.1, 1.1])
    options = {"pos_weight": 0.3, "label_weight": weight}
    expected = answer(build(name, **options), logits, targets)
    for other in ({"pos_weight": [0.3] * LABELS, "label_weight": torch.tensor(weight)}, options):
        assert_same(answer(build(name, **other), logits, targets), expected, 1e-12)
        single = answer(build(name, **other), logits.float(), targets)
        assert_same([part.double() for part in single], expected, 2e-5)
