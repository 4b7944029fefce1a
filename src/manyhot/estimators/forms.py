"""The forms in which scikit-learn users hold labels: read into `Targets`, and predictions given back alike.

A row of labels may be a list of names, a line of a 0/1 matrix (NumPy, DataFrame, SciPy sparse) or of
`Targets`; a vector of classes is one exclusive choice a row, as everywhere in scikit-learn.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot._typing import IntArray
from manyhot.errors import InputError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets, as_targets, formats

Kind = Literal["names", "dense", "sparse", "frame", "targets", "classes", "column"]


@dataclass(frozen=True)
class LabelForm:
    """How labels were given, so that predictions can be given the same way.

    Attributes:
        kind: "classes" is a vector (rows,), "column" the same as a matrix (rows, 1).
        classes: (labels,) names; column numbers where the labels have none.
        space: the labels as strings, in the same order; the classes of a vector are an exclusive group.
        dtype: of the values.
        container: class of a sparse matrix or frame.
    """

    kind: Kind
    classes: NDArray[Any]
    space: LabelSpace
    dtype: Any = np.int64
    container: Any = None

    @property
    def exclusive(self) -> bool:
        """One class a row, instead of a set of labels."""
        return self.kind in ("classes", "column")

    @property
    def named(self) -> bool:
        """Whether labels are found by name; else by the number of their column."""
        return self.kind == "frame" or (not self.exclusive and self.classes.dtype.kind not in "iu")

    def read(self, y: Any) -> Targets:
        """Targets of further rows, in any form: the labels of `fit`, then those that it has not seen.

        Rows of names and DataFrames are read by name, whatever form `fit` was given. A model cannot assign a
        label that no row of `fit` had, so that each of its positives counts as a miss.

        Raises:
            InputError: a DataFrame without a column for some label, or names where `fit` knew none.
            ShapeError: another number of labels.
        """
        if self.exclusive:
            return _read_choice(np.asarray(y).ravel(), self.classes)
        if _are_names(y):
            return self._read_names(_rows(y))
        if formats.is_frame(y) and self.named and (self.kind == "frame" or formats.has_names(y)):
            return self._read_frame(y)
        given = y if isinstance(y, Targets) or issparse(y) else _matrix(y)
        return as_targets(given, len(self.classes))

    def write(self, decided: Targets, X: Any = None) -> Any:
        """Label sets in this form; a DataFrame takes its index from X, if that has one.

        Cells that a rule leaves open are NaN, for which a matrix of whole numbers becomes one of floats.

        Raises:
            InputError: open cells, where labels are lists of names.
        """
        if self.kind == "targets":
            return decided
        if self.kind == "names":
            return self._names_of(decided)
        dtype = np.result_type(self.dtype, np.float32) if decided.has_unknown else self.dtype
        if self.kind == "sparse":
            return self.container(decided.to_csr().astype(dtype))
        values = decided.to_dense(dtype)
        if self.kind == "dense":
            return values
        index = getattr(X, "index", None)
        options = {"index": index} if hasattr(self.container, "index") and index is not None else {}
        columns = {name: values[:, place] for place, name in enumerate(self.classes.tolist())}
        return self.container(columns, **({} if callable(index) else options))

    def choose(self, codes: IntArray) -> Any:
        """Classes by their numbers, (rows,), in this form."""
        chosen = self.classes[codes]
        return chosen[:, None] if self.kind == "column" else chosen

    def _read_names(self, rows: list[Any]) -> Targets:
        if not self.named:
            raise InputError(
                "y holds names, fit was given columns without any; pass a matrix with the same columns"
            )
        strange: Counter[str] = Counter()
        targets = self.space.encode(rows, unknown="collect", seen=strange)
        return self._with(strange).encode(rows) if strange else targets

    def _read_frame(self, frame: Any) -> Targets:
        frame = frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)
        return self._with(set(frame.columns) - set(self.space.names)).from_columns(frame)

    def _with(self, unseen: Iterable[str]) -> LabelSpace:
        return LabelSpace((*self.space.names, *sorted(unseen)))

    def _names_of(self, decided: Targets) -> list[list[str]]:
        if decided.unknown is not None:
            raise InputError(
                f"the rule leaves {decided.unknown.nnz} cells open, which lists of names cannot say; "
                "predict_targets(X) gives them as unknown cells, and fit with y as a matrix gives NaN"
            )
        return [self.classes[row].tolist() for row in decided.to_index_lists()]


def read_labels(y: Any, space: LabelSpace | None = None) -> tuple[Targets, LabelForm]:
    """Targets (rows, labels) and the form they came in.

    Args:
        y: lists of names; 0/1 matrix as NumPy array, nested list, DataFrame or SciPy sparse, NaN where
            unknown; `Targets`; or a vector of classes.
        space: what is known of the labels; None takes independent labels from y. Rows of names are read in
            its order, the columns of a DataFrame by name but kept in their own, other matrices by position.

    Raises:
        InputError: no labels, soft values, other labels than the space has, or a form that cannot be told.
        ShapeError: another number of columns than the space has labels.
    """
    if y is None:
        raise InputError("this classifier requires y to be passed, but the target y is None")
    if isinstance(y, Targets):
        return _by_position("targets", y, space)
    if _are_names(y):
        return _read_rows(_rows(y), space)
    if issparse(y):
        return _by_position("sparse", as_targets(y), space, y.dtype, type(y))
    values = _matrix(y)
    if values.ndim > 2:
        raise ShapeError(f"expected y of shape (rows, labels), got {values.shape}")
    if values.ndim < 2 or (values.shape[1] == 1 and not _is_multi_hot(values)):
        return _read_classes(values, space)
    if formats.is_frame(y):
        kinds = [np.asarray(y[name]).dtype for name in y.columns]
        return _read_columns(y, space, _numeric(np.result_type(*kinds)))
    return _by_position("dense", as_targets(values), space, _numeric(values.dtype))


def one_hot(codes: IntArray, width: int) -> Targets:
    """Targets of one label a row."""
    rows = len(codes)
    return Targets(csr_array((np.ones(rows, np.float32), codes, np.arange(rows + 1)), shape=(rows, width)))


def widened(targets: Targets, width: int) -> Targets:
    """The same cells with further labels on the right, negative in every row."""
    shape = len(targets), width
    sides = [
        None if side is None else csr_array((side.data, side.indices, side.indptr), shape=shape)
        for side in (targets.positives, targets.unknown)
    ]
    return Targets(*sides)


def _by_position(
    kind: Kind, targets: Targets, space: LabelSpace | None, dtype: Any = np.int64, container: Any = None
) -> tuple[Targets, LabelForm]:
    targets = _hard(targets)
    if space is None:
        classes = np.arange(targets.width)
        space = LabelSpace(tuple(map(str, classes.tolist())))
    else:
        space.require_width(targets)
        classes = np.array(space.names)
    return targets, LabelForm(kind, classes, space, dtype, container)


def _read_rows(rows: list[Any], space: LabelSpace | None) -> tuple[Targets, LabelForm]:
    space = LabelSpace.of(rows) if space is None else space
    if not len(space):
        raise InputError("no row has a label; give at least one row the name of a label")
    return space.encode(rows), LabelForm("names", np.array(space.names), space)


def _read_columns(frame: Any, space: LabelSpace | None, dtype: Any) -> tuple[Targets, LabelForm]:
    if space is not None and not formats.has_names(frame):
        return _by_position("frame", as_targets(frame), space, dtype, type(frame))
    names = tuple(map(str, frame.columns))
    if space is None:
        ordered = LabelSpace(names)
    else:
        strange = [name for name in names if name not in space]
        if strange:
            raise InputError(f"y has a column {strange[0]!r}, which is no label of the space; drop it")
        space.from_columns(frame)  # says which label has no column
        ordered = LabelSpace(names, space.groups, space.parents, space.rules)
    targets = _hard(as_targets(frame))
    return targets, LabelForm("frame", np.asarray(frame.columns), ordered, dtype, type(frame))


def _read_classes(values: NDArray[Any], space: LabelSpace | None) -> tuple[Targets, LabelForm]:
    from sklearn.utils import assert_all_finite
    from sklearn.utils.multiclass import check_classification_targets

    if space is not None:
        raise InputError(
            "y is a vector of classes, of which a row has one: leave space out, or pass y as label sets"
        )
    kind: Kind = "column" if values.ndim == 2 else "classes"
    flat = values.ravel()
    if flat.dtype.kind == "f":
        assert_all_finite(flat, input_name="y")
    check_classification_targets(flat)
    classes, codes = np.unique(flat, return_inverse=True)
    names = tuple(map(str, classes))
    groups = (Group("class", names),) if len(names) > 1 else ()
    return one_hot(codes.ravel(), len(classes)), LabelForm(
        kind, classes, LabelSpace(names, groups), classes.dtype
    )


def _read_choice(values: NDArray[Any], classes: NDArray[Any]) -> Targets:
    """Classes as one label a row, those that are not among `classes` on the right."""
    found, codes = np.unique(values, return_inverse=True)
    place = {value: number for number, value in enumerate(classes.tolist())}
    places = np.array([place.setdefault(value, len(place)) for value in found.tolist()], np.int64)
    return one_hot(places[codes.ravel()], len(place))


def _numeric(dtype: Any) -> Any:
    """The type of predictions: that of y, or float where missing values made it one of objects."""
    return dtype if dtype.kind in "biuf" else np.dtype(np.float64)


def _hard(targets: Targets) -> Targets:
    if not targets.width:
        raise InputError("y has no labels; give it one column for each label")
    if targets.is_soft:
        raise InputError("y holds values between 0 and 1; a classifier wants 0 or 1: Targets.harden() cuts")
    return targets


def _matrix(y: Any) -> NDArray[Any]:
    """Numbers or classes as an array; ragged lists are refused with what they may be meant as."""
    if isinstance(y, Sequence) and not isinstance(y, str) and len({_length(row) for row in y}) > 1:
        raise InputError(
            "y has rows of different lengths and no names in them; for label numbers "
            "pass Targets.from_index_lists(y, width)"
        )
    return np.asarray(y)


def _is_multi_hot(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "biuf" and bool(np.isin(values[~np.isnan(values)], (0, 1)).all())


def _are_names(y: Any) -> bool:
    """Whether rows are collections of strings (or all empty)."""
    if issparse(y) or formats.is_frame(y) or isinstance(y, (str, bytes, Targets)):
        return False
    if not isinstance(y, Iterable) or (isinstance(y, np.ndarray) and (y.ndim != 1 or y.dtype.kind != "O")):
        return False
    rows = _rows(y)
    listed = [row for row in rows if isinstance(row, (list, tuple, set, frozenset, np.ndarray))]
    if not listed or len(listed) < len(rows):
        return False
    filled = [row for row in listed if len(row)]
    return not filled or any(isinstance(item, str) for row in filled for item in row)


def _rows(y: Any) -> list[Any]:
    if hasattr(y, "to_list"):  # of a Series; that of polars holds further Series
        return y.to_list()
    return y.tolist() if isinstance(y, np.ndarray) else list(y)


def _length(row: Any) -> int:
    return len(row) if hasattr(row, "__len__") and not isinstance(row, str) else -1
