"""What goes wrong in real files: a clear message or a counted repair, never a traceback or a silent loss."""

import gzip

import numpy as np
import peak_memory
import polars as pl
import pytest

from manyhot.data import read
from manyhot.errors import InputError, OptionError

GOOD = "text,labels\nfirst text here,a|b\nsecond text here,b\n"
PACKED = gzip.compress(GOOD.encode() * 50, mtime=0)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", r"empty.csv is empty \(0 bytes\)"),
        ("blank.csv", "\n \n\r\n", r"blank.csv is empty \(5 bytes\)"),
        ("bom.csv", b"\xef\xbb\xbf", r"bom.csv is empty \(3 bytes\)"),
        ("empty.jsonl", "", r"empty.jsonl is empty"),
        ("empty.parquet", "", r"empty.parquet is empty"),
        ("empty.arff", "", r"empty.arff is empty"),
        ("header.csv", "text,labels\n", r"header.csv holds no row: only a header"),
        ("nolabel.csv", "text,size\nsome text here,3.5\n", r"no label column found among 'text', 'size'"),
        ("binary.csv", "a,b,c\n0,1,0\n1,0,1\n", r"all 3 columns hold only 0 and 1, so labels"),
        ("unlabelled.csv", "text,labels\nsome text here,\nmore text here,\n", r"no row has a label"),
        ("zeros.csv", "size,x,y\n3.5,0,0\n2,0,0\n", r"all 2 rows are without labels"),
        ("twice.csv", "text,labels,text\none text here,a,b\n", r"'text' is there 2 times \(columns 1, 3\)"),
        ("nameless.csv", "text,,,labels\none text here,a,b,c\n", r"nameless.csv:1: 2 columns have no name"),
        ("onlylabels.csv", "labels\na\nb\na|b\n", r"nothing is left to learn from beside the labels"),
        ("table.xlsx", b"PK\x03\x04 a spreadsheet", r".xlsx is not a layout .* save the sheet as CSV"),
        ("model.pkl", b"\x80\x04 pickle", r"pickles run code when they are opened"),
        ("data.bin", b"\x00\x01\x02\x03" * 50, r"data.bin holds binary data of no known layout"),
        ("a.parquet", GOOD, r"a.parquet is named .parquet but is not parquet"),
        ("a.arff", GOOD, r"a.arff is named .arff but is not arff"),
        ("a.jsonl", GOOD, r"a.jsonl:1: is named .jsonl but line 1 is not a JSON object"),
        ("half.parquet", b"PAR1 and nothing else", r"half.parquet is damaged or not Parquet"),
        ("open.csv.gz", PACKED[:60], r"open.csv.gz breaks off or is damaged"),
        ("prose.txt", "no labels anywhere\nin this text\n", r"plain text without labels; wanted __label__"),
        ("broken.jsonl", '{"text": "x"\n{"text": "y"\n', r"all 2 rows are bad, the first: broken.jsonl:1: "),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why_and_the_mend(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / name, content))


def test_a_missing_path_offers_its_neighbours(tmp_path):
    write(tmp_path / "train.csv", GOOD)
    with pytest.raises(InputError, match=r"trian.csv: no such file; did you mean train.csv"):
        read(tmp_path / "trian.csv")
    with pytest.raises(InputError, match=r"no such file, and no folder .*nowhere either"):
        read(tmp_path / "nowhere" / "train.csv")


def test_content_beats_the_suffix_and_is_said(tmp_path):
    pl.DataFrame({"text": ["one", "two"], "labels": [["a"], ["b"]]}).write_parquet(tmp_path / "a.csv")
    table = read(tmp_path / "a.csv")
    assert table.notes.warnings == ("a.csv is named .csv but holds parquet; read as parquet",)
    lines = write(tmp_path / "b.csv", '{"text": "one", "labels": ["a"]}\n{"text": "two", "labels": ["b"]}\n')
    assert "read as JSONL" in read(lines).notes.warnings[0]


