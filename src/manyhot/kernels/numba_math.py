"""The words of a formula as machine code that LLVM vectorises: no library call, no branch, no table.

Numba has no vector forms of exp and log of its own. Here each is range reduction, a polynomial and the bits
of the float, which becomes AVX2, AVX-512 or NEON in the loop that calls it. Relative errors are about 1e-7 in
float32 and 1e-15 in float64 (tests/kernels/test_numba_math.py). exp saturates at the largest float, expm1 at
half of it, and exp is 0 where the result would be subnormal; sigmoid and softplus stay at the smallest normal
float.

`words(float32)` are the words in single precision, `words(float64)` in double. `wide_vectors` is for kernels
that call them.
"""

from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from manyhot.kernels.vocabulary import WORDS

# Not "reassoc": regrouping would undo the split of log(2) into two floats, and every compensated sum.
FLAGS = {"nnan", "ninf", "nsz", "arcp", "contract"}

# Minimax fits, highest power first: exp(r) = 1 + r + r^2 EXP(r) on |r| <= log(2)/2,
# log(1 + f) = f - f^2/2 + f^3 LOG(f) for 1 + f in [sqrt(1/2), sqrt(2)], log(1 + e) = e UNIT(e) on [0, 1].
EXP_32 = (1.381459638e-03, 8.368717091e-03, 4.166838809e-02, 1.666652063e-01, 4.999999345e-01)
LOG_32 = (
    -7.634418814e-02,
    1.276193516e-01,
    -1.316037709e-01,
    1.420172360e-01,
    -1.662333523e-01,
    2.000122756e-01,
    -2.500082163e-01,
    3.333333171e-01,
)
UNIT_32 = (
    5.232624085e-03,
    -2.950495754e-02,
    7.822549390e-02,
    -1.366320695e-01,
    1.910598850e-01,
    -2.484297755e-01,
    3.331909622e-01,
    -4.999949311e-01,
    9.999999699e-01,
)
# In double the series themselves are short enough: exp's, and 2 artanh(s) for the logarithm.
EXP_64 = tuple(1 / factorial(k) for k in range(14, 1, -1))
ARTANH_64 = tuple(1 / (2 * k + 1) for k in range(12, 0, -1))


def polynomial(coefficients: tuple[float, ...]) -> Any:
    """A function of x: the polynomial by Horner's rule, unrolled, in the precision of x."""

    @intrinsic
    def horner(context: Any, x: Any) -> Any:  # noqa: ARG001
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            kind = args[0].type
            single = isinstance(kind, ir.FloatType)
            shape = ir.FunctionType(kind, [kind, kind, kind])
            fused = builder.module.declare_intrinsic("llvm.fmuladd", [kind], shape)
            constants = [
                ir.Constant(kind, float(np.float32(c)) if single else float(c)) for c in coefficients
            ]
            result = constants[0]
            for constant in constants[1:]:
                result = builder.call(fused, [result, args[0], constant])
            return result

        return x(x), emit

    return horner


def _recast(to: Any) -> Any:
    """A function that reads the bits of a number as another type of the same size."""

    @intrinsic
    def recast(context: Any, x: Any) -> Any:  # noqa: ARG001
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
            return builder.bitcast(args[0], context.get_value_type(to))

        return to(x), emit

    return recast


