"""Terms of texts: scikit-learn's own analyzers and counts are the oracle."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from manyhot.models.terms import count_terms, terms_of

TEXTS = [
    "The cat sat on the mat",
    "a dog   barked:\n\tcat! snake_case x1 9",
    "café Über naïve 你好 世界 ﬁn",
    "  to be or not to be  ",
    "x",
    "",
    " ",
]


@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
@pytest.mark.parametrize("ngrams", [(1, 1), (1, 3), (2, 4), (3, 3)])
def test_terms_are_those_of_the_analyzer(analyzer, ngrams):
    theirs = CountVectorizer(analyzer=analyzer, ngram_range=ngrams).build_analyzer()
    for text in TEXTS:
        assert sorted(terms_of(text, analyzer, ngrams)) == sorted(theirs(text)), text


def test_counts_are_those_of_the_count_vectorizer():
    oracle = CountVectorizer(ngram_range=(1, 2)).fit(TEXTS[:3])
    vocabulary = {str(term): int(column) for term, column in oracle.vocabulary_.items()}
    ours = count_terms(TEXTS, vocabulary, "word", (1, 2))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours.toarray(), oracle.transform(TEXTS).toarray())
    assert ours.has_sorted_indices


def test_no_text_is_a_matrix_without_rows():
    assert count_terms([], {"a": 0, "b": 1}, "word", (1, 1)).shape == (0, 2)
