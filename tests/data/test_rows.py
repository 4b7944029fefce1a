"""New rows for prediction, read as the schema of the training data says."""

import io
import json
import sys

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import sparse

from manyhot.data import (
    Columns,
    Images,
    Schema,
    SparseColumns,
    Table,
    Texts,
    jsonlines,
    read,
    read_inputs,
    stream_inputs,
)
from manyhot.data.files import Encoding
from manyhot.data.frames import stacked
from manyhot.errors import InputError, ManyhotWarning
from manyhot.labels import LabelSpace, Targets


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def text_schema(tmp_path):
    return read(
        write(tmp_path / "train.csv", "body,labels\nsome text here,a\nmore text here,b\n"), text="body"
    ).schema


@pytest.fixture
def column_schema(tmp_path):
    rows = "size,kind,x,y\n1.5,a,1,0\n2,b,0,1\n"
    return read(write(tmp_path / "train.csv", rows), labels=["x", "y"]).schema


def stdin(monkeypatch, lines):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))


def test_text_from_csv_jsonl_parquet_and_lines(tmp_path, text_schema):
    frame = pl.DataFrame({"id": ["p", "q"], "body": ["one", "two"]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_parquet(tmp_path / "a.parquet")
    lines = write(tmp_path / "a.txt", "one\n\ntwo\n")
    for name, ids in (("a.csv", ["2", "3"]), ("a.jsonl", ["1", "2"]), ("a.parquet", ["1", "2"])):
        inputs, found = read_inputs(tmp_path / name, text_schema)
        assert inputs == Texts(["one", "two"])
        assert found.tolist() == ids
    inputs, found = read_inputs(lines, text_schema)
    assert inputs == Texts(["one", "two"])
    assert found.tolist() == ["1", "3"]


def test_several_files_are_named_in_the_ids(tmp_path, text_schema):
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name, f"body\ntext of {name}\n")
    inputs, ids = read_inputs([tmp_path / "a.csv", tmp_path / "b.csv"], text_schema)
    assert inputs.values == ["text of a.csv", "text of b.csv"]
    assert ids.tolist() == ["a.csv:2", "b.csv:2"]


def test_an_id_column_names_the_rows(tmp_path):
    schema = read(
        write(tmp_path / "t.csv", "id,text,labels\n7,some text here,a\n8,more text here,b\n")
    ).schema
    _, ids = read_inputs(write(tmp_path / "n.csv", "text,id\nnew text here,91\n"), schema)
    assert ids.tolist() == ["91"]
    _, ids = read_inputs(write(tmp_path / "m.csv", "text,x\nnew text here,91\n"), schema)
    assert ids.tolist() == ["2"]


def test_standard_input_is_json_lines(monkeypatch, text_schema):
    stdin(monkeypatch, ['{"body": "one"}', '{"body": "two"}'])
    inputs, _ = read_inputs("-", text_schema)
    assert inputs == Texts(["one", "two"])


def test_bad_lines_on_standard_input_are_named(monkeypatch, text_schema):
    stdin(monkeypatch, ['{"body": "one"}', "oops"])
    with pytest.warns(ManyhotWarning, match=r"1 row left out: standard input:2: not JSON") as told:
        inputs, ids = read_inputs("-", text_schema)
    assert told[0].filename == __file__  # where the caller can mend it
    assert inputs == Texts(["one"])
    assert ids.tolist() == ["1"]


def test_nothing_on_standard_input(monkeypatch, text_schema):
    stdin(monkeypatch, [])
    with pytest.raises(InputError, match=r"standard input holds no row"):
        read_inputs("-", text_schema)


def test_missing_columns_are_all_named(tmp_path, text_schema, column_schema):
    with pytest.raises(InputError, match=r"a.csv lacks 'body', which the model reads; it has 'text', 'id'"):
        read_inputs(write(tmp_path / "a.csv", "text,id\nx y z,1\n"), text_schema)
    with pytest.raises(InputError, match=r"b.csv lacks 'size', 'kind', which the model reads"):
        read_inputs(write(tmp_path / "b.csv", "breadth,x\n1,0\n"), column_schema)


def test_columns_come_in_the_order_and_types_of_training(tmp_path, column_schema):
    inputs, _ = read_inputs(write(tmp_path / "a.csv", "kind,extra,size\n7,9,\nb,9,4\n"), column_schema)
    assert inputs.frame.to_dict(as_series=False) == {"size": [None, 4], "kind": ["7", "b"]}
    empty, _ = read_inputs(write(tmp_path / "b.csv", "kind,size\na,\nb,NA\n"), column_schema)
    assert empty.frame["size"].to_list() == [None, None]


def test_a_row_with_words_in_a_number_column_is_left_out_and_told(tmp_path, column_schema):
    path = write(tmp_path / "a.csv", "size,kind\n1,a\nlarge,b\n2.5,c\n")
    told = r"1 row left out: a.csv:3: column 'size' was a number when the model was made, .*'large'"
    with pytest.warns(ManyhotWarning, match=told):
        inputs, ids = read_inputs(path, column_schema)
    assert inputs.frame.to_dict(as_series=False) == {"size": [1, 2.5], "kind": ["a", "c"]}
    assert ids.tolist() == ["2", "4"]
    with pytest.warns(ManyhotWarning, match=told):
        batches = list(stream_inputs(path, column_schema, 1))
    assert [ids.tolist() for _, ids in batches] == [["2"], ["4"]]
    with (
        pytest.warns(ManyhotWarning, match="2 rows left out"),
        pytest.raises(InputError, match=r"b.csv: no row can be used; the first: b.csv:2: column 'size'"),
    ):
        read_inputs(write(tmp_path / "b.csv", "size,kind\nx,a\ny,b\n"), column_schema)


def test_labelled_rows_with_words_in_a_number_column_are_left_out_too(tmp_path, column_schema):
    path = write(tmp_path / "a.csv", "size,kind,x,y\n1,a,1,0\nlarge,b,0,1\n2,a,1,1\n")
    table = read(path, like=column_schema)
    assert [row.where for row in table.notes.skipped] == ["a.csv:3"]
    assert table.row_ids.tolist() == ["2", "4"]


def test_a_list_in_a_text_cell_makes_its_row_a_bad_one(monkeypatch, tmp_path, text_schema):
    lines = ['{"body": "x"}', '{"body": ["a", "b"]}', '{"body": 7}', '{"body": ["y"]}', '{"body": null}']
    stdin(monkeypatch, lines)
    with pytest.warns(ManyhotWarning, match=r"1 row left out: standard input:2: column 'body' holds a list"):
        inputs, ids = read_inputs("-", text_schema)
    assert inputs.values == ["x", "7", "y", ""]
    assert ids.tolist() == ["1", "3", "4", "5"]


def test_blocks_of_a_file_may_differ_in_whether_they_hold_a_list(tmp_path):
    lines = [json.dumps({"body": body}) for body in ["x" * 30, ["y" * 30, "b"], "z" * 30, ["v" * 30]]]
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    batches = list(jsonlines.batches(path, Encoding(), 64))
    assert {str(batch.frame["body"].dtype) for batch in batches} == {"String", "List(String)"}
    whole = stacked([batch.frame for batch in batches])
    assert whole["body"].to_list() == [["x" * 30], ["y" * 30, "b"], ["z" * 30], ["v" * 30]]


def test_one_of_several_texts_that_are_joined_is_enough(monkeypatch, tmp_path):
    rows = [f"oil prices rise {row},they rose by {row} percent today,{'ab'[row % 2]}" for row in range(4)]
    schema = read(write(tmp_path / "t.csv", "title,text,labels\n" + "\n".join(rows))).schema
    assert schema.text == ("title", "text")
    stdin(monkeypatch, ['{"text": "oil"}', '{"text": "gas"}'])
    with pytest.warns(
        ManyhotWarning, match=r"standard input has no 'title', .* beside 'text': taken as blank"
    ):
        batches = list(stream_inputs("-", schema, 1))
    assert [inputs.values for inputs, _ in batches] == [["oil"], ["gas"]]
    stdin(monkeypatch, ['{"body": "oil"}'])
    with pytest.raises(InputError, match=r"standard input lacks 'title', 'text', which the model reads"):
        read_inputs("-", schema)


def test_cells_of_arff_that_cannot_be_used_are_told(tmp_path):
    head = "@relation a\n@attribute size numeric\n@attribute y {0,1}\n@data\n"
    schema = read(write(tmp_path / "a.arff", f"{head}1,1\n2,0\n"), labels=["y"]).schema
    with pytest.warns(ManyhotWarning, match="1 row left out: b.arff:6: attribute 'size' is numeric"):
        inputs, ids = read_inputs(write(tmp_path / "b.arff", f"{head}1,1\nlarge,0\n"), schema)
    assert (len(inputs), ids.tolist()) == (1, ["5"])


def test_images_from_files_folders_zips_and_tables(tmp_path):
    for folder in ("red_dress", "blue_jeans"):
        (tmp_path / "train" / folder).mkdir(parents=True)
        Image.new("RGB", (4, 4), folder.split("_")[0]).save(tmp_path / "train" / folder / "0.png")
    schema = read(tmp_path / "train").schema
    new = tmp_path / "new"
    new.mkdir()
    Image.new("RGB", (4, 4), "red").save(new / "x.png")
    (new / "y.png").write_bytes(b"")
    inputs, ids = read_inputs(new / "x.png", schema)
    assert inputs.decode([0], 2)[0, 0, 0].tolist() == [255, 0, 0]
    assert ids.tolist() == [str(new / "x.png")]
    with pytest.warns(ManyhotWarning, match=r"1 row left out: y.png: the file has 0 bytes"):
        inputs, ids = read_inputs(new, schema)
    assert ids.tolist() == ["x.png"]
    with pytest.raises(InputError, match=r"y.png: the file has 0 bytes|y.png is empty"):
        read_inputs(new / "y.png", schema)
    both, _ = read_inputs([new / "x.png", tmp_path / "train"], schema)
    assert len(both) == 3
    table = write(new / "t.csv", "file\nx.png\n")
    inputs, ids = read_inputs(table, schema)
    assert ids.tolist() == ["x.png"]
    with pytest.raises(InputError, match=r"holds jsonl|lacks 'file'"):
        read_inputs(write(new / "t.jsonl", '{"text": "a"}\n'), schema)


def test_a_text_file_is_no_input_for_a_model_of_images(tmp_path):
    images = Images.of_array(np.zeros((2, 4, 4, 3), np.uint8))
    space = LabelSpace(("a", "b"))
    table = Table.of(images, Targets.from_index_lists([[0], [1]], 2), space)
    with pytest.raises(InputError, match=r"a.txt holds text, the model reads image inputs"):
        read_inputs(write(tmp_path / "a.txt", "words of a text\n"), table.schema)


def test_sparse_rows_of_libsvm_keep_the_columns_of_training(tmp_path):
    schema = read(write(tmp_path / "t.svm", "0,1 1:0.5 4:1\n1 2:3\n")).schema
    inputs, ids = read_inputs(write(tmp_path / "n.svm", "2:7 9:1\n 1:1\n"), schema)
    assert inputs.names == ("1", "2", "3", "4")
    assert inputs.matrix.toarray().tolist() == [[0, 7, 0, 0], [1, 0, 0, 0]]
    assert ids.tolist() == ["1", "2"]
    with pytest.raises(InputError, match=r"feature 0 occurs here"):
        read_inputs(write(tmp_path / "z.svm", "0:7 2:1\n"), schema)


def test_sparse_rows_of_extreme_text(tmp_path):
    schema = read(write(tmp_path / "t.txt", "2 5 3\n0,1 1:0.5 4:1\n2 2:3\n")).schema
    inputs, _ = read_inputs(write(tmp_path / "n.txt", "1 5 3\n0:7 4:1\n"), schema)
    assert inputs.matrix.toarray().tolist() == [[7, 0, 0, 0, 1]]


def test_a_table_for_a_model_of_sparse_columns(tmp_path):
    matrix = sparse.csr_array(np.eye(3, dtype=np.float32))
    table = Table.of(
        SparseColumns(matrix, ("a", "b", "c")),
        Targets.from_index_lists([[0], [1], [0]], 2),
        LabelSpace(("x", "y")),
    )
    inputs, _ = read_inputs(write(tmp_path / "n.jsonl", '{"b": 2, "d": 1}\n{"a": 1}\n'), table.schema)
    assert inputs.matrix.toarray().tolist() == [[0, 2, 0], [1, 0, 0]]
    with pytest.raises(InputError, match=r"has none of the 3 feature columns that the model reads"):
        read_inputs(write(tmp_path / "m.jsonl", '{"z": 2}\n'), table.schema)


def test_arff_for_prediction_finds_attributes_by_name(tmp_path):
    head = "@relation 'r: -C 1'\n@attribute y {0,1}\n@attribute size numeric\n@attribute kind {a,b}\n@data\n"
    schema = read(write(tmp_path / "t.arff", head + "1,2.5,a\n0,3,b\n")).schema
    other = "@relation r\n@attribute kind {a,b}\n@attribute size numeric\n@data\n?,4\n"
    inputs, _ = read_inputs(write(tmp_path / "n.arff", other), schema)
    assert inputs.frame.to_dict(as_series=False) == {"size": [4], "kind": [None]}


def test_fasttext_lines_lose_their_labels(tmp_path):
    schema = read(write(tmp_path / "t.txt", "__label__a some text\n__label__b more text\n")).schema
    inputs, _ = read_inputs(write(tmp_path / "n.txt", "__label__a new text\nbare text\n"), schema)
    assert inputs == Texts(["new text", "bare text"])
    inputs, _ = read_inputs(write(tmp_path / "n.jsonl", json.dumps({"text": "json text"})), schema)
    assert inputs == Texts(["json text"])


def test_tables_from_memory_have_a_schema(tmp_path):
    frame = pl.DataFrame({"size": [1, 2], "kind": ["a", "b"], "on": [True, False]})
    table = Table.of(Columns(frame), Targets.from_index_lists([[0], [1]], 2), LabelSpace(("x", "y")))
    inputs, _ = read_inputs(write(tmp_path / "n.csv", "size,kind,on\n1,c,1\n"), table.schema)
    assert inputs.frame.row(0) == (1, "c", 1)


def test_a_model_of_text_and_columns_is_told_in_words(tmp_path):
    schema = Schema(layout="jsonl", kind="mixed", text=("text",), features=(("n", "number"),))
    with pytest.raises(InputError, match=r"a.txt holds text, the model reads text and columns: name a file"):
        read_inputs(write(tmp_path / "a.txt", "some words\n"), schema)


def test_no_input_at_all(text_schema):
    with pytest.raises(InputError, match=r"no input named"):
        read_inputs([], text_schema)


def test_one_bad_image_of_several_is_left_out_and_told(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    write(tmp_path / "empty.png", b"")
    write(tmp_path / "cut.jpg", b"\xff\xd8\xff\xe0 broken")
    schema = Table.of(
        Images.of_paths([tmp_path / "good.png"]), Targets.from_index_lists([[0]], 1), LabelSpace(("a",))
    ).schema
    paths = [tmp_path / name for name in ("empty.png", "good.png", "cut.jpg")]
    with pytest.warns(
        ManyhotWarning, match=r"2 rows left out: .*empty.png: is empty .*; .*cut.jpg: "
    ) as told:
        inputs, ids = read_inputs(paths, schema)
    assert told[0].filename == __file__
    assert (len(inputs), ids.tolist()) == (1, [str(paths[1])])
    with pytest.raises(InputError, match=r"none of the 2 images can be read: .*empty.png: is.*; .*cut.jpg: "):
        read_inputs([paths[0], paths[2]], schema)
    with pytest.raises(InputError, match="no such file"):
        read_inputs([*paths, tmp_path / "none.png"], schema)
    note = write(tmp_path / "notes.txt", "no image at all\n")
    with pytest.warns(
        ManyhotWarning, match=r"1 row left out: .*notes.txt: holds text, the model reads image"
    ):
        assert len(read_inputs([paths[1], note], schema)[0]) == 1


def test_every_row_left_out_is_named(monkeypatch, text_schema):
    stdin(monkeypatch, ['{"body": "one"}', *["oops"] * 20])
    with pytest.warns(ManyhotWarning) as told:
        read_inputs("-", text_schema)
    first, *rows = str(told[0].message).splitlines()
    assert first == "20 rows left out:"
    assert [row.split(": ")[0] for row in rows] == [f"  standard input:{line}" for line in range(2, 22)]


def test_a_blank_image_cell_is_told_with_its_line(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "good.png")
    schema = Schema(layout="delimited", kind="image", image="file")
    path = write(tmp_path / "a.csv", "file,n\ngood.png,1\n,2\n")
    with pytest.warns(ManyhotWarning, match=r"1 row left out: a.csv:3: the image cell is blank$"):
        assert len(read_inputs(path, schema)[0]) == 1
