"""Every real set reads as its own page says, and a native file like its Parquet twin."""

import json

import numpy as np
import polars as pl
import pytest

from manyhot.data import read
from manyhot.errors import InputError

# rows of the parts, labels, cardinality over all rows: from the page that came with the sets
SETS = {
    "yeast": ("columns", {"train": 1500, "test": 917}, 14, 4.237),
    "scene": ("columns", {"train": 1211, "test": 1196}, 6, 1.074),
    "emotions": ("columns", {"train": 391, "test": 202}, 6, 1.868),
    "birds": ("columns", {"train": 322, "test": 323}, 19, 1.014),
    "flags": ("columns", {"train": 129, "test": 65}, 7, 3.392),
    "medical": ("columns", {"train": 333, "test": 645}, 45, 1.245),
    "enron": ("columns", {"train": 1123, "test": 579}, 53, 3.378),
    "genbase": ("columns", {"train": 463, "test": 199}, 27, 1.252),
    "corel5k": ("columns", {"train": 4500, "test": 500}, 374, 3.522),
    "bibtex": ("columns", {"train": 4880, "test": 2515}, 159, 2.402),
    "delicious": ("columns", {"train": 12920, "test": 3185}, 983, 19.02),
    "cellcycle_fun": ("columns", {"train": 1628, "valid": 848, "test": 1281}, 499, 8.758),
    "reuters_modapte90": ("text", {"train": 7770, "test": 3019}, 90, 1.235),
    "goemotions": ("text", {"train": 43410, "valid": 5426, "test": 5427}, 28, 1.176),
    "wiki_movies": ("mixed", {"train": 23591, "valid": 3365, "test": 6611}, 40, 1.836),
    "cooking_stackexchange": ("text", {"train": 12404, "test": 3000}, 736, 2.307),
    "gutenberg_lcsh": ("mixed", {"train": 49125, "test": 12234}, 36650, 2.424),
    "fashion": ("image", {"train": 1715, "test": 445}, 6, 2.0),
    "phosphor_icons": ("image", {"train": 5620, "test": 1940}, 18, 1.825),
}


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_set_has_the_rows_and_labels_that_its_page_says(shared_data, name):
    kind, parts, labels, cardinality = SETS[name]
    table = read(shared_data / name)
    assert table.inputs.kind == kind
    assert {
        part: len(table.where(part)) for part in ("train", "valid", "test") if len(table.where(part))
    } == parts
    assert len(table.space) == labels
    assert table.targets.row_counts().mean() == pytest.approx(cardinality, abs=0.0006)
    assert not table.notes.skipped


@pytest.mark.parametrize("name", ["yeast", "birds", "enron", "flags", "corel5k", "delicious"])
def test_label_columns_keep_the_order_and_counts_of_meta_json(shared_data, name):
    meta = json.loads((shared_data / name / "meta.json").read_text())
    table = read(shared_data / name)
    assert list(table.space.names) == meta["label_names"]
    counts = table.targets.label_counts()
    assert counts.max() == meta["stats"]["all"]["max_freq"]
    assert counts[counts > 0].min() == meta["stats"]["all"]["min_freq"]


def dense(table, names=None):
    columns = [table.space.column(name) for name in names] if names else slice(None)
    return table.targets.to_dense()[:, columns]


def twins(shared_data, native, twin):
    """A native file or folder and its twin, with the labels of both in the twin's order."""
    one, other = read(shared_data / "native" / native), read(shared_data / twin)
    assert sorted(one.space.names) == sorted(other.space.names)
    return one, other, other.space.names


def numbers(frame: pl.DataFrame) -> np.ndarray:
    return frame.cast(pl.Float64, strict=False).to_numpy()


def test_mulan_dense_is_its_twin(shared_data):
    one, other, names = twins(shared_data, "arff_mulan_dense", "yeast")
    assert (one.part == other.part).all()
    assert (dense(one, names) == dense(other)).all()
    assert one.inputs.names == other.inputs.names
    np.testing.assert_allclose(numbers(one.inputs.frame), numbers(other.inputs.frame), atol=1e-9)


def test_mulan_sparse_is_its_twin(shared_data):
    one, other, names = twins(shared_data, "arff_mulan_sparse", "enron")
    assert one.inputs.kind == "sparse"
    assert one.space.names == other.space.names  # attribute order, not the order of the XML
    assert (dense(one, names) == dense(other)).all()
    assert one.inputs.names == other.inputs.names
    assert (one.inputs.matrix.toarray() == numbers(other.inputs.frame)).all()


def test_mulan_nominal_is_its_twin_row_for_row_in_some_order(shared_data):
    one, other, names = twins(shared_data, "arff_mulan_nominal", "flags")
    columns = [name for name in other.inputs.names if other.inputs.frame[name].dtype == pl.String]
    assert [name for name in one.inputs.names if one.inputs.frame[name].dtype == pl.String] == columns

    def rows(table):
        cells = np.hstack([numbers(table.inputs.frame), dense(table, names)])
        return sorted(map(tuple, cells.tolist()))

    assert rows(one) == rows(other)


def test_meka_takes_the_first_attributes_as_labels(shared_data):
    table = read(shared_data / "native" / "arff_meka" / "Music.arff")
    assert table.space.names[0] == "amazed-suprised"
    assert len(table.space) == 6
    assert table.inputs.frame.shape == (592, 71)
    assert "-C 6" in table.notes.sentence
    enron = read(shared_data / "native" / "arff_meka" / "Enron.arff.bz2")
    twin = read(shared_data / "enron")
    assert enron.space.names == twin.space.names
    assert len(enron) == 1702
    assert (enron.targets.label_counts() == twin.targets.label_counts()).all()
    assert enron.inputs.matrix.nnz == int(numbers(twin.inputs.frame).sum())


