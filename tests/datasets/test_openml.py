from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from scipy import sparse

from manyhot.datasets import openml
from manyhot.errors import InputError


def answer(**changed):
    """What scikit-learn gives for a small multi-label set."""
    bunch = {
        "details": {"name": "yeast", "version": "4"},
        "data": np.array([[0.5, 0], [np.nan, 1], [2, np.nan]]),
        "feature_names": ["Att1", "colour"],
        "categories": {"colour": ["red", "blue"]},
        "target": np.array([["TRUE", "FALSE"], ["FALSE", "FALSE"], ["FALSE", "TRUE"]], dtype=object),
        "target_names": ["Class1", "Class2"],
    }
    return SimpleNamespace(**(bunch | changed))


@pytest.fixture
def served(monkeypatch):
    """A function that replaces the download by an answer, and returns the options it will be asked with."""
    asked = {}

    def serve(bunch):
        def fetch(**options):
            asked.update(options)
            if isinstance(bunch, Exception):
                raise bunch
            return bunch

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
        return asked

    return serve


def test_reads_labels_and_both_kinds_of_columns(served):
    asked = served(answer())
    table = openml("yeast")
    assert asked["data_id"] == 40597
    assert table.space.names == ("Class1", "Class2")
    assert table.targets.to_index_lists() == [[0], [], [1]]
    assert table.inputs.frame.to_dict(as_series=False) == {
        "Att1": [0.5, None, 2.0],
        "colour": ["red", "blue", None],
    }
    assert table.notes.sentence == "openml: yeast version 4, 3 rows, 2 columns, 2 labels"


@pytest.mark.parametrize(
    "values",
    [
        [["1", "0"], ["0", "1"]],
        [[1.0, 0.0], [0.0, 1.0]],
        [["YES", "NO"], ["no", "yes"]],
        [[True, False], [False, True]],
    ],
)
def test_understands_the_spellings_of_a_label(served, values):
    served(answer(target=np.array(values, dtype=object), data=np.zeros((2, 2)), categories={}))
    assert openml("yeast").targets.to_index_lists() == [[0], [1]]


def test_keeps_sparse_data_sparse(served):
    served(answer(data=sparse.csr_array([[0, 1.0], [0, 0], [2, 0]]), categories=None))
    table = openml("enron", version=3)
    assert table.inputs.kind == "sparse"
    assert table.inputs.matrix.toarray().tolist() == [[0, 1], [0, 0], [2, 0]]
    assert table.inputs.matrix.dtype == np.float32


def test_number_version_and_labels_are_passed_on(served):
    asked = served(answer())
    openml(40597)
    assert asked["data_id"] == 40597
    assert "name" not in asked
    asked.clear()
    openml("flags", version=2, labels=["Class1", "Class2"])
    assert (asked["name"], asked["version"], asked["target_column"]) == ("flags", 2, ["Class1", "Class2"])


def test_says_that_there_is_no_network(served):
    served(URLError("Name or service not known"))
    with pytest.raises(
        InputError, match=r"openml.org could not be reached for 'yeast' .*embedded data set: glyphs"
    ):
        openml("yeast")


def test_says_that_there_is_no_such_set(served):
    served(ValueError("No active dataset yaest found."))
    with pytest.raises(InputError, match="no usable data set 'yaest': No active dataset yaest found"):
        openml("yaest")


def test_refuses_a_single_target(served):
    served(
        answer(
            target=np.array(["1", "0", "1"]),
            target_names=["Urban"],
            details={"name": "scene", "version": "1"},
        )
    )
    with pytest.raises(
        InputError, match=r"scene version 1 has 1 label column \(Urban\), not several; pass another"
    ):
        openml("scene", version=1)


def test_refuses_label_columns_with_other_values(served):
    served(answer(target=np.array([["TRUE", "a"], ["FALSE", "b"], ["TRUE", "a"]], dtype=object)))
    with pytest.raises(InputError, match="label column 'Class2' holds 'a', 'b'; wanted TRUE/FALSE"):
        openml("yeast")


def test_refuses_another_set_than_the_known_number_should_give(served):
    served(answer(details={"name": "iris", "version": "1"}))
    with pytest.raises(InputError, match="answered iris version 1 for 'yeast'"):
        openml("yeast")


def test_reads_a_real_answer_of_the_site(monkeypatch):
    """scikit-learn's own tests ship the site's answers for `emotions`, cut to 13 rows."""
    recorded = pytest.importorskip(
        "sklearn.datasets.tests.test_openml", reason="scikit-learn without its tests"
    )
    recorded._monkey_patch_webbased_functions(monkeypatch, 40589, gzip_response=True)
    table = openml("emotions", cache=False)
    assert table.targets.shape == (13, 6)
    assert table.space.names[:2] == ("amazed.suprised", "happy.pleased")
    assert table.targets.positives.nnz > 0
    assert len(table.inputs.names) == 72
