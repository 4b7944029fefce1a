"""The loop: it equals a loop by hand, it goes on bit for bit, and it ends well whatever happens."""

import signal
import threading

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from torch import nn

from manyhot.data.images import Images
from manyhot.data.inputs import Columns, SparseColumns
from manyhot.errors import InputError, OptionError, RunError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import BCE, GHM, ROLE, SPLC
from manyhot.models import Model
from manyhot.train import (
    Began,
    Diagnosed,
    Ended,
    EpochDone,
    History,
    Saved,
    StepDone,
    TrainOptions,
    train,
)  # fmt: skip

RNG = np.random.default_rng(0)
SPACE = LabelSpace(tuple("abcde"), groups=(Group("g", ("a", "b"), allow_none=True),))
FEATURES = RNG.normal(size=(90, 6)).astype(np.float32)
TRUTH = (FEATURES @ RNG.normal(size=(6, 5)) > 0.7).astype(np.float32)
TRUTH[:, 1] *= 1 - TRUTH[:, 0]
TARGETS = Targets.from_dense(TRUTH)
COLUMNS = Columns(pl.DataFrame({f"x{i}": FEATURES[:, i] for i in range(6)}))
SPARSE = SparseColumns(csr_array(np.maximum(FEATURES, 0)), tuple("uvwxyz"))
PIXELS = Images.of_array(RNG.integers(0, 256, (90, 12, 12, 3), dtype=np.uint8))


def fresh(inputs=COLUMNS, encoder="auto", **options):
    return Model.build(inputs, TARGETS, SPACE, encoder=encoder, **options)


