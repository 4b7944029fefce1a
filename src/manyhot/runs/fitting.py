"""The main job, to be read from top to bottom: data -> parts -> model -> cuts -> results -> folder."""

import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from manyhot import _check
from manyhot.bundle import Origin, Predictor
from manyhot.bundle.atomic import telling_disk_errors
from manyhot.data import Table
from manyhot.data.keys import row_keys
from manyhot.decide import at_half
from manyhot.errors import ManyhotError, ManyhotWarning, RunError, TrainingError
from manyhot.labels import Targets
from manyhot.metrics import Result, evaluate
from manyhot.models import WIDE
from manyhot.runs.checks import check_goals, check_recipe
from manyhot.runs.digest import digest_of
from manyhot.runs.doubts import doubts, leaking, repeated
from manyhot.runs.events import (
    BaselineKnown,
    DataRead,
    Doubted,
    Listener,
    MemoryPlanned,
    RowsParted,
    RunWritten,
)
from manyhot.runs.learn import Learned, is_solved, learn
from manyhot.runs.memory import plan_memory, require_memory
from manyhot.runs.parts import FRACTIONS, Parts, parts_of, require_rows
from manyhot.runs.plan import TUNED_FOR, Plan, claim, read_plan, require_free
from manyhot.runs.progress import progress_where_seen
from manyhot.runs.recipe import Recipe, training_options
from manyhot.runs.run import CHECKPOINTS, Made, Run, load, usual_metrics
from manyhot.runs.seen import SeenRows
from manyhot.runs.source import is_embedded, open_data, require_learnable
from manyhot.runs.write import write_run

if TYPE_CHECKING:
    from torch import nn

PATHS = ("images", "space", "xml", "test", "valid")
"""Options of `read` that are paths."""


def fit(
    data: Any,
    labels: Any = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    read: Mapping[str, Any] | None = None,
    encoder: "str | nn.Module" = "auto",
    encoder_options: Mapping[str, Any] | None = None,
    preparation: Any = "auto",
    preparation_options: Mapping[str, Any] | None = None,
    loss: Any = "auto",
    pos_weight: Any = None,
    goal: Any = "f1_macro",
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    on_event: Listener | None = None,
    **training: Any,
) -> Run:
    """Train a model, tune its cuts, and measure it on test rows beside a predictor that has learned nothing.

    Parts that the data names are honoured; missing ones are cut from the training rows, stratified: of data
    that names none, validation and test rows. The cuts are tuned on rows that the model was not trained on,
    and never on test rows: on validation rows, and for a model that is solved on all training rows, each
    scored by a model that has not seen it.

    Args:
        data: a path, the name of an embedded data set, a `Table`, or rows in memory: a list of texts or image
            paths, a DataFrame, a matrix.
        labels: with rows in memory, a list of label names for each row (or 0/1 columns); with a path, the
            label column or columns where they are not found by themselves.
        out: a new folder for the run; None keeps it in memory (`Run.save` writes it later).
        resume: go on if the folder holds this very run, unfinished.
        read: options of `manyhot.read`, with a path.
        encoder: "auto", a name in `manyhot.models.ENCODERS`, or any module of your own. "auto" is linear for
            texts and sparse rows, but mlp where a linear model would have more than 2**28 weights; for 100
            numeric columns or more of which most cells are zero, mlp and a linear model of rows of length 1
            (preparation "bag") are both tried, and the one with the better mean average precision on
            validation rows is kept.
        encoder_options: of the named encoder, such as {"hidden": [512]}.
        preparation: "auto", or a name such as "tfidf", "hashed" or "bag".
        preparation_options: of the preparation, such as {"size": 64} for images.
        loss: a name in `manyhot.losses.LOSSES`, with arguments if need be ("bce(smoothing=0.1)"), a class or
            an instance. "auto" is bce, save for linear models of texts and sparse rows where nothing is said
            of epochs: these are solved exactly, with the squared hinge.
        pos_weight: "balanced", "sqrt", "effective" or {label: weight}; of the positives in the loss.
        goal: what the cuts are tuned for, as in "f1_micro", "hamming" or "precision >= 0.9"; or a goal for
            each label by name, with "*" for the rest.
        fractions: share of train, valid and test rows where the data does not say.
        seed: of split, weights, and the order of rows; the same seed gives the same run.
        on_event: told what happens; None draws a progress bar where standard error is a terminal.
        training: fields of `manyhot.train.TrainOptions`, such as epochs=30, learning_rate=1e-3.

    Raises:
        InputError: the data cannot be used; the message names file and line.
        OptionError: an option outside its range.
        RunError: `out` is taken, the disk is full, or the run to go on with is another one.
        TrainingError: the training came to numbers that are not finite before it had learned anything.
        KeyboardInterrupt: Ctrl-C; with `out`, what was trained is kept and `resume` goes on from there.

    Example:
        >>> run = fit(texts, [["sport"], ["sport", "money"], []])  # doctest: +SKIP
        >>> run.predict(["the match"])[0]  # doctest: +SKIP
        ['sport']
    """
    seed = _check.seed(seed)
    recipe = Recipe(
        encoder=encoder, encoder_options=encoder_options or {}, preparation=preparation,
        preparation_options=preparation_options or {}, loss=loss, pos_weight=pos_weight, goal=goal,
        fractions=tuple(fractions), seed=seed, training=training_options(training, seed),
    )  # fmt: skip
    if on_event is None:
        with progress_where_seen() as listener:
            return _fit(data, labels, dict(read or {}), recipe, out, resume, listener)
    return _fit(data, labels, dict(read or {}), recipe, out, resume, on_event)


