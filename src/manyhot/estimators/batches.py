"""Batches that meet rare labels as often as frequent ones: row numbers for any training loop.

Source: class-aware sampling, Shen, Lin and Huang, "Relay backpropagation for effective learning of deep
convolutional neural networks", ECCV 2016.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.errors import InputError
from manyhot.estimators.forms import read_labels
from manyhot.estimators.imbalance import label_table
from manyhot.estimators.seeds import seed_of
from manyhot.labels import Targets


class LabelAwareBatches:
    """Batches of row numbers, drawn label by label; iterate for an epoch, each with other draws.

    A label is drawn, frequent ones less often the higher `power` is, then one of its rows. Rows without
    labels are drawn as if to have none were a label. `torch.utils.data.DataLoader` takes it as
    `batch_sampler`.

    Args:
        y: label sets in any form.
        batch_size: rows in a batch.
        power: 0 draws labels as often as they occur, 1 all alike.
        batches: in an epoch; None is as many as the rows fill.
        random_state: seed of the draws: an integer, a RandomState or None.

    Example:
        >>> batches = LabelAwareBatches([["a"]] * 90 + [["b"]] * 10, batch_size=50)
        >>> [len(rows) for rows in batches]
        [50, 50]
    """

    def __init__(
        self,
        y: Any,
        batch_size: int = 32,
        *,
        power: float = 1.0,
        batches: int | None = None,
        random_state: Any = 0,
    ) -> None:
        _check.at_least("batch_size", batch_size, 1)
        _check.between("power", power, 0.0, 1.0)
        self.targets, self.form = read_labels(y)
        if not len(self.targets):
            raise InputError("there are no rows to draw from")
        self.batch_size = batch_size
        self.batches = -(-len(self.targets) // batch_size) if batches is None else batches
        self.random = np.random.default_rng(seed_of(random_state))
        self.chances = _row_chances(self.targets, power)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        edges = np.cumsum(self.chances)
        for _ in range(self.batches):
            drawn = np.searchsorted(edges, self.random.random(self.batch_size) * edges[-1], side="right")
            yield np.minimum(drawn, len(edges) - 1).tolist()

    def table(self) -> list[dict[str, Any]]:
        """A record a label: its share of the rows, and of the rows that an epoch is expected to draw."""
        expected = self.chances @ self.targets.to_dense(np.float64, unknown=0)
        records = label_table(self.targets, self.targets, self.form.classes.tolist())
        place = {str(name): number for number, name in enumerate(self.form.classes.tolist())}
        return [
            {
                "label": record["label"],
                "rows": record["rows_before"],
                "share_before": record["share_before"],
                "share_after": float(expected[place[record["label"]]]),
            }
            for record in records
        ]


def _row_chances(targets: Targets, power: float) -> NDArray[np.float64]:
    """Chance of each row to be drawn, (rows,), adding up to 1."""
    counts = np.append(targets.label_counts(), np.count_nonzero(targets.row_counts() == 0)).astype(float)
    of_label = np.where(counts > 0, np.maximum(counts, 1) ** (1 - power), 0.0)
    of_row = np.divide(of_label, counts, out=np.zeros(len(counts)), where=counts > 0)
    cells = targets.positives
    rows = np.repeat(np.arange(len(targets)), targets.row_counts())
    chances = np.bincount(rows, of_row[cells.indices], len(targets))
    chances[targets.row_counts() == 0] = of_row[-1]
    return chances / chances.sum()
