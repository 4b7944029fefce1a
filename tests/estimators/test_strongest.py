import numpy as np
from scipy.sparse import issparse

from manyhot.decide import PerLabelCut
from manyhot.estimators import strongest as module
from manyhot.estimators.strongest import strongest
from manyhot.labels import Targets


def test_few_scores_stay_and_many_keep_each_labels_highest(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2000, 30)).astype(np.float32)
    targets = Targets.from_dense(rng.random((2000, 30)) < 1 / (1 + np.exp(5 - 2 * scores)))
    assert strongest(scores, targets) is scores
    monkeypatch.setattr(module, "LEAST_CELLS", 100)
    kept = strongest(scores, targets)
    assert issparse(kept)
    ranks = np.minimum(8 * targets.label_counts() + 50, 2000)
    np.testing.assert_array_equal(np.diff(kept.tocsc().indptr), ranks)
    np.testing.assert_allclose(
        PerLabelCut(balance=0.3).fit(kept, targets).cuts,
        PerLabelCut(balance=0.3).fit(scores, targets).cuts,
        atol=0.05,
    )