def test_ragged_rows_are_counted_and_named_by_line(tmp_path):
    text = GOOD + 'too,many,cells,here\nalone\n"multi\nline text",a\n"x\ny",a,b\nlast text here,b\n'
    table = read(write(tmp_path / "a.csv", text))
    assert table.inputs.values == [
        "first text here",
        "second text here",
        "multi\nline text",
        "last text here",
    ]
    assert list(map(str, table.notes.skipped))[:2] == [
        "a.csv:4: 4 cells where there are 2 columns",
        "a.csv:5: 1 cells where there are 2 columns",
    ]
    assert table.notes.skipped[2].where == "a.csv:8"
    assert table.row_ids.tolist() == ["2", "3", "6", "10"]
    assert "skipped 3 bad rows (a.csv:4: " in table.notes.sentence


def test_a_stray_quote_does_not_swallow_the_rest(tmp_path):
    rows = [f"text number {place} of words,a" for place in range(50)]
    rows[10] = 'a pipe of 5" and more,b'
    rows[30] = 'said "hello" to them,b'
    table = read(write(tmp_path / "a.csv", "text,labels\n" + "\n".join(rows) + "\n"))
    assert len(table) + len(table.notes.skipped) == 50
    assert 'said "hello" to them' in table.inputs.values
    assert len(table) >= 49


def test_latin_1_is_read_and_said_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,labels\nplain text here,café\nein schöner Text,naïve|café\n".encode("latin-1"))
    table = read(path)
    assert table.space.names == ("café", "naïve")
    assert table.inputs.values[1] == "ein schöner Text"
    assert table.notes.warnings[0].startswith("a.csv:2: not UTF-8; 2 lines read as Windows-1252")


def test_one_latin_1_line_among_utf_8_leaves_the_others_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        "text,labels\nschön gesagt hier,a\n".encode() + "schön gesagt dort,b\n".encode("latin-1")
    )
    assert read(path).inputs.values == ["schön gesagt hier", "schön gesagt dort"]


def test_ten_megabytes_in_one_cell(tmp_path):
    huge = "word, " * 1_700_000
    table = read(
        write(tmp_path / "a.csv", f'text,labels\nshort text here,a\n"{huge}\n",b\nlast text here,a\n')
    )
    assert len(table) == 3
    assert table.inputs.values[1] == huge + "\n"
    assert len(table.inputs.values[1]) > 10_000_000


def test_ten_megabytes_in_one_cell_beside_a_ragged_row(tmp_path):
    huge = "word, " * 1_700_000
    table = read(
        write(tmp_path / "a.csv", f'text,labels\nshort text here,a\n"{huge}",b\nx\nlast text here,a\n')
    )
    assert len(table) == 3
    assert table.notes.skipped[0].where == "a.csv:4"


def test_one_label_only_is_said(tmp_path):
    table = read(write(tmp_path / "a.csv", "text,labels\nsome text here,a\nmore text here,\n"))
    assert "one label only, 'a': a yes/no task; several labels were expected" in table.notes.warnings


def test_every_row_with_every_label_is_said(tmp_path):
    table = read(write(tmp_path / "a.csv", "text,labels\nsome text here,a|b\nmore text here,b|a\n"))
    assert any("every row has every label" in warning for warning in table.notes.warnings)


def test_a_label_in_no_row_is_named(tmp_path):
    table = read(write(tmp_path / "a.csv", "size,x,y\n3.5,1,0\n2,1,0\n"), labels=["x", "y"])
    assert "1 label is positive in no row: 'y'" in table.notes.warnings
    assert len(table.space) == 2


def test_a_label_twice_in_a_row_counts_once(tmp_path):
    table = read(write(tmp_path / "a.csv", "text,labels\nsome text here,a|a| a\nmore text here,b\n"))
    assert table.targets.row_counts().tolist() == [1, 1]


def test_label_columns_named_twice_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"labels names 'x' more than once"):
        read(write(tmp_path / "a.csv", "size,x,y\n3.5,1,0\n"), labels=["x", "x"])


