"""CSV cells and rows: the fast way, the slow way and the standard library agree."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhot.data import delimited
from manyhot.data.delimited import Dialect, batches, parse, sniff
from manyhot.data.files import Encoding, Lines, lines_of
from manyhot.errors import InputError

NAMES = ("a", "b", "c")
cells = st.text(st.sampled_from('xy ,;"\n\t|0é'), max_size=6)
rows = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=15)


def written(table, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(table)
    return out.getvalue().encode()


@given(rows)
@settings(max_examples=300, deadline=None)
def test_a_block_is_what_the_standard_library_reads(table):
    table = [row for row in table if any(cell.strip() for cell in row)] or [("x", "", "y")]
    data = written(table)
    batch = parse(Lines(data, 1), Dialect(",", '"', False, NAMES), "a.csv")
    assert [tuple(cell or "" for cell in row) for row in batch.frame.rows()] == table
    assert not batch.skipped
    line = 1
    for place, row in zip(batch.places.tolist(), table, strict=True):
        assert place == line
        line += 1 + sum(cell.count("\n") for cell in row)


@given(rows, st.integers(8, 200))
@settings(max_examples=150, deadline=None)
def test_blocks_of_any_size_give_the_same_rows(tmp_path_factory, table, block):
    table = [row for row in table if any(cell.strip() for cell in row)] or [("x", "", "y")]
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(written([NAMES, *table]))
    found = [
        row
        for batch in batches(path, Dialect(",", '"', True, NAMES), Encoding(), block)
        for row in batch.frame.rows()
    ]
    assert [tuple(cell or "" for cell in row) for row in found] == table


def test_ragged_rows_at_every_place(tmp_path):
    good = [(f"x{row}", "y", "z") for row in range(6)]
    for place in range(7):
        for bad in ("x", "x,y", "x,y,z,w"):
            lines = [",".join(row) for row in good]
            lines.insert(place, bad)
            batch = parse(
                Lines(("\n".join(lines) + "\n").encode(), 1), Dialect(",", '"', False, NAMES), "a.csv"
            )
            assert batch.frame.rows() == good
            assert [row.where for row in batch.skipped] == [f"a.csv:{place + 1}"]


def test_blank_cells_beyond_the_last_column_are_forgiven():
    batch = parse(Lines(b"x,y,z,,\nx,y,z\n", 1), Dialect(",", '"', False, NAMES), "a.csv")
    assert batch.frame.rows() == [("x", "y", "z")] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", Dialect(",", '"', True, ("a", "b"))),
        ("a;b\n1,5;2,5\n", Dialect(";", '"', True, ("a", "b"))),
        ("a\tb\n1\t2\n", Dialect("\t", '"', True, ("a", "b"))),
        ("file,labels\nx.png,a|b\ny.png,c|d\n", Dialect(",", '"', True, ("file", "labels"))),
        ("1,2\n3,4\n", Dialect(",", '"', False, ("column_1", "column_2"))),
        ("0,word\n3,4\n5,6\n", Dialect(",", '"', True, ("0", "word"))),
        ("text\none\ntwo\n", Dialect(",", '"', True, ("text",))),
        ('a\tb\n5" pipe\tx\n6" pipe\ty\nz\tw\n', Dialect("\t", '"', True, ("a", "b"))),
    ],
)
def test_the_dialect_is_sniffed(text, expected):
    assert sniff(text.encode(), "a.csv") == expected


def test_spaces_before_quotes_when_rows_ask_for_it():
    text = 'a, b, c\n1, "x, y", z\n2, "u", "v, w"\n'
    dialect = sniff(text.encode(), "a.csv")
    assert dialect.spaced
    assert parse(Lines(text.encode(), 1), dialect, "a.csv", True).frame.rows() == [
        ("1", "x, y", "z"),
        ("2", "u", "v, w"),
    ]


def test_quotes_that_open_cells_of_a_tsv_and_never_close_are_plain():
    text = 'text\tlabel\n"so he said\ta\nplain words\tb\nmore words\tc\n"and again\td\nlast\te\n'
    dialect = sniff(text.encode(), "a.tsv", ".tsv")
    assert dialect.quote == ""
    assert parse(Lines(text.encode(), 1), dialect, "a.tsv", True).frame.height == 5


def test_a_quote_that_is_never_closed_is_an_error_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST_ROW", 1000)
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,2,3\n" + '4,"5,6\n' + "7,8,9\n" * 1000)
    with pytest.raises(InputError, match=r"a.csv:3: a quote is opened and not closed within"):
        list(batches(path, Dialect(",", '"', True, NAMES), Encoding(), 512))


def test_the_field_limit_of_the_standard_library_is_left_as_it_was():
    before = csv.field_size_limit()
    parse(Lines(b"x,y\n", 1), Dialect(",", '"', False, NAMES), "a.csv")
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path, end):
    path = tmp_path / "a.txt"
    path.write_bytes(end.join(["one", "two", "", "four"]).encode())
    for block in (3, 4, 1000):
        lines = b"".join(lines.data for lines in lines_of(path, Encoding(), block))
        assert [line for line in lines.split(b"\n") if line] == [b"one", b"two", b"four"]


def test_line_numbers_go_on_over_blocks(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"line {number}\n" for number in range(1, 101)))
    for lines in lines_of(path, Encoding(), 64):
        for place, line in enumerate(lines.data.decode().split("\n")[:-1], lines.first):
            assert line == f"line {place}"


def test_places_are_lines_when_cells_hold_newlines():
    batch = parse(Lines(b'x,"y\n\ny",z\nu,v,w\n', 5), Dialect(",", '"', False, NAMES), "a.csv")
    np.testing.assert_array_equal(batch.places, [5, 8])
