"""openml: multi-label data sets of openml.org, for users with a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.inputs import Columns, SparseColumns
from manyhot.data.table import Table
from manyhot.errors import InputError
from manyhot.labels import LabelSpace, Targets

if TYPE_CHECKING:
    import polars as pl

# Numbers of the multi-label versions; by the bare name openml.org gives binary ones, such as `scene` with the
# one target `Urban`. Probst et al., Multilabel Classification with R Package mlr, The R Journal 9(1), 2017
MULTI_LABEL = {
    "birds": 40588,
    "emotions": 40589,
    "enron": 40590,
    "genbase": 40591,
    "image": 40592,
    "langLog": 40593,
    "reuters": 40594,
    "scene": 40595,
    "slashdot": 40596,
    "yeast": 40597,
}
POSITIVE = {"true", "1", "1.0", "yes"}
NEGATIVE = {"false", "0", "0.0", "no"}


def openml(
    name: str | int, *, version: int | None = None, labels: Sequence[str] | None = None, cache: bool = True
) -> Table:
    """A data set of openml.org: its target columns are the labels, all others the inputs.

    Args:
        name: such as "yeast" or "scene", or the number of a data set.
        version: of the name; the multi-label one where manyhot knows it, else the oldest active one.
        labels: names of the label columns, where the data set declares none or the wrong ones.
        cache: keep the file in scikit-learn's data folder (`SCIKIT_LEARN_DATA`) for the next time.

    Raises:
        InputError: no network; no such data set; fewer than two label columns; a label column with other
            values than TRUE/FALSE, 1/0, yes/no.
    """
    bunch = _fetch(name, version, labels, cache)
    title = f"{bunch.details['name']} version {bunch.details['version']}"
    if isinstance(name, str) and version is None and name in MULTI_LABEL and bunch.details["name"] != name:
        raise InputError(f"openml.org answered {title} for {name!r}; pass version=...")
    names = list(bunch.target_names)
    if len(names) < 2:
        raise InputError(
            f"openml.org: {title} has {len(names)} label column{'s' * (len(names) != 1)} "
            f"({', '.join(names)}), not several; pass another version=... or labels=[...]"
        )
    values = np.asarray(bunch.target)
    dense = np.column_stack([_cells(values[:, place], label) for place, label in enumerate(names)])
    inputs = _inputs(bunch.data, list(bunch.feature_names), bunch.categories)
    sentence = (
        f"openml: {title}, {len(inputs):,} rows, {len(bunch.feature_names):,} columns, {len(names)} labels"
    )
    return Table.of(inputs, Targets.from_dense(dense), LabelSpace(tuple(names)), sentence=sentence)


def _fetch(name: str | int, version: int | None, labels: Sequence[str] | None, cache: bool) -> Any:
    from sklearn.datasets import fetch_openml

    options: dict[str, Any] = {"name": name, "version": version or "active"}
    if isinstance(name, int):
        options = {"data_id": name}
    elif version is None and name in MULTI_LABEL:
        options = {"data_id": MULTI_LABEL[name]}
    if labels is not None:
        options["target_column"] = list(labels)
    try:  # the parser that needs no pandas
        return fetch_openml(**options, as_frame=False, parser="liac-arff", cache=cache, n_retries=1)
    except OSError as error:
        raise InputError(
            f"openml.org could not be reached for {name!r} ({error}); it needs a network: connect, "
            "or use an embedded data set: glyphs, imports, movies16, sparse1000, toy"
        ) from error
    except (ValueError, KeyError) as error:
        raise InputError(f"openml.org has no usable data set {name!r}: {error.args[0]}") from error


def _cells(values: NDArray[Any], label: str) -> NDArray[np.bool_]:
    words = [str(value).strip().lower() for value in values]
    strange = sorted(set(words) - POSITIVE - NEGATIVE)
    if strange:
        raise InputError(
            f"label column {label!r} holds {', '.join(map(repr, strange[:3]))}; "
            "wanted TRUE/FALSE, 1/0 or yes/no: pass labels=[...] without it"
        )
    return np.array([word in POSITIVE for word in words])


def _inputs(data: Any, names: list[str], categories: dict[str, list[str]] | None) -> Columns | SparseColumns:
    if sparse.issparse(data):
        return SparseColumns(sparse.csr_array(data, dtype=np.float32), tuple(names))
    import polars as pl

    columns = [
        _column(name, data[:, place], (categories or {}).get(name)) for place, name in enumerate(names)
    ]
    return Columns(pl.DataFrame(columns))


def _column(name: str, values: NDArray[np.float64], words: list[str] | None) -> "pl.Series":
    """A numeric column, or the category names of a nominal one, which arrives as their positions."""
    import polars as pl

    if words is None:
        return pl.Series(name, values.astype(np.float32), nan_to_null=True)
    return pl.Series(
        name, [None if np.isnan(value) else words[int(value)] for value in values], dtype=pl.String
    )
