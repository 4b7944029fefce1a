"""Do probabilities mean what they say? Log loss, Brier score, expected calibration error.

Source:
    Brier, Monthly Weather Review 78, 1950 (per cell, the two-class form halved); Naeini, Cooper, Hauskrecht,
    AAAI 2015 (calibration error), with bins of equal mass: Nixon et al., CVPR workshops 2019.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, issparse

from manyhot.labels import Targets
from manyhot.metrics.counts import Numbers, Sparse, column_sums, row_sums

ROWS = 1024  # rows of dense scores looked at together
BINS = 15
BUCKETS = (0x3F800000 >> 16) + 1  # leading halves of the float32 in [0, 1]


def cell_losses(targets: Targets, scores: Any) -> Numbers:
    """Sums over each row's known cells of log loss (nats) and squared error, (2, rows).

    Every cell is taken as negative first, then positive and unknown ones are put right, so no dense target
    is made. Probabilities are kept one machine epsilon away from 0 and 1.

    Args:
        targets: hard.
        scores: dense or CSR, in [0, 1]; absent cells are 0.
    """
    from manyhot.kernels.pooled import cell_values

    losses = _all_negative(scores)
    limit = float(np.finfo(scores.dtype).eps)
    at_positive, _ = cell_values(scores, targets.positives)
    losses += _sums(_positive(at_positive, limit) - _negative(at_positive, limit), targets.positives)
    if targets.unknown is not None:
        at_unknown, _ = cell_values(scores, targets.unknown)
        losses -= _sums(_negative(at_unknown, limit), targets.unknown)
    return losses


def shared_losses(targets: Targets, scores: Numbers) -> Numbers:
    """`cell_losses` when all rows have the same probabilities (labels,)."""
    limit = float(np.finfo(np.float64).eps)
    wrong, right = _negative(scores, limit), _positive(scores, limit)
    losses = np.repeat(wrong.sum(1)[:, None], len(targets), axis=1)
    losses += _sums((right - wrong)[:, targets.positives.indices], targets.positives)
    if targets.unknown is not None:
        losses -= _sums(wrong[:, targets.unknown.indices], targets.unknown)
    return losses


def label_losses(targets: Targets, scores: Any, weight: Numbers) -> Numbers:
    """Sums over each label's known cells of log loss and squared error, (2, labels[, replicates]).

    Args:
        targets, scores: as for `cell_losses`. weight: (rows,) or (rows, replicates).
    """
    from manyhot.kernels.pooled import cell_values

    limit = float(np.finfo(scores.dtype).eps)
    at_positive, _ = cell_values(scores, targets.positives)
    losses = _all_negative_by_label(scores, weight, limit)
    losses += _label_sums(
        _positive(at_positive, limit) - _negative(at_positive, limit), targets.positives, weight
    )
    if targets.unknown is not None:
        at_unknown, _ = cell_values(scores, targets.unknown)
        losses -= _label_sums(_negative(at_unknown, limit), targets.unknown, weight)
    return losses


def shared_label_losses(scores: Numbers, positive: Numbers, known: Numbers) -> Numbers:
    """`label_losses` when all rows have the same probabilities, all (labels,): (2, labels)."""
    limit = float(np.finfo(np.float64).eps)
    return positive * _positive(scores, limit) + (known - positive) * _negative(scores, limit)


def _all_negative_by_label(scores: Any, weight: Numbers, limit: float) -> Numbers:
    if issparse(scores):
        stored = _label_sums(_negative(scores.data, limit), scores, weight)
        absent = weight.sum(0) - column_sums(scores, weight)
        return stored + np.stack([absent * -np.log1p(-limit), np.zeros_like(absent)])
    losses = np.zeros((2, scores.shape[1], *weight.shape[1:]))
    for first in range(0, len(scores), ROWS):
        part = _negative(scores[first : first + ROWS], limit).astype(np.float64)
        losses += part.transpose(0, 2, 1) @ weight[first : first + ROWS]
    return losses


def _label_sums(values: NDArray[Any], cells: Sparse, weight: Numbers) -> Numbers:
    """Sums of two values a cell over each label's cells, rows weighted."""
    parts = (
        csr_array((each.astype(np.float64), cells.indices, cells.indptr), shape=cells.shape)
        for each in values
    )
    return np.stack([part.T @ weight for part in parts])


