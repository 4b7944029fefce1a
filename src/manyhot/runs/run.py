"""A run: what one training made, in memory or in a folder."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import numpy as np
from scipy.sparse import issparse

from manyhot._check import one_of
from manyhot.bundle import Origin, Predictions, Predictor, read_bundle
from manyhot.data import Table
from manyhot.data.index import count
from manyhot.data.keys import row_keys
from manyhot.data.markup import html_table
from manyhot.errors import InputError, ManyhotWarning, OptionError, RunError
from manyhot.labels import LabelSpace, ScoreMatrix
from manyhot.labels.tuned_rows import TunedRowsUse
from manyhot.runs.seen import SeenRows, read_seen_rows
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
    seen: SeenRows


@dataclass(frozen=True)
class RowsToJudge:
    """Rows that a run is measured on.

    Attributes:
        table: the rows.
        left_out: rows of the data that the run was fitted on, which do not judge it.
        learned: rows of the table that equal rows that the run was fitted on.
    """

    table: Table
    left_out: int = 0
    learned: int = 0

    @property
    def sentence(self) -> str:
        """What there is to say of the choice; "" where there is nothing."""
        rows = len(self.table)
        if self.left_out:
            return f"all {rows + self.left_out:,} rows are the run's own: its {rows:,} test rows are measured"
        if self.learned:
            return (
                f"{self.learned:,} of the {rows:,} rows equal rows that the run was fitted on, in inputs and "
                "labels"
            )
        return ""


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
        from manyhot.runs.plan import read_plan, require_free
        from manyhot.runs.write import write_run

        folder = Path(folder)
        if self.made is None or self.folder is not None:
            raise RunError(f"the run is in {self.folder} already: copy that folder")
        require_free(folder)
        if read_plan(folder) is not None:
            raise RunError(f"{folder} holds an unfinished run: choose another folder, or delete that one")
        write_run(self, folder, self.made)
        self.folder = folder

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
            topk: the so many best labels of each row instead of those above the tuned cuts; of an exclusive
                group the best alone counts.
            floor: labels that score at least so much instead of those above the tuned cuts; of an exclusive
                group the best at most.
            row_ids: names of the rows.
        """
        if isinstance(rows, (str, Path)):
            rows, row_ids = inputs_from(rows, self.predictor.schema)
        return self.predictor.predict(rows, topk=topk, floor=floor, row_ids=row_ids)

    def read(self, data: Any, labels: Any = None, **options: Any) -> Table:
        """Labelled data as this run reads it: its labels, and of a file the inputs that it was fitted on.

        Args:
            data: as for `fit`.
            labels: as for `fit`; by default where they were in the data that the run was fitted on.
            options: of `manyhot.read`, where the new data differs from that.

        Raises:
            InputError: the data cannot be used, or lacks what the model reads.
        """
        if isinstance(data, Table) or is_embedded(data):
            return open_data(data, labels, **options)
        options.setdefault("space", self.space)
        return open_data(data, labels, like=self.predictor.schema, **options)

    def evaluate(
        self, data: Any = None, labels: Any = None, *, tuned_rows: TunedRowsUse = "refuse", **read: Any
    ) -> "Result":
        """Metrics on labelled rows, each beside the baseline's.

        What could not be used of a file, and rows that equal training rows, are told as warnings.

        Args:
            data: as for `fit`; None takes the run's own test rows, whose result it has. Of data with parts
                the test rows are taken, and of the data that the run was fitted on the test rows of the run,
                in whatever order and layout it comes.
            labels: as for `fit`.
            tuned_rows: "allow" measures all rows, of every part and also those that the run was fitted on;
                their figures flatter.
            read: options of `manyhot.read`.

        Raises:
            InputError: more rows that the run was fitted on than chance explains, or labels that the run does
                not know, in memory (those of a file are left out and told).
            OptionError: labels or options of reading without data.
        """
        if data is None:
            if labels is not None or read:
                raise OptionError("labels and options of reading are of data: name the data too")
            return self.metrics
        chosen = self.rows_to_judge(self.read(data, labels, **read), tuned_rows=tuned_rows)
        for told in [*chosen.table.notes.lost(), *([chosen.sentence] if chosen.learned else [])]:
            warnings.warn(told, ManyhotWarning, stacklevel=2)
        return self.measure(chosen.table)

    def measure(self, table: Table) -> "Result":
        """Metrics on all rows of a table with the labels of this run, whatever rows they are."""
        from manyhot.metrics import evaluate

        scores = self.predictor.kept_scores(table.inputs)
        names, decided = usual_metrics(scores), self.predictor.decide(scores)
        return evaluate(
            table.targets.harden(), scores, decided, metrics=names, space=self.space, tuned_rows="allow"
        )  # which rows these may be is asked in `rows_to_judge`, that knows all rows of the run by content

    def rows_to_judge(self, table: Table, *, tuned_rows: TunedRowsUse = "refuse") -> "RowsToJudge":
        """The rows of a table that may judge this run.

        Of data with parts the test part; of the data that the run was fitted on its test rows; else all rows.

        Args:
            table: with the labels of this run.
            tuned_rows: "allow" takes all rows as they are.

        Raises:
            InputError: the labels are others, or too many rows are those that the run was fitted on.
            OptionError: another word for `tuned_rows`.
        """
        one_of("tuned_rows", tuned_rows, get_args(TunedRowsUse))
        if table.space.names != self.space.names:
            raise InputError(_other_labels(table.space, self.space))
        if tuned_rows == "allow":
            return RowsToJudge(table)
        given = table.where("test")
        table = table.take(given) if len(given) else table
        keys = row_keys(table, self._columns_read(table))
        judges, learned = self.seen.judges(keys), self.seen.learned(keys)
        if len(judges) and (np.isin(keys, self.seen.test) | learned).all():
            return RowsToJudge(table.take(judges), left_out=len(table) - len(judges))
        learned[judges] = False
        chosen = RowsToJudge(table, learned=int(learned.sum()))
        if self.seen.are_too_many(chosen.learned, len(table)):
            raise InputError(
                f"{chosen.sentence}: their figures would flatter the run; evaluate other rows, or say "
                "tuned_rows='allow'"
            )
        return chosen

    def _columns_read(self, table: Table) -> list[str] | None:
        """Of a table's columns those that the model reads; None where it has no such columns."""
        schema, names = self.predictor.schema, getattr(table.inputs, "frame", None)
        if schema is None or names is None:
            return None
        return [name for name in (*schema.text, *dict(schema.features)) if name in names.columns]

    @property
    def seen(self) -> SeenRows:
        """The rows that the run was fitted on, and those that judged it."""
        if self.made is not None:
            return self.made.seen
        assert self.folder is not None
        return read_seen_rows(self.folder)

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else str(self.folder)
        figures = ", ".join(
            f"{name} {self.metrics[name]:.3f} (baseline {self.metrics.baseline[name]:.3f})"
            for name in ("f1_macro", "exact", "hamming")
            if name in self.metrics
        )
        labels = count(len(self.space), "label", "labels")
        return f"Run({where}: {labels}; on {self.metrics.rows:,} test rows {figures})"

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                *(f"{values[name]:.4f}" for values in (self.metrics.baseline, self.untuned, self.metrics)),
                self.metrics.counted[name],
            )
            for name in self.metrics.values
            if name in self.metrics.baseline and name in self.untuned
        ]
        return html_table(repr(self), ["metric", "baseline", "cut 0.5", "tuned cuts", "counted"], rows)


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


