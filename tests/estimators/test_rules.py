"""Every rule of `manyhot.decide` in every estimator that takes one; and goals against scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, fbeta_score, jaccard_score, matthews_corrcoef
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from manyhot.decide import (
    RULES,
    AtLeastOne,
    Calibrated,
    CostCut,
    ExpectedF,
    GroupArgmax,
    MacroAtK,
    PerLabelCut,
    ReviewBudget,
)
from manyhot.errors import InputError, OptionError
from manyhot.estimators import LinearManyHot, ManyHotClassifier, ThresholdTuned
from manyhot.estimators.rules import fitted_rule, goal_value, wants_probabilities
from manyhot.labels import LabelSpace, Targets

SPACE = LabelSpace(tuple("abcd"))


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(120, 8, n_classes=4, n_labels=2, random_state=0)
    return X / X.max(), y


ESTIMATORS = {
    "forest": lambda rule: ThresholdTuned(RandomForestClassifier(10, random_state=0), rule=rule, cv=3),
    "linear": lambda rule: LinearManyHot(rule=rule),
    "trained": lambda rule: ManyHotClassifier("linear", epochs=5, rule=rule),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("rule", [*map(RULES.get, RULES), lambda: Calibrated(ExpectedF())])
def test_any_rule_fits_with_the_goal_left_to_it(data, estimator, rule):
    X, y = data
    model = ESTIMATORS[estimator](rule()).fit(X, y)
    decided = model.predict_targets(X)
    assert decided.shape == y.shape
    scores = model.predict_proba(X)
    if getattr(model, "decides_on_", "") == "decision_function":
        scores = model.decision_function(X)
    assert decided == model.rule_.decide(scores)


def test_rules_of_probabilities_are_given_these(data):
    X, y = data
    assert (LinearManyHot(rule=MacroAtK(2)).fit(X, y).predict(X).sum(axis=1) == 2).all()
    model = LinearManyHot("logistic", rule=CostCut({"*": (9.0, 1.0)}, calibrated=True)).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) >= 0.1)
    assert wants_probabilities(AtLeastOne(GroupArgmax(ExpectedF())))
    assert not wants_probabilities(Calibrated(ExpectedF()))
    margins = ThresholdTuned(OneVsRestClassifier(LinearSVC()), rule=ExpectedF(), cv=3)
    with pytest.raises(InputError, match=r"expected probabilities .*Calibrated"):
        margins.fit(X, y)
    margins.set_params(rule=Calibrated(ExpectedF())).fit(X, y)


def test_a_goal_beside_a_rule_that_has_its_own_is_refused(data):
    X, y = data
    for model in (
        ThresholdTuned(RandomForestClassifier(3), goal="f1_macro", rule=ReviewBudget(0.2), cv=3),
        LinearManyHot(goal="f1_macro", rule=ReviewBudget(0.2)),
    ):
        with pytest.raises(OptionError, match="within its budget, got the goal 'f1_macro'"):
            model.fit(X, y)


@pytest.mark.parametrize("rule", [None, PerLabelCut(strength=0, balance=0), ReviewBudget(0.5)])
def test_a_row_of_weight_2_is_a_row_that_is_there_twice(rule):
    rng = np.random.default_rng(0)
    scores = rng.random((90, 4))
    targets = Targets.from_dense(rng.random((90, 4)) < scores)
    weight = np.where(np.arange(90) % 2, 2.0, 1.0)
    twice = np.repeat(np.arange(90), weight.astype(int))
    weighed = fitted_rule(rule, scores, targets, SPACE, weight=weight)
    repeated = fitted_rule(rule, scores[twice], targets.rows(twice), SPACE)
    plain = fitted_rule(rule, scores, targets, SPACE)
    np.testing.assert_allclose(weighed.cuts, repeated.cuts)
    assert not np.allclose(weighed.cuts, plain.cuts)


def by_label(metric, truth, decided, weight):
    return np.mean([metric(truth[:, j], decided[:, j], sample_weight=weight) for j in range(4)])


def test_goals_are_valued_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    truth, decided = rng.random((50, 4)) < 0.4, rng.random((50, 4)) < 0.5
    weight = rng.random(50)

    def value(goal):
        return goal_value(goal, Targets.from_dense(decided), Targets.from_dense(truth), SPACE, weight)

    options = {"sample_weight": weight, "zero_division": 0}
    for average in ("macro", "micro", "samples"):
        wanted = fbeta_score(truth, decided, beta=2, average=average, **options)
        assert value(f"f2_{average}") == pytest.approx(wanted)
        assert value(f"jaccard_{average}") == pytest.approx(
            jaccard_score(truth, decided, average=average, **options)
        )
    assert value("mcc") == pytest.approx(by_label(matthews_corrcoef, truth, decided, weight))
    balanced = by_label(balanced_accuracy_score, truth, decided, weight)
    assert value("balanced_accuracy") == pytest.approx(balanced)
    wrong = np.average(truth != decided, axis=0, weights=weight)
    assert value("hamming") == pytest.approx(-wrong.mean())
    mixed = value({"*": "mcc", "b": "hamming", "d": "hamming"})
    mcc = [matthews_corrcoef(truth[:, j], decided[:, j], sample_weight=weight) for j in (0, 2)]
    assert mixed == pytest.approx((sum(mcc) - wrong[1] - wrong[3]) / 4)
    assert value("precision >= 0.99") < value("precision >= 0.01")


def test_unknown_cells_are_no_part_of_a_value():
    truth = np.array([[1, 0], [np.nan, 1], [0, np.nan], [1, 1.0]])
    decided = Targets.from_dense(np.array([[1, 0], [1, 1], [1, 1], [0, 1]]))
    space, weight = LabelSpace(("a", "b")), np.ones(4)
    # a: tp 1, fp 1, fn 1; b: tp 2; each label has three known cells of four
    found = {
        goal: goal_value(goal, decided, Targets.from_dense(truth), space, weight)
        for goal in ("f1_macro", "hamming")
    }
    assert found["f1_macro"] == pytest.approx((0.5 + 1) / 2)
    assert found["hamming"] == pytest.approx(-2 / 4 / 2)
