"""A finished run as a folder. `manyhot.json` is written last: without it the run counts as unfinished."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from manyhot.bundle import Origin, write_bundle
from manyhot.bundle.atomic import replacing, telling_disk_errors, write_bytes
from manyhot.runs.run import CHECKPOINTS, HISTORY, METRICS, Run
from manyhot.runs.scores_file import NAME as SCORES
from manyhot.runs.scores_file import write_scores

if TYPE_CHECKING:
    from manyhot._typing import FloatArray
    from manyhot.data import Table
    from manyhot.runs.learn import Learned


def write_run(
    run: Run, folder: Path, origin: Origin, learned: "Learned", test: "Table", scores: "FloatArray"
) -> None:
    """Write all parts of a run, then drop the checkpoints, which nothing needs any more.

    Args:
        run: in memory.
        folder: a run folder that `claim` made ready, or a new one.
        origin: where the run comes from.
        learned: the rows that the cuts were tuned on, and their scores.
        test: the test rows.
        scores: (test rows, labels).

    Raises:
        RunError: the disk is full or not to be written; the checkpoints are still there.
    """
    with telling_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    results = {"tuned": run.metrics.to_dict(), "untuned": run.untuned.to_dict()}
    write_bytes(folder / METRICS, msgspec.json.format(msgspec.json.encode(results), indent=1))
    assert run.history is not None
    with replacing(folder / HISTORY) as aside:
        run.history.write_jsonl(aside)
    _write_scores(folder, run, learned, test, scores)
    predictor = run.predictor
    write_bundle(
        folder,
        predictor.model,
        predictor.rule,
        schema=predictor.schema,
        origin=origin,
        parts=(METRICS, HISTORY, SCORES),
    )
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _write_scores(folder: Path, run: Run, learned: "Learned", test: "Table", scores: "FloatArray") -> None:
    tables, all_scores = [learned.tuned, test], [learned.scores, scores]
    names: Any = np.repeat(["tuned", "test"], [len(table) for table in tables])
    together = np.concatenate(all_scores)
    write_scores(
        folder,
        run.space,
        np.concatenate([table.row_ids for table in tables]),
        names,
        type(test.targets).concat([table.targets for table in tables]),
        together,
        run.predictor.decide(together),
    )