def test_clus_hierarchy_is_closed_upwards_like_its_twin(shared_data):
    table = read(shared_data / "native" / "arff_hierarchical" / "cellcycle_FUN.valid.arff")
    twin = pl.read_parquet(shared_data / "cellcycle_fun" / "valid.parquet")
    found = [{table.space.names[column] for column in row} for row in table.targets.to_index_lists()]
    assert found == [set(labels) for labels in twin["labels"].to_list()]
    assert len(table.space) == 499
    assert table.space.parents["01/01/03"] == ("01/01",)
    assert "01" not in table.space.parents
    features = twin.drop("labels", "labels_annotated")
    np.testing.assert_allclose(numbers(table.inputs.frame), numbers(features), atol=1e-9)


def test_a_hierarchy_file_beside_a_table_gives_the_parents(shared_data):
    table = read(shared_data / "cellcycle_fun")
    assert table.space.parents["01/01/03"] == ("01/01",)
    assert "01" not in table.space.parents


def test_libsvm_is_its_twin(shared_data):
    one = read(shared_data / "native" / "libsvm_multilabel")
    other = read(shared_data / "scene")
    assert one.space.names == tuple("012345")
    assert (dense(one) == dense(other)).all()
    np.testing.assert_allclose(one.inputs.matrix.toarray(), numbers(other.inputs.frame), atol=1e-6)
    assert one.inputs.names[0] == "1"
    assert one.inputs.names[-1] == "294"


def test_the_tiny_svmlight_file_has_a_comment_unordered_labels_and_a_row_without(shared_data):
    table = read(shared_data / "native" / "libsvm_multilabel" / "svmlight_multilabel_tiny.txt")
    assert table.targets.to_index_lists() == [[0, 1], [2], [], [1, 2]]
    assert table.inputs.matrix.toarray()[0, [1, 9, 14]] == pytest.approx([2.5, -5.2, 1.5])
    assert table.row_ids.tolist() == ["2", "3", "4", "5"]


def test_extreme_text_is_the_twin_in_counts(shared_data):
    one = read(shared_data / "native" / "xmc_delicious" / "Delicious_rebuilt.txt.gz")
    other = read(shared_data / "delicious")
    assert len(one) == 16105
    assert len(one.inputs.names) == 500
    assert sorted(one.targets.label_counts()) == sorted(other.targets.label_counts())
    assert one.inputs.matrix.nnz == int(numbers(other.inputs.frame).sum())
    assert int((one.targets.row_counts() == 0).sum()) == 14


def test_a_header_that_lies_is_refused_with_both_numbers_and_the_mend(shared_data):
    with pytest.raises(
        InputError, match=r"Delicious_first999.txt:1: .*promises 16,105 rows, 999 follow .*write 999"
    ):
        read(shared_data / "native" / "xmc_delicious" / "Delicious_first999.txt")


@pytest.mark.parametrize("name", ["delicious_trSplit.txt", "delicious_tstSplit.txt"])
def test_a_split_file_is_told_what_it_is(shared_data, name):
    with pytest.raises(InputError, match=f"{name} is a split file .* 10 columns .*name the data file"):
        read(shared_data / "native" / "xmc_delicious" / name)


def test_propensity_files_are_told_what_they_are(shared_data):
    with pytest.raises(
        InputError, match=r"inv_prop.txt holds one number a line, such as the inverse propensity"
    ):
        read(shared_data / "native" / "xmc_eurlex4k_labels" / "inv_prop.txt")


def test_label_matrices_without_features(shared_data):
    table = read(shared_data / "native" / "xmc_eurlex4k_labels")
    train = table.take(table.where("train"))
    assert (len(table), len(train), len(table.space)) == (15539 + 3809, 15539, 3993)
    assert int((table.targets.row_counts() == 0).sum()) == 28 + 6
    assert int((train.targets.label_counts() == 0).sum()) == 207
    assert table.inputs.names == ()
    assert any("no features, only labels" in warning for warning in table.notes.warnings)


def test_fasttext_is_its_twin(shared_data):
    one = read(shared_data / "native" / "fasttext")
    other = read(shared_data / "cooking_stackexchange")
    assert one.space.names == other.space.names
    assert (one.targets.label_counts() == other.targets.label_counts()).all()
    assert one.part is not None
    assert sorted(set(one.part)) == ["train", "valid"]
    assert [" ".join(text.split()) for text in one.inputs.values] == [
        " ".join(text.split()) for text in other.inputs.values
    ]


def test_goemotions_without_a_header_line(shared_data):
    table = read(shared_data / "goemotions" / "dev.tsv", labels="column_2")
    twin = pl.read_parquet(shared_data / "goemotions" / "valid.parquet")
    # the twin kept the file's own quotes and their doubling
    pairs = [
        (mine, theirs)
        for mine, theirs in zip(table.inputs.values, twin["text"], strict=True)
        if '"' not in theirs
    ]
    assert len(pairs) > 5000
    assert all(mine == theirs for mine, theirs in pairs)
    assert sorted(table.space.names, key=int) == list(table.space.names)
    assert table.targets.row_counts().tolist() == twin["labels"].list.len().to_list()
