"""The fused head: the same training as with the plain one, chosen for wide label spaces, and resumable."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.data.inputs import SparseColumns
from manyhot.errors import OptionError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import losses_for
from manyhot.models import MLP, Model
from manyhot.train import TrainOptions, train
from manyhot.train.fused import head_for

LABELS = 2_100
ROWS = 96


def wide_rows(seed: int = 0, labels: int = LABELS) -> tuple[SparseColumns, Targets, LabelSpace]:
    """Rows of twelve features; the strongest say which labels a row has. One cell a row is unknown."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(ROWS, 12)).astype(np.float32)
    own = [
        np.unique([int(row.argmax()), 50 + int(row.argmin()), 100 + i % 7]) for i, row in enumerate(features)
    ]
    positives = csr_array(
        (
            np.ones(sum(map(len, own)), np.float32),
            (np.repeat(np.arange(ROWS), [len(each) for each in own]), np.concatenate(own)),
        ),
        shape=(ROWS, labels),
    )
    unknown = csr_array((np.ones(ROWS, bool), (np.arange(ROWS), np.full(ROWS, labels - 1))), positives.shape)
    space = LabelSpace(tuple(f"label {number}" for number in range(labels)))
    return SparseColumns(csr_array(features), tuple("abcdefghijkl")), Targets(positives, unknown), space


class Losses(list):
    """A listener that keeps the loss of every step."""

    def __call__(self, event):
        if hasattr(event, "loss"):
            self.append(event.loss)


def trained(head: str, loss: str = "bce", **options):
    inputs, targets, space = wide_rows()
    model = Model.build(inputs, targets, space, encoder="mlp", encoder_options={"hidden": [16]})
    heard = Losses()
    history = train(
        model, inputs, targets, inputs, targets,
        loss=losses_for(space, loss, targets),
        options=TrainOptions(epochs=4, batch_size=32, head=head, device="cpu", **options),
        on_event=heard,
    )  # fmt: skip
    return model, history, heard


@pytest.mark.parametrize("loss", ["bce", "asl", "focal", "zlpr", "softmax"])
def test_fused_and_plain_are_one_training(loss):
    (model, history, fused), (other, plain_history, plain) = trained("fused", loss), trained("plain", loss)
    np.testing.assert_allclose(fused, plain, rtol=1e-5)
    assert len(fused) == 12
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], rtol=1e-3, atol=1e-5)
    for record, other_record in zip(history.records, plain_history.records, strict=True):
        assert record.valid_loss == pytest.approx(other_record.valid_loss, rel=1e-5)
        assert record.metrics == pytest.approx(other_record.metrics, rel=1e-2)


@pytest.mark.parametrize(
    "options", [{"accumulate": 2}, {"clip": 0.01}, {"average": 0.9}, {"precision": "bfloat16"}]
)
def test_with_every_kind_of_step(options):
    tolerance = 2e-2 if options.get("precision") else 1e-5
    np.testing.assert_allclose(trained("fused", **options)[2], trained("plain", **options)[2], rtol=tolerance)


def test_a_wide_label_space_is_fused_by_itself_and_a_narrow_one_is_not():
    assert trained("auto")[1].options.head == "fused"
    inputs, targets, space = wide_rows(labels=200)
    model = Model.build(inputs, targets, space, encoder="mlp")
    assert train(model, inputs, targets, options=TrainOptions(epochs=1)).options.head == "plain"


def test_what_cannot_be_fused_is_plain_and_says_why():
    inputs, targets, space = wide_rows()
    hidden = Model.build(inputs, targets, space, encoder="mlp")
    linear = Model.build(inputs, targets, space, encoder="linear")
    grouped = LabelSpace(space.names, groups=(Group("g", space.names[:5]),))
    cases = [
        (linear, losses_for(space, "bce"), "a linear model of compressed rows has no hidden vectors"),
        (hidden, torch.nn.BCEWithLogitsLoss(), "BCEWithLogitsLoss is no loss of manyhot"),
        (hidden, losses_for(space, "warp"), "WARP reads more of a row"),
        (hidden, losses_for(grouped, "bce"), "Mixed"),
    ]
    for model, loss, reason in cases:
        head, why = head_for("auto", model, loss)
        assert head == "plain"
        assert reason in why
        assert head_for("plain", model, loss) == ("plain", None)
        with pytest.raises(OptionError, match=rf"cannot be fused: .*{reason}.*train with head=plain"):
            head_for("fused", model, loss)
    with pytest.raises(OptionError, match="fast"):
        TrainOptions(head="fast")


def test_a_module_of_your_own_is_fused_too():
    inputs, targets, space = wide_rows()
    shape = Model.build(inputs, targets, space, encoder="mlp").preparation.shape
    model = Model.build(inputs, targets, space, encoder=MLP(shape, (8,)))
    assert train(model, inputs, targets, options=TrainOptions(epochs=1)).options.head == "fused"


def test_a_training_that_diverges_says_so():
    inputs, targets, space = wide_rows()
    model = Model.build(inputs, targets, space, encoder="mlp")
    history = train(
        model, inputs, targets, inputs, targets,
        options=TrainOptions(epochs=3, learning_rate=1e30, optimizer="sgd", warmup=0.0, device="cpu"),
    )  # fmt: skip
    assert history.ending == "diverged"
    assert history.diagnoses[0].name == "not_finite"


def test_stopped_and_resumed_it_ends_bit_for_bit_where_it_would_have(tmp_path):
    inputs, targets, space = wide_rows()
    options = TrainOptions(epochs=3, batch_size=32, checkpoint_seconds=0, device="cpu")

    class StopError(Exception):
        pass

    def stop_at_five(event):
        if getattr(event, "step", 0) == 5 and hasattr(event, "path"):
            raise StopError

    def run(**more):
        model = Model.build(inputs, targets, space, encoder="mlp", encoder_options={"hidden": [16]})
        train(model, inputs, targets, inputs, targets, options=options, **more)
        return model.state_dict()

    whole = run()
    with pytest.raises(StopError):
        run(checkpoints=tmp_path, on_event=stop_at_five)
    for name, tensor in run(checkpoints=tmp_path).items():
        assert torch.equal(tensor, whole[name]), name
