"""scikit-learn's own checks; what cannot pass is named with its reason, and must fail (strictly)."""

import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.fixes import parse_version

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
# 1.6 alone writes the two classes of its matrix of one label as 1 and 2
EARLY = dict.fromkeys(
    (
        "check_estimators_overwrite_params",
        "check_dont_overwrite_parameters",
        "check_estimators_fit_returns_self",
        "check_readonly_memmap_input",
        "check_dtype_object",
        "check_estimators_empty_data_messages",
        "check_pipeline_consistency",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_dict_unchanged",
        "check_fit_check_is_fitted",
        "check_fit2d_predict1d",
    ),
    "feeds a column of 1 and 2 for a label; the wrapper is for label sets, and says so",
)
if parse_version(sklearn.__version__) < parse_version("1.7"):
    WRAPPER |= EARLY
RANDOM = "decides by chance: not as its probabilities do, and each call draws row after row"
BATCHES = "trained in batches: two rows of weight 1 are not seen when one row of weight 2 is"
NEIGHBOURS = "a row that is there twice is its own neighbour; one of weight 2 is not"
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
    "MLkNN": {
        "check_sample_weight_equivalence_on_dense_data": NEIGHBOURS,
        "check_sample_weight_equivalence_on_sparse_data": NEIGHBOURS,
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


def checks(*estimators):
    """As scikit-learn's parametrize_with_checks, whose xfail_strict came after 1.6."""
    return [case(*pair) for estimator in estimators for pair in estimator_checks_generator(estimator)]


def case(estimator, check):
    name, reasons = check.func.__name__, expected_failures(estimator)
    marks = [pytest.mark.xfail(reason=reasons[name], strict=True)] if name in reasons else []
    return pytest.param(estimator, check, marks=marks, id=f"{estimator}-{name}{check.keywords or ''}")


@pytest.mark.parametrize(
    ("estimator", "check"),
    checks(
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
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"), checks(ManyHotClassifier("linear", epochs=30, learning_rate=0.05))
)
def test_scikit_learn_checks_of_trained_models(estimator, check):
    check(estimator)
