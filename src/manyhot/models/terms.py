"""The terms of a text - words, characters, and runs of them - counted over a known vocabulary.

As scikit-learn's vectorizers take them, which fit the vocabulary; to count over it needs no import of theirs,
and importing them takes longer than everything else that predicting a few rows does.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

_WORD = re.compile(r"\b\w\w+\b")
_BLANKS = re.compile(r"\s\s+")


def count_terms(
    texts: Sequence[str], vocabulary: Mapping[str, int], analyzer: str, ngrams: tuple[int, int]
) -> csr_array:
    """How often each term of the vocabulary is in each text, (texts, terms) float32.

    Args:
        texts: any.
        vocabulary: term -> column, from 0.
        analyzer: "word" (two or more letters or digits), "char", or "char_wb" (within words).
        ngrams: shortest and longest run.
    """
    starts, columns, counts = array("i", [0]), array("i"), array("f")  # lists take eight times the memory
    for text in texts:
        known = (vocabulary.get(term) for term in terms_of(text, analyzer, ngrams))
        ordered = sorted(Counter(column for column in known if column is not None).items())
        columns.extend(column for column, _ in ordered)
        counts.extend(count for _, count in ordered)
        starts.append(len(columns))
    cells = np.array(counts), np.array(columns), np.array(starts)
    return csr_array(cells, shape=(len(texts), len(vocabulary)))


def terms_of(text: str, analyzer: str, ngrams: tuple[int, int]) -> Iterator[str]:
    """Every term of a text, as often as it is there."""
    text = text.lower()
    if analyzer == "word":
        words = _WORD.findall(text)
        for length in range(ngrams[0], ngrams[1] + 1):
            runs = zip(*(words[start:] for start in range(length)), strict=False)
            yield from words if length == 1 else map(" ".join, runs)
    elif analyzer == "char":
        text = _BLANKS.sub(" ", text)
        for length in range(ngrams[0], ngrams[1] + 1):
            yield from _windows(text, length)
    else:
        for word in text.split():
            yield from _of_word(f" {word} ", ngrams)


def _of_word(word: str, ngrams: tuple[int, int]) -> Iterator[str]:
    """Runs of characters; a word that is shorter than the run counts as a whole, once."""
    for length in range(ngrams[0], ngrams[1] + 1):
        if len(word) <= length:
            yield word
            return
        yield from _windows(word, length)


def _windows(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(len(text) - length + 1))
