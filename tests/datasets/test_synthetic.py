import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from manyhot.datasets.synthetic import movies16, sparse1000, toy
from manyhot.errors import OptionError

MAKERS = [movies16, sparse1000, toy]


def linear_f1(table):
    """Macro-F1 of least squares, cut at the prior, on the last fifth."""
    features = table.inputs.frame.to_numpy()
    features = np.column_stack([features, np.ones(len(features))])
    targets = table.targets.to_dense()
    half = len(table) * 4 // 5
    weights = np.linalg.lstsq(features[:half], targets[:half], rcond=None)[0]
    scores = features[half:] @ weights
    cuts = np.array(
        [
            np.quantile(column, 1 - share)
            for column, share in zip(scores.T, targets[:half].mean(0), strict=True)
        ]
    )
    return f1_score(targets[half:], scores >= cuts, average="macro")


def test_movies16_has_the_promised_shape():
    table = movies16()
    assert table.targets.shape == (40_000, 16)
    assert table.targets.label_counts().tolist() == [5_000] * 16
    assert table.targets.row_counts().mean() == 2
    column = table.targets.to_dense()[:, 0]
    assert log_loss(column, np.full(len(column), 0.125)) == pytest.approx(0.377, abs=5e-4)


def test_sparse1000_has_the_promised_shape():
    table = sparse1000(rows=5_000)
    assert table.targets.shape == (5_000, 1_000)
    assert table.targets.label_counts().tolist() == [50] * 1_000
    assert table.targets.row_counts().mean() == 10
    assert log_loss([1] + [0] * 99, np.full(100, 0.01)) == pytest.approx(0.056, abs=5e-4)


def test_toy_has_all_four_quadrants():
    table = toy(rows=400)
    rows = [tuple(row) for row in table.space.decode(table.targets)]
    assert {row: rows.count(row) for row in set(rows)} == {
        (): 100,
        ("right",): 100,
        ("up",): 100,
        ("right", "up", "both"): 100,
    }
    features = table.inputs.frame.to_numpy()
    corner = features[table.targets.row_counts() == 3].mean(axis=0)
    np.testing.assert_allclose(corner, [1, 1], atol=0.1)


@pytest.mark.parametrize(
    ("maker", "rows", "lowest"), [(toy, 2_000, 0.9), (movies16, 8_000, 0.55), (sparse1000, 10_000, 0.35)]
)
def test_can_be_learnt(maker, rows, lowest):
    assert lowest < linear_f1(maker(rows=rows)) < 1


@pytest.mark.parametrize("maker", MAKERS)
def test_the_seed_decides(maker):
    one, same, other = maker(rows=800, seed=3), maker(rows=800, seed=3), maker(rows=800, seed=4)
    assert one.targets == same.targets
    assert one.inputs.frame.equals(same.inputs.frame)
    assert not one.inputs.frame.equals(other.inputs.frame)


@pytest.mark.parametrize(("maker", "asked", "made"), [(movies16, 15, 8), (sparse1000, 199, 100), (toy, 7, 4)])
def test_odd_numbers_of_rows_are_rounded_down(maker, asked, made):
    table = maker(rows=asked)
    assert len(table) == made
    assert table.targets.label_counts().min() == table.targets.label_counts().max() or maker is toy


@pytest.mark.parametrize(("maker", "least"), [(movies16, 8), (sparse1000, 100), (toy, 4)])
def test_too_few_rows_are_an_error(maker, least):
    with pytest.raises(OptionError, match=f"rows must be >= {least}, got 3"):
        maker(rows=3)
