"""The solved linear model beside LinearSVC of scikit-learn, its probabilities beside maximum likelihood."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from manyhot.data import SparseColumns, Texts
from manyhot.errors import OptionError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models import Model
from manyhot.train import solve_linear
from manyhot.train.solver import platt

ROWS, WIDTH = 400, 30


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    matrix = csr_array(random_array((ROWS, WIDTH), density=0.3, rng=random, dtype=np.float32))
    truth = matrix @ random.normal(size=(WIDTH, 3)) + random.normal(size=(ROWS, 3)) > [0.0, 1.0, 2.0]
    return SparseColumns(matrix, tuple(f"x{j}" for j in range(WIDTH))), Targets.from_dense(truth)


def model_of(inputs, targets, space=None):
    return Model.build(inputs, targets, space or LabelSpace(["a", "b", "c"]), encoder="linear")


def test_the_weights_are_those_of_liblinear_but_for_scale_and_shift(data):
    inputs, targets = data
    model = model_of(inputs, targets)
    fold = np.arange(ROWS) % 5
    solve_linear(model, inputs, targets, fold)
    features = model.prepare(inputs).matrix
    strength = 1 / (np.square(features.data, dtype=np.float64).sum() / ROWS)
    logits = logit(model.scores(inputs).astype(np.float64))
    for label in range(3):
        svc = LinearSVC(C=strength, tol=1e-8, max_iter=100_000)
        margins = svc.fit(features, targets.to_dense()[:, label]).decision_function(features)
        slope, _ = np.polyfit(margins, logits[:, label], 1)
        residual = logits[:, label] - np.polyval(np.polyfit(margins, logits[:, label], 1), margins)
        assert slope > 0
        assert np.abs(residual).max() < 0.02 * np.ptp(logits[:, label])


def test_out_of_fold_scores_do_not_know_their_row(data):
    inputs, targets = data
    shuffled = targets.rows(np.random.default_rng(1).permutation(ROWS))  # nothing to be learned
    model = model_of(inputs, shuffled)
    solved = solve_linear(model, inputs, shuffled, np.arange(ROWS) % 5)
    truth = shuffled.to_dense()[:, 0] > 0
    seen, unseen = model.scores(inputs)[:, 0], solved.out_of_fold[:, 0]
    assert seen[truth].mean() - seen[~truth].mean() > 2 * (unseen[truth].mean() - unseen[~truth].mean())


def test_unknown_cells_take_part_in_nothing(data):
    inputs, targets = data
    dense = targets.to_dense()
    dense[:50, 1] = np.nan
    model = model_of(inputs, Targets.from_dense(dense))
    solve_linear(model, inputs, Targets.from_dense(dense), np.arange(ROWS) % 4, seed=3)
    features = model.prepare(inputs).matrix
    svc = LinearSVC(C=ROWS / np.square(features.data, dtype=np.float64).sum(), tol=1e-8, max_iter=100_000)
    margins = svc.fit(features[50:], dense[50:, 1]).decision_function(features)
    logits = logit(model.scores(inputs)[:, 1].astype(np.float64))
    assert np.corrcoef(margins, logits)[0, 1] > 0.9999


def test_platt_is_logistic_regression_on_the_margin():
    random = np.random.default_rng(0)
    margins = random.normal(size=(500, 4))
    truth = random.random(margins.shape) < 1 / (1 + np.exp(-(3 * margins - 1)))
    positives, negatives = truth.sum(), (~truth).sum()
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    wanted = np.where(truth, high, low).ravel()
    both = np.concatenate([margins.ravel(), margins.ravel()])[:, None]
    reference = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(
        both, np.repeat([1, 0], truth.size), sample_weight=np.concatenate([wanted, 1 - wanted])
    )
    scale, shift = platt(margins.astype(np.float32), Targets.from_dense(truth))
    assert scale == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert shift == pytest.approx(reference.intercept_[0], rel=1e-4)


def test_margins_that_say_nothing_or_the_contrary_keep_a_positive_scale():
    targets = Targets.from_dense(np.array([[1], [0], [1], [0]]))
    scale, shift = platt(np.array([[-1.0], [1.0], [-1.0], [1.0]], np.float32), targets)
    assert scale == pytest.approx(1e-3)
    assert np.isfinite(shift)


def test_what_cannot_be_solved_is_said(data):
    inputs, targets = data
    grouped = LabelSpace(["a", "b", "c"], groups=[Group("g", ("a", "b"))])
    with pytest.raises(OptionError, match="only a linear model of sparse rows without exclusive groups"):
        solve_linear(model_of(inputs, targets, grouped), inputs, targets, np.zeros(ROWS, int))
    soft = Targets.from_dense(targets.to_dense() * 0.5)
    with pytest.raises(OptionError, match="soft targets have no squared hinge"):
        solve_linear(model_of(inputs, soft), inputs, soft, np.zeros(ROWS, int))


def named_texts(rows, seed):
    """A word that tells the label, and some words that no other text has."""
    random = np.random.default_rng(seed)
    labels = random.random(rows) < 0.3
    texts = []
    for row, label in enumerate(labels):
        own = [f"name{seed}x{row}x{place}" for place in range(random.integers(1, 6))]
        texts.append(" ".join([str(random.choice(["sun", "rain"] if label else ["match", "goal"])), *own]))
    return Texts(texts), Targets.from_dense(labels[:, None])


def test_held_out_texts_score_as_new_texts_do():
    inputs, targets = named_texts(300, 0)
    model = model_of(inputs, targets, LabelSpace(("weather",)))
    solved = solve_linear(model, inputs, targets, np.arange(300) % 5)
    new, truth = named_texts(2000, 1)
    held, fresh = solved.out_of_fold[:, 0], model.scores(new)[:, 0]
    for side in (0, 1):
        mine = held[targets.to_dense()[:, 0] == side].mean()
        assert mine == pytest.approx(fresh[truth.to_dense()[:, 0] == side].mean(), abs=0.02)


def test_what_the_held_out_scores_show_is_told(data):
    inputs, targets = data
    shuffled = targets.rows(np.random.default_rng(1).permutation(ROWS))
    heard = []
    model, fold = model_of(inputs, shuffled), np.arange(ROWS) % 5
    solved = solve_linear(model, inputs, shuffled, fold, on_event=heard.append)
    (finding,) = solved.history.diagnoses
    assert finding.name in ("prior", "unranked")
    assert [type(event).__name__ for event in heard] == ["Diagnosed", "Ended"]
    clean = solve_linear(model_of(inputs, targets), inputs, targets, np.arange(ROWS) % 5)
    assert clean.history.diagnoses == []


def test_the_record_says_what_was_done_and_no_options_of_epochs(data):
    inputs, targets = data
    solved = solve_linear(model_of(inputs, targets), inputs, targets, np.arange(ROWS) % 4)
    assert solved.history.options is None
    assert solved.options == {
        "solved": "squared hinge, dual coordinate descent",
        "strength": 1.0,
        "passes": solved.history.epochs,
        "folds": 4,
    }
