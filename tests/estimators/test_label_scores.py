import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from manyhot.errors import InputError
from manyhot.estimators.label_scores import gives, label_scores, last_step, plain_matrix, scoring_method
from manyhot.labels import Targets


class Silent(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        return self


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(80, 5, n_classes=3, random_state=0)
    return X / X.max(), y


def test_pipelines_and_searches_hand_rows_to_their_last_step(data):
    X, y = data
    scaled = StandardScaler().fit_transform(X)
    margins = np.column_stack([LinearSVC().fit(scaled, y[:, j]).decision_function(scaled) for j in range(3)])
    pipe = make_pipeline(StandardScaler(), MultiOutputClassifier(LinearSVC()))
    for model in (pipe, GridSearchCV(pipe, {"multioutputclassifier__estimator__C": [1.0]}, cv=2)):
        assert scoring_method(model) == "decision_function"
        assert isinstance(last_step(model), MultiOutputClassifier)
        np.testing.assert_allclose(label_scores(model.fit(X, y), X, 3), margins)


def test_a_single_label_is_a_vector_but_for_those_that_want_a_matrix():
    single = Targets.from_dense(np.array([[1.0], [np.nan]]))
    assert plain_matrix(single, RandomForestClassifier()).tolist() == [1, 0]
    pipe = make_pipeline(StandardScaler(), MultiOutputClassifier(LogisticRegression()))
    assert plain_matrix(single, pipe).tolist() == [[1], [0]]


def test_what_does_not_score_says_so(data):
    X, y = data
    assert not gives(MultiOutputClassifier(Silent()), "predict_proba")
    with pytest.raises(InputError, match="Silent has neither predict_proba nor decision_function; take"):
        label_scores(Silent().fit(X, y), X, 3)
    with pytest.raises(InputError, match=r"LinearSVC has no predict_proba; manyhot.estimators.adapt"):
        label_scores(LinearSVC().fit(X, y[:, 0]), X, 1, "predict_proba")
    with pytest.raises(InputError, match="gave 2 columns for 3 labels"):
        label_scores(LogisticRegression().fit(X, y[:, 0]), X, 3)
