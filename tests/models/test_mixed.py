"""Texts with columns beside them: one sparse matrix whose blocks are those of scikit-learn's own parts."""

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from manyhot.data.inputs import Mixed
from manyhot.errors import InputError, OptionError
from manyhot.models.mixed import MixedPreparation

FRAME = pl.DataFrame(
    {
        "title": ["red dress", "blue jeans", None, "red shirt and tie"],
        "price": [10.0, 20.0, None, 60.0],
        "brand": ["north", "south", "north", None],
        "id": ["same"] * 4,
    }
)
ROWS = Mixed(FRAME, ("title",))


def prepared(preparation, rows=ROWS):
    return preparation.prepare(rows).matrix.toarray()


def test_the_blocks_are_scikit_learns():
    preparation = MixedPreparation.fit(ROWS)
    matrix = prepared(preparation)
    texts = [title or "" for title in FRAME["title"]]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts).toarray()
    known = np.array([[10.0], [20.0], [60.0]])
    price = StandardScaler().fit(known).transform(FRAME["price"].fill_null(30.0).to_numpy()[:, None])
    missing = [[0], [0], [1], [0]]
    brand = OneHotEncoder(categories=[["north", "south"]], handle_unknown="ignore", sparse_output=False)
    brand = brand.fit_transform(np.array([[name or ""] for name in FRAME["brand"]]))
    beside = np.hstack([price, missing, brand])
    beside /= np.sqrt((beside**2).sum() / 4)  # together as long as the words
    np.testing.assert_allclose(matrix, np.hstack([words, beside]), atol=1e-6)
    assert preparation.shape.width == matrix.shape[1]
    assert preparation.energy == pytest.approx(2.0)
    assert preparation.notes == ("left out, constant: 'id'",)


def test_the_weight_of_the_columns_is_their_mean_squared_length():
    light, heavy = (prepared(MixedPreparation.fit(ROWS, column_weight=weight)) for weight in (0.25, 4.0))
    beside = slice(light.shape[1] - 4, None)
    assert (light[:, beside] ** 2).sum(1).mean() == pytest.approx(0.25)
    np.testing.assert_allclose(heavy[:, beside], 4 * light[:, beside], rtol=1e-5)
    with pytest.raises(OptionError, match="column_weight must be"):
        MixedPreparation.fit(ROWS, column_weight=0)


def test_a_state_gives_the_same_rows_and_new_cells_are_no_surprise():
    preparation = MixedPreparation.fit(ROWS)
    again = MixedPreparation.from_state(*preparation.to_state())
    new = Mixed(
        pl.DataFrame(
            {"brand": ["west"], "other": [1], "price": [None], "title": ["green dress"]},
            schema_overrides={"price": pl.Float64},
        )
    )
    for rows in (ROWS, new):
        assert np.array_equal(prepared(preparation, rows), prepared(again, rows))
    terms = list(preparation.words.terms)
    row = prepared(again, new)[0]
    assert np.flatnonzero(row).tolist() == [
        terms.index("dress"),
        len(terms) + 1,
    ]  # the word, the missing price
    assert again.energy == preparation.energy


def test_what_is_missing_is_named():
    preparation = MixedPreparation.fit(ROWS)
    with pytest.raises(InputError, match=r"missing columns: 'title', 'brand'; training had them"):
        preparation.prepare(Mixed(FRAME.select("price"), ()))
    with pytest.raises(InputError, match="none of the columns title, price, brand, id holds texts"):
        MixedPreparation.fit(Mixed(FRAME, ()))


def test_columns_that_tell_nothing_leave_the_words_alone():
    rows = Mixed(FRAME.select("title", "id"), ("title",))
    preparation = MixedPreparation.fit(rows)
    assert preparation.shape.width == len(preparation.words.terms)
    assert preparation.energy == 1.0
