"""One file's rows as read, and how several of them become one table with one label space and one sentence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyhot.data.frames import listed
from manyhot.data.index import count
from manyhot.data.inputs import Columns, Inputs, Mixed, SparseColumns, Texts
from manyhot.data.marks import Marks, in_order
from manyhot.data.table import NO_IMAGE, PARTS, BadRow, Notes, Schema, Table
from manyhot.errors import InputError
from manyhot.labels import LabelSpace, Targets
from manyhot.labels.unicode_forms import composed, lookalikes

if TYPE_CHECKING:
    import polars as pl


LONG_TEXT = 1_000_000
"""Characters beyond which a text is told: a quote that is not closed makes one of many rows."""


@dataclass
class Piece:
    """What one file gave.

    inputs_how and labels_how are the parts of the sentence that only the reader of that file knows, such as
    "text in 'body'" and "in 'tags' (separated by '|')".
    """

    name: str
    inputs: Inputs
    marks: Marks
    row_ids: NDArray[np.str_]
    schema: Schema
    inputs_how: str
    labels_how: str
    part: NDArray[np.str_] | None = None
    group: NDArray[Any] | None = None
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    skipped: list[BadRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, rows: NDArray[np.int64]) -> "Piece":
        """Some of the rows; notes stay."""
        self.inputs = self.inputs.take(rows)
        self.marks = self.marks.take(rows)
        self.row_ids = self.row_ids[rows]
        self.part = None if self.part is None else self.part[rows]
        self.group = None if self.group is None else self.group[rows]
        return self

    def without(self, bad: Mapping[int, BadRow]) -> "Piece":
        """The piece without some rows, which are noted as skipped.

        Raises:
            InputError: no row is left.
        """
        if not bad:
            return self
        self.skipped += [bad[row] for row in sorted(bad)]
        keep = np.ones(len(self.inputs), np.bool_)
        keep[list(bad)] = False
        if not keep.any():
            raise InputError(
                f"{self.name}: none of the {len(keep):,} rows can be used; the first: {self.skipped[0]}"
            )
        return self.take(np.flatnonzero(keep))


def join(
    pieces: Sequence[Piece], parts: Sequence[str | None], title: str, space: LabelSpace | None = None
) -> Table:
    """One table of all pieces.

    Args:
        pieces: in the order of the rows wanted.
        parts: for each piece the part that its file stands for, or None where the file says it row by row or
        not.
        title: what the sentence calls the data.
        space: the labels to use; by default those that the pieces have.

    Raises:
        InputError: no row has a label.
    """
    first = pieces[0]
    warnings = list(dict.fromkeys(warning for piece in pieces for warning in piece.warnings))
    space = space or _space_of(pieces, title, warnings)
    targets, strange = _targets(pieces, space)
    inputs: Any = first.inputs
    if len(pieces) > 1:
        inputs = inputs.joined([piece.inputs for piece in pieces[1:]])
    row_ids = np.concatenate([_ids(piece, len(pieces) > 1) for piece in pieces])
    part = _parts(pieces, parts)
    group = _groups(pieces)
    skipped = tuple(row for piece in pieces for row in piece.skipped)
    _check_skipped(skipped, len(inputs), title)
    _check(targets, space, title, warnings)
    warnings += _input_warnings(inputs) + _long_texts(inputs, row_ids)
    sentence = _sentence(title, first, inputs, targets, space, part, skipped, group is not None)
    notes = Notes(sentence, skipped, tuple(warnings), strange)
    return Table(inputs, targets, space, part, group, row_ids, first.schema, notes)


def _space_of(pieces: Sequence[Piece], title: str, warnings: list[str]) -> LabelSpace:
    names = list(dict.fromkeys(name for piece in pieces for name in piece.marks.names))
    if not names:
        raise InputError(
            f"{title}: no row has a label: check that the labels stand where they were looked for "
            f"({pieces[0].labels_how})"
        )
    if not all(piece.marks.fixed for piece in pieces):
        merged = dict.fromkeys(name for piece in pieces for name in piece.marks.lookalikes)
        if across := lookalikes(names):
            merged |= dict.fromkeys(composed(group[0]) for group in across)
            names = list(dict.fromkeys(map(composed, names)))
        if merged:
            warnings.append(
                f"{count(len(merged), 'label is', 'labels are')} written in two Unicode forms that look the "
                f"same, and read as one: {listed(list(merged), 5)}"
            )
        names = in_order(names)
    parents = {child: above for piece in pieces for child, above in piece.parents.items()}
    return LabelSpace(tuple(names), parents={child: parents[child] for child in names if child in parents})


def _targets(pieces: Sequence[Piece], space: LabelSpace) -> tuple[Targets, Counter[str]]:
    """The targets of all pieces, and how often each label was met that the space lacks."""
    strange: Counter[str] = Counter()
    parts = []
    for piece in pieces:
        targets, lost = piece.marks.onto(space)
        strange.update(lost)
        parts.append(targets)
    return Targets.concat(parts) if len(parts) > 1 else parts[0], strange


def _parts(pieces: Sequence[Piece], parts: Sequence[str | None]) -> NDArray[np.str_] | None:
    if all(part is None and piece.part is None for piece, part in zip(pieces, parts, strict=True)):
        return None
    found = []
    for piece, part in zip(pieces, parts, strict=True):
        if part is None and piece.part is not None:
            found.append(piece.part)
        else:
            found.append(np.full(len(piece.inputs), part or "train"))
    return np.concatenate(found)


def _groups(pieces: Sequence[Piece]) -> NDArray[Any] | None:
    """The groups of all rows; a row of a file without groups is a group of its own."""
    groups = [piece.group for piece in pieces if piece.group is not None]
    if not groups:
        return None
    if len(groups) == len(pieces):
        return np.concatenate(groups)
    own = [np.char.add(f"{piece.name}:", piece.row_ids) for piece in pieces]
    known = [piece.group for piece in pieces]
    return np.concatenate(
        [row if group is None else group.astype(np.str_) for group, row in zip(known, own, strict=True)]
    )


def _ids(piece: Piece, several: bool) -> NDArray[np.str_]:
    if not several or piece.schema.id or piece.schema.image or not len(piece.row_ids):
        return piece.row_ids
    return np.char.add(f"{piece.name}:", piece.row_ids)


def _check_skipped(skipped: Sequence[BadRow], kept: int, title: str) -> None:
    """A few bad rows are left out; where most are bad, the file is not what it was taken for."""
    bad = [row for row in skipped if row.why != NO_IMAGE]
    if len(bad) > kept:
        raise InputError(
            f"{title}: {len(bad):,} of {len(bad) + kept:,} rows cannot be used, the first: {bad[0]}: mend "
            "the file, or say layout=... if it was taken for another one"
        )


def _check(targets: Targets, space: LabelSpace, title: str, warnings: list[str]) -> None:
    counts = targets.label_counts()
    if not counts.any():
        raise InputError(
            f"{title}: all {len(targets):,} rows are without labels: check that the labels stand where "
            "they were looked for"
        )
    if len(space) == 1:
        warnings.append(f"one label only, '{space.names[0]}': a yes/no task; several labels were expected")
    never = [name for name, count in zip(space.names, counts, strict=True) if not count]
    if never:
        warnings.append(
            f"{count(len(never), 'label is', 'labels are')} positive in no row: {listed(never, 5)}"
        )
    if len(space) > 1 and (targets.row_counts() == len(space)).all() and not targets.has_unknown:
        warnings.append("every row has every label: nothing can be learnt to tell them apart")


def _input_warnings(inputs: Inputs) -> list[str]:
    if isinstance(inputs, Texts):
        empty = sum(not value.strip() for value in inputs.values)
        return [f"{count(empty, 'row has', 'rows have')} no text"] if empty else []
    if isinstance(inputs, Mixed):
        return [*_input_warnings(inputs.texts), *_input_warnings(inputs.columns)]
    if isinstance(inputs, Columns):
        return _column_warnings(inputs)
    if isinstance(inputs, SparseColumns) and not inputs.names:
        return ["there are no features, only labels: fine for studying the labels, not for training"]
    return []


def _long_texts(inputs: Inputs, row_ids: NDArray[np.str_]) -> list[str]:
    if not isinstance(inputs, Texts):
        return []
    lengths = np.fromiter(map(len, inputs.values), np.int64, len(inputs))
    long = int((lengths > LONG_TEXT).sum())
    if not long:
        return []
    row = int(lengths.argmax())
    what = count(long, "text has", "texts have")
    return [
        f"{what} more than {LONG_TEXT:,} characters, that of row {row_ids[row]} {lengths[row]:,}: is a quote "
        "left open?"
    ]


def _column_warnings(inputs: Columns) -> list[str]:
    import polars as pl
    from polars import selectors

    frame = inputs.frame
    floats = frame.select(selectors.float())
    gaps = Counter(frame.null_count().row(0, named=True))
    gaps.update(floats.select(pl.all().is_nan().sum()).row(0, named=True) if floats.width else {})
    gaps = Counter({name: count for name, count in gaps.items() if count})
    infinite = _true(floats.select(pl.all().is_infinite().any()))
    numbers, words = frame.select(selectors.numeric()), frame.select(~selectors.numeric())
    distinct = words.select(pl.all().drop_nulls().n_unique())
    constant = {
        *_true(numbers.select(pl.all().min() == pl.all().max())),
        *_true(distinct.select(pl.all() < 2)),
    }
    constant |= {name for name, count in gaps.items() if count == frame.height}
    varied = _true(distinct.select(pl.all() > max(50, frame.height // 2)))
    warnings = []
    if constant:
        ordered = [name for name in frame.columns if name in constant]
        what = count(len(ordered), "column holds", "columns hold")
        warnings.append(f"{what} one value only and cannot help: {listed(ordered, 5)}")
    if gaps:
        missing, where = sum(gaps.values()), count(len(gaps), "column", "columns")
        warnings.append(
            f"{missing:,} missing cells in {where} ({listed(gaps, 5)}): they are filled in training"
        )
    if infinite:
        what = count(len(infinite), "column holds", "columns hold")
        warnings.append(f"{what} infinite numbers: {listed(infinite, 5)}")
    if varied:
        warnings.append(f"mostly different strings in {listed(varied, 5)}: such a category teaches little")
    return warnings


def _true(row: "pl.DataFrame") -> list[str]:
    """Columns of a frame of one row that hold true."""
    return [name for name, value in row.row(0, named=True).items() if value] if row.width else []


def _sentence(
    title: str,
    first: Piece,
    inputs: Inputs,
    targets: Targets,
    space: LabelSpace,
    part: NDArray[np.str_] | None,
    skipped: tuple[BadRow, ...],
    grouped: bool,
) -> str:
    rows = len(inputs)
    text = f"read {title}: {count(rows, 'row', 'rows')}, {first.inputs_how or _shape_of(inputs)}"
    text += f", {count(len(space), 'label', 'labels')} {first.labels_how}"
    text += f", {int(targets.label_counts().sum()) / rows:.2f} a row"
    clauses = []
    if part is not None:
        counts = Counter(part.tolist())
        clauses.append("parts: " + ", ".join(f"{name} {counts[name]:,}" for name in PARTS if counts[name]))
    if first.schema.id:
        clauses.append(f"rows named by '{first.schema.id}'")
    if grouped:
        clauses.append(f"groups in '{first.schema.group}'")
    if targets.has_unknown and targets.unknown is not None:
        share = targets.unknown.nnz / (rows * len(space))
        clauses.append(f"{100 * share:.1f} % of the cells unknown")
    empty = int((targets.row_counts() == 0).sum())
    if empty:
        clauses.append(f"{count(empty, 'row', 'rows')} without labels")
    if first.unused:
        clauses.append(f"not used: {listed(first.unused, 5)}")
    if skipped:
        clauses.append(f"skipped {count(len(skipped), 'bad row', 'bad rows')} ({skipped[0]})")
    return "; ".join([text, *clauses])


def _shape_of(inputs: Inputs) -> str:
    if isinstance(inputs, Columns):
        numeric = sum(dtype.is_numeric() for dtype in inputs.frame.dtypes)
        kinds = [f"{numeric:,} numeric"] * bool(numeric) + [
            f"{len(inputs.names) - numeric:,} categorical"
        ] * (numeric < len(inputs.names))
        return f"{count(len(inputs.names), 'column', 'columns')} ({', '.join(kinds)})"
    if isinstance(inputs, SparseColumns):
        cells = len(inputs) * len(inputs.names)
        filled = 100 * inputs.matrix.nnz / cells if cells else 0.0
        return f"{count(len(inputs.names), 'sparse column', 'sparse columns')} ({filled:.1f} % filled)"
    return inputs.kind
