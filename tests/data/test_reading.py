"""`read` on small files: layouts, roles of columns, parts, and the one sentence."""

import bz2
import gzip
import json

import numpy as np
import polars as pl
import pytest

from manyhot.data import Schema, read
from manyhot.errors import InputError, OptionError
from manyhot.labels import Group, LabelSpace

CSV = 'id,text,labels\na,"one, two",red|dress\nb,three,\nc,"say ""hi""\nthere",blue\n'


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def names(table):
    return [[table.space.names[column] for column in row] for row in table.targets.to_index_lists()]


GOOD_LABELS = "text,labels\nfirst text here,a\nsecond text here,b\n"


def test_csv_with_quotes_newlines_and_a_row_without_labels(tmp_path):
    table = read(write(tmp_path / "a.csv", CSV))
    assert table.inputs.values == ["one, two", "three", 'say "hi"\nthere']
    assert names(table) == [["dress", "red"], [], ["blue"]]
    assert table.row_ids.tolist() == ["a", "b", "c"]
    assert table.notes.sentence == (
        "read a.csv: 3 rows, text in 'text', 3 labels in 'labels' (separated by '|'), 1.00 a row; "
        "rows named by 'id'; 1 row without labels"
    )
    assert table.notes.lines() == [table.notes.sentence]


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress], ids=["gzip", "bzip2"])
def test_compressed_files_are_told_by_their_bytes(tmp_path, packed):
    path = tmp_path / "a.csv"
    path.write_bytes(packed(CSV.encode()))
    assert len(read(path)) == 3


