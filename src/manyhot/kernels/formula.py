"""A formula: a plain function of one logit and named constants, written once for every engine.

    def negative(z, gamma):
        focus = exp(-gamma * softplus(-z))
        return focus * softplus(z), ...        # the value, and its derivative by z

Two functions of this kind, one for cells whose label applies and one for those where it does not, are a
pointwise loss. `bind` re-creates such a function with other meanings of its words.
"""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeAlias

from manyhot.kernels.words import WORDS

Scalar: TypeAlias = Any  # one number to a formula: a tensor, an array or a machine float to its engine
Curve: TypeAlias = tuple[Any, Any]  # value and slope
Formula: TypeAlias = Callable[..., Curve]


def constant_names(formula: Formula) -> tuple[str, ...]:
    """Names of the arguments after the logit; a loss gives each by an attribute of that name."""
    code = _plain(formula).__code__
    return code.co_varnames[1 : code.co_argcount]


def bind(formula: Formula, words: Mapping[str, Any]) -> Formula:
    """The same code with other words, e.g. those of NumPy, keras.ops or a compiler.

    Functions of the formula's own module that it calls are bound as well; everything else it names keeps
    its meaning.
    """
    return _bound(_plain(formula), dict(words), {})


def helpers(formula: Formula) -> list[FunctionType]:
    """Functions that a formula calls beside its words, callees first."""
    found: dict[FunctionType, None] = {}
    _collect(_plain(formula), found)
    return list(found)


def _bound(
    function: FunctionType, words: dict[str, Any], done: dict[FunctionType, FunctionType]
) -> FunctionType:
    if function in done:
        return done[function]
    names: dict[str, Any] = {"__builtins__": __builtins__}
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    done[function] = copy
    for name in function.__code__.co_names:
        if name in words:
            names[name] = words[name]
        elif name in function.__globals__:
            value = function.__globals__[name]
            names[name] = _bound(value, words, done) if isinstance(value, FunctionType) else value
    return copy


def _collect(function: FunctionType, found: dict[FunctionType, None]) -> None:
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if name not in WORDS and isinstance(value, FunctionType) and value not in found:
            _collect(value, found)
            found[value] = None


def _plain(formula: Any) -> FunctionType:
    function = getattr(formula, "__func__", formula)
    if not isinstance(function, FunctionType):
        raise TypeError(f"a formula is a plain function, got {formula!r}")
    return function
