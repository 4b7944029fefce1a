import math

import numpy as np
import pytest

from manyhot.data.doctor.label_counts import label_frequencies
from manyhot.labels import Targets


def test_imbalance_by_hand():
    """Counts 4, 2, 1, 0: IRLbl 1, 2, 4, inf; MeanIR 7/3 over those that occur; CVIR = deviation / MeanIR."""
    dense = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
    found = label_frequencies(Targets.from_dense(dense))
    assert found.imbalance.tolist() == [1, 2, 4, math.inf]
    assert found.mean_imbalance == pytest.approx(7 / 3)
    deviation = math.sqrt(sum((ratio - 7 / 3) ** 2 for ratio in (1, 2, 4)) / 2)
    assert found.imbalance_variation == pytest.approx(deviation / (7 / 3))
    assert found.prevalence.tolist() == [1, 0.5, 0.25, 0]


def test_prevalence_leaves_unknown_cells_out():
    found = label_frequencies(Targets.from_dense(np.array([[1, np.nan], [0, np.nan], [np.nan, np.nan]])))
    assert found.known.tolist() == [2, 0]
    assert found.prevalence[0] == 0.5
    assert math.isnan(found.prevalence[1])


def test_bands_of_the_long_tail():
    counts = [250, 100, 99, 10, 9, 1, 0]
    dense = np.zeros((250, len(counts)))
    for label, count in enumerate(counts):
        dense[:count, label] = 1
    found = label_frequencies(Targets.from_dense(dense))
    assert (found.head, found.torso, found.tail, found.absent) == (2, 2, 2, 1)


def test_nothing_positive_has_no_imbalance():
    found = label_frequencies(Targets.negative(3, 2))
    assert math.isnan(found.mean_imbalance)
    assert found.absent == 2