def inputs_from(path: "str | Path | list[str]", schema: "Schema | None") -> tuple[Any, Any]:
    """Inputs and row names of files, read as the training file was.

    Raises:
        InputError: the files cannot be read, or lack what the model reads.
        RunError: the run does not know how files are read.
    """
    from manyhot.data import read_inputs

    return read_inputs(path, _known(schema))


def input_batches(
    paths: Sequence[str], schema: "Schema | None", images: str | Path | None = None
) -> Iterator[tuple[Any, Any]]:
    """The same in batches: one file that is a table, or standard input, in bounded memory."""
    from manyhot.data import read_inputs, stream_inputs

    if len(paths) == 1:
        return stream_inputs(paths[0], _known(schema), images=images)
    return iter([read_inputs(paths, _known(schema), images=images)])


def _known(schema: "Schema | None") -> "Schema":
    if schema is None:
        raise RunError("this run does not say how files are read: give it rows from Python, not a file")
    return schema


def _other_labels(found: LabelSpace, wanted: LabelSpace) -> str:
    strange = [name for name in found.names if name not in wanted]
    missing = [name for name in wanted.names if name not in found]
    return (
        f"the data has other labels than the run, {len(strange)} that the run does not know ({strange[:3]}), "
        f"and lacks {len(missing)} of the run's ({missing[:3]}): read it with the label space of the run, "
        "space=run.space"
    )
