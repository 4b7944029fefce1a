"""Pairs of labels that always, or never, occur together although chance would not have it so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.labels import Targets

# multiplications of a co-occurrence matrix that are worth a doctor's while; above, rare labels are left out
MOST_WORK = 100_000_000
FEWEST = 5  # rows from which "always together" is worth a line
MOST_UNSEEN = 500  # labels whose pairs are looked at one by one
DOUBT = 0.01  # chance that even one pair among all is listed although the two labels are independent


@dataclass(frozen=True)
class AlwaysTogether:
    """Every row with `label` has `other` as well: a model has nothing to tell them apart by.

    Attributes:
        both_ways: every row with `other` has `label` too; the two columns are equal.
        rows: how many rows that are.
    """

    label: str
    other: str
    rows: int
    both_ways: bool


@dataclass(frozen=True)
class NeverTogether:
    """No row has both labels, where `expected` rows would if they were independent."""

    label: str
    other: str
    expected: float


@dataclass(frozen=True)
class Cooccurrence:
    """How often the frequent labels occur with each other.

    Attributes:
        columns: (k,), the labels that were looked at, the most frequent first.
        together: CSR (k, k), rows with both.
        hidden: CSR (k, k), rows with the first where the second is unknown.
        positives, prevalence: (k,), of those labels.
        complete: every label that occurs was looked at.
    """

    columns: NDArray[np.intp]
    together: csr_array
    hidden: csr_array
    positives: NDArray[np.int64]
    prevalence: NDArray[np.float64]
    complete: bool


def cooccurrence(targets: Targets) -> Cooccurrence:
    """Count pairs of the labels that occur; of very wide and dense targets only the most frequent ones."""
    counts = targets.label_counts()
    order = np.argsort(-counts, kind="stable")
    order = occurring = order[counts[order] > 0]
    chosen = targets.columns(order)
    while len(order) > 2 and (chosen.row_counts() ** 2).sum() > MOST_WORK:
        order = order[: len(order) // 2]
        chosen = targets.columns(order)
    present = _ones(chosen.positives)
    unknown = csr_array(present.shape) if chosen.unknown is None else _ones(chosen.unknown)
    return Cooccurrence(
        columns=order,
        together=csr_array(present.T @ present),
        hidden=csr_array(present.T @ unknown),
        positives=chosen.label_counts(),
        prevalence=chosen.label_counts() / np.maximum(chosen.known_counts(), 1),
        complete=len(order) == len(occurring),
    )


def always_together(pairs: Cooccurrence, names: tuple[str, ...]) -> list[AlwaysTogether]:
    """Implications label -> other that chance does not explain, the most rows first."""
    cells = pairs.together.tocoo()
    first, second = cells.row, cells.col
    decided = pairs.positives[first] - _at(pairs.hidden, first, second)
    with np.errstate(divide="ignore"):
        surprise = -decided * np.log(pairs.prevalence[second])
    found = (
        (first != second)
        & (decided >= FEWEST)
        & (cells.data == decided)
        & (surprise > _surprising(len(pairs.columns)))
    )
    links = {
        (int(a), int(b)): int(n) for a, b, n in zip(first[found], second[found], decided[found], strict=True)
    }
    listed = [
        AlwaysTogether(names[pairs.columns[a]], names[pairs.columns[b]], rows, (b, a) in links)
        for (a, b), rows in links.items()
        if (b, a) not in links or a < b
    ]
    return sorted(listed, key=lambda pair: (-pair.rows, pair.label, pair.other))


def never_together(pairs: Cooccurrence, names: tuple[str, ...]) -> list[NeverTogether]:
    """Pairs without a common row though chance would give several, the most surprising first."""
    size = min(len(pairs.columns), MOST_UNSEEN)
    together = pairs.together[:size, :size].toarray()
    first, second = np.nonzero(np.triu(together == 0, k=1))
    expected = np.minimum(_expected(pairs, first, second), _expected(pairs, second, first))
    order = np.argsort(-expected, kind="stable")
    order = order[expected[order] > _surprising(size)]
    return [
        NeverTogether(
            names[pairs.columns[first[pair]]], names[pairs.columns[second[pair]]], float(expected[pair])
        )
        for pair in order
    ]


def _surprising(labels: int) -> float:
    """Nats of surprise that not even the luckiest of all pairs reaches by chance (Bonferroni)."""
    return float(np.log(max(labels * (labels - 1), 1) / DOUBT))


def _expected(pairs: Cooccurrence, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
    decided = pairs.positives[first] - _at(pairs.hidden, first, second)
    return decided * pairs.prevalence[second]


def _at(matrix: csr_array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    if not matrix.nnz or not len(rows):
        return np.zeros(len(rows))
    return np.asarray(matrix[rows, columns]).ravel()


def _ones(matrix: csr_array) -> csr_array:
    return csr_array((np.ones(matrix.nnz, np.float64), matrix.indices, matrix.indptr), shape=matrix.shape)