def resume(folder: str | Path, *, goal: Any = None, on_event: Listener | None = None) -> Run:
    """Go on with the unfinished run in a folder, as if nothing had happened.

    Args:
        folder: of the run.
        goal: to tune the cuts for, where it is another than the run was begun with.
        on_event: as for `fit`.

    Raises:
        RunError: there is none, it was begun with values or objects that only Python knows, or the data has
            changed since.
    """
    folder = Path(folder)
    plan = read_plan(folder)
    if plan is None:
        load(folder)  # says what is wrong when this is no run at all
        raise RunError(f"{folder} is finished: there is nothing to go on with")
    if plan.data is None or plan.options is None:
        raise RunError(
            f"{folder} was begun from Python with values in memory: call fit(..., out={str(folder)!r}, "
            "resume=True) with the same arguments"
        )
    options = plan.options if goal is None else {**plan.options, TUNED_FOR: goal}
    return fit(plan.data, plan.labels, out=folder, resume=True, read=plan.read, on_event=on_event, **options)


def _fit(
    data: Any,
    labels: Any,
    read: dict[str, Any],
    recipe: Recipe,
    out: str | Path | None,
    resume: bool,
    tell: Listener,
) -> Run:
    check_recipe(recipe)
    folder = None if out is None else Path(out)
    if folder is not None:
        require_free(folder)
    table = open_data(data, labels, **read)
    tell(DataRead(table))
    require_learnable(table)
    check_goals(recipe.goal, table.space)
    solved = is_solved(table, recipe)
    parts = parts_of(table, recipe.fractions, recipe.seed, cut_valid=not solved)
    require_rows(parts)
    tell(RowsParted(parts, "the cuts are tuned out of fold" if solved and not len(parts.valid) else ""))
    keys = row_keys(table)
    seen = SeenRows.of(keys, parts)
    _tell_doubts(table, parts, seen, tell)
    train, test = table.take(parts.train), table.take(parts.test)
    tell(BaselineKnown(_result(train, test, None, Targets.negative(len(test), len(table.space)))))

    digest = digest_of(table, keys)
    if folder is not None:
        plan = _plan(data, labels, read, recipe, digest, parts.digest(table.row_ids))
        with telling_disk_errors(folder):
            claim(folder, plan, resume)
    if len(table.space) >= WIDE:
        memory, recipe = plan_memory(train, parts.sizes, recipe, solved=solved)
        tell(MemoryPlanned(memory))
        require_memory(memory)
    checkpoints = None if folder is None else folder / CHECKPOINTS
    with _rescuing(folder):
        learned = learn(table, parts, recipe, checkpoints, tell)
        scores = learned.model.kept_scores(test.inputs, learned.rule.least_scores)
        origin = _origin(data, table, recipe, parts, digest, learned)
        made = Made(origin, learned.history, learned.tuned, learned.scores, test, scores, seen)
        run = Run(
            Predictor(learned.model, learned.rule, schema=table.schema, origin=origin),
            _result(train, test, scores, learned.rule.decide(scores)),
            _result(train, test, scores, at_half(table.space).decide(scores)),
            folder=folder,
            made=made,
        )
        if folder is not None:
            write_run(run, folder, made)
            tell(RunWritten(folder))
    return run