@intrinsic
def wide_vectors(context: Any) -> Any:  # noqa: ARG001
    """Let LLVM use all 512 bits of AVX-512 in the kernel that calls this; of no effect elsewhere.

    On processors of Intel it keeps to 256 bits by itself, for fear of a lower clock. The polynomials here
    are a third faster with all.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        # llvmlite refuses attributes that it does not know; LLVM ignores those.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), emit


def _compiled(function: Callable[..., Any]) -> Any:
    return njit(function, fastmath=FLAGS, error_model="numpy", forceinline=True)


@cache
def words(kind: type, known_exponents: bool = False) -> dict[str, Any]:
    """All words in float32 or float64, as Numba functions of one number of that type.

    Beside the words of formulas there are `bits`, the bit pattern as an integer, and `of_bits`.

    Args:
        kind: np.float32 or np.float64.
        known_exponents: whole exponents up to 4 are multiplications. This pays where exponents are constants
            of the compiled code, which then holds one way only.
    """
    single = kind is np.float32
    real: Any = np.float32 if single else np.float64
    whole: Any = np.int32 if single else np.int64
    to_bits = _recast(types.int32 if single else types.int64)
    to_real = _recast(types.float32 if single else types.float64)
    shift, bias = whole(23 if single else 52), whole(127 if single else 1023)
    sign_bit = np.iinfo(whole).min
    lowest, highest = real(-87.336 if single else -708.396), real(88.72283 if single else 709.782)
    fraction_mask = whole((1 << int(shift)) - 1)
    half_bits = whole((int(bias) - 1) << int(shift))
    log2_e, root_half = real(1.4426950408889634), real(0.7071067811865476)
    # log(2) as a number with few digits, which multiplies exactly, and the rest.
    log2_high = real(0.693359375) if single else real(0.693145751953125)
    log2_low = real(np.log(np.longdouble(2)) - np.longdouble(log2_high))
    log_2 = real(0.6931471805599453)
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    largest = real(np.finfo(real).max)
    leading_bits = whole(-(1 << (12 if single else 27)))
    lowest_power, highest_power = real(1 - bias), np.nextafter(real(bias + 1), zero)
    rounder = real(1.5 * 2 ** (23 if single else 52))  # what is added to it loses its fraction
    expm1_series = polynomial(EXP_32 if single else EXP_64)
    exp_series = polynomial((*(EXP_32 if single else EXP_64), 1.0, 1.0))
    log_series = polynomial(LOG_32)
    unit_series = polynomial(UNIT_32)
    artanh_series = polynomial(ARTANH_64)

    @_compiled
    def absolute(x):  # type: ignore[no-untyped-def]
        return abs(x)

    @_compiled
    def where(condition, yes, no):  # type: ignore[no-untyped-def]
        return real(yes) if condition else real(no)

    @_compiled
    def maximum(x, low):  # type: ignore[no-untyped-def]
        return real(x) if x > low else real(low)

    @_compiled
    def minimum(x, high):  # type: ignore[no-untyped-def]
        return real(x) if x < high else real(high)

    @_compiled
    def raised(shifted, r):  # type: ignore[no-untyped-def]
        # 2^n exp(r), n in the last bits of `shifted`: added to the exponent, which costs no multiplication.
        return to_real(whole(to_bits(exp_series(r)) + whole(to_bits(shifted) << shift)))

    @_compiled
    def reduced(x):  # type: ignore[no-untyped-def]
        shifted = x * log2_e + rounder
        n = shifted - rounder
        return shifted, (x - n * log2_high) - n * log2_low

    @_compiled
    def exp(x):  # type: ignore[no-untyped-def]
        shifted, r = reduced(minimum(maximum(x, lowest), highest))
        return zero if x < lowest else raised(shifted, r)

    @_compiled
    def falling_exp(z):  # type: ignore[no-untyped-def]
        # exp(-|z|), never below the smallest normal float: what sigmoid and softplus need.
        shifted, r = reduced(maximum(to_real(whole(to_bits(z) | sign_bit)), lowest))
        return raised(shifted, r)

    @_compiled
    def expm1(x):  # type: ignore[no-untyped-def]
        shifted, r = reduced(minimum(maximum(x, lowest), highest - half))
        unit = raised(shifted, zero)
        return (unit - one) + unit * (r + r * r * expm1_series(r))

    @_compiled
    def split(x):  # type: ignore[no-untyped-def]
        # Exponent and f of x = 2^exponent (1 + f), with 1 + f in [sqrt(1/2), sqrt(2)).
        pattern = to_bits(x)
        exponent = whole(whole(pattern >> shift) - whole(bias - whole(1)))
        fraction = to_real(whole(whole(pattern & fraction_mask) | half_bits))
        small = fraction < root_half
        exponent = whole(exponent - whole(1)) if small else exponent
        return exponent, (fraction + fraction if small else fraction) - one

    @_compiled
    def log_of_fraction(f):  # type: ignore[no-untyped-def]
        if single:
            return f - f * f * (half - f * log_series(f))
        s = f / (two + f)
        square = s * s
        return two * s + two * s * square * artanh_series(square)

    @_compiled
    def log(x):  # type: ignore[no-untyped-def]
        exponent, f = split(x)
        return real(exponent) * log2_high + (real(exponent) * log2_low + log_of_fraction(f))

    @_compiled
    def log1p(x):  # type: ignore[no-untyped-def]
        u = one + x
        return log(u) + (x - (u - one)) / u

    @_compiled
    def power(x, exponent):  # type: ignore[no-untyped-def]
        # 2^(a e + a log2(1 + f)): the large part is exact, so a power of a small number keeps its digits.
        a = real(exponent)
        a_high = to_real(whole(to_bits(a) & leading_bits))
        e, f = split(x)
        large, rest = a_high * real(e), (a - a_high) * real(e) + a * (log_of_fraction(f) * log2_e)
        shifted = minimum(maximum(large + rest, lowest_power), highest_power) + rounder
        r = ((large - (shifted - rounder)) + rest) * log_2
        grown = largest if large + rest > highest_power else raised(shifted, r)
        return zero if (large + rest < lowest_power) | (x <= zero) else grown

    @_compiled
    def multiplied(x, a):  # type: ignore[no-untyped-def]
        square = x * x
        high = square * x if a == real(3) else square * square
        low = x if a == one else (square if a == two else high)
        return one if a == zero else low

    @_compiled
    def is_multiplied(a):  # type: ignore[no-untyped-def]
        return (a == zero) | (a == one) | (a == two) | (a == real(3)) | (a == real(4))

    @_compiled
    def known_power(x, exponent):  # type: ignore[no-untyped-def]
        a = real(exponent)
        return multiplied(x, a) if is_multiplied(a) else power(x, a)

    @_compiled
    def softplus(z):  # type: ignore[no-untyped-def]
        e = falling_exp(z)
        tail = e * unit_series(e) if single else log1p(e)
        return (z if z >= zero else zero) + tail

    @_compiled
    def sigmoid(z):  # type: ignore[no-untyped-def]
        # The reciprocal once for sigmoid(z) and sigmoid(-z).
        e = falling_exp(z)
        r = one / (one + e)
        return r if z >= zero else e * r

    @_compiled
    def sigmoid_power(z, exponent):  # type: ignore[no-untyped-def]
        return exp(-real(exponent) * softplus(-z))

    @_compiled
    def known_sigmoid_power(z, exponent):  # type: ignore[no-untyped-def]
        a = real(exponent)
        return multiplied(sigmoid(z), a) if is_multiplied(a) else sigmoid_power(z, a)

    @_compiled
    def tanh(x):  # type: ignore[no-untyped-def]
        fall = expm1(real(-2) * abs(x))
        size = -fall / (fall + two)
        return size if x >= zero else -size

    @_compiled
    def bits(x):  # type: ignore[no-untyped-def]
        return to_bits(x)

    @_compiled
    def of_bits(pattern):  # type: ignore[no-untyped-def]
        return to_real(whole(pattern))

    found = locals()
    if known_exponents:
        found |= {"power": known_power, "sigmoid_power": known_sigmoid_power}
    return {name: found[name] for name in (*WORDS, "bits", "of_bits")}
