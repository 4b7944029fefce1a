"""Texts as sparse rows: TF-IDF over a fitted vocabulary, or n-grams hashed into a fixed width."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.errors import InputError
from manyhot.models.preparation import Arrays, Preparation, array_to_text, text_to_array
from manyhot.models.prepared import InputShape, SparseRows, unit_rows, unit_rows_held_out
from manyhot.models.terms import count_terms

MAX_TERMS = 50_000
ANALYZERS = ("word", "char", "char_wb")

_FLOAT32: Any = np.float32  # scikit-learn's stubs know float64 only


@dataclass(frozen=True, eq=False)
class TfidfPreparation(Preparation):
    """TF-IDF rows of length 1: (1 + log count) x (1 + log((1 + rows) / (1 + rows with the term))).

    Args:
        terms: the vocabulary, in column order.
        weights: (terms,) float64, the second factor.
        analyzer: "word" (two or more letters or digits), "char", or "char_wb" (within words).
        ngrams: shortest and longest n-gram.
        sublinear: False takes the count itself as first factor.
        min_rows: a term of the vocabulary is in so many training rows at least; of no use once fitted.
    """

    name: ClassVar[str] = "tfidf"
    reads: ClassVar[str] = "text"

    terms: tuple[str, ...]
    weights: NDArray[np.float64]
    analyzer: str = "word"
    ngrams: tuple[int, int] = (1, 2)
    sublinear: bool = True
    min_rows: int = 1

    @property
    def shape(self) -> InputShape:
        """Sparse, one column a term."""
        return InputShape("sparse", len(self.terms))

    @classmethod
    def fit(
        cls,
        inputs: Any,
        analyzer: str = "word",
        ngrams: tuple[int, int] = (1, 2),
        sublinear: bool = True,
        min_rows: int | None = None,
        max_terms: int | None = MAX_TERMS,
    ) -> "TfidfPreparation":
        """Collect the vocabulary and its weights.

        Args:
            inputs: has `.values`, a list of strings.
            analyzer: "word", "char" or "char_wb".
            ngrams: shortest and longest n-gram.
            sublinear: take 1 + log(count) for count.
            min_rows: a term in fewer rows is left out; None: 2 from 1,000 rows on, 1 below.
            max_terms: keep at most so many, the most frequent; None: all.

        Raises:
            InputError: no row has a term.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        _check_ngrams(analyzer, ngrams)
        texts = inputs.values
        vectorizer = TfidfVectorizer(
            analyzer=_analyzer(analyzer),
            ngram_range=tuple(ngrams),
            sublinear_tf=sublinear,
            min_df=min_rows or (2 if len(texts) >= 1000 else 1),
            max_features=max_terms,
            dtype=_FLOAT32,
        )
        if not any(re.search(r"\w\w", text) for text in texts):
            raise InputError(
                f"none of the {len(texts)} texts holds a word of two letters; "
                "name the text column, or take the analyzer char_wb"
            )
        try:
            vectorizer.fit(texts)
        except ValueError as error:  # its own checks of a vocabulary that came out empty
            raise InputError(f"no term is in {vectorizer.min_df} texts or more: lower min_rows") from error
        terms = tuple(str(term) for term in vectorizer.get_feature_names_out())
        own = (analyzer, (ngrams[0], ngrams[1]), sublinear, vectorizer.min_df)
        return cls(terms, vectorizer.idf_.astype(np.float64), *own)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.terms)}

    def prepare(self, inputs: Any) -> SparseRows:
        """TF-IDF rows; a text without a known term is a row of zeros."""
        rows = count_terms(inputs.values, self._vocabulary, self.analyzer, self.ngrams)
        if self.sublinear:
            rows.data = 1 + np.log(rows.data)
        rows.data *= self.weights.astype(np.float32)[rows.indices]
        return SparseRows(unit_rows(rows))

    def held_out(self, rows: Any, fold: NDArray[np.integer[Any]]) -> SparseRows:
        """Rows without the terms that too few rows of the other folds have, at length 1 again."""
        return unit_rows_held_out(rows, fold, self.min_rows)

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The options; vocabulary and weights as arrays."""
        config = {"analyzer": self.analyzer, "ngrams": list(self.ngrams), "sublinear": self.sublinear}
        return config, {"terms": text_to_array(list(self.terms)), "weights": self.weights}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "TfidfPreparation":
        """The preparation that gave this state."""
        terms, weights = tuple(array_to_text(arrays["terms"])), np.asarray(arrays["weights"], np.float64)
        shortest, longest = config["ngrams"]
        return cls(terms, weights, config["analyzer"], (shortest, longest), config["sublinear"])


@dataclass(frozen=True, eq=False)
class HashedPreparation(Preparation):
    """Counts of n-grams, each sent to one of `width` columns by its hash; needs no vocabulary.

    Args:
        width: number of columns, a power of two keeps collisions even.
        analyzer: "word", "char" or "char_wb".
        ngrams: shortest and longest n-gram.

    Source:
        Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
    """

    name: ClassVar[str] = "hashed"
    reads: ClassVar[str] = "text"

    width: int = 2**17
    analyzer: str = "word"
    ngrams: tuple[int, int] = (1, 2)

    @property
    def shape(self) -> InputShape:
        """Sparse, of the chosen width."""
        return InputShape("sparse", self.width)

    @classmethod
    def fit(
        cls,
        inputs: Any,  # noqa: ARG003 - nothing is learned from them
        width: int = 2**17,
        analyzer: str = "word",
        ngrams: tuple[int, int] = (1, 2),
    ) -> "HashedPreparation":
        """Check the options; there is nothing to learn."""
        _check.at_least("width", width, 2)
        _check_ngrams(analyzer, ngrams)
        return cls(width, analyzer, (ngrams[0], ngrams[1]))

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import HashingVectorizer

        return HashingVectorizer(
            analyzer=_analyzer(self.analyzer),
            ngram_range=self.ngrams,
            n_features=self.width,
            dtype=_FLOAT32,
        )

    def prepare(self, inputs: Any) -> SparseRows:
        """Rows of length 1; a text without words is a row of zeros."""
        if not len(inputs.values):
            return SparseRows(csr_array((0, self.width), dtype=np.float32))
        matrix = self._vectorizer.transform(inputs.values)
        matrix.sort_indices()
        return SparseRows(csr_array(matrix))

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """The options."""
        return {"width": self.width, "analyzer": self.analyzer, "ngrams": list(self.ngrams)}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "HashedPreparation":  # noqa: ARG003
        """The preparation that gave this state."""
        shortest, longest = config["ngrams"]
        return cls(config["width"], config["analyzer"], (shortest, longest))


def _check_ngrams(analyzer: str, ngrams: tuple[int, int]) -> None:
    _check.one_of("analyzer", analyzer, ANALYZERS)
    shortest, longest = ngrams
    _check.at_least("shortest n-gram", shortest, 1)
    _check.at_least("longest n-gram", longest, shortest)


def _analyzer(name: str) -> Any:
    """scikit-learn's stubs want a literal here; the name was checked at the door."""
    return name