@pytest.mark.parametrize(
    ("encoded", "what"),
    [
        (CSV.replace("\n", "\r\n").encode(), "crlf"),
        (b"\xef\xbb\xbf" + CSV.encode(), "bom"),
        (b"\xff\xfe" + CSV.encode("utf-16-le"), "utf-16"),
        (CSV.rstrip("\n").encode(), "no newline at the end"),
        (CSV.replace("\n", "\n\n", 1).encode() + b"\n\n", "blank lines"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_bytes_around_the_cells_do_not_matter(tmp_path, encoded, what):
    path = tmp_path / "a.csv"
    path.write_bytes(encoded)
    table = read(path)
    assert names(table) == [["dress", "red"], [], ["blue"]]
    assert [value.replace("\r\n", "\n") for value in table.inputs.values][2] == 'say "hi"\nthere'


@pytest.mark.parametrize(
    ("cells", "separator", "found"),
    [
        (["a|b", "c"], "|", {"a", "b", "c"}),
        (["a; b", "c"], ";", {"a", "b", "c"}),
        (['"x, y|z"', "w"], "|", {"x, y", "z", "w"}),
        (['"a, b"', "c"], ",", {"a", "b", "c"}),
        (["a b", "b c", "a c", "a"], " ", {"a", "b", "c"}),
        (["Science Fiction", "Live Action", "Drama"], "", {"Science Fiction", "Live Action", "Drama"}),
    ],
)
def test_the_separator_of_labels_is_sniffed(tmp_path, cells, separator, found):
    rows = "".join(f"text number {place} is here,{cell}\n" for place, cell in enumerate(cells))
    table = read(write(tmp_path / "a.csv", "text,tags\n" + rows))
    assert table.schema.labels.separator == separator
    assert set(table.space.names) == found


def test_a_given_separator_is_not_sniffed(tmp_path):
    path = write(tmp_path / "a.csv", "text,tags\nfirst row of text,a|b+c\nsecond row of text,c\n")
    assert set(read(path, separator="+").space.names) == {"a|b", "c"}
    assert set(read(path, separator="").space.names) == {"a|b+c", "c"}


@pytest.mark.parametrize(
    "cell", ['["red", "blue"]', "['red', 'blue']"], ids=["json", "as pandas prints lists"]
)
def test_json_lists_in_a_csv_cell(tmp_path, cell):
    quoted = cell.replace('"', '""')
    path = write(tmp_path / "a.csv", f'text,labels\nfirst row of text,"{quoted}"\nsecond row of text,[]\n')
    table = read(path)
    assert table.schema.labels.form == "json"
    assert names(table) == [["blue", "red"], []]


def test_a_broken_json_cell_makes_a_bad_row_with_its_line(tmp_path):
    rows = ["a text of words,[]"] * 20 + ['one more text here,"[""x"""', 'the last text here,"[""x""]"']
    table = read(write(tmp_path / "a.csv", "text,labels\n" + "\n".join(rows) + "\n"))
    assert len(table) == 21
    assert str(table.notes.skipped[0]).startswith("a.csv:22: 'labels' holds")


def test_one_column_a_label_with_unknown_cells(tmp_path):
    path = write(tmp_path / "a.csv", "height,red,blue\n1.5,1,0\n2,,1\nNaN,0,-1\n")
    table = read(path, labels=["red", "blue"], unknown=-1)
    assert table.space.names == ("red", "blue")
    np.testing.assert_array_equal(table.targets.to_dense(), [[1, 0], [np.nan, 1], [0, np.nan]])
    assert table.inputs.frame["height"].to_list() == [1.5, 2.0, None]
    assert "33.3 % of the cells unknown" in table.notes.sentence


def test_soft_labels_and_words_for_yes_and_no(tmp_path):
    path = write(tmp_path / "a.csv", "height,red,blue\n1.5,0.25,yes\n2,1,NO\n")
    table = read(path, labels="red,blue")
    np.testing.assert_array_equal(table.targets.to_dense(), [[0.25, 1], [1, 0]])


def test_a_label_cell_that_is_no_label_names_line_column_and_mend(tmp_path):
    path = write(tmp_path / "a.csv", "height,red,blue\n1.5,1,0\n2,-1,0\n3,-1,1\n")
    with pytest.raises(
        InputError, match=r"a.csv:3: label column 'red' holds '-1' \(and 1 more.*unknown='-1'"
    ):
        read(path, labels=["red", "blue"])


def test_trailing_binary_columns_are_taken_and_said_to_be_a_guess(tmp_path):
    path = write(tmp_path / "a.csv", "flag,height,red,blue\n0,1.5,1,0\n1,2,0,1\n")
    table = read(path)
    assert table.space.names == ("red", "blue")
    assert table.inputs.names == ("flag", "height")
    assert "(one 0/1 column each, 'red', 'blue': a guess, labels=[...] says it)" in table.notes.sentence


def test_a_pattern_names_label_columns(tmp_path):
    path = write(tmp_path / "a.csv", "height,is_red,is_blue,deep\n1.5,1,0,1\n2,0,1,0\n")
    assert read(path, labels="is_*").space.names == ("is_red", "is_blue")


def test_a_file_of_names_gives_the_label_columns(tmp_path):
    path = write(tmp_path / "a.csv", "height,red,blue,deep\n1.5,1,0,1\n2,0,1,0\n")
    for file in (
        write(tmp_path / "names.txt", "blue\nred\n"),
        write(tmp_path / "names.json", json.dumps({"label_names": ["blue", "red"]})),
    ):
        table = read(path, labels=str(file))
        assert table.space.names == ("blue", "red")
        assert table.inputs.names == ("height", "deep")


def test_categories_numbers_and_an_identifier_column(tmp_path):
    rows = "\n".join(f"p{row},{row % 3},{'ab'[row % 2]},{row % 2},{row % 5 == 0:d}" for row in range(30))
    table = read(write(tmp_path / "a.csv", "protein,size,kind,x,y\n" + rows + "\n"), labels=["x", "y"])
    assert table.schema.features == (("size", "number"), ("kind", "category"))
    assert table.row_ids[3] == "p3"
    assert any("'protein' differs in every row" in warning for warning in table.notes.warnings)


def test_jsonl_with_missing_keys_numbers_and_bad_lines(tmp_path):
    lines = [
        '{"text": "one", "labels": ["a", 3]}',
        '{"text": "two"}',
        "nonsense",
        "[1]",
        '{"text": "x", "labels": []}',
    ]
    table = read(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert table.inputs.values == ["one", "two", "x"]
    assert table.space.names == ("3", "a")
    assert table.targets.known_mask().tolist() == [[True, True], [False, False], [True, True]]
    assert [row.where for row in table.notes.skipped] == ["a.jsonl:3", "a.jsonl:4"]
    assert "skipped 2 bad rows (a.jsonl:3: not JSON" in table.notes.sentence


def test_a_json_list_of_objects_is_read_too(tmp_path):
    path = write(
        tmp_path / "a.json", json.dumps([{"text": "one", "labels": ["a"]}, {"text": "two", "labels": ["b"]}])
    )
    assert names(read(path)) == [["a"], ["b"]]


def test_parquet_with_a_list_column_where_null_is_unknown(tmp_path):
    frame = pl.DataFrame({"text": ["one", "two", "three"], "labels": [["a", "b", "a"], None, []]})
    frame.write_parquet(tmp_path / "a.parquet")
    table = read(tmp_path / "a.parquet")
    np.testing.assert_array_equal(table.targets.to_dense(), [[1, 1], [np.nan, np.nan], [0, 0]])


def test_the_unknown_code_in_a_delimited_column_hides_the_row(tmp_path):
    path = write(
        tmp_path / "a.csv", "text,labels\nfirst text here,a|b\nsecond text here,?\nthird text here,\n"
    )
    np.testing.assert_array_equal(
        read(path, unknown="?").targets.to_dense(), [[1, 1], [np.nan, np.nan], [0, 0]]
    )


def test_a_split_column_in_any_spelling(tmp_path):
    path = write(
        tmp_path / "a.csv",
        "text,labels,split\nfirst text here,a,Train\nsecond text,b,dev\nthird text,b,TEST\n",
    )
    table = read(path)
    assert table.part.tolist() == ["train", "valid", "test"]
    assert "parts: train 1, valid 1, test 1" in table.notes.sentence


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["train", "train", "test", ""], "holds nothing in row 4"),
        (["train", "test", "holdout", "holdout"], r"holds 'holdout' in row 3 \(and 1 more like it\)"),
        (["train", "train", "", ""], "holds nothing in row 3"),
    ],
)
def test_a_split_column_with_blank_or_other_cells_is_refused(tmp_path, cells, told):
    rows = "".join(f"text of row {row},{'ab'[row % 2]},{cell}\n" for row, cell in enumerate(cells))
    path = write(tmp_path / "a.csv", f"text,labels,split\n{rows}")
    with pytest.raises(InputError, match=f"column 'split' says which rows train, and {told}"):
        read(path)
    table = read(path, split="")
    assert table.part is None
    assert table.schema.split == ""


def test_a_column_with_the_name_of_a_split_and_other_words_is_an_input(tmp_path):
    rows = "".join(
        f"{row},{word},{row % 2}\n" for row, word in enumerate(["training", "yoga", "swimming"] * 4)
    )
    table = read(write(tmp_path / "a.csv", f"size,set,good\n{rows}"), labels="good")
    assert table.schema.split is None
    assert table.inputs.names == ("size", "set")


def test_a_split_column_that_was_asked_for_must_say_parts(tmp_path):
    path = write(tmp_path / "a.csv", "text,labels,when\nfirst text here,a,train\nsecond text,b,later\n")
    with pytest.raises(InputError, match=r"column 'when' says .* holds .later. in row 2"):
        read(path, split="when")


def test_separate_files_become_parts_of_one_label_space(tmp_path):
    train = write(tmp_path / "a.csv", "text,labels\nfirst text here,a\nsecond text here,b\n")
    test = write(tmp_path / "b.csv", "labels,text\nc,third text here\n")
    table = read(train, test=test, valid=test)
    assert table.space.names == ("a", "b", "c")
    assert table.part.tolist() == ["train", "train", "valid", "test"]
    assert table.row_ids.tolist() == ["a.csv:2", "a.csv:3", "b.csv:2", "b.csv:2"]
    assert table.notes.sentence.startswith("read a.csv + b.csv + b.csv: 4 rows")


def test_a_part_without_the_columns_of_the_first_is_refused(tmp_path):
    train = write(tmp_path / "a.csv", "text,labels\nfirst text here,a\nsecond text here,b\n")
    test = write(tmp_path / "b.csv", "text,tags\nthird text here,c\n")
    with pytest.raises(InputError, match=r"b.csv lacks 'labels', .* it has 'text', 'tags'"):
        read(train, test=test)


def test_a_part_needs_no_split_and_no_group_column(tmp_path):
    rows = [f"{row}.5,{row % 2},{row // 2 % 2},{('train', 'valid')[row % 2]},{row // 2}" for row in range(6)]
    train = write(tmp_path / "a.csv", "\n".join(["x,a,b,part,group", *rows]))
    test = write(tmp_path / "b.csv", "x,a,b\n7.5,1,0\n8.5,0,1\n")
    table = read(train, test=test, labels=["a", "b"])
    assert table.part.tolist() == [*["train", "valid"] * 3, "test", "test"]
    assert table.group.tolist() == ["0", "0", "1", "1", "2", "2", "b.csv:2", "b.csv:3"]
    assert (table.schema.split, table.schema.group) == ("part", "group")


@pytest.mark.parametrize(
    ("content", "told", "parents"),
    [
        ("child,parent\na,b\n", "the parents of labels are those of hierarchy.csv", {"a": ("b",)}),
        ("child,parent\na,root\n", "not used: no label of the data has a parent in it", {}),
        ("label,above\na,b\n", "not used: it has 'label', 'above', wanted child and parent", {}),
    ],
)
def test_what_becomes_of_a_hierarchy_beside_the_data_is_told(tmp_path, content, told, parents):
    for part in ("train", "test"):
        write(tmp_path / f"{part}.csv", "text,labels\nsome text here,a|b\nmore text here,b\n")
    write(tmp_path / "hierarchy.csv", content)
    table = read(tmp_path)
    assert next(warning for warning in table.notes.warnings if "hierarchy.csv" in warning).endswith(told)
    assert dict(table.space.parents) == parents


@pytest.mark.parametrize("layout", ["csv", "jsonl", "parquet"])
def test_a_folder_of_train_and_test_files(tmp_path, layout):
    for part, label in (("train", "a"), ("dev", "b"), ("test", "c")):
        frame = pl.DataFrame({"text": [f"{part} text of words"], "labels": [label]})
        if layout == "csv":
            frame.write_csv(tmp_path / f"my-{part}.csv")
        elif layout == "jsonl":
            frame.write_ndjson(tmp_path / f"my-{part}.jsonl")
        else:
            frame.write_parquet(tmp_path / f"my-{part}.parquet")
    write(tmp_path / "README.md", "about")
    table = read(tmp_path)
    assert table.part.tolist() == ["train", "valid", "test"]
    assert table.space.names == ("a", "b", "c")


def test_a_folder_of_several_tables_asks_for_one(tmp_path):
    for name in ("one.csv", "two.csv"):
        write(tmp_path / name, CSV)
    with pytest.raises(InputError, match=r"holds several data files \(one.csv, two.csv\).*name one"):
        read(tmp_path)


def test_groups_are_kept(tmp_path):
    path = write(tmp_path / "a.csv", "text,labels,patient\nfirst text here,a,7\nsecond text here,b,7\n")
    assert read(path, group="patient").group.tolist() == ["7", "7"]


def test_several_text_columns_are_joined(tmp_path):
    path = write(tmp_path / "a.csv", "title,body,labels\nHead,the body of it,a\n,only the body,b\n")
    assert read(path, text=["title", "body"]).inputs.values == ["Head\nthe body of it", "only the body"]


def test_a_given_space_fixes_columns_and_reports_strangers(tmp_path):
    path = write(tmp_path / "a.csv", "text,labels\nfirst text here,a|x\nsecond text here,b|x\n")
    space = LabelSpace(("b", "a", "c"), groups=(Group("g", ("b", "a")),))
    table = read(path, space=space)
    assert table.space == space
    assert names(table) == [["a"], ["b"]]
    assert table.notes.strange == {"x": 2}
    assert table.notes.lost() == ["labels that the label space lacks were left out: 'x' (2)"]
    assert any("1 label is positive in no row: 'c'" in note for note in table.notes.warnings)


def test_numbers_as_labels_are_ordered_by_value(tmp_path):
    path = write(tmp_path / "a.csv", "text,labels\nfirst text here,10|9\nsecond text here,2\n")
    assert read(path).space.names == ("2", "9", "10")


def test_tabs_and_semicolons_between_cells(tmp_path):
    tsv = write(tmp_path / "a.tsv", 'text\tlabels\na "quote here\ta,b\nnext text\tc\n')
    assert read(tsv).inputs.values == ['a "quote here', "next text"]
    german = write(tmp_path / "b.csv", "height;text;labels\n1,5;some text here;a|b\n2,5;more text here;c\n")
    assert names(read(german)) == [["a", "b"], ["c"]]


def test_a_wide_header_of_numbers_is_a_header(tmp_path):
    path = write(tmp_path / "a.csv", "0,00,word,x,y\n3,1,2.5,0,1\n2,0,1,1,0\n4,4,4,1,1\n")
    table = read(path, labels=["x", "y"])
    assert table.inputs.names == ("0", "00", "word")


def test_a_missing_column_is_named_with_its_neighbour(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    with pytest.raises(InputError, match=r"no column 'lables' .asked for as labels.*did you mean 'labels'"):
        read(path, labels="lables")


def test_an_unknown_layout_lists_the_known(tmp_path):
    with pytest.raises(OptionError, match=r"layout .excel. is none of the .*parquet"):
        read(write(tmp_path / "a.csv", CSV), layout="excel")


def test_the_schema_survives_json(tmp_path):
    schema = read(write(tmp_path / "a.csv", CSV)).schema
    assert Schema.from_json(schema.to_json()) == schema
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_taking_rows_keeps_everything_together(tmp_path):
    table = read(write(tmp_path / "a.csv", CSV)).take([2, 0])
    assert table.row_ids.tolist() == ["c", "a"]
    assert names(table) == [["blue"], ["dress", "red"]]
    assert table.inputs.values[1] == "one, two"


def test_lists_in_json_lines_whatever_the_labels_hold(tmp_path):
    rows = [["a", "b"], [], None, ["x\x1fy", " c "], ["", "a"], [None, "a"], "single", [3, True, 2.5]]
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps({"text": "t", "labels": row}) for row in rows))
    table = read(path)
    expected = [{"a", "b"}, set(), set(), {"x\x1fy", "c"}, {"a"}, {"a"}, {"single"}, {"3", "true", "2.5"}]
    known = table.targets.assume_negative().to_index_lists()
    assert [{table.space.names[column] for column in row} for row in known] == expected
    assert table.targets.known_mask().all(axis=1).tolist() == [True, True, False, *[True] * 5]