def _all_negative(scores: Any) -> Numbers:
    limit = float(np.finfo(scores.dtype).eps)
    if issparse(scores):
        absent = scores.shape[1] - np.diff(scores.indptr)
        return _sums(_negative(scores.data, limit), scores) + np.outer([-np.log1p(-limit), 0.0], absent)
    losses = np.empty((2, len(scores)))
    for first in range(0, len(scores), ROWS):
        part = _negative(scores[first : first + ROWS], limit)
        losses[:, first : first + ROWS] = part.sum(axis=2, dtype=np.float64)
    return losses


def _negative(scores: NDArray[Any], limit: float) -> NDArray[Any]:
    """Log loss and squared error of scores at negative cells."""
    return np.stack([-np.log1p(-np.clip(scores, limit, 1.0 - limit)), scores * scores])


def _positive(scores: NDArray[Any], limit: float) -> NDArray[Any]:
    return np.stack([-np.log(np.clip(scores, limit, 1.0 - limit)), (1.0 - scores) ** 2])


def _sums(values: NDArray[Any], cells: Sparse) -> Numbers:
    return np.stack([row_sums(part, cells.indptr) for part in values.astype(np.float64)])


def bin_gaps(targets: Targets, scores: Any, weight: Numbers) -> Numbers:
    """Confidence minus positives of each row's known cells in each bin of the pooled cells, (rows, BINS).

    The bins hold equal masses of cells, as far as scores allow: a bin ends only where scores differ by more
    than the 128th part of an octave, so equal scores are never torn apart and the rows' order plays no part.

    Args:
        targets: hard. scores: dense or CSR, in [0, 1]; absent cells are 0. weight: (rows,).
    """
    from manyhot.kernels.pooled import cell_values

    bins = equal_mass_bins(bucket_sums(targets, scores, weight)[0])
    gaps = np.zeros((len(targets), BINS))
    for part_rows, values in _parts(scores):
        _add(gaps, part_rows, bins[_bucket(values)], values)
    hidden = _hidden(targets)
    at_unknown, _ = cell_values(scores, hidden)
    at_positive, _ = cell_values(scores, targets.positives)
    _add(gaps, _rows(targets.positives), bins[_bucket(at_positive)], np.full(len(at_positive), -1.0))
    _add(gaps, _rows(hidden), bins[_bucket(at_unknown)], -at_unknown)
    return gaps


def bucket_sums(targets: Targets, scores: Any, weight: Numbers) -> Numbers:
    """Mass, and confidence minus positives, of the known cells in each stretch of scores, (2, BUCKETS).

    Sums of disjoint rows add up, and `bucket_error` of the sum is the error of all rows.
    """
    from manyhot.kernels.pooled import cell_values

    sums = np.zeros((2, BUCKETS))

    def add(bucket: NDArray[np.intp], mass: Numbers, values: NDArray[Any]) -> None:
        sums[0] += np.bincount(bucket, mass, minlength=BUCKETS)
        sums[1] += np.bincount(bucket, mass * values, minlength=BUCKETS)

    for rows, values in _parts(scores):
        add(_bucket(values), weight[rows], values)
    sums[0, 0] += weight.sum() * targets.width - sums[0].sum()  # absent cells
    hidden, positives = _hidden(targets), targets.positives
    at_unknown, _ = cell_values(scores, hidden)
    add(_bucket(at_unknown), -weight[_rows(hidden)], at_unknown)
    at_positive, _ = cell_values(scores, positives)
    sums[1] -= np.bincount(_bucket(at_positive), weight[_rows(positives)], minlength=BUCKETS)
    return sums


def bucket_error(sums: Numbers) -> float:
    """Expected calibration error from `bucket_sums`, NaN without a known cell."""
    mass, gaps = sums
    if mass.sum() <= 0:
        return float("nan")
    return float(np.abs(np.bincount(equal_mass_bins(mass), gaps, minlength=BINS)).sum() / mass.sum())


def _hidden(targets: Targets) -> Sparse:
    return csr_array(targets.shape, dtype=bool) if targets.unknown is None else targets.unknown


def shared_gaps(targets: Targets, scores: Numbers, label_mass: Numbers) -> Numbers:
    """`bin_gaps` when all rows have the same probabilities (labels,), known with the masses (labels,)."""
    bucket = _bucket(scores)
    bins = equal_mass_bins(np.bincount(bucket, label_mass, minlength=BUCKETS))[bucket]
    gaps = np.tile(np.bincount(bins, scores, minlength=BINS), (len(targets), 1)).astype(np.float64)
    labels = targets.positives.indices
    _add(gaps, _rows(targets.positives), bins[labels], np.full(len(labels), -1.0))
    if targets.unknown is not None:
        hidden = targets.unknown.indices
        _add(gaps, _rows(targets.unknown), bins[hidden], -scores[hidden])
    return gaps


