"""`predictions.parquet`: scores of the rows that tuned and judged a run, so that both can be done again."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot._typing import FloatArray
from manyhot.bundle.atomic import replacing
from manyhot.labels import LabelSpace, ScoreMatrix, Targets

NAME = "predictions.parquet"
# Up to so many cells every score is kept, beyond it the best of each row.
ALL_CELLS, BEST = 50_000_000, 200


def write_scores(
    folder: Path,
    space: LabelSpace,
    row_ids: NDArray[np.str_],
    parts: NDArray[np.str_],
    targets: Targets,
    scores: ScoreMatrix,
    decisions: Targets,
) -> None:
    """Write one line a row: its name and part, true and given labels, and its scores by label number.

    Columns: row, part, labels, predicted, unknown (lists of names; the last only where cells are unknown),
    columns (label numbers, best first where not all are kept), scores (float32, in the order of `columns`).
    """
    import polars as pl

    columns, values = _kept(scores)
    content = {
        "row": row_ids,
        "part": parts,
        "labels": pl.Series(space.decode(targets), dtype=pl.List(pl.String)),
        "predicted": pl.Series(space.decode(decisions), dtype=pl.List(pl.String)),
        "columns": pl.Series(columns.astype(np.int32)),
        "scores": pl.Series(values.astype(np.float32)),
    }
    if targets.unknown is not None:
        unknown = space.decode(Targets(targets.unknown))
        content["unknown"] = pl.Series(unknown, dtype=pl.List(pl.String))
    frame = pl.DataFrame(content)
    with replacing(folder / NAME) as aside:
        frame.write_parquet(aside, compression="zstd")


def _kept(scores: ScoreMatrix) -> tuple[NDArray[np.integer[Any]], FloatArray]:
    """Label numbers and scores (rows, kept)."""
    from manyhot.models import best_of

    rows, width = scores.shape
    if not issparse(scores) and rows * width <= ALL_CELLS:
        return np.broadcast_to(np.arange(width), (rows, width)), scores
    kept: Any = scores if issparse(scores) else best_of(scores, BEST)
    values: FloatArray = kept.data.reshape(rows, -1)
    columns: NDArray[np.integer[Any]] = kept.indices.reshape(rows, -1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)
