import re
import subprocess
import sys
from pathlib import Path

import pytest

from manyhot import estimators


def test_every_public_name_is_there():
    assert sorted(estimators.__all__) == dir(estimators)
    for name in estimators.__all__:
        assert getattr(estimators, name) is not None
    with pytest.raises(AttributeError, match="LinearManyHat"):
        estimators.LinearManyHat  # noqa: B018


def test_every_public_name_is_in_the_reference():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "estimators.md").read_text(encoding="utf-8")
    assert [name for name in estimators.__all__ if f"`{name}" not in page] == []
    documented = re.findall(r"^\| `(\w+)[^`|]*` \|", page, re.MULTILINE)
    assert {name for name in documented if not hasattr(estimators, name)} <= {"Targets"}  # a form of y


def test_the_linear_estimator_needs_no_torch():
    code = (
        "import sys; from manyhot.estimators import LinearManyHot, ThresholdTuned; "
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
