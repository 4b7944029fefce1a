"""Options: what is left open is chosen, what is wrong is refused by name."""

import json

import msgspec
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from manyhot.data.inputs import SparseColumns, Texts
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets
from manyhot.models import Model
from manyhot.train import OPTIMIZERS, TrainOptions


@pytest.fixture(scope="module")
def model():
    return Model.build(Texts(["one two", "two three"]), Targets.from_dense(np.eye(2)), LabelSpace(("a", "b")))


def test_nothing_is_open_after_resolving_and_what_was_given_stays(model):
    options = TrainOptions(epochs=3, weight_decay=0.0, optimizer="adagrad").resolved(model, 1000)
    assert None not in options.to_dict().values()
    assert (options.epochs, options.weight_decay, options.precision) == (3, 0.0, "float32")
    adamw = TrainOptions(optimizer="adamw").resolved(model, 1000)
    assert options.learning_rate == adamw.learning_rate * OPTIMIZERS["adagrad"].rate
    assert options.resolved(model, 1000) == options


def test_a_linear_model_of_sparse_rows_takes_steps_as_long_as_its_rows_allow(model):
    chosen = TrainOptions().resolved(model, 1000)
    assert (chosen.optimizer, chosen.learning_rate) == ("sgd", 30.0)
    rows = SparseColumns(csr_array(np.array([[2.0, 4], [2, 0]], np.float32)), ("x", "y"))
    longer = Model.build(rows, Targets.from_dense(np.eye(2)), LabelSpace(("a", "b")))
    assert TrainOptions().resolved(longer, 2).learning_rate == 30.0 / ((1 + 1 + 1) / 2)


def test_they_survive_json(model):
    options = TrainOptions(monitor="f1_macro").resolved(model, 10)
    assert TrainOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be >= 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be >= 0, got -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be >= 0, got nan"),
        ({"average": 2.0}, r"average must be in \[0, 1\], got 2.0"),
        ({"optimizer": "adamx"}, "optimizer must be one of adamw, adam, .*; did you mean adam"),
        ({"schedule": "step"}, "schedule must be one of cosine, constant, got 'step'"),
        ({"precision": "bf16"}, "precision must be one of auto, float32, bfloat16, float16, got 'bf16'"),
        ({"seed": -1}, r"seed must be in \[0, 9223372036854775807\], got -1"),
        ({"cuts": "best"}, "cuts must be one of tuned, default, got 'best'"),
    ],
)
def test_values_out_of_range_are_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        TrainOptions(**wrong)


def test_an_unknown_name_is_refused():
    with pytest.raises(msgspec.ValidationError, match="unknown field `epoch`"):
        TrainOptions.from_dict({"epoch": 3})


def test_few_rows_are_taken_in_small_batches(model):
    assert [TrainOptions().resolved(model, rows).batch_size for rows in (300, 7_000, 30_000)] == [32, 64, 256]


@pytest.mark.parametrize(("name", "told"), [("cuda", "cuda"), ("tpu9", "tpu9"), ("cuda:77", "cuda:77")])
def test_a_device_that_is_not_there_is_refused_with_the_mend(model, name, told):
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(OptionError, match=rf"device {told} cannot be used here \(.*\): take the device cpu"):
        TrainOptions(device=name).resolved(model, 10)
