"""scikit-learn's own checks; what cannot pass is named with its reason, and must fail (strictly)."""

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from manyhot.estimators import (
    DummyManyHot,
    LabelPowerset,
    LinearManyHot,
    ManyHotClassifier,
    MLkNN,
    ProbabilisticChain,
    RAkEL,
    ThresholdTuned,
    adapt,
)

CLASSES = "feeds a vector of class ids; the wrapper is for label sets, and says so"
WRAPPER = dict.fromkeys(
    (
        "check_estimators_dtypes",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_classifier_data_not_an_array",
        "check_classifiers_one_label_sample_weights",
        "check_classifiers_classes",
        "check_classifiers_train",
        "check_classifier_not_supporting_multiclass",
        "check_fit2d_1feature",
    ),
    CLASSES,
)
RANDOM = "decides by chance: not as its probabilities do, and each call draws row after row"
BATCHES = "trained in batches: two rows of weight 1 are not seen when one row of weight 2 is"
DRAWN = "landmarks are drawn among the rows: other rows, or a row twice, are other landmarks"
LANDMARKS = {
    "check_sample_weight_equivalence_on_dense_data": DRAWN,
    "check_sample_weight_equivalence_on_sparse_data": DRAWN,
}
EXPECTED = {
    "adapt": {
        **WRAPPER,
        "check_classifiers_multilabel_output_format_predict_proba": "a forest says 0, the check wants > 0",
        "check_supervised_y_no_nan": CLASSES,
    },
    "ThresholdTuned": {
        **WRAPPER,
        "check_classifier_multioutput": "wants predict to be predict_proba rounded; tuned cuts are not 0.5",
        "check_decision_proba_consistency": CLASSES,
    },
    "ManyHotClassifier": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
        "check_sample_weight_equivalence_on_sparse_data": BATCHES,
        "check_classifier_multioutput": "wants predict to be predict_proba rounded; tuned cuts are not 0.5",
    },
    "DummyManyHot": dict.fromkeys(
        (
            "check_classifiers_train",
            "check_methods_sample_order_invariance",
            "check_methods_subset_invariance",
        ),
        RANDOM,
    ),
}


def expected_failures(estimator):
    if isinstance(estimator, DummyManyHot) and estimator.strategy != "random":
        return {}
    if isinstance(estimator, LinearManyHot):
        return LANDMARKS if estimator.landmarks else {}
    return EXPECTED.get(type(estimator).__name__, {})


@parametrize_with_checks(
    [
        LinearManyHot(),
        LinearManyHot("logistic"),
        LinearManyHot("squared"),
        LinearManyHot("squared", landmarks=20),
        DummyManyHot(),
        DummyManyHot("zero"),
        DummyManyHot("random"),
        adapt(RandomForestClassifier(5, random_state=0)),
        ThresholdTuned(LinearManyHot()),
        ProbabilisticChain(LogisticRegression(max_iter=1000), beam=64),
        LabelPowerset(LogisticRegression(max_iter=1000)),
        RAkEL(LogisticRegression(max_iter=1000), disjoint=True),
        MLkNN(k=3),
    ],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [ManyHotClassifier("linear", epochs=30, learning_rate=0.05)],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_checks_of_trained_models(estimator, check):
    check(estimator)
