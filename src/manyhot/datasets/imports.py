"""imports: code of Python's standard library without import lines; labels are the modules that it uses."""

import ast
import platform
import sys
import sysconfig
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from manyhot._check import at_least
from manyhot.data.inputs import Texts
from manyhot.data.table import Table
from manyhot.errors import InputError
from manyhot.labels import LabelSpace

Function = ast.FunctionDef | ast.AsyncFunctionDef
TESTS = {"test", "tests", "idle_test"}  # test packages inside ctypes, distutils, idlelib, unittest...


class Snippet(NamedTuple):
    """The code of one function, or what a module holds outside its functions."""

    module: str
    line: int
    text: str
    uses: frozenset[str]


def imports(min_count: int = 20) -> Table:
    """Functions and module bodies of the standard library of the Python that runs; which modules do they use?

    A row's labels are the top-level modules whose imported names occur in its code: in
    `def load(path): return loads(path.read_text())` the label `json` when the module has
    `from json import loads`. Import lines are removed, the names stay. Modules of the same package and names
    that a function binds itself do not count. Code without any label is left out, as are repetitions.
    `Table.group` is the module, because functions of one module resemble each other. The same rows and
    order on every run of the same Python.

    Args:
        min_count: labels on fewer rows are dropped, and rows that keep no label with them.

    Raises:
        InputError: this Python has no source files of its library.
    """
    at_least("min_count", min_count, 1)
    snippets = library_snippets(Path(sysconfig.get_paths()["stdlib"]))
    counts = Counter(label for snippet in snippets for label in snippet.uses)
    space = LabelSpace(tuple(sorted(label for label, count in counts.items() if count >= min_count)))
    snippets = tuple(snippet for snippet in snippets if any(label in space for label in snippet.uses))
    if not snippets:
        raise InputError(
            "this Python has no source files of its standard library; use another embedded data set"
        )
    modules = np.array([snippet.module for snippet in snippets])
    sentence = (
        f"imports: {len(snippets):,} functions and module bodies of {len(set(modules)):,} modules in the "
        f"standard library of Python {platform.python_version()}, {len(space)} imported modules as labels"
    )
    return Table.of(
        Texts([snippet.text for snippet in snippets]),
        space.encode((snippet.uses for snippet in snippets), unknown="ignore"),
        space,
        group=modules,
        row_ids=[f"{snippet.module}:{snippet.line}" for snippet in snippets],
        sentence=sentence,
    )


@cache
def library_snippets(folder: Path) -> tuple[Snippet, ...]:
    """All code with a use, read and parsed once a process: that takes seconds."""
    return tuple(_unique(_snippets(folder)))


def _unique(snippets: Iterable[Snippet]) -> Iterator[Snippet]:
    """Those with a use, each text once: 80 codecs in `encodings` share their functions word for word."""
    seen: set[str] = set()
    for snippet in snippets:
        if snippet.uses and snippet.text not in seen:
            seen.add(snippet.text)
            yield snippet


def _snippets(library: Path) -> Iterator[Snippet]:
    own = [path for path in library.iterdir() if path.stem in sys.stdlib_module_names]
    for path in sorted(found for one in own for found in ([one] if one.is_file() else one.rglob("*.py"))):
        parts = path.relative_to(library).with_suffix("").parts
        if path.suffix == ".py" and not TESTS.intersection(parts):
            module = ".".join(parts).removesuffix(".__init__")
            with tokenize.open(path) as file:
                yield from module_snippets(module, file.read())


def module_snippets(module: str, source: str) -> Iterator[Snippet]:
    """The module body (line 0), then every outermost function of one module, methods included.

    Args:
        module: dotted name; imports of its own package do not count as used modules.
        source: the code.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    own = module.split(".")[0]
    outside = list(_walk_outside_functions(tree))
    imported = _imported(outside, own)
    removed = _import_lines(outside)
    functions = list(_outermost_functions(tree))
    hidden = removed.union(*map(_span, functions))
    body = [line for number, line in enumerate(lines, 1) if number not in hidden]
    yield Snippet(module, 0, _tidy(body), _uses(outside, imported))
    for function in functions:
        nodes = list(ast.walk(function))
        bound, removed = _bound(nodes), _import_lines(nodes)
        visible = {name: top for name, top in imported.items() if name not in bound} | _imported(nodes, own)
        kept = [lines[number - 1] for number in _span(function) if number not in removed]
        yield Snippet(module, function.lineno, _tidy(kept), _uses(nodes, visible))


def _outermost_functions(node: ast.AST) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child
        else:
            yield from _outermost_functions(child)


def _walk_outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield child
            yield from _walk_outside_functions(child)


def _span(node: ast.stmt) -> range:
    """Line numbers of a statement, decorators included."""
    decorators = [one.lineno for one in getattr(node, "decorator_list", [])]
    return range(min([node.lineno, *decorators]), (node.end_lineno or node.lineno) + 1)


def _import_lines(nodes: Iterable[ast.AST]) -> set[int]:
    return {line for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for line in _span(node)}


def _imported(nodes: Iterable[ast.AST], own: str) -> dict[str, str]:
    """Name that an import binds -> top-level module, for modules of the library outside the own package."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {alias.asname or alias.name: node.module.split(".")[0] for alias in node.names}
    return {name: top for name, top in found.items() if top != own and top in sys.stdlib_module_names}


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are arguments or are assigned in a function, and so hide an imported one."""
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return bound


def _uses(nodes: Iterable[ast.AST], imported: dict[str, str]) -> frozenset[str]:
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return frozenset(imported[name] for name in names & imported.keys())


def _tidy(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n")
