"""docs/reference is what docs/generate.py writes: complete both ways, and up to date."""

import importlib.util
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from manyhot.decide import RULES
from manyhot.decide.goals import GOALS
from manyhot.losses import LOSSES
from manyhot.metrics import METRICS

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCS / "reference" / "losses"


@pytest.fixture(scope="module")
def generate():
    sys.path.insert(0, str(DOCS))  # as for a script that is run
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(DOCS))
    return module


def test_every_loss_has_a_page_and_every_page_a_loss():
    names = {path.stem for path in FOLDER.glob("*.md")} - {"index"}
    assert names == set(LOSSES), "run python docs/generate.py"
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(LOSSES), "run python docs/generate.py"


def test_the_pages_say_what_the_classes_say(generate):
    assert generate.out_of_date() == [], "run python docs/generate.py"


def test_every_metric_rule_and_goal_is_listed():
    metrics, rules = ((DOCS / "reference" / name).read_text() for name in ("metrics.md", "rules.md"))
    assert [name for name in METRICS if f"| `{name}`" not in metrics] == []
    assert [name for name in RULES if f"### {name}\n" not in rules] == []
    assert [name for name in GOALS if f"| `{name}` |" not in rules] == []


def test_the_index_leads_to_every_page():
    index = (FOLDER / "index.md").read_text()
    assert [name for name in LOSSES if f"| [{name}]({name}.md) |" not in index] == []


@pytest.mark.parametrize("name", ["asl", "em", "warp"])
def test_a_drawing_is_small_and_well_formed(name):
    path = FOLDER / f"{name}.svg"
    assert path.stat().st_size < 40_000
    root = ElementTree.parse(path).getroot()
    assert root.tag.endswith("svg")
    curves = root.findall(".//{*}polyline")
    assert len(curves) == (6 if name == "em" else 4)  # a curve a side, in both panels


def test_last_digits_may_differ_and_nothing_else(generate):
    assert generate.same("cost 1.234", "cost 1.2345")
    assert not generate.same("cost 1.234", "cost 1.334")
    assert not generate.same("cost 1.234", "price 1.234")
    assert not generate.same("cost 1", "cost 1 2")