def test_constant_missing_and_infinite_features_are_said(tmp_path):
    gaps = ["", "NA", "3", "?", "nan", "null", "5", "-"]
    wild = [1, 1, 1, "inf", 2, 2, 2, 2]
    rows = [f"{row}.5,7,{gaps[row]},{wild[row]},{row % 2},1" for row in range(8)]
    path = write(tmp_path / "a.csv", "size,same,gaps,wild,x,y\n" + "\n".join(rows) + "\n")
    table = read(path, labels=["x", "y"])
    notes = " / ".join(table.notes.warnings)
    assert "1 column holds one value only and cannot help: 'same'" in notes
    assert "6 missing cells in 1 column ('gaps')" in notes
    assert "1 column holds infinite numbers: 'wild'" in notes
    assert table.inputs.frame["gaps"].null_count() == 6


def test_nan_in_parquet_features_and_labels(tmp_path):
    frame = pl.DataFrame(
        {"size": [1.0, float("nan"), 3.0], "x": [1.0, float("nan"), 0.0], "y": [0.0, 1.0, None]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet", labels=["x", "y"])
    np.testing.assert_array_equal(table.targets.to_dense(), [[1, 0], [np.nan, 1], [0, np.nan]])
    assert any("1 missing cells in 1 column ('size')" in warning for warning in table.notes.warnings)


def test_rows_without_text_are_counted(tmp_path):
    table = read(write(tmp_path / "a.csv", "text,labels\nsome text here,a\n,b\n   ,b\n"))
    assert "2 rows have no text" in table.notes.warnings


def test_a_null_byte_and_control_characters_in_a_cell(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        '{"text": "a\\u0000b\\u001b", "labels": ["x"]}\n{"text": "c", "labels": ["y"]}\n',
    )
    assert read(path).inputs.values == ["a\0b\x1b", "c"]


def test_too_many_rows_without_annotation_do_not_fill_the_memory(tmp_path):
    names = [f"l{number}" for number in range(30_000)]
    rows = [names, *[None] * 20_000]
    pl.DataFrame({"text": ["x"] * len(rows), "labels": rows}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"20,000 rows are without annotation, of 30,000 labels each: leave"):
        read(tmp_path / "a.parquet")


@pytest.mark.skipif(not peak_memory.readable, reason=peak_memory.UNREADABLE)
def test_many_labels_are_read_without_a_dense_matrix(tmp_path):
    rows = 40_000
    random = np.random.default_rng(0).integers(0, 20_000, (rows, 5))
    lines = "\n".join(f"text of row {row} here,{'|'.join(map(str, random[row]))}" for row in range(rows))
    path = write(tmp_path / "a.csv", "text,labels\n" + lines + "\n")
    table, grown = peak_memory.grown_by(lambda: read(path))
    assert grown < 250e6  # dense: 3,200 MB
    assert table.targets.positives.nnz == sum(len(set(row)) for row in random.tolist())


def test_objects_as_labels_are_not_split_into_pieces(tmp_path):
    file = tmp_path / "notes.jsonl"
    row = '{"text": "some words, and more of them", "labels": {"red": 1, "blue": 0}}'
    file.write_text("\n".join([row] * 9))
    with pytest.raises(InputError, match=r"label column 'labels' holds objects .* wanted a list of names"):
        read(file)


@pytest.mark.parametrize("path", [None, ["a.csv"], {"text": []}])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match="expected the path of a file or folder, got"):
        read(path)


@pytest.mark.parametrize("code", ["-1", "?"])
def test_label_columns_with_an_unknown_code_are_found(tmp_path, code):
    file = tmp_path / "cells.csv"
    rows = [f"{0.37 * row:.2f},{row % 2},{[0, 1, code][row % 3]}" for row in range(30)]
    file.write_text("\n".join(["x,a,b", *rows]))
    table = read(file, unknown=code)
    assert table.space.names == ("a", "b")
    assert table.targets.label_counts().tolist() == [15, 10]
    assert table.targets.known_counts().tolist() == [30, 20]


def test_where_most_rows_are_bad_it_stops(tmp_path):
    lines = ['{"text": "some words", "labels": ["a"]}'] * 3
    few = write(tmp_path / "few.jsonl", "\n".join([*lines, "oops", "oops", "oops"]))
    assert len(read(few).notes.skipped) == 3
    many = write(tmp_path / "many.jsonl", "\n".join([*lines, *["oops"] * 4]))
    with pytest.raises(InputError, match=r"many.jsonl: 4 of 7 rows cannot be used, the first: many.jsonl:4:"):
        read(many)


def test_a_text_as_long_as_a_file_is_told(tmp_path):
    path = write(tmp_path / "a.csv", f'text,labels\nsome words here,a\n"{"x " * 600_000}",b\n')
    assert read(path).notes.warnings[-1] == (
        "1 text has more than 1,000,000 characters, that of row 3 1,200,000: is a quote left open?"
    )


def test_a_mulan_label_list_names_the_arff_file(tmp_path):
    path = write(tmp_path / "yeast.xml", '<?xml version="1.0"?>\n<labels><label name="a"/></labels>\n')
    write(tmp_path / "yeast-train.arff", "@relation x")
    with pytest.raises(
        InputError, match=r"label list of a Mulan data set .* name the ARFF .*yeast-train.arff"
    ):
        read(path)
    with pytest.raises(InputError, match=r"page.html holds XML or HTML"):
        read(write(tmp_path / "page.html", "<html><body>a,b</body></html>"))


def test_a_folder_without_a_name_of_its_own_is_told_by_its_name(tmp_path, monkeypatch):
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name, "text,labels\nsome words,a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^{tmp_path.name} holds several data files"):
        read(".")


