"""Formulas as Python source that an engine compiles: literals in the right precision, in a file of its own.

Compilers keep machine code only for functions that come from a file. So each kernel is written once, as a
small module named by the hash of all that it depends on, to a cache folder; Numba puts the machine code
beside it, Triton into its own cache, and the next process starts in a fraction of a second.

A kernel's header gives `part`, which marks a function that a kernel calls, `real`, which makes a number one
of the kernel's precision, and the words of formulas.
"""

import ast
import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
import textwrap
import threading
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from manyhot.kernels.formula import Formula, helpers

_loading = threading.RLock()  # a module is in sys.modules before it is whole


def definitions(formulas: dict[str, Formula]) -> str:
    """Source of the formulas under the given names, and of the functions they call, each compiled as a part.

    Raises:
        OSError: a formula has no source, as one typed at a prompt.
        SyntaxError: two different functions have one name.
    """
    written: dict[str, tuple[Any, str]] = {}
    for name, formula in formulas.items():
        for helper in helpers(formula):
            _write(helper.__name__, helper, written)
        _write(name, formula, written)
    return "\n\n".join(source for _, source in written.values())


def module_of(text: str, surroundings: str) -> ModuleType:
    """The module of a kernel's source, from the cache folder where it is kept.

    Args:
        text: the whole source.
        surroundings: what the machine code depends on beside it.
    """
    name = "manyhot_kernel_" + hashlib.sha256((text + surroundings).encode()).hexdigest()[:24]
    with _loading:
        if name in sys.modules:
            return sys.modules[name]
        path = _kept(cache_folder(), name, text)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module


@cache
def cache_folder() -> Path:
    """MANYHOT_CACHE_DIR, or the user's cache folder; a temporary one where neither can be written."""
    if given := os.environ.get("MANYHOT_CACHE_DIR"):
        folder = Path(given)
    elif os.name == "nt":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home())) / "manyhot" / "cache"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manyhot"
    folder = folder / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="manyhot-kernels-"))


def _kept(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    if not path.exists() or path.read_text() != text:  # never import what is not exactly ours
        aside = folder / f"{name}.{os.getpid()}.tmp"
        aside.write_text(text)
        aside.replace(path)
    return path


def _write(name: str, formula: Formula, written: dict[str, tuple[Any, str]]) -> None:
    function = getattr(formula, "__func__", formula)
    if name in written:
        if written[name][0] is not function:
            raise SyntaxError(f"two different formulas are called {name}")
        return
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(tree, ast.FunctionDef) or not isinstance(function, FunctionType):
        raise SyntaxError(f"{name} is not a plain function")
    tree.name, tree.returns = name, None
    tree.decorator_list = [ast.Name("part", ast.Load())]
    for argument in tree.args.args:
        argument.annotation = None
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    tree = ast.fix_missing_locations(_Precise(function.__globals__).visit(tree))
    written[name] = function, ast.unparse(tree)


class _Precise(ast.NodeTransformer):
    """Makes every number of a formula one of the kernel's precision: a bare 1.0 would widen all."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """A literal."""
        return _real(node.value, node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """An element of a tuple, whose place stays an integer."""
        node.value = self.visit(node.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A number of the formula's module."""
        return _real(self.names.get(node.id), node)


def _real(value: Any, node: ast.AST) -> ast.AST:
    """A call that makes the value a real number of the kernel; the node itself if it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return node
    return ast.Call(ast.Name("real", ast.Load()), [ast.Constant(float(value))], [])
