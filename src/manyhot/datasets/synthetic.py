"""movies16, sparse1000, toy: small worlds of known shape, learnable, the same for the same seed."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from manyhot import _check
from manyhot.data.inputs import Columns
from manyhot.data.table import Table
from manyhot.labels import LabelSpace, Targets

GENRES = (
    "action",
    "adventure",
    "animation",
    "comedy",
    "crime",
    "documentary",
    "drama",
    "family",
    "fantasy",
    "history",
    "horror",
    "music",
    "mystery",
    "romance",
    "thriller",
    "western",
)
# of the evidence for a label: the best predictor is good, never perfect
MOVIES_NOISE = 0.5
SPARSE_NOISE = 0.4


def movies16(rows: int = 40_000, seed: int = 0) -> Table:
    """16 genres, all equally frequent, 2 a film on average, from 32 numeric columns.

    Each genre is on exactly one eighth of the films, which makes all-zero answers right in 87.5 % of the
    cells and the log loss of a constant guess 0.377 nats.

    Args:
        rows: number of films, rounded down to a multiple of 8; at least 8.
        seed: of the random numbers.
    """
    _check.at_least("rows", rows, 8)
    rows -= rows % 8
    rng = np.random.default_rng(_check.seed(seed))
    features = rng.standard_normal((rows, 32), dtype=np.float32)
    targets = _highest(_evidence(rng, features, len(GENRES), MOVIES_NOISE), rows // 8)
    sentence = f"movies16: {rows:,} made-up films, 32 numeric columns, 16 genres on {rows // 8:,} films each"
    return Table.of(_columns(features), targets, LabelSpace(GENRES), sentence=sentence)


def sparse1000(rows: int = 20_000, seed: int = 0) -> Table:
    """1,000 labels, each on 1 % of the rows, 10 a row on average, from 128 numeric columns.

    All-zero answers are right in 99 % of the cells, and the log loss of a constant guess is 0.056 nats: a
    loss that has come down to there has learned nothing.

    Args:
        rows: rounded down to a multiple of 100; at least 100.
        seed: of the random numbers.
    """
    _check.at_least("rows", rows, 100)
    rows -= rows % 100
    rng = np.random.default_rng(_check.seed(seed))
    features = rng.standard_normal((rows, 128), dtype=np.float32)
    targets = _highest(_evidence(rng, features, 1000, SPARSE_NOISE), rows // 100)
    names = tuple(f"attribute_{number:03d}" for number in range(1000))
    sentence = f"sparse1000: {rows:,} rows, 128 numeric columns, 1,000 labels on {rows // 100:,} rows each"
    return Table.of(_columns(features), targets, LabelSpace(names), sentence=sentence)


def toy(rows: int = 10_000, seed: int = 0) -> Table:
    """2 numeric columns and 3 labels; each of the four quadrants has its own label set, one of them none.

    A point lies near one corner of the unit square: near (0, 0) it has no label, near (1, 0) `right`, near
    (0, 1) `up`, near (1, 1) `right`, `up` and `both`. Points of neighbouring corners overlap a little.

    Args:
        rows: rounded down to a multiple of 4, a quarter near each corner; at least 4.
        seed: of the random numbers.
    """
    _check.at_least("rows", rows, 4)
    rows -= rows % 4
    rng = np.random.default_rng(_check.seed(seed))
    corners = rng.permutation(np.tile([[0, 0], [1, 0], [0, 1], [1, 1]], (rows // 4, 1)))
    features = (corners + rng.normal(0, 0.2, corners.shape)).astype(np.float32)
    labels = np.column_stack([corners, corners.prod(axis=1)])
    sentence = f"toy: {rows:,} points near the corners of a square, 2 numeric columns, 3 labels"
    return Table.of(
        _columns(features), Targets.from_dense(labels), LabelSpace(("right", "up", "both")), sentence=sentence
    )


def _evidence(
    rng: Generator, features: NDArray[np.float32], labels: int, noise: float
) -> NDArray[np.float32]:
    """Standard normal (rows, labels): one direction of the features a label, and a share of pure noise."""
    directions = rng.standard_normal((features.shape[1], labels), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    unseen = rng.standard_normal((len(features), labels), dtype=np.float32)
    return np.sqrt(np.float32(1 - noise**2)) * (features @ directions) + np.float32(noise) * unseen


def _highest(evidence: NDArray[np.float32], count: int) -> Targets:
    """Each label on the `count` rows with the most evidence for it, so that frequencies are exact."""
    rows, labels = evidence.shape
    chosen = np.argpartition(evidence, rows - count, axis=0)[rows - count :]
    dense = np.zeros((rows, labels), dtype=bool)
    np.put_along_axis(dense, chosen, True, axis=0)
    return Targets.from_dense(dense)


def _columns(features: NDArray[np.float32]) -> Columns:
    import polars as pl

    names = [f"x{number}" for number in range(features.shape[1])]
    return Columns(pl.DataFrame(features, schema=names, orient="row"))