def test_label_columns_with_minus_one_get_the_option_named(tmp_path):
    rows = "".join(f"{row / 7:.3f},{[0, 1, -1][row % 3]},{row % 2}\n" for row in range(30))
    with pytest.raises(InputError, match=r"no label column .* where -1 in 'a' stands .* say unknown='-1'"):
        read(write(tmp_path / "a.csv", f"x,a,b\n{rows}"))
    assert read(tmp_path / "a.csv", unknown="-1").space.names == ("a", "b")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"labels": ["a", "b"], "features": ["x", "a"]}, "'a' is both a label and an input: leave it out of"),
        ({"labels": ["a", "b"], "text": "a"}, r"'a' is both a label and an input \(text\): .* of text="),
        ({"labels": ["a", "b"], "image": "a"}, r"'a' is both a label and an input \(image\)"),
        ({"labels": ["a", "b"], "group": "a"}, "'a' is both a label and the group"),
        ({"labels": ["a", "b"], "group": "part"}, "'part' is both the group and the split .* say split=''"),
        ({"labels": ["a", "b"], "features": ["part"]}, "'part' is both an input and the split column"),
        ({"labels": ["a", "b"], "split": "a"}, "a.csv, column 'a' says which rows train"),
    ],
)
def test_a_column_has_one_role(tmp_path, said, message):
    rows = "".join(
        f"{row / 7:.3f},{row % 2},{row // 2 % 2},{('train', 'test')[row % 2]}\n" for row in range(8)
    )
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "a.csv", f"x,a,b,part\n{rows}"), **said)
    assert len(read(tmp_path / "a.csv", labels=["a", "b"], group="part", split="")) == 8


def test_an_input_of_a_model_is_no_label_of_new_data(tmp_path):
    schema = read(write(tmp_path / "a.csv", "x,a,b\n0.5,1,0\n2.5,0,1\n"), labels=["a", "b"]).schema
    with pytest.raises(InputError, match="'x' is both a label and an input"):
        read(tmp_path / "a.csv", labels=["a", "x"], like=schema)


def test_a_text_that_is_a_list_in_one_row_is_still_the_text(tmp_path):
    lines = [f'{{"text": "some words number {row}", "labels": ["{"ab"[row % 2]}"]}}' for row in range(20)]
    path = write(tmp_path / "a.jsonl", "\n".join([*lines, '{"text": ["x", "y"], "labels": ["a"]}']))
    table = read(path)
    assert (len(table), table.inputs.kind, table.space.names) == (20, "text", ("a", "b"))
    assert list(map(str, table.notes.skipped)) == ["a.jsonl:21: column 'text' holds a list; wanted one value"]


