"""Columns meet by name; names that do not meet are named."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from manyhot.errors import InputError
from manyhot.labels import Provenance, Targets
from manyhot.labels.column_names import shared_names

AB, BA = (pd.DataFrame(np.eye(2), columns=list(names)) for names in ("ab", "ba"))


def test_the_first_order_holds():
    assert shared_names(targets=AB, scores=BA) == ("a", "b")
    assert shared_names(targets=None, scores=pl.from_pandas(BA), decisions=AB) == ("b", "a")
    decided = Targets.from_dense(np.eye(2)).decided_by(Provenance(("b", "a")))
    assert shared_names(targets=AB, decisions=decided) == ("a", "b")


def test_what_has_no_names_brings_none():
    numbered = pd.DataFrame(np.eye(2))
    targets = Targets.from_dense(np.eye(2))
    assert shared_names(targets=np.eye(2), scores=numbered, decisions=targets, train=None) is None
    assert shared_names(targets=np.eye(2), scores=AB) == ("a", "b")


def test_other_names_are_named():
    with pytest.raises(InputError, match="targets alone: 'a'; scores alone: 'c', 'd'; rename or drop"):
        shared_names(targets=AB, scores=pd.DataFrame(np.ones((1, 3)), columns=list("bcd")))
    wide = pd.DataFrame(np.ones((1, 9)), columns=[f"n{j}" for j in range(9)])
    with pytest.raises(InputError, match="'n4' and 4 more"):
        shared_names(targets=wide, scores=AB)


@pytest.mark.parametrize("nameless", [np.eye(2), Targets.from_dense(np.eye(2)), pd.DataFrame(np.eye(2))])
def test_a_matrix_without_names_beside_two_orders_could_be_either(nameless):
    with pytest.raises(InputError, match="decisions has no names to say which is its own"):
        shared_names(targets=AB, scores=BA, decisions=nameless)
    assert shared_names(targets=AB, scores=AB, decisions=nameless) == ("a", "b")
