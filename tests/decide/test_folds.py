"""Points with a fold held out are the points of the other rows alone."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.decide.folds import FoldedPoints
from manyhot.decide.points import operating_points
from manyhot.labels import Targets

GRID = np.array([0.75, 0.5, 0.25])


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("seed", range(5))
def test_a_held_out_fold_leaves_no_trace(form, seed):
    rng = np.random.default_rng(seed)
    scores = form(rng.integers(1, 17, (60, 4)) / 16)  # ties within and across folds
    truth = (rng.random((60, 4)) < [0.5, 0.2, 0.05, 0.0]).astype(float)
    truth[rng.random((60, 4)) < 0.1] = np.nan
    targets, fold = Targets.from_dense(truth), rng.permutation(60) % 3
    folds = [(scores[fold == k], targets.rows(fold == k), None) for k in range(3)]
    folded = FoldedPoints.of(folds, GRID)
    for held in (None, 0, 1, 2):
        inside = np.flatnonzero(fold != held)
        alone, found = operating_points(scores[inside], targets.rows(inside), GRID), folded.without(held)
        for name in ("cuts", "below", "tp", "fp", "starts", "positives", "negatives"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name), err_msg=name)