def label_calibration(targets: Targets, scores: Any, weight: Numbers) -> Numbers:
    """Expected calibration error of every label, (labels,): bins of equal mass, ties in one bin.

    NaN where no cell of the label is known.
    """
    errors = np.full(targets.width, np.nan)
    for label, (bins, gaps, mass) in enumerate(_binned_labels(targets, scores, weight)):
        if mass.any():
            errors[label] = np.abs(np.bincount(bins, mass * gaps)).sum() / mass.sum()
    return errors


def label_bin_gaps(targets: Targets, scores: Any, weight: Numbers) -> Sparse:
    """Confidence minus truth of every known cell, by label and bin: CSR (labels * BINS, rows).

    The bins are those of `label_calibration`. Times other row weights it gives the gaps that these make.
    """
    rows, values, sizes = [], [], []
    for bins, gaps, mass in _binned_labels(targets, scores, weight):
        kept = np.flatnonzero((mass > 0) & (gaps != 0))
        kept = kept[np.argsort(bins[kept], kind="stable")]
        rows.append(kept)
        values.append(gaps[kept])
        sizes.append(np.bincount(bins[kept], minlength=BINS))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    cells = np.concatenate(values), np.concatenate(rows), starts
    return csr_array(cells, shape=(targets.width * BINS, len(targets)))


def _binned_labels(
    targets: Targets, scores: Any, weight: Numbers
) -> Iterator[tuple[NDArray[np.intp], Numbers, Numbers]]:
    """Of each label the bin of every row, its confidence minus truth, and its mass, 0 where unknown."""
    columns = csc_array(scores) if issparse(scores) else scores
    positives = csc_array(targets.positives)
    hidden = None if targets.unknown is None else csc_array(targets.unknown)
    for label in range(targets.width):
        values, truth, mass = np.zeros(len(targets)), np.zeros(len(targets)), weight.copy()
        if issparse(scores):
            values[_stored_rows(columns, label)] = columns.data[
                columns.indptr[label] : columns.indptr[label + 1]
            ]
        else:
            values[:] = columns[:, label]
        truth[_stored_rows(positives, label)] = 1.0
        if hidden is not None:
            mass[_stored_rows(hidden, label)] = 0.0
        _, score = np.unique(values, return_inverse=True)
        yield equal_mass_bins(np.bincount(score, mass))[score], values - truth, mass


def equal_mass_bins(mass: NDArray[Any]) -> NDArray[np.intp]:
    """Bin of each of some consecutive stretches, such that bins hold about equal masses.

    A stretch goes whole to the bin in which its middle lies.
    """
    total = mass.sum()
    middle = np.cumsum(mass) - 0.5 * mass
    if total <= 0:
        return np.zeros(len(mass), np.intp)
    return np.clip((BINS * middle / total).astype(np.intp), 0, BINS - 1)


def _bucket(scores: NDArray[Any]) -> NDArray[np.intp]:
    """Stretch of the number line by exponent and 7 bits of mantissa: 0 at 0, the last at 1."""
    floats = np.ascontiguousarray(scores + 0.0, np.float32)  # + 0.0 makes -0.0 the same as 0.0
    return (floats.view(np.uint32) >> 16).astype(np.intp)


def _parts(scores: Any) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Row and score of the stored cells, so many at a time that memory stays bounded."""
    if issparse(scores):
        yield _rows(scores), scores.data
        return
    for first in range(0, len(scores), ROWS):
        part = scores[first : first + ROWS]
        yield np.repeat(np.arange(first, first + len(part)), part.shape[1]), part.reshape(-1)


def _add(gaps: Numbers, rows: NDArray[Any], bins: NDArray[Any], values: NDArray[Any]) -> None:
    if not len(rows):
        return
    first, last = rows[0], rows[-1] + 1  # rows ascend
    sums = np.bincount((rows - first) * BINS + bins, values, minlength=(last - first) * BINS)
    gaps[first:last] += sums.reshape(-1, BINS)


def _rows(cells: Sparse) -> NDArray[np.intp]:
    return np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))


def _stored_rows(columns: Any, label: int) -> NDArray[Any]:
    return columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
