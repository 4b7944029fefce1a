"""The objective: dense and sparse cuts of the targets cost the same."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from manyhot.errors import OptionError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import (
    AUCM,
    BCE,
    ROLE,
    ExpectedPositives,
    MultiLabelSoftMargin,
    NonNegativePU,
    PairwiseAUC,
    SoftF1,
    losses_for,
)
from manyhot.models import Head
from manyhot.train.objective import Objective, units_per_row

RNG = np.random.default_rng(0)
DENSE = (RNG.random((20, 6)) < 0.3).astype(np.float32)
ROWS = torch.tensor([3, 17, 3, 0])
LOGITS = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cells", [10**9, 0], ids=["dense", "sparse"])
def test_equals_pytorch_on_the_rows_of_the_batch(cells, monkeypatch):
    monkeypatch.setattr("manyhot.train.objective.DENSE_CELLS", cells)
    objective = Objective(BCE(), Targets.from_dense(DENSE), torch.device("cpu"))
    expected = binary_cross_entropy_with_logits(LOGITS, torch.from_numpy(DENSE)[ROWS])
    torch.testing.assert_close(objective(LOGITS, ROWS), expected)
    torch.testing.assert_close(objective(LOGITS.bfloat16().float(), ROWS), objective(LOGITS.bfloat16(), ROWS))


@pytest.mark.parametrize("cells", [10**9, 0], ids=["dense", "sparse"])
def test_unknown_cells_cost_nothing(cells, monkeypatch):
    monkeypatch.setattr("manyhot.train.objective.DENSE_CELLS", cells)
    holes = DENSE.copy()
    holes[RNG.random(DENSE.shape) < 0.4] = np.nan
    objective = Objective(BCE(), Targets.from_dense(holes), torch.device("cpu"))
    known = ~np.isnan(holes[ROWS])
    expected = binary_cross_entropy_with_logits(LOGITS[known], torch.from_numpy(holes[ROWS][known]))
    torch.testing.assert_close(objective(LOGITS, ROWS), expected)


def test_any_module_is_called_with_logits_and_targets():
    loss = torch.nn.BCEWithLogitsLoss()
    objective = Objective(loss, Targets.from_dense(DENSE), torch.device("cpu"))
    torch.testing.assert_close(objective(LOGITS, ROWS), loss(LOGITS, torch.from_numpy(DENSE)[ROWS]))


def test_units_make_a_mean_the_sum_of_a_row():
    plain = LabelSpace(tuple("abcdef"))
    grouped = LabelSpace(tuple("abcdef"), groups=(Group("g", tuple("abc")), Group("h", tuple("de"))))
    only_groups = LabelSpace(tuple("abcde"), groups=(Group("g", tuple("abc")), Group("h", tuple("de"))))
    one_of_each = np.eye(6, dtype=np.float32)[[0] * 4] + np.eye(6, dtype=np.float32)[[3] * 4]
    for space, loss in [(s, losses_for(s, "bce")) for s in (plain, grouped, only_groups)]:
        summed = losses_for(space, "bce", reduction="batchmean")
        logits, targets = LOGITS[:, : len(space)], torch.from_numpy(one_of_each)[:, : len(space)]
        torch.testing.assert_close(
            loss(logits, targets) * units_per_row(loss, space), summed(logits, targets)
        )
    for kind in (ExpectedPositives, lambda *k, **o: ROLE(9, [1] * 6, *k, **o).eval()):
        loss, summed = kind(2.0), kind(2.0, reduction="batchmean")
        logits, targets = LOGITS[:, :6], torch.from_numpy(one_of_each)
        torch.testing.assert_close(
            loss(logits, targets) * units_per_row(loss, plain), summed(logits, targets)
        )
    for loss in (MultiLabelSoftMargin(), SoftF1(), AUCM([1] * 6, 9), NonNegativePU(0.5)):
        assert units_per_row(loss, plain) == 6
    assert units_per_row(PairwiseAUC(), plain) == 1
    assert units_per_row(SoftF1("samples"), plain) == 1
    assert units_per_row(BCE(reduction="sum"), plain) == 1
    assert units_per_row(torch.nn.BCEWithLogitsLoss(), plain) == 1


def test_a_loss_without_a_reduction_is_refused():
    with pytest.raises(OptionError, match="training minimises one number: reduction='mean'"):
        Objective(BCE(reduction="none"), Targets.from_dense(DENSE), torch.device("cpu"))


WEIGHT = torch.linspace(0.0, 3.0, 20)


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
def test_the_weight_of_a_row_multiplies_its_cost(fused):
    objective = Objective(BCE(), Targets.from_dense(DENSE), torch.device("cpu"), fused, WEIGHT)
    head = Head(LabelSpace(tuple("abcdef")), 6)
    torch.nn.init.eye_(head.layer.weight)
    expected = binary_cross_entropy_with_logits(
        LOGITS, torch.from_numpy(DENSE)[ROWS], weight=WEIGHT[ROWS, None]
    )
    torch.testing.assert_close(objective.of_hidden(LOGITS, head, ROWS), expected)


def test_weights_of_rows_that_cannot_be_used_are_refused():
    targets = Targets.from_dense(DENSE)
    with pytest.raises(OptionError, match=r"row_weight needs a loss of manyhot\.losses, got BCEW"):
        Objective(torch.nn.BCEWithLogitsLoss(), targets, torch.device("cpu"), row_weight=WEIGHT)
    with pytest.raises(ShapeError, match=r"row_weight must have shape \(20,\), got \(4,\)"):
        Objective(BCE(), targets, torch.device("cpu"), row_weight=WEIGHT[:4])
