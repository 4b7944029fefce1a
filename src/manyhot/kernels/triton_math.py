"""The words of formulas for Triton, each a function of its own so that the interpreter can run it too.

In float32 the errors are about 2e-7 relative where the GPU's own exponential is that good: below exp(-16) its
error grows with the exponent, to 3e-6 at exp(-80).
"""

import triton
import triton.language as tl

from manyhot.kernels.vocabulary import WORDS

# u^2 Q(u) = u - log1p(u) on [0, 1], relative error of log1p 3e-8: Chebyshev interpolation of Q.
Q8 = tl.constexpr(0.004466211601265708)
Q7 = tl.constexpr(-0.0252240543466626)
Q6 = tl.constexpr(0.06675772506317361)
Q5 = tl.constexpr(-0.11561845446366749)
Q4 = tl.constexpr(0.1584756572047945)
Q3 = tl.constexpr(-0.1985410623120243)
Q2 = tl.constexpr(0.24986526168187279)
Q1 = tl.constexpr(-0.33332841887371345)
Q0 = tl.constexpr(0.4999999698308403)


@triton.jit
def exp(x):
    """e to the x."""
    return tl.exp(x)


@triton.jit
def expm1(x):
    """exp(x) - 1, exact for small x: the rounding of exp(x) is undone by its logarithm."""
    near = tl.exp(x)
    less = near - 1.0
    small = (tl.abs(x) < 0.7) & (near != 1.0)
    exact = less * (x / tl.log(tl.where(small, near, 2.0)))
    return tl.where(small, exact, tl.where(near == 1.0, x, less))


@triton.jit
def log(x):
    """Natural logarithm of x > 0."""
    return tl.log(x)


@triton.jit
def log1p(x):
    """log(1 + x) for x > -1, exact for small x: what rounding takes from 1 + x is added again."""
    near = 1.0 + x
    return tl.where(near == x, tl.log(near), tl.log(near) - ((near - 1.0) - x) / near)


@triton.jit
def where(condition, yes, no):
    """`yes` where the condition holds, else `no`."""
    return tl.where(condition, yes, no)


@triton.jit
def maximum(x, low):
    """The larger of the two; NaN stays."""
    return tl.maximum(x, low, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(x, high):
    """The smaller of the two; NaN stays."""
    return tl.minimum(x, high, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def absolute(x):
    """Size without sign."""
    return tl.abs(x)


@triton.jit
def power(x, exponent):
    """x to the exponent for x >= 0; anything to the 0 is 1."""
    return tl.where(exponent == 0.0, 1.0, tl.exp2(exponent * tl.log2(x)))


@triton.jit
def sigmoid(z):
    """1 / (1 + exp(-z)), exact in both tails."""
    e = tl.exp(-tl.abs(z))
    share = 1.0 / (1.0 + e)
    return tl.where(z >= 0.0, share, e * share)


@triton.jit
def softplus(z):
    """log(1 + exp(z)), exact in both tails."""
    u = tl.exp(-tl.abs(z))
    if u.dtype == tl.float64:
        near = 1.0 + u
        rest = tl.log(near) - ((near - 1.0) - u) / near
    else:
        # Multiplications, of which a GPU does eight in the time of one logarithm or division.
        q = Q8 * u + Q7
        q = q * u + Q6
        q = q * u + Q5
        q = q * u + Q4
        q = q * u + Q3
        q = q * u + Q2
        q = q * u + Q1
        q = q * u + Q0
        rest = u - u * u * q
    return tl.maximum(z, 0.0) + rest


@triton.jit
def sigmoid_power(z, exponent):
    """sigmoid(z) to the exponent >= 0."""
    return exp(-exponent * softplus(-z))


@triton.jit
def tanh(x):
    """Hyperbolic tangent, exact for small x."""
    e = expm1(-2.0 * tl.abs(x))
    size = -e / (e + 2.0)
    return tl.where(x < 0.0, -size, size)


BOUND = {word: globals()[word] for word in WORDS}
"""Every word a formula may be written in."""
