"""The polynomials against NumPy's long double, over the whole range."""

import numpy as np
import pytest
from numba import njit

from manyhot.kernels.numba_math import words

rng = np.random.default_rng(0)
LIMIT = {np.float32: 4e-7, np.float64: 2e-15}
SMALL = rng.normal(scale=1e-4, size=20_000)
WIDE = np.concatenate([np.linspace(-87.3, 88.0, 100_001), SMALL, [0.0]])
POSITIVE = np.concatenate([np.exp(rng.uniform(-87, 88, 100_000)), 1 + SMALL])
UNIT = np.concatenate([rng.uniform(-0.999, 3.0, 100_000), SMALL])


def softplus(x):
    return np.logaddexp(np.longdouble(0), x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


CASES = {
    "exp": (np.exp, WIDE),
    "expm1": (np.expm1, WIDE),
    "log": (np.log, POSITIVE),
    "log1p": (np.log1p, UNIT),
    "softplus": (softplus, WIDE),
    "sigmoid": (sigmoid, WIDE),
    "tanh": (np.tanh, WIDE),
}


def over(name, kind, x, *more, known_exponents=False):
    word = words(kind, known_exponents)[name]

    @njit
    def run(x, out, more):
        for i in range(len(x)):
            out[i] = word(x[i], *more)

    out = np.empty_like(x)
    run(x, out, tuple(kind(m) for m in more))
    return out


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_words_agree_with_long_double(name, kind):
    function, values = CASES[name]
    x = values.astype(kind)
    expected = function(x.astype(np.longdouble))
    normal = np.abs(expected) > 2 * np.finfo(kind).tiny
    error = np.abs(over(name, kind, x) - expected)[normal] / np.abs(expected)[normal]
    assert error.max() < LIMIT[kind]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
def test_powers(kind, exponent, known):
    x = np.exp(rng.uniform(-20, 0, 50_000)).astype(kind)
    expected = x.astype(np.longdouble) ** np.longdouble(exponent)
    found = over("power", kind, x, exponent, known_exponents=known)
    assert (np.abs(found - expected) / expected).max() < LIMIT[kind]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
def test_powers_of_a_probability(kind, exponent, known):
    z = np.linspace(-20, 80, 50_001).astype(kind)
    expected = sigmoid(z.astype(np.longdouble)) ** np.longdouble(exponent)
    found = over("sigmoid_power", kind, z, exponent, known_exponents=known)
    # By its logarithm a power has the rounding of the exponent, up to 80 here.
    assert (np.abs(found - expected) / expected).max() < (5 if known else 25) * LIMIT[kind]


def test_far_arguments_saturate():
    far = np.array([1e38, -1e38, 1e4, -1e4, 89.0, -88.0], np.float32)
    assert np.isfinite(over("exp", np.float32, far)).all()
    assert (over("exp", np.float32, far)[[1, 3, 5]] == 0).all()
    np.testing.assert_allclose(over("softplus", np.float32, far), np.maximum(far, 0), atol=2e-38)
    np.testing.assert_allclose(over("sigmoid", np.float32, far), far > 0, atol=2e-38)
    np.testing.assert_allclose(over("tanh", np.float32, far), np.sign(far), rtol=1e-7)
    assert over("power", np.float32, np.zeros(1, np.float32), 4.0)[0] == 0


def every_float32(step=16411):
    """Patterns of all signs, exponents and fractions, and the edges; no subnormal, infinity or NaN."""
    edges = np.array([0.0, -0.0, 1.0, -1.0, *np.finfo(np.float32).max * np.array([1, -1])], np.float32)
    x = np.concatenate([np.arange(0, 1 << 32, step, np.uint32).view(np.float32), edges])
    return x[np.isfinite(x) & ((np.abs(x) >= np.finfo(np.float32).tiny) | (x == 0))]


def test_bits_and_back():
    x = rng.normal(size=1000).astype(np.float32)
    there, back = (words(np.float32)[name] for name in ("bits", "of_bits"))

    @njit
    def run(x, out):
        for i in range(len(x)):
            out[i] = back(there(x[i]))

    out = np.empty_like(x)
    run(x, out)
    np.testing.assert_array_equal(out, x)
    assert njit(lambda value: there(value))(np.float32(1)) == 0x3F800000


DOMAINS = {"log": (0.0, np.inf), "log1p": (-1.0, np.inf), "power": (0.0, np.inf)}
SATURATES = {"exp": 3.4e38, "power": 3.4e38, "expm1": 2.06e38}
NAMED = {name: function for name, (function, _) in CASES.items()} | {
    "power": lambda x: x ** np.longdouble(np.float32(1.7))
}


@pytest.mark.parametrize("name", NAMED)
def test_all_of_float32(name):
    low, high = DOMAINS.get(name, (-np.inf, np.inf))
    x = every_float32()
    x = x[(x > low) & (x < high)]
    found = over(name, np.float32, x, *([1.7] if name == "power" else []))
    assert np.isfinite(found).all()
    with np.errstate(over="ignore", under="ignore"):
        expected = NAMED[name](x.astype(np.longdouble))
    limit, tiny = SATURATES.get(name, np.inf), np.longdouble(2 * np.finfo(np.float32).tiny)
    exact = np.abs(expected) < limit
    assert (np.abs(found - expected) <= 4e-7 * np.abs(expected) + tiny)[exact].all()
    assert (found[~exact] >= 0.999 * limit).all()