@contextmanager
def _rescuing(folder: Path | None) -> Iterator[None]:
    """Where something fails after the training say how to go on; free the folder if nothing was learned."""
    try:
        yield
    except TrainingError:
        if folder is not None:
            shutil.rmtree(folder / CHECKPOINTS)
        raise
    except ManyhotError as error:
        if folder is not None and any((folder / CHECKPOINTS).glob("*.safetensors")):
            error.add_note(
                f"what was trained is kept: go on with `manyhot fit --resume {folder}`; --goal may be another"
            )
        raise


def _tell_doubts(table: Table, parts: Parts, seen: SeenRows, tell: Listener) -> None:
    for sentence in doubts(table, parts):
        tell(Doubted(sentence))
    for sentence in leaking(table):
        warnings.warn(sentence, ManyhotWarning, stacklevel=4)  # at the line that called fit
    sentence, many = repeated(seen)
    if many:
        warnings.warn(sentence, ManyhotWarning, stacklevel=4)
    elif sentence:
        tell(Doubted(sentence))


def _result(train: Table, test: Table, scores: Any, decisions: Targets) -> Result:
    names = usual_metrics(scores, train=True)
    truth, seen = test.targets.harden(), train.targets.harden()
    return evaluate(truth, scores, decisions, metrics=names, space=test.space, train=seen)


def _plan(
    data: Any, labels: Any, read: dict[str, Any], recipe: Recipe, digest: str, parts_digest: str
) -> Plan:
    named, written = isinstance(data, (str, Path)), _written(read)
    return Plan(
        data=None if not named else str(data) if is_embedded(data) else _absolute(data),
        labels=labels if named else None,
        read=written or {},
        options=None if written is None else recipe.to_dict(),
        data_digest=digest,
        parts_digest=parts_digest,
    )


def _written(read: dict[str, Any]) -> dict[str, Any] | None:
    """The options of `read` as they can be written down; None where one is a value that only Python knows."""
    named = {
        name: _absolute(value) if name in PATHS and isinstance(value, (str, Path)) else value
        for name, value in read.items()
    }
    try:
        return msgspec.json.decode(msgspec.json.encode(named))
    except TypeError:
        return None


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute())


def _origin(data: Any, table: Table, recipe: Recipe, parts: Parts, digest: str, learned: Learned) -> Origin:
    source = "memory"
    if isinstance(data, (str, Path)):
        source = str(data) if is_embedded(data) else Path(data).name
    return Origin(
        loss=learned.loss,
        goal=str(getattr(recipe.goal, "name", recipe.goal)),
        seed=recipe.seed,
        data={"source": source, "sentence": table.notes.sentence, "rows": len(table), "digest": digest},
        split={
            "how": parts.how,
            "rows": parts.sizes,
            "digest": parts.digest(table.row_ids),
            "cuts": learned.how,
        },
        options=learned.options,
    )
