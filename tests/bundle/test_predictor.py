"""Predictors: a rule gets as many scores as it asks for."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.bundle import Predictor
from manyhot.data.inputs import SparseColumns
from manyhot.decide import AtLeastOne, Calibrated, MacroAtK, TopK
from manyhot.labels import LabelSpace, Targets
from manyhot.models import KEPT, WIDE, Model

MORE = KEPT + 50
ROWS = SparseColumns(csr_array(np.eye(4, 6, dtype=np.float32)), tuple("abcdef"))
SPACE = LabelSpace(tuple(f"label {number}" for number in range(WIDE)))
TARGETS = Targets.from_index_lists([[0], [1, 2], [3], []], WIDE)


@pytest.mark.parametrize(
    "rule",
    [TopK(MORE), MacroAtK(MORE), AtLeastOne(TopK(MORE)), Calibrated(TopK(MORE))],
    ids=["top k", "macro at k", "at least one", "calibrated"],
)
def test_a_rule_that_takes_more_labels_than_are_kept_gets_them(rule):
    model = Model.build(ROWS, TARGETS, SPACE, encoder="mlp")
    predictor = Predictor(model, rule.fit(model.scores(ROWS), TARGETS, space=SPACE))
    assert [len(labels) for labels in predictor.predict(ROWS)] == [MORE] * 4
    assert np.diff(predictor.kept_scores(ROWS).indptr).tolist() == [MORE] * 4
    assert [len(labels) for labels in predictor.predict(ROWS, topk=3)] == [3] * 4
