"""What a user meets first: a light import, public names that exist, a quick --help."""

import subprocess
import sys

import pytest

import manyhot


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    loaded = run_python("import sys, manyhot; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    assert not {"torch", "numpy", "scipy", "sklearn", "polars", "numba", "rich", "click"} & set(loaded)


def test_help_loads_neither_torch_nor_numpy():
    loaded = run_python(
        "import sys\nfrom click.testing import CliRunner\nfrom manyhot.cli import main\n"
        "result = CliRunner().invoke(main, ['--help'])\nassert result.exit_code == 0, result.output\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    ).split()
    assert not {"torch", "numpy", "scipy", "sklearn", "polars", "numba"} & set(loaded)


@pytest.mark.parametrize("name", manyhot.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(manyhot, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_thing'"):
        manyhot.no_such_thing  # noqa: B018 - the access itself is under test


def test_dir_lists_the_public_names():
    assert set(manyhot.__all__) <= set(dir(manyhot))


def test_version_is_that_of_the_installed_distribution():
    from importlib.metadata import version

    assert version("manyhot") == manyhot.__version__