def test_a_column_of_minus_one_that_is_no_label_by_the_guess_is_told(tmp_path):
    rows = "".join(f"some words number {row},{[0, 1, -1][row % 3]},{row % 2}\n" for row in range(30))
    table = read(write(tmp_path / "a.csv", f"text,a,b\n{rows}"))
    assert table.space.names == ("b",)
    assert any("'a' looks like a label with unknown cells" in note for note in table.notes.warnings)
    for said in ({"unknown": "-1"}, {"labels": ["b"]}):
        assert not any(
            "looks like a label" in note for note in read(tmp_path / "a.csv", **said).notes.warnings
        )


def test_minus_one_for_no_is_told_apart_from_not_annotated(tmp_path):
    with pytest.raises(
        InputError, match=r"say unknown='-1' if .* not annotated \(or, .* write 0 for -1 if it means"
    ):
        read(write(tmp_path / "a.csv", "x,a,b\n0.5,1,1\n1.5,-1,0\n"), labels=["a", "b"])
    with pytest.raises(InputError, match=r"say unknown='-1' if that stands for not annotated, or name"):
        read(write(tmp_path / "b.csv", "x,a,b\n0.5,1,1\n1.5,-1,0\n2.5,0,0\n"), labels=["a", "b"])


def test_a_list_or_an_object_among_the_labels_makes_its_row_a_bad_one(tmp_path):
    odd = ['{"labels": {"a": 1}', '{"labels": [["a"]]', '{"labels": ["b", {"c": 1}]']
    fine = ['{"labels": ["a", "[sic]"]', '{"labels": "b"', '{"labels": ["{x}"]', '{"labels": ["2"]']
    path = write(tmp_path / "a.jsonl", "\n".join(f'{row}, "text": "some words"}}' for row in [*odd, *fine]))
    table = read(path)
    assert set(table.space.names) == {"a", "b", "[sic]", "{x}", "2"}
    assert list(map(str, table.notes.skipped)) == [
        """a.jsonl:1: 'labels' holds '{"a":1}', not a list of names""",
        """a.jsonl:2: 'labels' holds '["a"]', not a list of names""",
        """a.jsonl:3: 'labels' holds '{"c":1}', not a list of names""",
    ]
    cells = write(tmp_path / "a.csv", 'text,labels\nsome,"[""a""]"\nwords,"[[""a""]]"\nhere,"[""b""]"\n')
    table = read(cells, text="text")
    assert (table.space.names, [row.where for row in table.notes.skipped]) == (("a", "b"), ["a.csv:3"])


def test_a_column_without_any_value_is_left_out_and_told(tmp_path):
    table = read(write(tmp_path / "a.csv", "x,n,a,b\n0.5,NaN,1,0\n1.5,NA,0,1\n"), labels=["a", "b"])
    assert table.inputs.names == ("x",)
    assert "'n' holds no value in any row: it is left out" in table.notes.warnings


ARFF = "@relation a\n@attribute x numeric\n@attribute y {0,1}\n@data\n1,1\n2,0\n"
CELLS = "x,a,b\n0.5,1,0\n1.5,0,1\n"


@pytest.mark.parametrize(
    ("name", "content", "said", "message"),
    [
        (
            "a.csv",
            CELLS,
            {"labels": ["a", "b"], "xml": "x.xml"},
            "is no ARFF file, so xml= has no meaning here",
        ),
        (
            "a.csv",
            CELLS,
            {"labels": ["a", "b"], "separator": "|"},
            "separator= parts the labels of one column",
        ),
        (
            "a.csv",
            CELLS,
            {"labels": ["a", "b"], "features": "x", "images": "."},
            "is read as columns inputs, not as images: leave",
        ),
        ("a.arff", ARFF, {"labels": ["y"], "group": "x"}, "is an ARFF file, so group= .*: leave out group="),
        (
            "a.svm",
            "0 1:2\n1 1:3\n",
            {"separator": "", "text": "a"},
            "so text= .*: leave out text=, separator=",
        ),
        ("a.txt", "__label__a some words\n", {"unknown": -1}, "so unknown= has no meaning here"),
    ],
)
def test_an_option_that_has_no_meaning_is_refused(tmp_path, monkeypatch, name, content, said, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.xml", '<labels><label name="a"/></labels>')
    with pytest.raises(OptionError, match=message):
        read(write(tmp_path / name, content), **said)
