"""A bundle is written once, read anywhere, and refused when something in it is wrong."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from manyhot.bundle import Origin, inputs_of, read_bundle, read_manifest, read_rule, write_bundle, write_rule
from manyhot.data.table import schema_of
from manyhot.decide import Cuts, at_half
from manyhot.errors import InputError, OptionError, RunError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models import Model

SPACE = LabelSpace(("money", "sport", "été"))
TEXTS = ["the match was won", "banks lend money", "match and money", "the bank closed", "sun in july"]
TARGETS = Targets.from_index_lists([[1], [0], [0, 1], [0], [2]], 3)


def small_model(space: LabelSpace = SPACE, **options) -> Model:
    return Model.build(inputs_of(TEXTS), TARGETS, space, **options)


@pytest.fixture
def bundle(tmp_path):
    model = small_model()
    rule = Cuts(SPACE, np.array([0.3, 0.6, np.inf]))
    origin = Origin(loss="bce", goal="f1_macro", seed=7, data={"source": "texts.csv"})
    write_bundle(tmp_path / "run", model, rule, schema=schema_of(inputs_of(TEXTS)), origin=origin)
    return tmp_path / "run", model, rule


def test_what_is_read_gives_the_same_scores_and_decisions(bundle):
    folder, model, rule = bundle
    predictor = read_bundle(folder)
    scores = model.scores(inputs_of(TEXTS))
    assert predictor.space == SPACE
    assert np.array_equal(predictor.scores(TEXTS), scores)
    assert predictor.decide(scores) == rule.decide(scores)
    assert predictor.origin.seed == 7
    assert predictor.origin.data == {"source": "texts.csv"}
    assert predictor.schema.kind == "text"


def test_predictions_follow_the_rule_or_the_limits(bundle):
    predictor = read_bundle(bundle[0])
    scores = predictor.scores(TEXTS)
    given = predictor.predict(TEXTS)
    assert list(given) == [
        [SPACE.names[j] for j in np.argsort(-row, kind="stable") if row[j] >= [0.3, 0.6, np.inf][j]]
        for row in scores
    ]
    assert given.row_ids == ("1", "2", "3", "4", "5")
    assert [len(names) for names in predictor.predict(TEXTS, topk=2)] == [2] * 5
    assert list(predictor.predict(TEXTS, floor=0.0)) == list(predictor.predict(TEXTS, topk=3))
    assert predictor.predict(TEXTS[:1], row_ids=["first"]).row_ids == ("first",)
    with pytest.raises(InputError, match="reads texts in the column 'text', or as a list, got columns"):
        predictor.predict([[1.0, 2.0]])


def test_a_bundle_can_be_moved_and_has_no_path_of_this_machine(bundle, tmp_path):
    moved = tmp_path / "elsewhere" / "b"
    shutil.move(bundle[0], moved)
    assert list(read_bundle(moved).predict(TEXTS)) == list(read_bundle(moved).predict(TEXTS))
    assert str(tmp_path) not in (moved / "manyhot.json").read_text()
    assert sorted(path.name for path in moved.iterdir()) == [
        "decision.json",
        "manyhot.json",
        "model.safetensors",
    ]


def test_groups_parents_and_rules_travel_along(tmp_path):
    space = LabelSpace(("a", "b", "c"), (Group("g", ("a", "b")),), {"c": ("a",)}, ("c -> not b",))
    model = Model.build(inputs_of(TEXTS), Targets.from_index_lists([[0], [1], [0], [1], [0, 2]], 3), space)

    write_bundle(tmp_path / "run", model, at_half(space))
    predictor = read_bundle(tmp_path / "run")
    assert predictor.space == space
    assert predictor.schema is None
    assert np.allclose(predictor.scores(TEXTS)[:, :2].sum(axis=1), 1)
    assert all(len({"a", "b"} & set(names)) == 1 for names in predictor.predict(TEXTS))


def test_a_folder_with_a_bundle_is_not_written_again(bundle):
    with pytest.raises(RunError, match="run holds a finished run already: choose another folder"):
        write_bundle(bundle[0], bundle[1], bundle[2])


def test_cuts_can_be_replaced_without_the_weights(bundle):
    folder, _, _ = bundle
    write_rule(folder, Cuts(SPACE, np.zeros(3)), SPACE)
    assert list(read_bundle(folder).predict(TEXTS[:1])) == list(
        read_bundle(folder).predict(TEXTS[:1], topk=3)
    )


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


BREAKS = {
    "no folder": (shutil.rmtree, "no such run: .*run"),
    "empty folder": (
        lambda f: (shutil.rmtree(f), f.mkdir()),
        "run is not a run folder: it has no manyhot.json",
    ),
    "unfinished": (
        lambda f: (
            (f / "manyhot.json").unlink(),
            (f / "checkpoints").mkdir(),
            (f / "checkpoints" / "plan.json").write_text("{}"),
        ),
        r"the run in .*run is not finished: go on with `manyhot fit --resume",
    ),
    "killed before its plan": (
        lambda f: ((f / "manyhot.json").unlink(), (f / "checkpoints").mkdir()),
        "the run in .*run was stopped before anything was trained: fit into it again",
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        "model.safetensors is missing: copy the whole run",
    ),
    "no rule": (lambda f: (f / "decision.json").unlink(), "decision.json is missing"),
    "half a manifest": (lambda f: truncate(f / "manyhot.json"), "manyhot.json is damaged or was edited"),
    "half the weights": (
        lambda f: truncate(f / "model.safetensors"),
        "is not the file that .*manyhot.json describes",
    ),
    "half a rule": (lambda f: truncate(f / "decision.json"), "decision.json is damaged"),
    "newer format": (
        lambda f: edit(f / "manyhot.json", lambda c: c.update(format=2, versions={"manyhot": "9.1"})),
        "has format 2, written by manyhot 9.1; this is manyhot .*, which reads format 1",
    ),
    "field missing": (
        lambda f: edit(f / "manyhot.json", lambda c: c.pop("model")),
        "missing required field `model`",
    ),
    "not an object": (lambda f: (f / "manyhot.json").write_text("[]"), "is damaged or was edited"),
    "labels edited": (
        lambda f: edit(f / "manyhot.json", lambda c: c["space"]["names"].reverse()),
        "its labels do not match their digest",
    ),
    "rule of other labels": (
        lambda f: edit(f / "decision.json", lambda c: c.update(space_digest="0")),
        "was fitted on other labels",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_bundle_is_refused_with_the_mend(bundle, name):
    breaks, message = BREAKS[name]
    breaks(bundle[0])
    with pytest.raises(RunError, match=message):
        read_bundle(bundle[0])


def test_a_module_of_ones_own_must_be_given_again(tmp_path):
    class Bag(nn.Module):
        width = 4

        def __init__(self, shape):
            super().__init__()
            self.table = nn.Parameter(torch.ones(shape.width, 4))

        def forward(self, batch):
            return torch.from_numpy(np.asarray(batch.to_scipy() @ self.table.detach().numpy()))

    model = small_model()
    own = small_model(encoder=Bag(model.preparation.shape))
    write_bundle(tmp_path / "run", own, Cuts(SPACE, np.full(3, 0.5)))
    with pytest.raises(OptionError, match=r"a module of your own, .*Bag"):
        read_bundle(tmp_path / "run")
    again = read_bundle(tmp_path / "run", encoder=Bag(model.preparation.shape))
    assert np.allclose(again.scores(TEXTS), own.scores(inputs_of(TEXTS)))


def test_the_manifest_says_which_versions_made_it(bundle):
    manifest = read_manifest(bundle[0])
    assert manifest.format == 1
    assert {"python", "manyhot", "torch", "numpy"} <= set(manifest.versions)
    assert manifest.parts == ("model.safetensors", "decision.json")
    assert manifest.created.endswith("Z")
    assert read_rule(bundle[0], SPACE).cuts.tolist() == [0.3, 0.6, np.inf]