def run(model, inputs=COLUMNS, **arguments):
    options = TrainOptions(**{"epochs": 3, "batch_size": 16, "patience": 0, **arguments.pop("options", {})})
    valid = (inputs.take(range(60, 90)), TARGETS.rows(range(60, 90))) if arguments.pop("valid", True) else ()
    return train(model, inputs.take(range(60)), TARGETS.rows(range(60)), *valid, options=options, **arguments)


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the loop does may catch it and tidy up."""


def kill_at(step):
    def listener(event):
        if isinstance(event, StepDone) and event.step == step:
            raise Killed

    return listener


# ------------------------------------------------------------------ what it computes


def test_full_batches_without_tricks_equal_a_loop_by_hand():
    space = LabelSpace(tuple("abcde"))
    model = Model.build(COLUMNS, TARGETS, space, encoder="linear")
    twin = nn.Linear(6, 5)
    twin.load_state_dict({"weight": model.head.layer.weight, "bias": model.head.layer.bias})
    options = TrainOptions(
        epochs=20, batch_size=90, optimizer="sgd", learning_rate=0.5, momentum=0.0, weight_decay=0.0,
        schedule="constant", warmup=0.0,
    )  # fmt: skip
    train(model, COLUMNS, TARGETS, options=options)
    inputs, targets = model.prepare(COLUMNS).batch(torch.arange(90)), torch.from_numpy(TRUTH)
    for _ in range(20):
        loss = nn.functional.binary_cross_entropy_with_logits(twin(inputs), targets, reduction="sum") / 90
        twin.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter -= 0.5 * parameter.grad
    torch.testing.assert_close(model.head.layer.weight, twin.weight, atol=1e-5, rtol=1e-4)


def test_accumulation_equals_the_larger_batch():
    models = [fresh(encoder="linear"), fresh(encoder="linear")]
    run(models[0], options={"batch_size": 30})
    run(models[1], options={"batch_size": 10, "accumulate": 3})
    torch.testing.assert_close(models[0].head.layer.weight, models[1].head.layer.weight, atol=1e-6, rtol=1e-4)


def test_a_linear_model_finds_the_optimum_of_logistic_regression():
    space = LabelSpace(("a", "c"))
    truth = TRUTH[:, [0, 2]].copy()
    flipped = RNG.random(truth.shape) < 0.2
    truth[flipped] = 1 - truth[flipped]
    targets = Targets.from_dense(truth)
    model = Model.build(COLUMNS, targets, space, encoder="linear")
    options = TrainOptions(epochs=300, batch_size=90, learning_rate=0.05, weight_decay=0.0)
    train(model, COLUMNS, targets, options=options)
    inputs = model.prepare(COLUMNS).batch(torch.arange(90)).numpy()
    for label in range(2):
        oracle = LogisticRegression(C=1e6, max_iter=1000).fit(inputs, truth[:, label])
        np.testing.assert_allclose(model.head.layer.weight[label].detach(), oracle.coef_[0], atol=0.02)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "adadelta", "rmsprop", "adagrad"])
def test_every_optimiser_learns_at_its_usual_rate(optimizer):
    history = run(fresh(), options={"optimizer": optimizer, "epochs": 15, "monitor": "loss"})
    assert history.best_value < 0.8 * history.records[0].valid_loss


def test_the_seed_decides_everything():
    one, same_seed, other = fresh(), fresh(), fresh()
    run(one, options={"seed": 1})
    torch.rand(5)
    run(same_seed, options={"seed": 1})
    run(other, options={"seed": 2})
    assert same(one, same_seed)
    assert not same(one, other)


def test_the_callers_random_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    run(fresh())
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_cells_and_soft_targets_train():
    holes = TRUTH * 0.9
    holes[RNG.random(TRUTH.shape) < 0.3] = np.nan
    targets = Targets.from_dense(holes)
    space = LabelSpace(tuple("abcde"))
    model = Model.build(COLUMNS, targets, space)
    options = TrainOptions(epochs=10)
    history = train(model, COLUMNS, targets, COLUMNS, targets, options=options)
    assert history.best_value < history.records[0].valid_loss


def test_a_loss_of_ones_own_that_learns():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))

        def forward(self, logits, targets):
            return nn.functional.binary_cross_entropy_with_logits(logits * self.scale, targets)

    loss = Scaled()
    run(fresh(), loss=loss)
    assert not torch.equal(loss.scale, torch.ones(5))


def test_a_loss_that_remembers_rows_learns_with_the_model_and_only_from_training_rows(tmp_path):
    space = LabelSpace(tuple("abcde"))
    model = Model.build(COLUMNS, TARGETS, space)
    role = ROLE(60, TARGETS.rows(range(60)).label_sums(), zeros="unknown")
    run(model, loss=role, checkpoints=tmp_path)
    assert (role.label_logits.detach().abs().sum(1) > 0).all()
    ended = role.label_logits.detach().clone()
    again = ROLE(60, TARGETS.rows(range(60)).label_sums(), zeros="unknown")
    run(Model.build(COLUMNS, TARGETS, space), loss=again, checkpoints=tmp_path)
    assert torch.equal(again.label_logits, ended)
    seen = []
    splc = SPLC()
    splc.set_epoch = seen.append
    run(Model.build(COLUMNS, TARGETS, space), loss=splc)
    assert seen == [0, 1, 2]
    counted = {}
    for valid in (True, False):
        ghm = GHM()
        run(Model.build(COLUMNS, TARGETS, space), loss=ghm, valid=valid)
        counted[valid] = ghm.counts
    assert torch.equal(counted[True], counted[False])


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_images_train_with_augmentation_in_either_precision(precision):
    model = fresh(PIXELS, preparation_options={"size": 12})
    history = run(model, PIXELS, options={"precision": precision, "epochs": 2})
    assert history.options.augment
    assert np.isfinite(history.records[-1].train_loss)
    assert all(p.dtype == torch.float32 for p in model.parameters())


# ------------------------------------------------------------------ the best epoch


def test_in_the_end_the_model_is_that_of_its_best_epoch():
    snapshots = {}
    model = fresh()

    def listener(event):
        if isinstance(event, EpochDone):
            snapshots[event.record.epoch] = {n: t.clone() for n, t in model.state_dict().items()}

    options = {"epochs": 40, "learning_rate": 0.05, "monitor": "loss"}
    history = run(model, options=options, on_event=listener)
    losses = [record.valid_loss for record in history.records]
    assert history.best_epoch == int(np.argmin(losses)) < 40
    assert history.best_value == min(losses)
    assert all(torch.equal(t, snapshots[history.best_epoch][n]) for n, t in model.state_dict().items())
    assert [record.epoch for record in history.records if record.best][-1] == history.best_epoch


def test_patience_ends_it_early():
    history = run(fresh(), options={"epochs": 200, "learning_rate": 0.05, "patience": 4})
    assert history.ending == "early"
    assert history.epochs == history.best_epoch + 4


def test_a_loss_that_is_another_in_every_epoch_still_keeps_what_it_learned():
    for loss in (GHM(), ROLE(60, TARGETS.rows(range(60)).label_sums())):
        history = run(fresh(), loss=loss, options={"epochs": 8})
        assert history.best_epoch > 0
        first, best = (history.records[epoch].metrics["ap_macro"] for epoch in (0, history.best_epoch))
        assert history.best_value == best > first


def test_any_metric_can_decide():
    history = run(fresh(), options={"monitor": "f1_macro", "epochs": 8})
    values = [record.metrics["f1_macro"] for record in history.records]
    assert history.best_value == max(values)


def test_without_validation_rows_the_last_epoch_is_the_best():
    history = run(fresh(), valid=False)
    assert history.best_epoch == 3
    assert history.best_value is None
    assert history.records[-1].valid_loss is None


def test_averaged_weights_are_those_that_are_kept():
    plain, averaged = fresh(), fresh()
    run(plain, valid=False)
    run(averaged, valid=False, options={"average": 0.9})
    assert not same(plain, averaged)


# ------------------------------------------------------------------ killed and taken up again


CASES = {
    "mlp": (COLUMNS, {}, {}),
    "averaged": (COLUMNS, {}, {"average": 0.9, "accumulate": 2, "clip": 1.0, "batch_size": 8}),
    "sparse": (SPARSE, {}, {"optimizer": "adagrad", "monitor": "f1_micro"}),
    "images": (PIXELS, {"preparation_options": {"size": 12}}, {}),
    "momentum": (COLUMNS, {"encoder_options": {"hidden": [8, 8]}}, {"optimizer": "sgd", "batch_size": 59}),
}


@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again_it_ends_with_the_same_weights_bit_for_bit(case, tmp_path):
    inputs, build, options = CASES[case]
    straight = fresh(inputs, **build)
    expected = run(straight, inputs, options=options)
    total = expected.records[-1].step
    for step in (1, total // 3, total // 3 + 1, total - 1, total):
        with pytest.raises(Killed):
            run(
                fresh(inputs, **build), inputs, options={**options, "checkpoint_seconds": 0},
                checkpoints=tmp_path, on_event=kill_at(step),
            )  # fmt: skip
    resumed = fresh(inputs, **build)
    history = run(resumed, inputs, options={**options, "checkpoint_seconds": 0}, checkpoints=tmp_path)
    assert same(straight, resumed)
    for one, other in zip(expected.records, history.records, strict=True):
        assert (one.train_loss, one.valid_loss, one.metrics) == (
            other.train_loss,
            other.valid_loss,
            other.metrics,
        )


def test_a_killed_one_goes_on_from_its_last_checkpoint(tmp_path):
    began = []

    def note(event):
        if isinstance(event, Began):
            began.append(event.resumed_step)

    with pytest.raises(Killed):
        run(fresh(), options={"checkpoint_seconds": 0}, checkpoints=tmp_path, on_event=kill_at(6))
    run(fresh(), options={"checkpoint_seconds": 0}, checkpoints=tmp_path, on_event=note)
    assert began == [5]


def test_a_finished_training_is_only_read_again(tmp_path):
    model, again = fresh(), fresh()
    first = run(model, checkpoints=tmp_path)
    events = []
    second = run(again, checkpoints=tmp_path, on_event=events.append)
    assert same(model, again)
    assert not any(isinstance(event, StepDone) for event in events)
    assert second.to_dict() == first.to_dict()


def test_resume_false_starts_over(tmp_path):
    run(fresh(), checkpoints=tmp_path)
    history = run(fresh(), checkpoints=tmp_path, resume=False, options={"epochs": 1})
    assert history.epochs == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"learning_rate": 0.5}, "learning_rate was 0.001, is 0.5"), ({"seed": 4}, "seed was 0, is 4")],
)
def test_the_checkpoint_of_another_training_is_refused(tmp_path, options, message):
    run(fresh(), checkpoints=tmp_path)
    with pytest.raises(
        RunError, match=f"of another training: {message}; take another folder, or resume=False"
    ):
        run(fresh(), checkpoints=tmp_path, options=options)


def test_other_labels_or_another_network_are_another_training(tmp_path):
    run(fresh(), checkpoints=tmp_path)
    with pytest.raises(RunError, match="of another training: encoder was"):
        run(fresh(encoder_options={"hidden": [3]}), checkpoints=tmp_path)
    with pytest.raises(RunError, match="of another training: training targets was"):
        train(fresh(), COLUMNS, TARGETS, checkpoints=tmp_path)
    with pytest.raises(RunError, match="of another training: row weights was None"):
        run(fresh(), checkpoints=tmp_path, row_weight=np.ones(60))


# ------------------------------------------------------------------ how else it can end


def test_ctrl_c_ends_cleanly_and_the_same_call_goes_on(tmp_path):
    def interrupt(event):
        if isinstance(event, StepDone) and event.step == 5:
            signal.raise_signal(signal.SIGINT)

    straight, model = fresh(), fresh()
    run(straight)
    first = run(model, checkpoints=tmp_path, on_event=interrupt)
    assert first.ending == "interrupted"
    assert not model.training
    second = run(fresh(), checkpoints=tmp_path)
    assert second.ending == "finished"
    model = fresh()
    run(model, checkpoints=tmp_path)
    assert same(straight, model)


def test_it_trains_in_another_thread():
    endings = []
    thread = threading.Thread(target=lambda: endings.append(run(fresh()).ending))
    thread.start()
    thread.join()
    assert endings == ["finished"]


class TurnsBad(nn.Module):
    def __init__(self, calls, value):
        super().__init__()
        self.calls, self.value = calls, value

    def forward(self, logits, targets):
        self.calls -= logits.requires_grad
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return loss * self.value if self.calls < 0 else loss


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_it_with_the_last_good_weights(value):
    model = fresh()
    history = run(model, loss=TurnsBad(6, value))
    assert history.ending == "diverged"
    (finding,) = [d for d in history.diagnoses if d.name == "not_finite"]
    assert "the loss of step 7 was not finite" in finding.finding
    assert "lower the learning rate" in finding.mend
    assert np.isfinite(model.scores(COLUMNS)).all()
    assert history.best_epoch == 1


def test_a_network_that_breaks_is_told_by_its_logits():
    class Broken(nn.Module):
        width = 6

        def forward(self, batch):
            return batch * float("nan") if self.training else batch

    history = run(fresh(encoder=Broken()))
    assert history.ending == "diverged"
    assert "the logits of step 1 were not finite" in history.diagnoses[0].finding
    assert history.best_epoch == 0


def test_a_finding_is_told_once():
    told = []
    history = run(fresh(), options={"learning_rate": 1e-9, "epochs": 12, "patience": 0}, on_event=told.append)
    names = [event.diagnosis.name for event in told if isinstance(event, Diagnosed)]
    assert len(names) == len(set(names)) > 0
    assert {finding.name for finding in history.diagnoses} <= set(names)


def test_a_model_that_cannot_learn_is_diagnosed():
    told = []
    history = run(fresh(), options={"learning_rate": 1e-9}, on_event=told.append)
    assert "prior" in [finding.name for finding in history.diagnoses]
    assert any(isinstance(event, Diagnosed) for event in told)


# ------------------------------------------------------------------ what it tells


def test_events_come_in_order(tmp_path):
    events = []
    history = run(
        fresh(), options={"epochs": 2, "batch_size": 30}, checkpoints=tmp_path, on_event=events.append
    )
    kinds = [type(event) for event in events if not isinstance(event, Diagnosed)]
    assert kinds == [
        Began,
        EpochDone,
        StepDone,
        StepDone,
        EpochDone,
        StepDone,
        StepDone,
        EpochDone,
        Saved,
        Ended,
    ]
    assert [event.step for event in events if isinstance(event, StepDone)] == [1, 2, 3, 4]
    assert events[-1].history is history


def test_the_history_can_be_written_and_read(tmp_path):
    history = run(fresh())
    assert History.from_dict(history.to_dict()).to_dict() == history.to_dict()
    history.write_jsonl(tmp_path / "history.jsonl")
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert '"epoch":3' in lines[-1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        InputError, match="expected as many training inputs as targets, at least one, got 10 and 90"
    ):
        train(fresh(), COLUMNS.take(range(10)), TARGETS)
    with pytest.raises(InputError, match="expected as many validation inputs as targets"):
        train(fresh(), COLUMNS, TARGETS, COLUMNS.take([1]), TARGETS)
    with pytest.raises(InputError, match="monitor=f1_micro needs validation rows, there are none"):
        train(fresh(), COLUMNS, TARGETS, options=TrainOptions(monitor="f1_micro"))
    with pytest.raises(OptionError, match="batch norm needs two rows in every batch: raise batch_size"):
        run(fresh(PIXELS, preparation_options={"size": 12}), PIXELS, options={"batch_size": 1})


def test_one_training_row_is_enough_for_a_table():
    history = train(fresh(), COLUMNS.take([0]), TARGETS.rows([0]), loss=BCE(), options=TrainOptions(epochs=2))
    assert history.ending == "finished"
