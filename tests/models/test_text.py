"""Texts: scikit-learn's own vectorizers are the oracle, fitted and transformed in one go."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

from manyhot.data.inputs import Texts
from manyhot.errors import InputError, OptionError
from manyhot.models.text import HashedPreparation, TfidfPreparation

TEXTS = [
    "The cat sat on the mat",
    "a dog barked: cat!",
    "mat mat mat dog",
    "café Über naïve 你好 世界",
    "",
    "x",
]
NEW = ["cat on a dog", "nothing known here at all, really", ""]


def test_equals_the_tfidf_vectorizer():
    oracle = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(TEXTS)
    ours = TfidfPreparation.fit(Texts(TEXTS))
    assert list(ours.terms) == list(oracle.get_feature_names_out())
    for texts in (TEXTS, NEW):
        rows = ours.prepare(Texts(texts)).matrix
        np.testing.assert_allclose(rows.toarray(), oracle.transform(texts).toarray(), atol=1e-6)
        assert rows.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({"analyzer": "char_wb", "ngrams": (2, 4)}, {"analyzer": "char_wb", "ngram_range": (2, 4)}),
        ({"sublinear": False, "ngrams": (1, 1)}, {"sublinear_tf": False, "ngram_range": (1, 1)}),
        ({"min_rows": 2}, {"min_df": 2, "ngram_range": (1, 2)}),
        ({"max_terms": 5}, {"max_features": 5, "ngram_range": (1, 2)}),
    ],
)
def test_equals_the_tfidf_vectorizer_with_options(options, theirs):
    oracle = TfidfVectorizer(**{"sublinear_tf": True, **theirs})
    expected = oracle.fit_transform(TEXTS).toarray()
    ours = TfidfPreparation.fit(Texts(TEXTS), **options).prepare(Texts(TEXTS)).matrix
    np.testing.assert_allclose(ours.toarray(), expected, atol=1e-6)


def test_terms_in_one_text_are_left_out_from_1000_texts_on():
    texts = [f"common word{i}" for i in range(1000)]
    assert TfidfPreparation.fit(Texts(texts), ngrams=(1, 1)).terms == ("common",)
    assert len(TfidfPreparation.fit(Texts(texts[:999]), ngrams=(1, 1)).terms) == 1000


@pytest.mark.parametrize(
    "preparation",
    [
        TfidfPreparation.fit(Texts(TEXTS)),
        TfidfPreparation.fit(Texts(TEXTS), analyzer="char", ngrams=(1, 3), sublinear=False),
        HashedPreparation.fit(Texts(TEXTS), width=64),
    ],
    ids=["words", "characters", "hashed"],
)
def test_restored_from_its_state_it_gives_the_same_rows(preparation):
    config, arrays = preparation.to_state()
    restored = type(preparation).from_state(json.loads(json.dumps(config)), arrays)
    for texts in (TEXTS, NEW):
        expected = preparation.prepare(Texts(texts)).matrix
        assert (restored.prepare(Texts(texts)).matrix != expected).nnz == 0
    assert restored.shape == preparation.shape


def test_hashed_equals_the_hashing_vectorizer():
    oracle = HashingVectorizer(n_features=256, ngram_range=(1, 2))
    ours = HashedPreparation.fit(Texts(TEXTS), width=256)
    np.testing.assert_allclose(
        ours.prepare(Texts(NEW)).matrix.toarray(), oracle.transform(NEW).toarray(), atol=1e-6
    )
    assert ours.shape.width == 256


def test_no_texts_are_no_rows():
    assert TfidfPreparation.fit(Texts(TEXTS)).prepare(Texts([])).matrix.shape[0] == 0


def test_texts_without_words_are_an_error_with_a_mend():
    with pytest.raises(InputError, match=r"none of the 3 texts holds a word of two letters; .*char_wb"):
        TfidfPreparation.fit(Texts(["", "!", "a b c"]))


def test_no_term_often_enough_is_an_error_with_a_mend():
    with pytest.raises(InputError, match="no term is in 3 texts or more: lower min_rows"):
        TfidfPreparation.fit(Texts(["one two", "three four"]), min_rows=3)


@pytest.mark.parametrize("kind", [TfidfPreparation, HashedPreparation])
def test_bad_options_are_refused(kind):
    with pytest.raises(OptionError, match="longest n-gram must be >= 2, got 1"):
        kind.fit(Texts(TEXTS), ngrams=(2, 1))
    with pytest.raises(OptionError, match="analyzer must be one of word, char, char_wb, got 'words'"):
        kind.fit(Texts(TEXTS), analyzer="words")


@pytest.mark.parametrize("min_rows", [1, 2])
def test_held_out_rows_have_only_the_terms_of_other_folds(min_rows):
    texts = [
        "red dress one",
        "red dress two",
        "blue jeans three",
        "blue dress four four",
        "green green hat",
        "red hat",
    ]
    fold = np.array([0, 0, 1, 1, 2, 2])
    ours = TfidfPreparation.fit(Texts(texts), ngrams=(1, 1), min_rows=min_rows)
    rows = ours.prepare(Texts(texts))
    expected = rows.matrix.toarray()
    for row, text in enumerate(texts):
        others = [set(texts[other].split()) for other in range(6) if fold[other] != fold[row]]
        for column, term in enumerate(ours.terms):
            if sum(term in words for words in others) < min_rows:
                expected[row, column] = 0
        expected[row] /= np.linalg.norm(expected[row]) or 1
        assert set(text.split()) >= {ours.terms[column] for column in np.flatnonzero(expected[row])}
    before = rows.matrix.toarray().copy()
    np.testing.assert_allclose(ours.held_out(rows, fold).matrix.toarray(), expected, atol=1e-6)
    np.testing.assert_array_equal(rows.matrix.toarray(), before)


def test_hashed_rows_are_held_out_as_they_are():
    ours = HashedPreparation.fit(Texts(TEXTS), width=64)
    rows = ours.prepare(Texts(TEXTS))
    assert ours.held_out(rows, np.arange(len(TEXTS)) % 2) is rows
