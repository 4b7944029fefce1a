"""The forms in which scikit-learn users hold labels: read into `Targets`, and predictions given back alike.

A row of labels may be a list of names, a line of a 0/1 matrix (NumPy, DataFrame, SciPy sparse) or of
`Targets`; a vector of classes is one exclusive choice a row, as everywhere in scikit-learn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot._typing import BoolArray, IntArray
from manyhot.errors import InputError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets, as_targets

Kind = Literal["names", "dense", "sparse", "frame", "targets", "classes", "column"]


@dataclass(frozen=True)
class LabelForm:
    """How labels were given, so that predictions can be given the same way.

    Attributes:
        kind: "classes" is a vector (rows,), "column" the same as a matrix (rows, 1).
        classes: (labels,) names; column numbers where the labels have none.
        dtype: of the values.
        container: class of a sparse matrix or frame.
    """

    kind: Kind
    classes: NDArray[Any]
    dtype: Any = np.int64
    container: Any = None

    @property
    def exclusive(self) -> bool:
        """One class a row, instead of a set of labels."""
        return self.kind in ("classes", "column")

    @property
    def space(self) -> LabelSpace:
        """The labels as strings; the classes of a vector are an exclusive group."""
        names = tuple(map(str, self.classes))
        groups = (Group("class", names),) if self.exclusive and len(names) > 1 else ()
        return LabelSpace(names, groups)

    def read(self, y: Any) -> Targets:
        """Targets of further rows, in any form, with the columns of this one.

        Raises:
            InputError: names or classes that `fit` has not seen.
            ShapeError: another number of labels.
        """
        if self.exclusive:
            return _one_hot(np.asarray(y).ravel(), self.classes)
        if _are_names(y):
            return self.space.encode(_rows(y))
        if _is_frame(y) and self.kind == "frame":
            return LabelSpace(tuple(map(str, self.classes))).from_columns(y.rename(columns=str))
        return as_targets(_matrix(y), len(self.classes))

    def write(self, decided: BoolArray, X: Any = None) -> Any:
        """Label sets (rows, labels) in this form; a DataFrame takes its index from X, if that has one."""
        if self.kind == "names":
            return [self.classes[row].tolist() for row in decided]
        if self.kind == "targets":
            return as_targets(decided)
        if self.kind == "sparse":
            return self.container(csr_array(decided.astype(self.dtype)))
        values = decided.astype(self.dtype)
        if self.kind == "frame":
            index = getattr(X, "index", None)
            options = {} if index is None or callable(index) else {"index": index}
            return self.container(values, columns=self.classes.tolist(), **options)
        return values

    def choose(self, codes: IntArray) -> Any:
        """Classes by their numbers, (rows,), in this form."""
        chosen = self.classes[codes]
        return chosen[:, None] if self.kind == "column" else chosen


def read_labels(y: Any) -> tuple[Targets, LabelForm]:
    """Targets (rows, labels) and the form they came in.

    Args:
        y: lists of names; 0/1 matrix as NumPy array, nested list, DataFrame or SciPy sparse, NaN where
            unknown; `Targets`; or a vector of classes.

    Raises:
        InputError: no labels, soft values, or a form that cannot be told.
    """
    if y is None:
        raise InputError("this classifier requires y to be passed, but the target y is None")
    if isinstance(y, Targets):
        return _hard(y), LabelForm("targets", np.arange(y.width))
    if _are_names(y):
        rows = _rows(y)
        space = LabelSpace.of(rows)
        if not len(space):
            raise InputError("no row has a label; give at least one row the name of a label")
        return space.encode(rows), LabelForm("names", np.array(space.names))
    if issparse(y):
        form = LabelForm("sparse", np.arange(y.shape[1]), y.dtype, type(y))
        return _hard(as_targets(y)), form
    if _is_frame(y) and y.shape[1] > 1:
        dtype = np.result_type(*(np.asarray(y[name]).dtype for name in y.columns))
        return _hard(as_targets(y)), LabelForm("frame", np.asarray(y.columns), dtype, type(y))
    values = _matrix(y)
    if values.ndim > 2:
        raise ShapeError(f"expected y of shape (rows, labels), got {values.shape}")
    if values.ndim == 2 and (values.shape[1] != 1 or _is_multi_hot(values)):
        return _hard(as_targets(values)), LabelForm("dense", np.arange(values.shape[1]), values.dtype)
    return _read_classes(values)


def _read_classes(values: NDArray[Any]) -> tuple[Targets, LabelForm]:
    from sklearn.utils import assert_all_finite
    from sklearn.utils.multiclass import check_classification_targets

    kind: Kind = "column" if values.ndim == 2 else "classes"
    flat = values.ravel()
    if flat.dtype.kind == "f":
        assert_all_finite(flat, input_name="y")
    check_classification_targets(flat)
    classes = np.unique(flat)
    return _one_hot(flat, classes), LabelForm(kind, classes, classes.dtype)


def _one_hot(values: NDArray[Any], classes: NDArray[Any]) -> Targets:
    codes = np.searchsorted(classes, values)
    strange = classes[np.minimum(codes, len(classes) - 1)] != values
    if np.any(strange):
        raise InputError(f"class {values[strange][0]!r} is not among the {len(classes)} that fit was given")
    rows = len(values)
    return Targets(
        csr_array((np.ones(rows, np.float32), codes, np.arange(rows + 1)), shape=(rows, len(classes)))
    )


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
    if issparse(y) or _is_frame(y) or isinstance(y, (str, bytes, Targets)) or not isinstance(y, Iterable):
        return False
    if isinstance(y, np.ndarray) and (y.ndim != 1 or y.dtype.kind != "O"):
        return False
    rows = _rows(y)
    listed = [row for row in rows if isinstance(row, (list, tuple, set, frozenset, np.ndarray))]
    if not listed or len(listed) < len(rows):
        return False
    filled = [row for row in listed if len(row)]
    return not filled or any(isinstance(item, str) for row in filled for item in row)


def _rows(y: Any) -> list[Any]:
    return y.tolist() if isinstance(y, np.ndarray) else list(y)


def _is_frame(y: Any) -> bool:
    return hasattr(y, "columns") and hasattr(y, "to_numpy")


def _length(row: Any) -> int:
    return len(row) if hasattr(row, "__len__") and not isinstance(row, str) else -1
