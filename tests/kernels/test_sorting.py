"""Descending orders against NumPy's stable sort, on the floats that are easy to get wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from manyhot.kernels.sorting import descending_key, passes_for, score_bits, sign_of, sort_keys


def descending_order(scores):
    bits = score_bits(scores)
    keys = np.array([descending_key(each, sign_of(bits)) for each in bits], bits.dtype)
    order = np.arange(len(scores), dtype=np.int32)
    sort_keys(keys, order, np.empty_like(keys), np.empty_like(order), passes_for(bits))
    return order


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_a_stable_descending_sort(dtype, data):
    width = 32 if dtype == np.float32 else 64
    scores = data.draw(
        hnp.arrays(
            dtype,
            st.integers(1, 40),
            elements=st.floats(allow_nan=False, width=width) | st.sampled_from([0.0, -0.0, 1.0]),
        )
    )
    np.testing.assert_array_equal(descending_order(scores), np.argsort(-scores, kind="stable"))


def test_many_scores_with_ties_keep_their_order():
    scores = np.random.default_rng(0).integers(-50, 50, 50_000).astype(np.float32) / 7
    np.testing.assert_array_equal(descending_order(scores), np.argsort(-scores, kind="stable"))


def test_integers_and_half_precision_sort_as_they_are():
    whole = np.array([3, -1, 2])
    assert descending_order(whole).tolist() == [0, 2, 1]
    assert descending_order(whole.astype(np.float16)).tolist() == [0, 2, 1]
