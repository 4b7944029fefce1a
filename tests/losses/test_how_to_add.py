"""docs/how-to/add-a-loss.md is followed, word for word, in a copy of the library."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "add-a-loss.md").read_text()
FILE = re.findall(r"```python\n(.*?)```", PAGE, re.S)[0]
IMPORT, LISTED = re.search(r"```text\n(from .*?)\n\.\.\.\n(.*?)\n```", PAGE, re.S).groups()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run Python with the library of which the page was followed."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "src" / "manyhot", copy / "manyhot", ignore=shutil.ignore_patterns("__pycache__"))
    losses = copy / "manyhot" / "losses"
    (losses / "tempered.py").write_text(FILE)
    table = (losses / "table.py").read_text()
    table = table.replace("\nLOSSES:", f"\n{IMPORT}\n\nLOSSES:").replace("    }\n)", f"{LISTED}\n    }}\n)")
    (losses / "table.py").write_text(table)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(copy), "MANYHOT_CACHE_DIR": str(copy / "kernels")}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    return run


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_loss_is_in_the_library(run):
    listing = run("-m", "manyhot", "losses")
    assert re.search(r"^tempered-bce +To show how a loss is added. +temperature", listing, re.M)
    page = run("-m", "manyhot", "losses", "tempered-bce(temperature=3)")
    assert "y sp(-z / temperature) + (1 - y) sp(z / temperature)" in page
    assert "manyhot.losses.TemperedBCE(temperature=3)(logits, targets)" in page
    run(
        "-c",
        "import torch\nfrom manyhot import losses\nfrom manyhot.losses import functional\n"
        "z, y = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])\n"
        "expected = torch.nn.functional.binary_cross_entropy_with_logits(z / 3, y)\n"
        "made = losses.make_loss('tempered-bce(temperature=3)')\n"
        "in_place = functional.tempered_bce(z, y, temperature=3)\n"
        "for value in (losses.TemperedBCE(3)(z, y), made(z, y), in_place):\n"
        "    torch.testing.assert_close(value, expected)\n",
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_contract_suite_tests_it(run):
    suites = ("test_contract.py", "test_facts.py", "test_make.py", "test_torch_citizen.py", "test_trace.py")
    files = [str(Path("tests", "losses", suite)) for suite in suites]
    told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "tempered", "-m", "not slow", *files)
    assert int(re.search(r"(\d+) passed", told).group(1)) > 80


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_there_for_keras(run):
    pytest.importorskip("keras")
    run(
        "-W", "ignore", "-c",
        "import os; os.environ.setdefault('KERAS_BACKEND', 'torch')\n"
        "from manyhot.keras import losses\n"
        "loss = losses.TemperedBCE(temperature=3.0)\n"
        "assert loss.portable and 'TemperedBCE' in losses.__all__\n"
        "assert abs(float(loss([[1.0]], [[0.0]])) - 0.6931472) < 1e-6\n",
    )  # fmt: skip
