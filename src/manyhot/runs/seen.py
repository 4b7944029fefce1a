"""`rows.parquet`: which rows a run has learned from and which judged it, told by their content.

A row is known again in whatever file it comes: sorted, cut, or written in another layout.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyhot.bundle.atomic import replacing
from manyhot.data.keys import Keys
from manyhot.errors import RunError
from manyhot.runs.parts import Parts

NAME = "rows.parquet"
MORE_THAN_CHANCE = 0.1
"""Share of rows that may equal training rows, beside the share of training rows that equal each other."""


@dataclass(frozen=True, eq=False)
class SeenRows:
    """Keys of the rows of a run, as `row_keys` gives them.

    Attributes:
        train, valid: rows that the model and its cuts were made of.
        test: rows that judged it.
    """

    train: Keys
    valid: Keys
    test: Keys

    @classmethod
    def of(cls, keys: Keys, parts: Parts) -> "SeenRows":
        """The keys of all rows of a table, by part."""
        return cls(keys[parts.train], keys[parts.valid], keys[parts.test])

    def learned(self, keys: Keys) -> NDArray[np.bool_]:
        """(rows,), whether each row equals one that the run has learned from."""
        return np.isin(keys, self.train) | np.isin(keys, self.valid)

    def judges(self, keys: Keys) -> NDArray[np.intp]:
        """Numbers of the rows that are the run's test rows.

        Of rows that equal both training and test rows as many as the training rows leave over, but all where
        no other training row is there: then these are the test rows by themselves.
        """
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        first = np.searchsorted(ordered, ordered)
        there = np.searchsorted(ordered, ordered, side="right") - first
        fitted = np.concatenate([self.train, self.valid])
        tested, trained = _counts(self.test, ordered), _counts(fitted, ordered)
        if (trained[tested == 0] > 0).any():
            tested = np.minimum(tested, np.maximum(there - trained, 0))
        return np.sort(order[np.arange(len(keys)) - first < tested])

    def are_too_many(self, rows: int, among: int) -> bool:
        """Whether so many rows that equal training rows are more than repetition explains.

        A fresh row equals a training row about as often as training rows equal each other; two standard
        deviations of that are granted too.
        """
        _, sizes = np.unique(self.train, return_counts=True)
        share = min(1.0, sizes[sizes > 1].sum() / len(self.train) + MORE_THAN_CHANCE)
        return rows > among * share + 2 * np.sqrt(among * share * (1 - share))

    def write(self, folder: Path) -> None:
        """One line a row: its key and its part."""
        import polars as pl

        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        frame = pl.DataFrame(
            {
                "key": np.concatenate(list(parts.values())),
                "part": np.repeat(list(parts), [len(keys) for keys in parts.values()]),
            }
        )
        with replacing(folder / NAME) as aside:
            frame.write_parquet(aside, compression="zstd")


def read_seen_rows(folder: Path) -> SeenRows:
    """The rows of a run.

    Raises:
        RunError: the file is missing or damaged.
    """
    import polars as pl

    path = folder / NAME
    try:
        frame = pl.read_parquet(path, columns=["key", "part"])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{path} is missing or damaged ({error}): copy the whole run folder") from error
    parts = (frame.filter(pl.col("part") == part)["key"].to_numpy() for part in ("train", "valid", "test"))
    return SeenRows(*parts)


def _counts(among: Keys, keys: Keys) -> NDArray[np.intp]:
    """How often each key is among the others."""
    ordered = np.sort(among)
    return np.searchsorted(ordered, keys, side="right") - np.searchsorted(ordered, keys)
