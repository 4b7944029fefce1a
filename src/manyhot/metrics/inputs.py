"""What `evaluate` is given, read and checked at the door: scores, decisions, row weights."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot._check import one_of, same_shape
from manyhot.errors import InputError, ShapeError
from manyhot.labels import LabelSpace, RowMarks, Targets, as_targets, formats, score_matrix
from manyhot.labels.column_names import difference
from manyhot.labels.tuned_rows import Hashes, TunedRowsUse, refuse_tuned_rows

CHUNK = 1 << 22  # cells looked at together: bounds the memory of a check
BinaryScores = Literal["refuse", "allow"]
EXACT_BITS = 48  # of the 53 that a float64 has; five are left to draws that take rows several times


def read_targets(targets: Any, width: int | None = None, space: LabelSpace | None = None) -> Targets:
    """Hard targets of any form that `as_targets` reads; with a space also names, and frames by name.

    Raises:
        InputError: soft values, which no metric can count.
    """
    read = as_targets(targets, width, space=space)
    if read.is_soft:
        raise InputError(
            "metrics compare with yes or no, these targets are soft; pass targets.harden(0.5), or another cut"
        )
    return read


def read_scores(scores: Any, shape: tuple[int, int], space: LabelSpace | None = None) -> Any:
    """Scores as a dense float array or a CSR of floats with sorted columns.

    Args:
        scores: (rows, labels), any form of `score_matrix`.
        shape: that of the targets.
        space: label names for messages, and for the columns of a DataFrame.

    Raises:
        ShapeError: another shape.
        InputError: NaN.
    """
    matrix: Any = score_matrix(scores, None if space is None else space.names)
    if not issparse(matrix):
        matrix = np.ascontiguousarray(matrix)
    same_shape(targets=shape, scores=matrix.shape)
    values = matrix.data if issparse(matrix) else matrix
    if _any(values, np.isnan):
        raise InputError(
            f"scores are NaN for {_first_nan(matrix, space)}; a metric cannot rank NaN: "
            "mark cells that nobody annotated as unknown in the targets instead"
        )
    return matrix


def are_binary(scores: Any) -> bool:
    """True when there are stored scores, and each is 0 or 1."""
    values = scores.data if issparse(scores) else scores
    return bool(values.size) and not _any(values, lambda part: (part != 0) & (part != 1))


def refuse_binary(scores: Any, use: BinaryScores) -> None:
    """Raise `InputError` if all scores are 0 or 1, which is no ranking, unless they may be."""
    refused = one_of("binary_scores", use, ("refuse", "allow")) == "refuse"
    if refused and scores is not None and are_binary(scores):
        raise InputError(NO_RANKING)


NO_RANKING = (
    "scores hold nothing but 0 and 1, so they rank nothing; pass what the decisions were made of "
    "(predict_proba or decision_function), pass this as decisions=, or say binary_scores='allow' if the "
    "model gives no others"
)


def read_decisions(decisions: Any, shape: tuple[int, int], space: LabelSpace | None = None) -> Targets:
    """Decisions as hard `Targets` without unknown cells.

    Args:
        decisions: `Targets`; a matrix of 0/1 or bool (rows, labels), sparse or dense; lists of label indices,
            or with a space of names. A DataFrame that has names is read by these.
        shape: that of the targets.
        space: the labels.

    Raises:
        ShapeError: another shape.
        InputError: values other than 0 and 1, or unknown cells.
    """
    if isinstance(decisions, Targets):
        read = _in_order(decisions, space)
    elif issparse(decisions):
        _refuse_real(decisions.data)
        read = Targets(decisions)
    elif _are_lists(decisions, shape[1]) or (space is not None and formats.is_frame(decisions)):
        read = as_targets(decisions, shape[1], space=space)
    else:
        dense = formats.array_of(decisions)
        if dense.ndim != 2:
            raise ShapeError(f"expected decisions (rows, labels), got shape {dense.shape}")
        if dense.dtype != bool:
            _refuse_real(dense)
        read = Targets(_pattern(dense))
    same_shape(targets=shape, decisions=read.shape)
    if read.is_soft:
        _refuse_real(read.positives.data)
    if read.has_unknown:
        raise InputError("decisions are yes or no and cannot be unknown; unknown cells belong to the targets")
    return read


def refuse_tuned_decisions(decisions: Targets, ids: Hashes | None, use: TunedRowsUse) -> None:
    """Raise `InputError` for what a rule decided of rows that it was tuned on, unless these may be used."""
    origin = decisions.provenance
    if origin is not None and origin.marks is not None:
        marks = origin.marks if ids is None else RowMarks(origin.marks.scores, ids)
        refuse_tuned_rows(origin.tuned_on, marks, use)


def _in_order(decisions: Targets, space: LabelSpace | None) -> Targets:
    """Decided sets with their labels in the order of the space, where both know them by name."""
    names = None if decisions.provenance is None else decisions.provenance.names
    if space is None or names is None or names == space.names:
        return decisions
    if set(names) != set(space.names):
        raise InputError(difference({"the space": space.names, "decisions": names}))
    place = {name: column for column, name in enumerate(names)}
    return decisions.columns([place[name] for name in space.names])


def _are_lists(decisions: Any, labels: int) -> bool:
    """True for lists of indices or names; rows of one value a label are a matrix."""
    if hasattr(decisions, "ndim") and (decisions.ndim != 1 or formats.is_tensor(decisions)):
        return False
    if not isinstance(decisions, Sequence) and not hasattr(decisions, "ndim"):
        return False
    rows = list(decisions)
    if not all(hasattr(row, "__len__") for row in rows):
        return False
    return not all(len(row) == labels and not any(isinstance(cell, str) for cell in row) for row in rows)


def read_weight(weight: Any, rows: int) -> NDArray[np.float64]:
    """Row weights (rows,), finite and >= 0, not all 0; ones when None.

    Rounded to a common binary fraction, by less than 2^-48 of what all rows could weigh: so all sums of them
    are exact, and what is left of a label when its positives are taken away is 0 where nothing is left.
    """
    if weight is None:
        return np.ones(rows)
    read = np.asarray(formats.array_of(weight), np.float64)
    if read.shape != (rows,):
        raise ShapeError(f"expected row_weight of shape ({rows},), got {read.shape}")
    if not (np.isfinite(read).all() and (read >= 0).all()) or (rows and not read.any()):
        raise InputError("row_weight must be finite, >= 0 and not 0 for all rows")
    if not rows:
        return read
    places = EXACT_BITS - int(np.frexp(rows * read.max())[1])
    return np.ldexp(np.rint(np.ldexp(read, places)), -places)


def read_costs(costs: Any, labels: int) -> NDArray[np.float64]:
    """Costs of a false positive and of a false negative, each a number or (labels,), as (2, labels)."""
    if not hasattr(costs, "__len__") or len(costs) != 2:
        raise InputError(f"expected costs=(false positive, false negative), got {costs!r:.60}")
    read = np.empty((2, labels))
    for place, cost in enumerate(costs):
        values = np.asarray(cost, np.float64)
        if values.shape not in ((), (labels,)):
            raise ShapeError(f"expected a cost or one for each of {labels} labels, got shape {values.shape}")
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise InputError(f"costs must be finite and >= 0, got {cost!r:.60}")
        read[place] = values
    return read


def read_propensity(constants: Any) -> tuple[float, float]:
    """The constants A and B of the propensity model, both > 0."""
    if hasattr(constants, "__len__") and len(constants) == 2:
        a, b = float(constants[0]), float(constants[1])
        if a > 0 and b > 0:
            return a, b
    raise InputError(
        f"expected propensity=(A, B), two numbers > 0 such as (0.55, 1.5), got {constants!r:.60}"
    )


def are_probabilities(scores: Any) -> bool:
    """True when every stored score lies in [0, 1]."""
    values = scores.data if issparse(scores) else scores
    return not _any(values, lambda part: (part < 0) | (part > 1))


def _pattern(dense: NDArray[Any]) -> csr_array:
    places = np.flatnonzero(np.ascontiguousarray(dense))
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=1))])
    columns = places % dense.shape[1] if dense.shape[1] else places
    return csr_array((np.ones(len(places), np.float32), columns, starts), shape=dense.shape)


def _any(values: NDArray[Any], condition: Any) -> bool:
    flat = values.reshape(-1)
    return any(condition(flat[start : start + CHUNK]).any() for start in range(0, flat.size, CHUNK))


def _refuse_real(values: NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf":
        raise InputError(f"expected decisions of 0 and 1, got {values.dtype}; encode names with a LabelSpace")
    flat = values.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        wrong = (part != 0) & (part != 1)
        if wrong.any():
            raise InputError(
                f"decisions hold {part[wrong][0]:.4g}, wanted 0 or 1; pass it as scores=, "
                "or cut it first with a rule of manyhot.decide"
            )


def _first_nan(matrix: Any, space: LabelSpace | None) -> str:
    if issparse(matrix):
        place = int(np.flatnonzero(np.isnan(matrix.data))[0])
        row = int(np.searchsorted(matrix.indptr, place, "right")) - 1
        label = int(matrix.indices[place])
    else:
        row, label = (int(part) for part in np.argwhere(np.isnan(matrix))[0])
    return f"label {space.names[label]!r} in row {row}" if space else f"label {label} in row {row}"
