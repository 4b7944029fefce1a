"""A finished run as a folder. `manyhot.json` is written last: without it the run counts as unfinished."""

import shutil
from pathlib import Path

import msgspec
import numpy as np

from manyhot.bundle import write_bundle
from manyhot.bundle.atomic import replacing, telling_disk_errors, write_bytes
from manyhot.labels import Targets
from manyhot.models import stacked
from manyhot.runs.run import CHECKPOINTS, HISTORY, METRICS, Made, Run
from manyhot.runs.scores_file import NAME as SCORES
from manyhot.runs.scores_file import write_scores
from manyhot.runs.seen import NAME as ROWS


def write_run(run: Run, folder: Path, made: Made) -> None:
    """Write all parts of a run, then drop the checkpoints, which nothing needs any more.

    Args:
        run: in memory.
        folder: a run folder that `claim` made ready, or a new one.
        made: what the folder holds beside the model.

    Raises:
        RunError: the disk is full or not to be written; the checkpoints are still there.
    """
    with telling_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    results = {"tuned": run.metrics.to_dict(), "untuned": run.untuned.to_dict()}
    write_bytes(folder / METRICS, msgspec.json.format(msgspec.json.encode(results), indent=1))
    with replacing(folder / HISTORY) as aside:
        made.history.write_jsonl(aside)
    _write_scores(folder, run, made)
    made.seen.write(folder)
    predictor = run.predictor
    write_bundle(
        folder,
        predictor.model,
        predictor.rule,
        schema=predictor.schema,
        origin=made.origin,
        parts=(METRICS, HISTORY, SCORES, ROWS),
    )
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _write_scores(folder: Path, run: Run, made: Made) -> None:
    tables = [made.tuned, made.test]
    scores = stacked([made.tuned_scores, made.test_scores])
    write_scores(
        folder,
        run.space,
        np.concatenate([table.row_ids for table in tables]),
        np.repeat(["tuned", "test"], [len(table) for table in tables]),
        Targets.concat([table.targets for table in tables]),
        scores,
        run.predictor.decide(scores),
    )
