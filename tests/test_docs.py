"""Every example in the README and in docs/ is run, in the order of its page, in an empty folder.

```python blocks of a page share one namespace; in ```console blocks the lines after `$ ` are run. A block
right after `<!-- not run: reason -->` is left out, with its reason in view. A line that is a plain `manyhot`
command runs in a process forked from one that has imported torch; a line for a shell runs in a shell.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from forked import Starter

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"^(<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<kind>python|console)\n(?P<code>.*?)^```", re.M | re.S
)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")


def examples(page: Path) -> list[tuple[str, str]]:
    return [(m["kind"], m["code"]) for m in BLOCK.finditer(page.read_text()) if not m["reason"]]


SHELL = re.compile(r"[|&;<>$`*?~#()\[\]{}\n]")


def run_console(code: str, folder: Path) -> None:
    start = Starter(folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for line in code.replace("\\\n", " ").splitlines():
        if not line.startswith("$ "):
            continue
        line = line.removeprefix("$ ")
        if line.startswith("manyhot ") and not SHELL.search(line):
            command = start(*shlex.split(line)[1:])
            assert command.wait(300) == 0, f"{line}\n{command.stdout[-2000:]}\n{command.stderr[-2000:]}"
            continue
        shell = ["bash", "-o", "pipefail", "-c", line]
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [p for p in PAGES if examples(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for kind, code in examples(page):
        if kind == "console":
            run_console(code, tmp_path)
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path):
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not broken
