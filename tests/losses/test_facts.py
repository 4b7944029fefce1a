"""The facts told of every loss hold, as far as they can be tried."""

import json

import pytest
import torch

from manyhot.errors import OptionError
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import BCE, LOSSES, Asymmetric, make_loss
from manyhot.losses import facts as facts_module
from manyhot.losses import make as make_module
from manyhot.losses.facts import describe, docstring_parts

CONTEXT = {"label_counts": [30, 4, 1, 9, 60], "num_rows": 100}
IDS = torch.arange(6)
every_loss = pytest.mark.parametrize("name", LOSSES)


def batch():
    draw = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(6, 5, generator=draw, dtype=torch.float64)
    targets = (torch.rand(6, 5, generator=draw) < 0.4).double()
    targets[0, 0], targets[0, 1], targets[3] = 1, 0, torch.tensor([0, 1, 1, 0, 1])
    return logits, targets


def with_unknown(targets):
    coded = targets.clone()
    coded[[0, 1, 1, 2, 2, 4, 5], [2, 3, 0, 4, 2, 1, 0]] = torch.nan
    return coded


@every_loss
def test_the_docstring_says_formula_and_use(name):
    _, sections = docstring_parts(LOSSES[name])
    assert sections["Formula"]
    assert sections["Use"].endswith((".", "!"))
    facts = describe(name)
    assert (facts.formula, facts.use, facts.trap) == (
        sections["Formula"], sections["Use"], sections.get("Trap", ""),
    )  # fmt: skip
    assert "Use:" not in facts.details


def test_a_docstring_of_one_line_is_enough(monkeypatch):
    class Bare(BCE):
        """Nothing else is said."""

    for module in (facts_module, make_module):
        monkeypatch.setattr(module, "LOSSES", {"bare": Bare})
    facts = describe("bare")
    assert (facts.formula, facts.use, facts.trap, facts.source) == ("", "Nothing else is said.", "", "")
    assert facts.sparse == "kept"
    assert facts.properties()["gradient"] == "bounded"


@every_loss
def test_a_page_is_complete(name):
    facts = describe(name)
    assert facts.name == name
    assert facts.kind is LOSSES[name]
    assert facts.source or name in ("mse", "mae")
    assert facts.summary.endswith((".", ":"))
    assert facts.family
    assert not facts.summary.startswith(("Args", "Source"))
    for parameter in facts.parameters:
        assert parameter.meaning, parameter.name
    assert describe(facts.kind) == facts
    json.dumps(facts.to_dict())


@every_loss
def test_what_is_needed_is_what_it_takes(name):
    facts = describe(name)
    required = [p.name for p in facts.parameters if p.default is None]
    assert set(required) <= set(facts.needs)
    assert set(make_loss(name, **CONTEXT).parameters()) == set() or "parameters" in facts.calls
    loss = make_loss(name, **CONTEXT)
    logits, targets = batch()
    if "row_ids" in facts.calls:
        with pytest.raises(ValueError, match="row_ids"):
            loss(logits, targets)
    else:
        loss(logits, targets)


@every_loss
def test_a_loss_called_sparse_never_makes_targets_dense(name, monkeypatch):
    made = []
    dense = SparseCells.dense
    monkeypatch.setattr(SparseCells, "dense", lambda cells: made.append(1) or dense(cells))
    logits, targets = batch()
    for engine in ("torch", "numba"):
        made.clear()
        for coded in (targets, with_unknown(targets)):
            with use_engine(engine):
                make_loss(name, **CONTEXT)(logits.float(), Targets.from_dense(coded.numpy()), row_ids=IDS)
        kept = {"kept", "kept on the CPU"} if engine == "numba" else {"kept"}
        assert bool(made) is (describe(name).sparse not in kept)


@every_loss
def test_a_gradient_called_bounded_does_not_grow_with_the_logit(name):
    _, targets = batch()
    signs = torch.where(torch.arange(30).reshape(6, 5) % 2 == 0, 1.0, -1.0).double()
    sizes = []
    for size in (5.0, 30.0, 3000.0):
        steepest = 0.0
        for direction in (signs, -signs, 1 - 2 * targets):
            z = (size * direction).requires_grad_()
            make_loss(name, **CONTEXT, reduction="sum")(z, targets, row_ids=IDS).backward()
            steepest = max(steepest, float(z.grad.abs().max()))
        sizes.append(steepest)
    assert (max(sizes) <= 2 * sizes[0] + 1e-9) is describe(name).bounded


@every_loss
def test_a_loss_called_independent_of_the_batch_is_a_sum_over_rows(name):
    logits, targets = batch()
    coded = with_unknown(targets)

    def fresh():
        few = {"likelihood_topk": 1} if name == "csl" else {}  # fewer than there are unknown cells
        loss = make_loss(name, **CONTEXT, reduction="sum", **few)
        loss.set_epoch(3)
        return loss.eval()

    whole = fresh()(logits, coded, row_ids=IDS).item()
    alone = sum(fresh()(logits[i : i + 1], coded[i : i + 1], row_ids=IDS[i : i + 1]).item() for i in range(6))
    assert (whole == pytest.approx(alone)) is not describe(name).batch


def test_a_page_by_hand():
    facts = describe("asl")
    assert [p.name for p in facts.parameters] == ["gamma_neg", "gamma_pos", "clip", "detach_focus"]
    assert facts.parameters[2].default == "0.05"
    assert facts.parameters[2].meaning.startswith("probability below which")
    assert "2009.14119" in facts.source
    assert facts.unit == "cell"
    assert describe(Asymmetric) == facts
    assert describe("splc").calls == ("set_epoch",)
    assert describe("cb").needs == ("label_counts",)
    with pytest.raises(OptionError, match="did you mean"):
        describe("asll")
