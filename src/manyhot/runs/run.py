"""A run: what one training made, in memory or in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy.sparse import issparse

from manyhot.bundle import Origin, Predictions, Predictor, read_bundle
from manyhot.data import Table
from manyhot.errors import InputError, RunError
from manyhot.labels import LabelSpace, ScoreMatrix
from manyhot.runs.digest import digest_of
from manyhot.runs.scores_file import test_row_ids
from manyhot.runs.source import is_embedded, open_data

if TYPE_CHECKING:
    from torch import nn

    from manyhot.data import Schema
    from manyhot.metrics import Result
    from manyhot.train import History

METRICS = "metrics.json"
HISTORY = "history.jsonl"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Made:
    """What a run folder holds beside the model: kept by a run in memory until it is saved."""

    origin: Origin
    history: "History"
    tuned: Table
    tuned_scores: ScoreMatrix
    test: Table
    test_scores: ScoreMatrix


class Run:
    """A trained model with its labels, its cuts and what it scored on rows it has never seen.

    Attributes:
        predictor: rows in, label names out.
        metrics: `Result` on the test rows with the tuned cuts, each value beside the baseline's.
        untuned: the same with every cut at one half.
        folder: where the run is kept; None for a run in memory.
        made: history, rows and scores of the training; None for a run that was loaded.
    """

    def __init__(
        self,
        predictor: Predictor,
        metrics: "Result",
        untuned: "Result",
        *,
        folder: Path | None = None,
        made: Made | None = None,
    ) -> None:
        self.predictor = predictor
        self.metrics = metrics
        self.untuned = untuned
        self.folder = folder
        self.made = made

    @property
    def space(self) -> LabelSpace:
        """The labels, in the order of all score columns."""
        return self.predictor.space

    @property
    def history(self) -> "History | None":
        """Of the training, epoch by epoch; None for a run that was loaded."""
        return None if self.made is None else self.made.history

    def save(self, folder: str | Path) -> None:
        """Write a run that was fitted in memory into a new folder.

        Raises:
            RunError: the folder is taken, the disk is full, or the run has a folder already.
        """
        from manyhot.runs.write import write_run

        if self.made is None or self.folder is not None:
            raise RunError(f"the run is in {self.folder} already: copy that folder")
        write_run(self, Path(folder), self.made)
        self.folder = Path(folder)

    def predict(
        self,
        rows: Any,
        *,
        topk: int | None = None,
        floor: float | None = None,
        row_ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Label names of rows in memory, or of a file or folder; see `Predictor.predict`.

        Args:
            rows: a path of a file or folder like the training data (labels are not needed), or rows in any
                form of `inputs_of`: a list of texts or image paths, a DataFrame, a matrix.
            topk: the so many best labels of each row instead of those above the tuned cuts.
            floor: labels that score at least so much instead of those above the tuned cuts.
            row_ids: names of the rows.
        """
        if isinstance(rows, (str, Path)):
            rows, row_ids = inputs_from(rows, self.predictor.schema)
        return self.predictor.predict(rows, topk=topk, floor=floor, row_ids=row_ids)

    def evaluate(
        self, data: Any, labels: Any = None, *, allow_tuned_rows: bool = False, **read: Any
    ) -> "Result":
        """Metrics on labelled rows, each beside the baseline's.

        Args:
            data: as for `fit`. Of data with parts the test rows are taken, and of the data that the run was
                trained on the test rows of the run.
            labels: as for `fit`.
            allow_tuned_rows: evaluate on rows that the cuts were tuned on; their figures flatter.
            read: options of `manyhot.read`.

        Raises:
            InputError: rows that the cuts were tuned on, or labels that the run does not know.
        """
        if not isinstance(data, Table) and not is_embedded(data):
            read.setdefault("space", self.space)
        return self.evaluate_table(open_data(data, labels, **read), allow_tuned_rows=allow_tuned_rows)

    def evaluate_table(self, table: Table, *, allow_tuned_rows: bool = False) -> "Result":
        """`evaluate` on a table with the labels of this run; `rows_to_judge` says which rows are taken."""
        from manyhot.metrics import evaluate

        if table.space.names != self.space.names:
            raise InputError(_other_labels(table.space, self.space))
        digest = digest_of(table)
        table = self.rows_to_judge(table, digest)
        self.predictor.rule.check_rows(named_rows(digest, table), allow_tuned_rows=allow_tuned_rows)
        scores = self.predictor.kept_scores(table.inputs)
        names, decided = usual_metrics(scores), self.predictor.decide(scores)
        use = "allow" if allow_tuned_rows else "refuse"
        return evaluate(table.targets, scores, decided, metrics=names, space=self.space, tuned_rows=use)

    def rows_to_judge(self, table: Table, digest: str) -> Table:
        """The rows of a table that may judge this run.

        Of the very data that the run was trained on, its test rows; of other data with parts, the test part;
        else all rows.
        """
        if self.folder is not None and digest == self.predictor.origin.data.get("digest"):
            return table.take(np.flatnonzero(np.isin(table.row_ids, test_row_ids(self.folder))))
        rows = table.where("test")
        return table.take(rows) if len(rows) else table

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else str(self.folder)
        figures = ", ".join(
            f"{name} {self.metrics[name]:.3f} (baseline {self.metrics.baseline[name]:.3f})"
            for name in ("f1_macro", "exact", "hamming")
            if name in self.metrics
        )
        return f"Run({where}: {len(self.space):,} labels; on {self.metrics.rows:,} test rows {figures})"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{name}</td><td>{self.metrics.baseline[name]:.4f}</td><td>{self.untuned[name]:.4f}</td>"
            f"<td>{value:.4f}</td><td>{self.metrics.counted[name]}</td></tr>"
            for name, value in self.metrics.values.items()
            if name in self.metrics.baseline and name in self.untuned
        )
        head = "<tr><th>metric</th><th>baseline</th><th>cut 0.5</th><th>tuned cuts</th><th>counted</th></tr>"
        return f"<p>{escape(repr(self))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


