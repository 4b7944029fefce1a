"""The memory plan: parts counted by hand, and its peak beside the peak of a process that does the fit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import peak_memory
import pytest

from manyhot.data import Table, Texts
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets
from manyhot.runs import plan_fit
from manyhot.runs.learn import encoder_for
from manyhot.runs.memory import SLOTS, require_memory, size
from manyhot.runs.recipe import Recipe
from manyhot.train import OPTIMIZERS

LABELS, ROWS = 2_500, 1_000


def wide_table(labels: int = LABELS, rows: int = ROWS, part: bool = True) -> Table:
    """Texts with a word for each of their labels, up to three, whose frequencies fall like 1 / rank."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(3, labels + 3)
    own = [np.unique(rng.choice(labels, 3, p=share / share.sum())) for _ in range(rows)]
    texts = [" ".join(f"word{label % 3000}" for label in each) for each in own]
    space = LabelSpace(tuple(f"label {number}" for number in range(labels)))
    parts = (
        np.repeat(["train", "valid", "test"], [rows - rows // 5, rows // 10, rows // 10]) if part else None
    )
    return Table.of(Texts(texts), Targets.from_index_lists(own, labels), space, part=parts)


def planned(table: Table | None = None, **options):
    """The plan of an MLP with 32 hidden units and one epoch."""
    own = {
        "encoder": "mlp",
        "encoder_options": {"hidden": [32]},
        "epochs": 1,
        "batch_size": 50,
        "device": "cpu",
    }
    return plan_fit(table or wide_table(), **{**own, **options})[0]


def test_parts_are_what_they_are_by_hand():
    plan = planned(preparation_options={"max_terms": 500, "min_rows": 1})
    weights = 500 * 32 + 32 + 32 * LABELS + LABELS
    assert plan.weights == weights
    assert plan.head == "fused"
    assert (
        plan.training["weights"] == plan.training["gradients"] == plan.training["best weights"] == 4 * weights
    )
    assert plan.training["optimiser"] == 8 * weights
    assert plan.training["validation scores"] == 100 * 100 * 8
    assert plan.training["hidden vectors"] == 50 * (3 * 32) * 4 * 2
    assert plan.judging["scores"] == 200 * 100 * 8 * 3
    assert plan.judging["cuts"] == pytest.approx((LABELS * 301 + 300) * 460, rel=0.01)
    assert plan.peak == max(sum(plan.training.values()), sum(plan.judging.values()))
    assert plan.training["this process"] > 5e7
    assert plan.batch_size == 50
    assert plan.epochs == 1


def test_the_plain_head_holds_all_logits_and_the_sentence_says_what_is_done():
    fused, plain, two = planned(), planned(head="plain"), planned(loss="two-way")
    assert plain.training["logits"] == 50 * LABELS * 4 * 3
    assert plain.head == two.head == "plain"
    assert plain.why is None
    assert f"2,500 labels: fused head, chunks of {fused.chunk:,} labels, peak about " in fused.sentence
    assert "plain head (TwoWay reads more of a row than single cells" in two.sentence
    assert planned(optimizer="sgd").training["optimiser"] * 2 == fused.training["optimiser"]
    average = planned(average=0.99).training
    assert average["best weights"] == 3 * fused.training["best weights"]


def test_with_whole_matrices_it_counts_every_score():
    plan = planned(wide_table(20_000), encoder_options={"hidden": [8]})
    assert plan.judging["cuts"] > sum(plan.training.values()) - plan.training["this process"]
    whole, kept = 200 * 20_000 * 4 * 3, 200 * 100 * 8 * 3  # of the tuning and the test rows
    assert plan.plain - plan.peak == whole - kept


def test_every_optimiser_has_its_number_of_slots():
    import torch

    assert set(SLOTS) == set(OPTIMIZERS)
    for name, choice in OPTIMIZERS.items():
        weight = torch.nn.Parameter(torch.zeros(7, 3))
        optimizer = choice.make([weight], lr=0.1, **({"momentum": 0.9} if choice.takes_momentum else {}))
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        kept = [value for value in optimizer.state[weight].values() if value.shape == weight.shape]
        assert len(kept) == SLOTS[name], name


def test_a_linear_model_too_wide_becomes_an_mlp():
    def encoder(labels: int, **options) -> str:
        recipe = Recipe.of(options, seed=0)
        return encoder_for(wide_table(labels, 10, part=False), recipe)

    assert encoder(5_000) == "linear"  # 50,000 terms x 5,000 labels
    assert encoder(6_000) == "mlp"
    assert encoder(6_000, preparation_options={"max_terms": 10_000}) == "linear"
    assert encoder(6_000, encoder="linear") == "linear"


def test_a_solved_model_is_planned_as_one():
    plan, minutes = plan_fit(wide_table(2_000, 300))
    assert plan.head == "solved"
    assert plan.epochs is None
    assert plan.training["scores out of fold"] == 240 * 2_000 * 4 * 4  # of 300 rows a tenth tunes, one tests
    assert plan.judging["scores"] == (240 + 30 + 30) * 100 * 8 * 3
    assert 0 < minutes < 5


def test_minutes_grow_with_the_epochs():
    few = plan_fit(wide_table(), encoder="mlp", epochs=2, batch_size=50)[1]
    many = plan_fit(wide_table(), encoder="mlp", epochs=200, batch_size=50)[1]
    assert 10 * few < many < 1000 * few


def test_what_cannot_fit_is_refused_before_it_begins(monkeypatch):
    plan = planned()
    monkeypatch.setattr("manyhot.runs.memory.machine_bytes", lambda: plan.peak)
    require_memory(plan)
    monkeypatch.setattr("manyhot.runs.memory.machine_bytes", lambda: plan.peak // 2)
    with pytest.raises(
        OptionError, match=r"needs about .* of memory, this machine has .*: take the encoder mlp"
    ):
        require_memory(plan)
    monkeypatch.setattr("manyhot.runs.memory.machine_bytes", lambda: None)
    require_memory(plan)


def test_sizes_in_words():
    assert size(900_000_000) == "0.9 GB"
    assert size(35_200_000) == "35 MB"
    assert size(200) == "< 1 MB"


FIT = """
import json, sys
import peak_memory
from tests_of_memory import wide_table
from manyhot.runs import fit
from manyhot.runs.events import MemoryPlanned
planned = []
def tell(event):
    if isinstance(event, MemoryPlanned):
        planned.append(event.plan.peak)
options = json.loads(sys.argv[1])
fit(wide_table(8_000, 2_000), out=sys.argv[2], on_event=tell, device="cpu", **options)
print(json.dumps([planned[0], peak_memory.peak()]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not peak_memory.readable, reason=peak_memory.UNREADABLE)
@pytest.mark.parametrize(
    "options",
    [
        {"encoder": "mlp", "encoder_options": {"hidden": [1024]}, "epochs": 1, "checkpoint_seconds": 0.01},
        {"encoder": "mlp", "encoder_options": {"hidden": [64]}, "epochs": 1},
    ],
    ids=["heavy head", "light head"],
)
def test_the_peak_of_a_process_is_within_a_factor_of_one_and_a_half(options, tmp_path):
    (tmp_path / "tests_of_memory.py").write_text(Path(__file__).read_text())
    out = subprocess.run(
        [sys.executable, "-c", FIT, json.dumps(options), str(tmp_path / "run")],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    estimate, measured = json.loads(out.splitlines()[-1])
    assert measured / 1.5 < estimate < measured * 1.5