def test_every_text_that_says_so_by_its_name_is_read(tmp_path):
    rows = "".join(
        f'{{"title": "a title of row {row} here", "body": "the long body of row {row}, longer", '
        f'"body_again": "the long body of row {row}, longer still", "labels": ["{"ab"[row % 2]}"]}}\n'
        for row in range(12)
    )
    table = read(write(tmp_path / "a.jsonl", rows))
    assert table.schema.text == ("title", "body")
    assert table.inputs.values[3] == "a title of row 3 here\nthe long body of row 3, longer"
    assert "text in 'title' + 'body'" in table.notes.sentence
    assert "not used: 'body_again'" in table.notes.sentence


def test_short_or_repeated_cells_are_no_text_beside_the_text(tmp_path):
    rows = "".join(f"Mr,news,the long body of row {row} again,{'ab'[row % 2]}\n" for row in range(12))
    assert read(write(tmp_path / "a.csv", f"title,summary,body,labels\n{rows}")).schema.text == ("body",)


def test_a_label_space_beside_the_data_is_used_and_said(tmp_path):
    space = LabelSpace(("b", "a", "c"), groups=(Group("g", ("b", "a")),))
    path = write(tmp_path / "a.csv", GOOD_LABELS)
    write(tmp_path / "space.json", space.to_json())
    for table in (read(path), read(tmp_path)):
        assert table.space == space
        assert "the label space is that of space.json (1 exclusive group)" in table.notes.warnings
    assert read(path, space=LabelSpace(("a", "b"))).space.names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"planets": ["mars"]}', "space.json beside the data is no label space and is not used: "),
        (LabelSpace(("a", "c")).to_json(), "space.json beside the data lacks 'b' and is not used; space="),
    ],
)
def test_another_file_of_that_name_is_said_and_not_used(tmp_path, content, told):
    path = write(tmp_path / "a.csv", GOOD_LABELS)
    write(tmp_path / "space.json", content)
    table = read(path)
    assert table.space.names == ("a", "b")
    assert any(note.startswith(told) for note in table.notes.warnings)


@pytest.mark.parametrize(
    "form", [np.array, lambda names: (name for name in names), lambda names: pl.Series(names)]
)
def test_label_columns_come_in_any_iterable(tmp_path, form):
    rows = "".join(f"text of row {row},{row % 2},{row % 3 // 2}\n" for row in range(30))
    path = write(tmp_path / "a.csv", f"text,p,q\n{rows}")
    assert read(path, labels=form(["p", "q"])).space.names == ("p", "q")


def test_lists_of_one_label_are_labels_also_under_the_name_of_a_text(tmp_path):
    rows = [json.dumps({"text": f"oil {row} x price", "comment": ["pq"[row % 2]]}) for row in range(30)]
    assert read(write(tmp_path / "a.jsonl", "\n".join(rows))).space.names == ("p", "q")


def test_a_hierarchy_beside_the_data_that_cannot_be_read_is_told(tmp_path):
    path = write(
        tmp_path / "a.csv", "text,labels\n" + "".join(f"text of {row},{'ab'[row % 2]}\n" for row in range(9))
    )
    write(tmp_path / "hierarchy.csv", "")
    assert any(
        "hierarchy.csv beside the data is not used: it cannot be read" in line
        for line in read(path).notes.lines()
    )
