"""Tables: numbers scaled, categories coded, missing cells marked, useless columns left out and named."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from manyhot.errors import InputError
from manyhot.models.preparation import Arrays, Preparation
from manyhot.models.prepared import DenseRows, InputShape

CLIP = 10.0
"""Numbers further than so many standard deviations from the training mean count as that far."""

ONE_HOT_MOST = 32
"""Columns with more categories than this are embedded."""

_ALL_DIFFERENT = 20  # from so many rows on, a text column without any repetition is a row id


@dataclass(frozen=True)
class NumberColumn:
    """A numeric or boolean column: (value - mean) / deviation, and whether it was missing.

    Columns of only 0 and 1 keep their values (mean 0, deviation 1): a rare flag that is scaled would
    outweigh everything else.
    """

    name: str
    mean: float
    deviation: float
    marked: bool
    """Whether a second column says which cells were missing; cells that are, become the mean."""

    def features(self, series: Any) -> list[NDArray[np.float32]]:
        """One or two float32 columns."""
        values = _numbers(series)
        missing = ~np.isfinite(values)
        scaled = np.clip((values - self.mean) / self.deviation, -CLIP, CLIP)
        scaled[missing] = 0.0
        columns = [scaled.astype(np.float32)]
        return [*columns, missing.astype(np.float32)] if self.marked else columns


@dataclass(frozen=True)
class CategoryColumn:
    """A text column, one-hot or coded for an embedding; a missing or new category is none of the known."""

    name: str
    categories: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the column becomes one code, in [0, len(categories)], and not one column a category."""
        return len(self.categories) > ONE_HOT_MOST

    def codes(self, series: Any) -> NDArray[np.int64]:
        """1 + position of the category; 0 where it is missing or was not there in training."""
        position = {category: place for place, category in enumerate(self.categories, start=1)}
        return np.fromiter((position.get(value, 0) for value in _texts(series)), np.int64, len(series))

    def features(self, series: Any) -> list[NDArray[np.float32]]:
        """Float32 columns, as many as categories."""
        codes = self.codes(series)
        return [(codes == place).astype(np.float32) for place in range(1, len(self.categories) + 1)]


Column = NumberColumn | CategoryColumn


@dataclass(frozen=True)
class ColumnsPreparation(Preparation):
    """A table as one float32 matrix: numbers and one-hot categories first, codes to be embedded last."""

    name: ClassVar[str] = "columns"
    reads: ClassVar[str] = "columns"

    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> InputShape:
        """Dense; `categories` counts code 0 as well."""
        width = sum(_width(column) for column in self.columns)
        return InputShape("dense", width, tuple(len(column.categories) + 1 for column in self._embedded))

    @property
    def _embedded(self) -> list[CategoryColumn]:
        return [column for column in self.columns if isinstance(column, CategoryColumn) and column.embedded]

    @classmethod
    def fit(cls, inputs: Any) -> "ColumnsPreparation":
        """Look at every column of `inputs.frame`, a polars frame.

        Raises:
            InputError: no column is left.
        """
        columns, notes = fitted_columns(inputs.frame)
        if not columns:
            raise InputError(f"no column tells rows apart ({'; '.join(notes) or 'there is none'})")
        return cls(columns, notes)

    def prepare(self, inputs: Any) -> DenseRows:
        """(rows, features) float32.

        Raises:
            InputError: a column is missing, or holds text where numbers were.
        """
        require_columns(inputs.frame, [column.name for column in self.columns])
        plain = [column for column in self.columns if column not in self._embedded]
        parts = [part for column in plain for part in column.features(inputs.frame[column.name])]
        for column in self._embedded:
            parts.append(column.codes(inputs.frame[column.name]).astype(np.float32))
        matrix = np.empty((len(inputs), len(parts)), np.float32)
        for place, part in enumerate(parts):
            matrix[:, place] = part
        return DenseRows(torch.from_numpy(matrix))

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Everything as JSON: means and deviations are written with all their digits."""
        columns = [{"type": type(column).__name__, **asdict(column)} for column in self.columns]
        return {"columns": columns, "notes": list(self.notes)}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> "ColumnsPreparation":  # noqa: ARG003
        """The preparation that gave this state."""
        return cls(tuple(_column(**column) for column in config["columns"]), tuple(config["notes"]))


def fitted_columns(frame: Any) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of a polars frame that may help, and what was left out, one sentence each."""
    columns: list[Column] = []
    constant, ids, notes = [], [], []
    for name in frame.columns:
        column = _fit_number(frame[name]) if is_number(frame[name]) else _fit_category(frame[name])
        if column is not None:
            columns.append(column)
        elif is_number(frame[name]) or frame[name].n_unique() <= 1:
            constant.append(name)
        else:
            ids.append(name)
    if constant:
        notes.append(f"left out, constant: {_listed(constant)}")
    if ids:
        notes.append(f"left out, every row has its own value: {_listed(ids)}")
    return tuple(columns), tuple(notes)


def require_columns(frame: Any, names: Iterable[str]) -> None:
    """Raise `InputError` that names the columns which the frame lacks."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise InputError(f"missing columns: {_listed(absent)}; training had them (their cells may be empty)")


def _column(type: str, **fields: Any) -> Column:
    if type == "NumberColumn":
        return NumberColumn(**fields)
    return CategoryColumn(fields["name"], tuple(fields["categories"]))


def _width(column: Column) -> int:
    if isinstance(column, NumberColumn):
        return 1 + column.marked
    return 1 if column.embedded else len(column.categories)


def is_number(series: Any) -> bool:
    """Whether a column holds numbers, or nothing."""
    return series.dtype.is_numeric() or str(series.dtype) in ("Boolean", "Null")


def _numbers(series: Any) -> NDArray[np.float64]:
    """Float64, NaN where the cell is empty."""
    numbers = series.cast(float, strict=False)
    failed = (numbers.is_null() & series.is_not_null()).arg_true()
    if len(failed):
        row = int(failed[0])
        raise InputError(
            f"column '{series.name}' holds {series[row]!r} in row {row}, and in training it held numbers; "
            "correct the cell or leave it empty"
        )
    return np.array(numbers.to_numpy(), dtype=np.float64)


def _texts(series: Any) -> list[Any]:
    return series.cast(str).to_list()


def _fit_number(series: Any) -> NumberColumn | None:
    values = _numbers(series)
    finite = np.isfinite(values)
    known = values[finite]
    marked = bool(len(known)) and not finite.all()
    if not len(known):
        return None
    if np.isin(known, (0.0, 1.0)).all():
        constant = len(np.unique(known)) < 2
        return None if constant and not marked else NumberColumn(series.name, 0.0, 1.0, marked)
    mean = float(known.mean())
    deviation = float(known.std())
    if not deviation > 1e-12 * max(1.0, abs(mean)):
        return NumberColumn(series.name, mean, 1.0, True) if marked else None
    return NumberColumn(series.name, mean, deviation, marked)


def _fit_category(series: Any) -> CategoryColumn | None:
    texts = _texts(series)
    known = sorted({text for text in texts if text is not None})
    if len(known) + (None in texts) < 2:
        return None
    if len(known) == len(texts) >= _ALL_DIFFERENT:
        return None
    return CategoryColumn(series.name, tuple(known))


def _listed(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest
