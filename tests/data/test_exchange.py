"""Exchanges: nearer to the shares, never another size, never a fixed unit, never the last with a label."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from manyhot.data.exchange import exchange


def chi_square(evidence: np.ndarray, part: np.ndarray, weights: np.ndarray) -> float:
    distance = 0.0
    for number in range(part.max() + 1):
        wanted = evidence.sum(0) * weights[part == number].sum() / weights.sum()
        found = evidence[part == number].sum(0)
        distance += float((np.square(found - wanted)[wanted > 0] / wanted[wanted > 0]).sum())
    return distance


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 40), st.integers(1, 5), st.booleans())
def test_it_only_improves_and_keeps_its_promises(seed: int, units: int, labels: int, grouped: bool) -> None:
    random = np.random.default_rng(seed)
    evidence = (random.random((units, labels)) < 0.3) * (
        random.integers(1, 4, (units, 1)) if grouped else 1.0
    )
    weights = random.integers(1, 4, units) if grouped else np.ones(units, np.int64)
    part = np.concatenate([[0, 1, 2], random.integers(0, 3, units - 3)]).astype(np.int8)
    fixed = random.random(units) < 0.2
    before = part.copy()
    after = exchange(csr_array(evidence), part, weights, np.ones(labels), fixed=fixed, covered=labels)
    np.testing.assert_array_equal(part, before)
    np.testing.assert_array_equal(np.bincount(after, weights), np.bincount(before, weights))
    np.testing.assert_array_equal(after[fixed], before[fixed])
    assert chi_square(evidence, after, weights) <= chi_square(evidence, before, weights) + 1e-9
    for number in range(3):
        assert not (evidence[before == number].any(0) & ~evidence[after == number].any(0)).any()


def test_two_swapped_rows_are_put_right() -> None:
    evidence = csr_array(np.array([[1.0], [1], [0], [0]]))
    after = exchange(
        evidence,
        np.array([0, 0, 1, 1], np.int8),
        np.ones(4, np.int64),
        np.ones(1),
        fixed=np.zeros(4, bool),
        covered=1,
    )
    assert np.bincount(after[:2]).tolist() == [1, 1]