NEED_EVERY_SCORE = ("auc_macro", "coverage_error", "ranking_loss", "log_loss", "ece")


def usual_metrics(scores: Any, *, train: bool = False) -> list[str] | None:
    """Names for `evaluate`: None, which are all the usual ones; of kept scores those that the best ones tell.

    Args:
        scores: as `Model.kept_scores` gives them, or None.
        train: whether the training rows are told.
    """
    from manyhot.metrics import METRICS
    from manyhot.metrics.evaluate import HEADLINE

    if not issparse(scores):
        return None
    needs = {"decisions", "scores", "probabilities"} | ({"scores and train"} if train else set())
    return [name for name in HEADLINE if name not in NEED_EVERY_SCORE and METRICS[name].needs in needs]


def load(folder: str | Path, encoder: "nn.Module | None" = None) -> Run:
    """The run that `fit` wrote into a folder, on this machine or another.

    Args:
        folder: the run.
        encoder: a module of the same architecture, for a run with a module of your own.

    Raises:
        RunError: the folder, or a file in it, is missing, damaged or of another format.
    """
    folder = Path(folder)
    predictor = read_bundle(folder, encoder)
    tuned, untuned = read_metrics(folder)
    return Run(predictor, tuned, untuned, folder=folder)


def read_metrics(folder: Path) -> "tuple[Result, Result]":
    """The results in `metrics.json`: with tuned cuts, and with every cut at one half."""
    from manyhot.metrics import Result

    path = folder / METRICS
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        return Result.from_dict(content["tuned"]), Result.from_dict(content["untuned"])
    except FileNotFoundError:
        raise RunError(f"{path} is missing: copy the whole run folder, not parts of it") from None
    except (msgspec.DecodeError, KeyError) as error:
        raise RunError(f"{path} is damaged or was edited ({error}): restore it from a copy") from error


def inputs_from(
    path: "str | Path | list[str]", schema: "Schema | None", images: str | Path | None = None
) -> tuple[Any, Any]:
    """Inputs and row names of files, read as the training file was.

    Raises:
        InputError: the files cannot be read, or lack what the model reads.
        RunError: the run does not know how files are read.
    """
    from manyhot.data import read_inputs

    if schema is None:
        raise RunError("this run does not say how files are read: give it rows from Python, not a file")
    return read_inputs(path, schema, images=images)


def named_rows(digest: str, table: Table) -> list[str]:
    """Names under which a rule remembers its rows: row "17" of other data is another row."""
    return [f"{digest[:16]}:{row_id}" for row_id in table.row_ids]


def _other_labels(found: LabelSpace, wanted: LabelSpace) -> str:
    strange = [name for name in found.names if name not in wanted]
    missing = [name for name in wanted.names if name not in found]
    return (
        f"the data has other labels than the run, {len(strange)} that the run does not know ({strange[:3]}), "
        f"and lacks {len(missing)} of the run's ({missing[:3]}): read it with the label space of the run, "
        "space=run.space"
    )
