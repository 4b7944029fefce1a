"""libsvm, extreme-classification and fastText files: corners, and scikit-learn as the judge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from manyhot.data import read
from manyhot.data.fasttext import split_line
from manyhot.errors import InputError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_scikit_learn_writes_we_read_and_what_it_reads_is_ours(tmp_path):
    random = np.random.default_rng(0)
    matrix = sparse.random(200, 30, 0.2, format="csr", random_state=0, dtype=np.float64)
    assert matrix[:, 29].nnz  # so that the width is seen
    labels = (random.random((200, 6)) < 0.3).astype(int)
    path = tmp_path / "a.svm"
    with path.open("wb") as file:
        dump_svmlight_file(matrix, labels, file, multilabel=True, zero_based=False)
    table = read(path)
    assert table.space.names == tuple("012345")
    assert (table.targets.to_dense() == labels).all()
    theirs, their_labels = load_svmlight_file(path.open("rb"), multilabel=True)
    np.testing.assert_allclose(table.inputs.matrix.toarray(), theirs.toarray(), rtol=1e-6)
    assert [tuple(map(int, row)) for row in their_labels] == list(map(tuple, table.targets.to_index_lists()))


def test_features_that_count_from_zero(tmp_path):
    table = read(write(tmp_path / "a.svm", "1 0:2 3:1\n2,1 1:1\n"))
    assert table.schema.first == 0
    assert table.inputs.matrix.toarray().tolist() == [[2, 0, 0, 1], [0, 1, 0, 0]]


def test_comments_queries_and_odd_numbers(tmp_path):
    text = "# head\n1,2 qid:7 1:1e-3 2:nan # tail\n\n 3:-4\n2 1:.5\n"
    table = read(write(tmp_path / "a.svm", text))
    np.testing.assert_allclose(
        table.inputs.matrix.toarray(), [[1e-3, np.nan, 0], [0, 0, -4], [0.5, 0, 0]], rtol=1e-6
    )
    assert table.targets.to_index_lists() == [[0, 1], [], [1]]


def test_malformed_lines_are_skipped_and_named(tmp_path):
    text = "1 1:1\nx 1:1\n1 1:one\n1 one:1\n1,-2 1:1\n2 2:2\n1 1:2\n1 1:3\n"
    table = read(write(tmp_path / "a.svm", text))
    assert len(table) == 4
    assert list(map(str, table.notes.skipped)) == [
        "a.svm:2: label 'x' is not a whole number",
        "a.svm:3: value 'one' of feature 1 is not a number",
        "a.svm:4: 'one:1' is not index:value",
        "a.svm:5: label '-2' is not a whole number",
    ]


def test_labels_get_names_from_a_file(tmp_path):
    path = write(tmp_path / "a.svm", "1,0 1:1\n2 2:1\n")
    assert read(path, labels=["red", "blue", "dress"]).space.names == ("blue", "dress", "red")
    with pytest.raises(InputError, match=r"a.svm has label 2, but labels= gives 2 names \(0 to 1\)"):
        read(path, labels=str(write(tmp_path / "names.txt", "red\nblue\n")))


def test_a_test_part_with_more_features_is_joined_by_number(tmp_path):
    train = write(tmp_path / "a.svm", "0 1:1 2:1\n1 2:1\n")
    test = write(tmp_path / "b.svm", "1 5:1\n2 1:7\n")
    table = read(train, test=test)
    assert table.inputs.names == ("1", "2", "3", "4", "5")
    assert table.inputs.matrix.toarray()[2:].tolist() == [[0, 0, 0, 0, 1], [7, 0, 0, 0, 0]]
    assert table.space.names == ("0", "1", "2")


sparse_rows = st.lists(
    st.tuples(
        st.lists(st.integers(0, 4), max_size=3, unique=True),
        st.dictionaries(st.integers(0, 6), st.floats(-1e3, 1e3, width=32), max_size=4),
    ),
    min_size=1,
    max_size=12,
)


@given(sparse_rows)
@settings(max_examples=100, deadline=None)
def test_extreme_text_comes_back_as_written(tmp_path_factory, rows):
    lines = [
        ",".join(map(str, labels)) + " " + " ".join(f"{index}:{value!r}" for index, value in cells.items())
        for labels, cells in rows
    ]
    path = write(tmp_path_factory.mktemp("xmc") / "a.txt", f"{len(rows)} 7 5\n" + "\n".join(lines) + "\n")
    if not any(labels for labels, _ in rows):
        with pytest.raises(InputError, match=r"without labels"):
            read(path, layout="xmc")
        return
    table = read(path, layout="xmc")
    assert table.targets.to_index_lists() == [sorted(labels) for labels, _ in rows]
    dense = np.zeros((len(rows), 7), np.float32)
    for place, (_, cells) in enumerate(rows):
        for index, value in cells.items():
            dense[place, index] = value
    assert (table.inputs.matrix.toarray() == dense).all()


def test_numbers_beyond_the_header_make_bad_rows(tmp_path):
    table = read(write(tmp_path / "a.txt", "4 3 2\n0 0:1 2:1\n1 3:1\n2 1:1\n1 1:1\n"))
    assert list(map(str, table.notes.skipped)) == [
        "a.txt:3: feature 3 where the header promises 3 (0 to 2)",
        "a.txt:4: label 2 where the header promises 2 (0 to 1)",
    ]
    assert len(table) == 2
    assert table.inputs.names == ("0", "1", "2")


def test_more_rows_than_promised_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"a.txt:1: the header promises 1 rows, 2 follow: the header belongs"
    ):
        read(write(tmp_path / "a.txt", "1 3 2\n0 0:1 2:1\n1 1:1\n"))


def test_separate_label_and_feature_matrices_find_each_other(tmp_path):
    labels = write(tmp_path / "trn_X_Y.txt", "2 3\n0:1 2:1\n\n")
    features = write(tmp_path / "trn_X_Xf.txt", "2 4\n1:0.5\n0:1 3:2\n")
    for path in (labels, features):
        table = read(path)
        assert table.targets.to_index_lists() == [[0, 2], []]
        assert table.inputs.matrix.toarray().tolist() == [[0, 0.5, 0, 0], [1, 0, 0, 2]]
    labels.unlink()
    with pytest.raises(InputError, match=r"trn_X_Xf.txt holds features only, and there is no trn_X_Y.txt"):
        read(features)


def test_matrices_of_other_heights_do_not_belong_together(tmp_path):
    labels = write(tmp_path / "trn_X_Y.txt", "2 3\n0:1 2:1\n1:1\n")
    write(tmp_path / "trn_X_Xf.txt", "1 4\n1:0.5\n")
    with pytest.raises(
        InputError, match=r"trn_X_Xf.txt has 1 rows, trn_X_Y.txt 2: they do not belong together"
    ):
        read(labels)


def test_a_file_without_a_header_is_told_how(tmp_path):
    with pytest.raises(InputError, match=r"a.txt:1: wanted a header .*got '0 0:1'.* layout='libsvm'"):
        read(write(tmp_path / "a.txt", "0 0:1\n1 1:1\n"), layout="xmc")


@pytest.mark.parametrize(
    ("line", "labels", "text"),
    [
        ("__label__a __label__b-c some text", ["a", "b-c"], "some text"),
        ("some __label__a text __label__b", ["a", "b"], "some text"),
        ("  __label__a   spaced  out ", ["a"], "spaced  out"),
        ("no label", [], "no label"),
        ("__label__ only", [], "only"),
        ("__label__a", ["a"], ""),
    ],
)
def test_fasttext_lines(line, labels, text):
    assert split_line(line) == (labels, text)


def test_fasttext_rows_without_labels_stay(tmp_path):
    table = read(write(tmp_path / "a.txt", "__label__a one\n\ntwo\n__label__b __label__a three\n"))
    assert table.targets.to_index_lists() == [[0], [], [0, 1]]
    assert table.inputs.values == ["one", "two", "three"]
    assert table.row_ids.tolist() == ["1", "3", "4"]
    with pytest.raises(InputError, match=r"b.txt: no line has a label; wanted __label__name"):
        read(write(tmp_path / "b.txt", "one\ntwo\n"), layout="fasttext")
