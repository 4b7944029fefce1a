"""Parquet in batches of rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manyhot.data.frames import Batch
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def batches(path: Path, rows: int | None = None, columns: list[str] | None = None) -> Iterator[Batch]:
    """The rows of a file, `rows` at a time (all at once by default), with the given columns (all by default).

    Raises:
        InputError: the file is damaged.
    """
    import polars as pl

    try:
        scan = pl.scan_parquet(path)
        height = scan.select(pl.len()).collect().item()
        scan = scan if columns is None else scan.select(columns)
        for first in range(0, height, rows or max(height, 1)):
            frame = scan.slice(first, rows or height).collect()
            yield Batch(_plain(frame), np.arange(first + 1, first + frame.height + 1), path.name)
    except (pl.exceptions.ComputeError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{path.name} is damaged or not Parquet ({reason}): write it again") from error


def _plain(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Categories as strings, so that batches of one file agree."""
    import polars as pl

    return frame.with_columns(
        pl.col(pl.Categorical, pl.Enum).cast(pl.String), pl.col(pl.Decimal).cast(pl.Float64)
    )
