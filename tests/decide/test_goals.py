"""Goals against scikit-learn, and their names."""

import numpy as np
import pytest
from sklearn import metrics as sk

from manyhot.decide import Cost, FBeta, Floor, Jaccard, PerLabelCut, as_goal
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace

PEERS = {
    "f1_macro": sk.f1_score,
    "f2_macro": lambda y, d: sk.fbeta_score(y, d, beta=2),
    "f0.5_macro": lambda y, d: sk.fbeta_score(y, d, beta=0.5),
    "jaccard_macro": sk.jaccard_score,
    "mcc": sk.matthews_corrcoef,
    "balanced_accuracy": sk.balanced_accuracy_score,
}


@pytest.mark.parametrize("name", PEERS)
def test_equals_scikit_learn(name):
    rng = np.random.default_rng(1)
    truth, decisions = rng.random((2, 50)) < 0.4
    counts = (truth & decisions).sum(), (~truth & decisions).sum(), truth.sum(), (~truth).sum()
    assert as_goal(name).value(*counts) == pytest.approx(PEERS[name](truth, decisions))


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("f1_micro", FBeta(1, "micro")),
        ("f0.5_samples", FBeta(0.5, "samples")),
        ("jaccard_samples", Jaccard("samples")),
        ("precision >= 0.9", Floor("precision", 0.9)),
        ("recall>=95%", Floor("recall", 0.95)),
        ("cost(miss=5, false_alarm=1)", Cost(5, 1)),
        ("hamming", Cost(1, 1)),
    ],
)
def test_names(name, goal):
    assert as_goal(name) == goal
    assert as_goal(goal.name) == goal
    assert as_goal(goal) is goal


@pytest.mark.parametrize("wrong", ["f1", "accuracy", "precision > 0.9", "precision >= 1.5"])
def test_what_is_no_goal(wrong):
    with pytest.raises(OptionError, match=r"must be in|is none of the \d+ known"):
        as_goal(wrong)


@pytest.mark.parametrize("measure", ["precision", "recall", "specificity"])
@pytest.mark.parametrize("seed", range(5))
def test_floors_hold_and_leave_the_most(measure, seed):
    rng = np.random.default_rng(seed)
    scores = rng.random((80, 1))
    truth = rng.random((80, 1)) < scores**2
    decided = PerLabelCut(f"{measure} >= 0.8").fit(scores, truth).decide(scores).to_dense()[:, 0] > 0

    def held(chosen):
        tp, fp = (chosen & truth[:, 0]).sum(), (chosen & ~truth[:, 0]).sum()
        parts = {
            "precision": (tp, tp + fp),
            "recall": (tp, truth.sum()),
            "specificity": ((~truth).sum() - fp, (~truth).sum()),
        }
        above, below = parts[measure]
        return above >= 0.8 * below, -fp if measure == "recall" else tp

    best = max(held(scores[:, 0] >= cut) for cut in [*scores[:, 0], 2.0])
    assert held(decided) == best


def test_a_precision_that_no_cut_reaches_is_never_assigned():
    scores, truth = np.array([[0.9], [0.8], [0.1]]), np.array([[False], [True], [False]])
    assert PerLabelCut("precision >= 0.9").fit(scores, truth).cuts[0] == np.inf


def test_different_goals_for_different_labels():
    rng = np.random.default_rng(0)
    scores, space = rng.random((100, 3)), LabelSpace(("a", "b", "c"))
    truth = rng.random((100, 3)) < scores
    goals = {"*": "f1_macro", "b": "recall >= 0.95"}
    both = PerLabelCut(goals, strength=0, balance=0).fit(scores, truth, space=space)
    alone = {goal: PerLabelCut(goal, strength=0, balance=0).fit(scores, truth) for goal in goals.values()}
    assert both.cuts[1] == alone["recall >= 0.95"].cuts[1]
    assert both.cuts[0] == alone["f1_macro"].cuts[0]
    with pytest.raises(OptionError, match="no goal for label 'a' and 1 more"):
        PerLabelCut({"b": "mcc"}).fit(scores, truth, space=space)
