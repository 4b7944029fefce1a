"""The monitor: its numbers are scikit-learn's, and it knows which way is better."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, log_loss

from manyhot.data.inputs import SparseColumns
from manyhot.errors import OptionError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import BCE, losses_for
from manyhot.models import Model
from manyhot.train.monitor import Monitor
from manyhot.train.objective import Objective

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(50, 5)).astype(np.float32)
TRUTH = (RNG.random((50, 4)) < 0.4).astype(np.float32)
SPACE = LabelSpace(tuple("abcd"))


def monitor(name, truth=TRUTH, space=SPACE, **options):
    inputs = SparseColumns(csr_array(FEATURES), tuple("vwxyz"))
    targets = Targets.from_dense(truth)
    model = Model.build(inputs, targets, space)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.layer.weight)
    loss = losses_for(space, "bce")
    return Monitor(
        model.prepare(inputs), Objective(loss, targets, model.device), space, name, **options
    ), model


def test_the_values_are_scikit_learns():
    watch, model = monitor("hamming", cuts="default")
    loss, values, scores = watch.measure(model)
    assert loss == pytest.approx(log_loss(TRUTH.ravel(), scores.ravel().astype(float)), abs=1e-5)
    assert values["hamming"] == pytest.approx(1 - hamming_loss(TRUTH, scores >= 0.5))
    assert values["f1_micro"] == pytest.approx(f1_score(TRUTH, scores >= 0.5, average="micro"))
    assert values["ap_micro"] == pytest.approx(average_precision_score(TRUTH, scores, average="micro"))
    assert watch.value(loss, values) == values["hamming"]


def test_tuned_cuts_are_the_best_global_cut():
    watch, model = monitor("f1_micro")
    _, values, scores = watch.measure(model)
    best = max(f1_score(TRUTH, scores >= cut, average="micro") for cut in scores.ravel())
    assert values["f1_micro"] == pytest.approx(best)


def test_in_a_group_the_highest_label_is_decided():
    space = LabelSpace(tuple("abcd"), groups=(Group("g", tuple("abc")),))
    truth = np.concatenate([np.eye(3)[RNG.integers(0, 3, 50)], TRUTH[:, 3:]], axis=1).astype(np.float32)
    watch, model = monitor("exact", truth, space, cuts="default")
    _, values, scores = watch.measure(model)
    decided = np.concatenate([np.eye(3)[scores[:, :3].argmax(1)], scores[:, 3:] >= 0.5], axis=1)
    assert values["exact"] == pytest.approx((decided == truth).all(1).mean())


@pytest.mark.parametrize(
    ("name", "up"), [("loss", False), ("f1_macro", True), ("coverage_error", False), ("p@3", True)]
)
def test_it_knows_which_way_is_better(name, up):
    watch, _ = monitor(name)
    assert watch.is_better(0.6, 0.5) is up
    assert watch.is_better(0.4, 0.5) is not up
    assert not watch.is_better(0.5, 0.5)
    assert watch.is_better(0.5, None)
    assert not watch.is_better(float("nan"), None)


def test_soft_targets_can_only_be_judged_by_loss():
    watch, model = monitor("loss", TRUTH * 0.7)
    assert watch.measure(model)[1] == {}
    with pytest.raises(
        OptionError, match="f1_micro needs hard targets, the validation targets are soft: monitor loss"
    ):
        monitor("f1_micro", TRUTH * 0.7)


@pytest.mark.parametrize(
    ("truth", "chosen"), [(TRUTH, "ap_macro"), (TRUTH * 0.7, "loss"), (TRUTH * 0, "loss")]
)
def test_left_to_itself_it_takes_the_mean_average_precision_where_that_is_defined(truth, chosen):
    watch, model = monitor("auto", truth)
    assert watch.name == chosen
    loss, values, scores = watch.measure(model)
    expected = average_precision_score(TRUTH, scores) if chosen == "ap_macro" else loss
    assert watch.value(loss, values) == pytest.approx(expected)
    assert watch.is_better(1.0, 1.0)  # a draw keeps the later weights


def test_of_many_cells_or_labels_it_takes_what_needs_no_sorting_of_labels(monkeypatch):
    with monkeypatch.context() as wide:
        wide.setattr("manyhot.train.monitor.WIDE", 4)
        assert monitor("auto")[0].name == "ndcg@5"
    monkeypatch.setattr("manyhot.train.monitor.ALWAYS_CELLS", 100)
    watch, model = monitor("auto")
    assert watch.name == "ndcg@5"
    assert list(watch.measure(model)[1]) == ["ndcg@5"]


def test_an_unknown_metric_lists_the_nearest():
    with pytest.raises(OptionError, match=r"did you mean .*f1_macro"):
        monitor("f1_marco")


def test_weights_that_are_not_finite_give_nan_and_no_error():
    watch, model = monitor("f1_micro")
    torch.nn.init.constant_(model.head.layer.weight, float("nan"))
    loss, values, _ = watch.measure(model)
    assert np.isnan(loss)
    assert np.isnan(values["f1_micro"])


def test_the_loss_of_many_rows_is_that_of_all_at_once():
    wide = np.tile(TRUTH, (200, 1))
    inputs = SparseColumns(csr_array(np.tile(FEATURES, (200, 1))), tuple("vwxyz"))
    model = Model.build(inputs, Targets.from_dense(wide), SPACE)
    objective = Objective(BCE(), Targets.from_dense(wide), model.device)
    loss, _, scores = Monitor(model.prepare(inputs), objective, SPACE).measure(model)
    assert loss == pytest.approx(log_loss(wide.ravel(), scores.ravel().astype(float)), abs=1e-5)


@pytest.mark.parametrize(("pos_weight", "weighted"), [(None, False), (2.0, True)])
def test_a_diagnosis_knows_whether_positives_have_weights_also_beside_a_group(
    pos_weight, weighted, monkeypatch
):
    space = LabelSpace(tuple("abcd"), groups=(Group("two", ("a", "b")),))
    watch, model = monitor("hamming", np.eye(4)[np.arange(50) % 4], space)
    loss = losses_for(space, "bce", pos_weight=pos_weight)
    heard = []
    monkeypatch.setattr("manyhot.train.monitor.diagnose", lambda *_, weighted: heard.append(weighted) or [])
    watch = Monitor(watch.rows, Objective(loss, watch.objective.targets, model.device), space, "hamming")
    watch.diagnose(model, watch.measure(model)[2])
    assert heard == [weighted]
