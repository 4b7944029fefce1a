"""Rows described by their similarity to a few training rows, so that a linear model can bend.

Sources: Williams and Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000; Rahimi and
Recht (NIPS 2007) for what random features lose against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse import csr_array, issparse

BLOCK = 2048  # rows whose distances are held in double at a time
JITTER = 1e-5  # keeps equal landmarks apart


@dataclass(frozen=True)
class Landmarks:
    """Features z(x) with z(x).z(x') = k(x, x') for landmarks, where k = exp(-|x - x'|^2 / scale).

    Attributes:
        points: (landmarks, features) rows, dense or CSR.
        scale: mean squared distance between two training rows.
        factor: (landmarks, landmarks) lower Cholesky factor of their similarities.
    """

    points: Any
    scale: float
    factor: NDArray[np.float64]

    @classmethod
    def drawn(cls, X: Any, number: int, chance: NDArray[np.float64], seed: int) -> "Landmarks":
        """So many rows of X (rows, features), all of them if there are no more.

        Args:
            X: dense or CSR.
            number: of landmarks.
            chance: (rows,) >= 0, rows are drawn without replacement in proportion; 0 is never.
            seed: of the draw.
        """
        rows = X.shape[0]
        possible = np.flatnonzero(chance > 0)
        chosen = possible
        if number < len(possible):
            share = chance[possible] / chance[possible].sum()
            chosen = np.random.default_rng(seed).choice(possible, number, replace=False, p=share)
        points = X[np.sort(chosen)].astype(np.float64)
        mean = np.asarray(X[possible].mean(axis=0), np.float64).ravel()
        scale = 2 * float(_squared_lengths(X)[possible].mean() - mean @ mean)
        scale = scale if scale > 1e-12 * rows else 1.0
        similar = np.concatenate(list(_similarities(points, points, scale)))
        similar.flat[:: len(similar) + 1] += JITTER
        factor = cholesky(similar, lower=True, overwrite_a=True, check_finite=False)
        return cls(points, scale, factor)

    def features(self, X: Any) -> NDArray[Any]:
        """(rows, landmarks) of rows X (rows, features), dense or CSR, in their floating type."""
        found = np.empty((X.shape[0], len(self.factor)), X.dtype)
        factor = self.factor.astype(X.dtype)
        begin = 0
        for block in _similarities(X, self.points, self.scale):
            part = solve_triangular(factor, block.astype(X.dtype).T, lower=True, check_finite=False)
            found[begin : begin + len(block)] = part.T
            begin += len(block)
        return found


def _similarities(X: Any, points: Any, scale: float) -> Iterator[NDArray[np.float64]]:
    """Blocks (rows, landmarks) of exp(-squared distance / scale)."""
    across = points.T.toarray() if issparse(points) else points.T
    lengths = _squared_lengths(points)
    for begin in range(0, X.shape[0], BLOCK):
        block = X[begin : begin + BLOCK].astype(np.float64)
        distance = np.asarray(block @ across)
        distance *= -2
        distance += _squared_lengths(block)[:, None]
        distance += lengths
        np.maximum(distance, 0, out=distance)
        distance /= -scale
        yield np.exp(distance, out=distance)


def _squared_lengths(X: Any) -> NDArray[np.float64]:
    if issparse(X):
        squares = csr_array((np.square(X.data, dtype=np.float64), X.indices, X.indptr), shape=X.shape)
        return np.asarray(squares.sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)
