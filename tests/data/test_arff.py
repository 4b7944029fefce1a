"""ARFF: the corners of its dialects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.data import read
from manyhot.data.arff_header import parse_header, values_of
from manyhot.errors import InputError

MEKA = (
    "@relation 'films: -C 2'\n@attribute drama {0,1}\n@attribute war {0,1}\n@attribute size numeric\n@data\n"
)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_attributes_in_every_spelling():
    header = parse_header(
        """% a comment
@RELATION "two words"
@attribute plain NUMERIC
@Attribute 'with space' {a, 'b c', "d,e", it\\'s}
@attribute "double quoted"\treal
@attribute glued{0,1}
@attribute when date 'yyyy-MM-dd'
@attribute note string
@attribute class hierarchical a,a/b
@data
""",
        "x.arff",
    )
    assert header.relation == "two words"
    assert [(attribute.name, attribute.kind) for attribute in header.attributes] == [
        ("plain", "number"),
        ("with space", "nominal"),
        ("double quoted", "number"),
        ("glued", "nominal"),
        ("when", "string"),
        ("note", "string"),
        ("class", "hierarchical"),
    ]
    assert header.attributes[1].values == ("a", "b c", "d,e", "it's")
    assert header.data_line == 10


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_quoted_values_come_back(values):
    values = [value.strip() or "x" for value in values]
    quoted = ", ".join("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values)
    assert values_of(quoted) == values


def test_meka_counts_from_the_front_and_from_the_back(tmp_path):
    table = read(write(tmp_path / "a.arff", MEKA + "1,0,2.5\n0,1,?\n"))
    assert table.space.names == ("drama", "war")
    assert table.inputs.frame["size"].to_list() == [2.5, None]
    back = MEKA.replace("-C 2", "-C -1").replace("size numeric", "size {0,1}")
    table = read(write(tmp_path / "b.arff", back + "1,0,1\n0,1,0\n"))
    assert table.space.names == ("size",)
    assert table.inputs.names == ("drama", "war")


def test_unknown_labels_quoted_cells_comments_and_spaces(tmp_path):
    text = (
        "@relation 'r: -C 1'\n@attribute y {no,yes}\n@attribute name string\n"
        "@attribute kind {a,'b c'}\n@data\n"
        "% between\nyes, 'it\\'s, fine', 'b c'\n\n?,plain, ?\nNO,\"x\",a\n"
    )
    table = read(write(tmp_path / "a.arff", text.replace('"x"', "x").replace("NO", "no")))
    np.testing.assert_array_equal(table.targets.to_dense(), [[1], [np.nan], [0]])
    assert table.inputs.frame.rows() == [("it's, fine", "b c"), ("plain", None), ("x", "a")]
    assert table.row_ids.tolist() == ["7", "9", "10"]


def test_a_single_string_attribute_is_text(tmp_path):
    head = "@relation 'r: -C 2'\n@attribute a {0,1}\n@attribute b {0,1}\n@attribute t string\n"
    text = head + "@data\n1,0,'some words'\n0,1,'more'\n"
    table = read(write(tmp_path / "a.arff", text))
    assert table.inputs.kind == "text"
    assert table.inputs.values == ["some words", "more"]


def test_bad_dense_rows_are_named(tmp_path):
    table = read(write(tmp_path / "a.arff", MEKA + "1,0,2.5\n1,0\n0,1,wide\n0,1,3\n"))
    assert len(table) == 2
    assert list(map(str, table.notes.skipped)) == [
        "a.arff:7: 2 cells where there are 3 columns",
        "a.arff:8: attribute 'size' is numeric, the cell is 'wide'",
    ]


def test_sparse_rows_with_names_unknown_cells_and_categories(tmp_path):
    text = (
        "@relation 'r: -C 2'\n@attribute a {0,1}\n@attribute b {0,1}\n@attribute size numeric\n"
        "@attribute kind {none,small,'very big'}\n@attribute on {no,yes}\n@data\n"
        "{0 1, 2 2.5, 3 small}\n{}\n{1 ?,2 ?,3 'very big',4 yes}\n{9 1}\n{2 wide}\nnot sparse\n{1 1}\n"
    )
    table = read(write(tmp_path / "a.arff", text))
    assert table.inputs.names == ("size", "kind=small", "kind=very big", "on")
    np.testing.assert_array_equal(
        table.inputs.matrix.toarray(), [[2.5, 1, 0, 0], [0, 0, 0, 0], [np.nan, 0, 1, 1], [0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(table.targets.to_dense(), [[1, 0], [0, 0], [0, np.nan], [0, 1]])
    assert [row.where for row in table.notes.skipped] == ["a.arff:13", "a.arff:11", "a.arff:12"]


@pytest.mark.parametrize("numeric", [True, False])
def test_both_ways_of_parsing_sparse_rows_agree(tmp_path, numeric):
    random = np.random.default_rng(1)
    dense = random.integers(0, 3, (40, 6)) * (random.random((40, 6)) < 0.4)
    dense[:, :2] = dense[:, :2] > 0
    head = "@relation 'r: -C 2'\n" + "".join(f"@attribute x{place} numeric\n" for place in range(6))
    head += "" if numeric else "@attribute kind {a,b}\n"  # one nominal attribute is enough for the slow way
    rows = [
        "{" + ",".join(f"{place} {cell}" for place, cell in enumerate(row) if cell) + "}" for row in dense
    ]
    table = read(write(tmp_path / "a.arff", head + "@data\n" + "\n".join(rows)))
    assert (table.targets.to_dense() == dense[:, :2]).all()
    assert (table.inputs.matrix.toarray()[:, :4] == dense[:, 2:]).all()


def test_a_label_whose_first_value_is_yes_is_refused_in_sparse_rows(tmp_path):
    text = "@relation 'r: -C 1'\n@attribute a {1,0}\n@attribute size numeric\n@data\n{0 0,1 2}\n"
    with pytest.raises(
        InputError, match=r"label 'a' is declared {1, 0}; in sparse rows a label that is left out"
    ):
        read(write(tmp_path / "a.arff", text))


XML = '<labels xmlns="http://mulan.sourceforge.net/labels">{}</labels>'
PLAIN = MEKA.replace(": -C 2", "")


def test_the_xml_may_nest_labels_and_order_them_otherwise(tmp_path):
    path = write(tmp_path / "films-train.arff", PLAIN + "1,1,2.5\n1,0,3\n")
    write(tmp_path / "films.xml", XML.format('<label name="war"><label name="drama"></label></label>'))
    table = read(path)
    assert table.space.names == ("drama", "war")
    assert dict(table.space.parents) == {"drama": ("war",)}
    assert "named in films.xml" in table.notes.sentence


def test_an_xml_of_any_name_can_be_given_or_found_by_its_labels(tmp_path):
    path = write(tmp_path / "a.arff", PLAIN + "1,0,2.5\n0,1,3\n")
    other = write(tmp_path / "zzz.xml", XML.format('<label name="war"/>'))
    write(tmp_path / "aaa.xml", "<settings/>")
    assert read(path).space.names == ("war",)
    assert read(path, xml=other).space.names == ("war",)
    assert read(path, labels=["drama", "war"]).space.names == ("drama", "war")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN + "1,0,2\n", r"a.arff does not say which attributes are labels: .* say xml="),
        (MEKA, r"a.arff has no rows after @data"),
        (MEKA.replace("@data\n", ""), r"there is no @data line: the file is cut short"),
        (MEKA.replace("-C 2", "-C 9") + "1,0,2\n", r"@relation says -C 9, but there are 3 attributes"),
        (MEKA.replace("war", "drama") + "1,0,2\n", r"attribute 'drama' is declared twice"),
        (MEKA.replace("{0,1}", "{0,1") + "1,0,2\n", r"a.arff:2: the values of attribute 'drama' open with {"),
        (
            MEKA.replace("numeric", "relational") + "1,0,2\n",
            r"a.arff:4: attribute 'size' has type 'relational'",
        ),
        (MEKA.replace("@attribute size", "size") + "1,0,2\n", r"a.arff:4: 'size numeric' is no @attribute"),
        (MEKA + "2,0,2\n", r"a.arff:6: label column 'drama' holds '?2"),
        (MEKA + "{0 2,2 1}\n", r"a.arff:6: label 'drama' holds 2; wanted 0, 1 or \?"),
        (MEKA + "1,0\n", r"a.arff holds no row; all 1 rows are bad, the first: a.arff:6: 2 cells"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "a.arff", text))


def test_an_xml_with_strange_labels_is_refused(tmp_path):
    path = write(tmp_path / "a.arff", PLAIN + "1,0,2.5\n")
    with pytest.raises(InputError, match=r"a.xml names labels that are no attributes: 'love'"):
        read(path, xml=write(tmp_path / "a.xml", XML.format('<label name="love"/>')))
    with pytest.raises(InputError, match=r"b.xml is not XML"):
        read(path, xml=write(tmp_path / "b.xml", "<labels>"))
    with pytest.raises(InputError, match=r"c.xml names label 'war' twice"):
        read(path, xml=write(tmp_path / "c.xml", XML.format('<label name="war"/><label name="war"/>')))


def test_a_hierarchy_closes_upwards_and_names_strange_classes(tmp_path):
    head = "@relation r\n@attribute size numeric\n@attribute class hierarchical a/b,c,a/d/e\n@data\n"
    text = head + "1,a/b@c\n2,a/d/e\n3,z\n4,?\n"
    table = read(write(tmp_path / "a.arff", text))
    assert table.space.names == ("a", "a/b", "c", "a/d", "a/d/e")
    rows = table.targets.assume_negative().to_index_lists()
    found = [[table.space.names[column] for column in row] for row in rows]
    assert found == [["a", "a/b", "c"], ["a", "a/d", "a/d/e"], []]
    assert table.targets.known_mask()[2].sum() == 0
    assert str(table.notes.skipped[0]) == "a.arff:7: class 'z' is not declared in attribute 'class'"
    assert dict(table.space.parents) == {"a/b": ("a",), "a/d": ("a",), "a/d/e": ("a/d",)}


def test_text_attributes_may_be_named_as_a_list(tmp_path):
    path = tmp_path / "a.arff"
    path.write_text(
        "@relation a\n@attribute t string\n@attribute u string\n@attribute y {0,1}\n@data\n'p','q',1\n"
    )
    assert read(path, labels=["y"], text=["t", "u"]).inputs.values == ["p\nq"]
