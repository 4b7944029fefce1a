"""Predictions read as lists of names and give scores on demand."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from manyhot.bundle.predictions import Predictions, best
from manyhot.errors import OptionError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets

SPACE = LabelSpace(("red", "blue", "dress"))
SCORES = np.array([[0.2, 0.9, 0.95], [0.1, 0.2, 0.3], [0.7, 0.7, 0.1]], np.float32)


@pytest.fixture
def predictions() -> Predictions:
    return Predictions(
        SPACE, ["a.jpg", "b.jpg", "c.jpg"], SCORES, Targets.from_index_lists([[1, 2], [], [0, 1]], 3)
    )


def test_a_row_is_its_names_best_first_and_ties_in_label_order(predictions):
    assert list(predictions) == [["dress", "blue"], [], ["red", "blue"]]
    assert predictions[-1] == ["red", "blue"]
    assert predictions[:2] == [["dress", "blue"], []]
    assert len(predictions) == 3
    with pytest.raises(IndexError, match="out of range"):
        predictions[3]


def test_records_hold_the_scores_of_the_given_labels_or_of_all(predictions):
    assert next(iter(predictions.records())) == {
        "row": "a.jpg",
        "labels": ["dress", "blue"],
        "scores": {"dress": 0.95, "blue": 0.9},
    }
    everything = list(predictions.records(all_scores=True))
    assert [list(record["scores"]) for record in everything] == [list(SPACE.names)] * 3
    assert everything[1] == {"row": "b.jpg", "labels": [], "scores": {"red": 0.1, "blue": 0.2, "dress": 0.3}}


def test_repr_is_readable_and_short(predictions):
    assert repr(predictions).splitlines() == [
        "Predictions(3 rows, 3 labels)",
        "  a.jpg: dress, blue",
        "  b.jpg: -",
        "  c.jpg: red, blue",
    ]
    many = Predictions(SPACE, [str(i) for i in range(1200)], np.zeros((1200, 3)), Targets.negative(1200, 3))
    assert repr(many).splitlines()[-1] == "  ... 1,190 more"


def test_pieces_must_have_the_same_rows():
    with pytest.raises(ShapeError, match="got 1 names, 3 rows of scores, 3 of decisions"):
        Predictions(SPACE, ["a"], SCORES, Targets.negative(3, 3))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"topk": 1}, [[2], [2], [0]]),
        ({"topk": 2}, [[1, 2], [1, 2], [0, 1]]),
        ({"topk": 9}, [[0, 1, 2]] * 3),
        ({"floor": 0.7}, [[1, 2], [], [0, 1]]),
        ({"floor": 0.0}, [[0, 1, 2]] * 3),
        ({"topk": 1, "floor": 0.7}, [[2], [], [0]]),
    ],
)
def test_best_by_count_and_floor(limits, expected):
    assert best(SCORES, **limits).to_index_lists() == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"topk": 3}, [["red", "shirt", "new"], ["blue", "shirt", "new"]]),
        ({"topk": 1}, [["shirt"], ["blue"]]),
        ({"floor": 0.0}, [["red", "shirt", "new"], ["blue", "shirt", "new"]]),
        ({"floor": 0.3}, [["red", "shirt"], ["blue"]]),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_of_an_exclusive_group_the_best_alone_is_given(form, limits, expected):
    space = LabelSpace(("red", "blue", "shirt", "new"), groups=(Group("colour", ("red", "blue")),))
    scores = np.array([[0.55, 0.45, 0.9, 0.1], [0.3, 0.7, 0.2, 0.1]], np.float32)
    chosen = best(form(scores), **limits, space=space)
    assert space.decode(chosen) == expected


@given(
    arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 6)), elements=st.floats(0, 1, width=32)),
    st.integers(1, 8),
    st.floats(0, 1, width=32),
)
def test_best_is_a_floor_on_top_of_a_ranking(scores, topk, floor):
    chosen = best(scores, topk, floor)
    for row, columns in enumerate(chosen.to_index_lists()):
        allowed = [column for column in range(scores.shape[1]) if scores[row, column] >= floor]
        assert len(columns) == min(topk, len(allowed))
        left_out = [scores[row, column] for column in set(allowed) - set(columns)]
        assert not left_out or max(left_out) <= min(scores[row, column] for column in columns)


@pytest.mark.parametrize("limits", [{"topk": 3}, {"floor": 0.5}])
def test_wide_scores_are_never_made_dense(limits):
    rows, width, kept = 500, 100_000, 10
    columns = np.tile(np.arange(kept, dtype=np.int32) * 9_000, rows)
    values = np.tile(np.linspace(0.05, 0.95, kept, dtype=np.float32), rows)
    scores = csr_array((values, columns, np.arange(rows + 1) * kept), shape=(rows, width))
    tracemalloc.start()
    chosen = best(scores, **limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chosen.rows([0]).to_index_lists() == [[c * 9_000 for c in range(7 if "topk" in limits else 5, 10)]]
    assert peak < rows * width  # a byte a cell


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"topk": 0}, "topk must be >= 1, got 0"),
        ({"floor": 1.5}, r"floor must be in \[0, 1\], got 1.5"),
        ({"floor": float("nan")}, "floor must be in"),
    ],
)
def test_limits_outside_their_range_are_refused(limits, message):
    with pytest.raises(OptionError, match=message):
        best(SCORES, **limits)


def test_a_notebook_shows_the_first_rows(predictions):
    shown = predictions._repr_html_()
    assert "Predictions(3 rows, 3 labels)" in shown
    assert "<td>a.jpg</td><td>dress 0.95, blue 0.90</td>" in shown
    assert "<td>b.jpg</td><td>-</td>" in shown
