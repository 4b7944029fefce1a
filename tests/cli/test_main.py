"""The command line as a whole: quick to start, one place for failures, exit codes 0, 1, 2."""

import os
import re
import subprocess
import sys
import time
import warnings

import click
import pytest
from click.testing import CliRunner

from manyhot.cli import COMMANDS, main
from manyhot.cli._failures import spoken, telling_failures
from manyhot.errors import InputError, ManyhotWarning, OptionError, RunError


def run(*arguments, **options):
    return CliRunner().invoke(main, arguments, **options)


def help_of(*command: str) -> tuple[str, set[str]]:
    """What `manyhot <command> --help` prints in a fresh process, and the modules that it loaded."""
    code = (
        "import sys\nfrom manyhot.cli import main\n"
        f"main({[*command, '--help']}, standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split())


def test_help_is_quick_and_loads_nothing_heavy():
    begin = time.perf_counter()
    shown = subprocess.run(
        [sys.executable, "-m", "manyhot", "--help"], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - begin < 3  # 0.1 s on an idle machine; the bound is for a busy one
    assert all(name in shown.stdout for name in COMMANDS)
    _, loaded = help_of()
    assert not {"torch", "numpy", "polars", "rich", "sklearn", "msgspec"} & loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_without_torch(name):
    shown, loaded = help_of(name)
    assert "torch" not in loaded
    assert "--json" in shown


def test_predicting_loads_no_package_that_only_fitting_needs(fitted, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"text": "goal"}')
    code = (
        "import sys\nfrom manyhot.cli import main\n"
        f"main(['predict', {str(fitted[0])!r}, 'one.jsonl'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not {"sklearn", "pandas", "scipy.stats", "numba", "rich"} & set(done.stderr.split())


def test_threads_of_torch_sleep_while_they_wait_unless_told_otherwise(monkeypatch):
    for given, wanted in [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")]:
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        if given:
            monkeypatch.setenv("OMP_WAIT_POLICY", given)
        run("losses")
        assert os.environ["OMP_WAIT_POLICY"] == wanted
    monkeypatch.delenv("OMP_WAIT_POLICY")


def test_no_arguments_shows_the_help():
    assert "Commands:" in run().output


def test_a_misspelt_command_is_answered_with_the_nearest():
    result = run("fti")
    assert result.exit_code == 2
    assert "no command 'fti'; did you mean fit?" in result.output
    assert "there are demo, doctor" in run("zzz").output


def test_version():
    assert re.fullmatch(r"\S+ \d+\.\d+\.\d+\n", run("--version").output)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("train.csv:3: broken"), 1, "error: train.csv:3: broken\n"),
        (RunError("no such run: a"), 1, "error: no such run: a\n"),
        (OptionError("epochs must be >= 1, got 0"), 2, "error: epochs must be >= 1, got 0\n"),
        (KeyboardInterrupt(), 1, "stopped: nothing is left half-written\n"),
    ],
)
def test_known_failures_are_one_line_and_a_code(error, code, message):
    result = CliRunner().invoke(raising(error))
    assert result.exit_code == code
    assert result.stderr == message
    assert result.stdout == ""


def raising(error):
    @click.command()
    @click.pass_context
    def command(ctx):
        with telling_failures(ctx):
            raise error

    return command


def test_an_unknown_failure_keeps_its_traceback_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = CliRunner().invoke(raising(ZeroDivisionError("oh")))
    assert result.exit_code == 1
    assert "an error that manyhot does not know, ZeroDivisionError: oh" in result.stderr
    (kept,) = tmp_path.glob("manyhot-error-*.txt")
    assert str(kept) in result.stderr
    assert "Traceback (most recent call last)" in kept.read_text()


def test_debug_lets_the_traceback_through(monkeypatch):
    monkeypatch.setenv("MANYHOT_DEBUG", "1")
    assert isinstance(CliRunner().invoke(raising(InputError("x"))).exception, InputError)
    monkeypatch.delenv("MANYHOT_DEBUG")
    result = run("evaluate", "no/such/run", "--debug")
    assert isinstance(result.exception, RunError)


def test_warnings_are_lines_on_standard_error():
    @click.command()
    @click.pass_context
    def command(ctx):
        with telling_failures(ctx):
            warnings.warn("3 rows left out", ManyhotWarning, stacklevel=1)
            click.echo("done")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = CliRunner().invoke(command)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "done\n", "warning: 3 rows left out\n")


def test_a_full_disk_on_standard_output_is_told(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m manyhot datasets toy --json > /dev/full", shell=True, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written (No space left on device): make room, then do it again\n"
    )


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        ("say labels=... with names", "say --labels with names"),
        ("or labels=[...] for one 0/1 column a label", "or --labels A,B for one 0/1 column a label"),
        ("or labels='column' for one", "or --labels column for one"),
        ("say unknown='-1' if", "say --unknown -1 if"),
        ("say split='' if it", "say --split '' if it"),
        ("say text=, image= or features=", "say --text, --image or --features"),
        ("say tuned_rows='allow'", "say --allow-tuned-rows"),
        ("a=b and the rows=3 of subset=x stay", "a=b and the rows=3 of subset=x stay"),
    ],
)
def test_messages_name_the_options_of_the_command_line(python, typed):
    assert spoken(python) == typed
