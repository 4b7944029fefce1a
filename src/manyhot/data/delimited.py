"""CSV and TSV: whole rows of any size, ragged ones left out and named.

A block of the file is scanned once with NumPy: the parity of the quotes says which line ends and delimiters
count, so rows of the wrong width are found before anything is parsed. Blocks without fault go to polars; a
block with one goes through the standard library's reader, which is slower and forgives stray quotes.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manyhot.data.files import BLOCK, Encoding, Lines, lines_of
from manyhot.data.frames import Batch, short
from manyhot.data.table import BadRow
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = ",\t;|"
LONGEST_ROW = 256 << 20
SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Dialect:
    """How the cells of a file are kept apart.

    quote is "" where quotes have no meaning; escape makes the next character plain, as the backslash does in
    ARFF.
    """

    delimiter: str
    quote: str
    header: bool
    names: tuple[str, ...]
    escape: str = ""
    spaced: bool = False


def sniff(head: bytes, name: str, suffix: str = "", *, delimiter: str | None = None) -> Dialect:
    """The dialect of a file from its first lines.

    Args:
        head: the first bytes, UTF-8, `\\n` line ends.
        name: file name for messages.
        suffix: ".tsv" and ".tab" settle the delimiter.
        delimiter: settles it too.

    Raises:
        InputError: two columns have one name.
    """
    text = head.decode(errors="ignore")
    text = text[: text.rfind("\n") + 1] or text
    marks = delimiter or ("\t" if suffix in (".tsv", ".tab") else DELIMITERS)
    # of equally good ones the first is taken: quotes with a meaning, no spaces to be dropped
    ways = [(mark, *way) for mark in marks for way in (('"', False), ("", False), ('"', True))]
    drafts = [Dialect(mark, quote, True, (), spaced=spaced) for mark, quote, spaced in ways]
    scored = [(_score(text, draft), draft) for draft in drafts]
    best, draft = max(scored, key=lambda pair: pair[0])
    if not best:
        raise InputError(f"{name} holds only blank lines: check how it was written")
    rows = _rows(text, draft)
    first = [cell.strip() for cell in rows[0]]
    header = _has_header(first, rows[1:])
    names = tuple(first) if header else tuple(f"column_{place + 1}" for place in range(len(first)))
    if header:
        _check_names(names, name)
    return replace(draft, header=header, names=names)


def _score(text: str, dialect: Dialect) -> float:
    """How well a dialect explains the first rows: the share as wide as the first one, and width."""
    rows = _rows(text, dialect)
    if not rows or (dialect.spaced and not _spaced_quotes(text.encode(), dialect)):
        return 0.0
    width = len(rows[0])
    agree = sum(len(row) == width for row in rows) / len(rows)
    score = (agree if width > 1 else 0.3) * (1 + min(width, 50) / 500)
    return 0.97 * score if dialect.quote and _text_after_quote(text, dialect) else score


def _text_after_quote(text: str, dialect: Dialect) -> bool:
    """Whether a cell goes on after its closing quote: then quotes are likely plain characters."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=dialect.spaced, strict=True)
    try:
        for _ in reader:
            pass
    except csv.Error as error:
        return "expected after" in str(error)
    return False


def batches(path: Path, dialect: Dialect, encoding: Encoding, block: int = BLOCK) -> Iterator[Batch]:
    """The rows of a file, all cells as strings, in blocks of about `block` bytes.

    Raises:
        InputError: a quote is opened and not closed within 256 MB.
    """
    pending = Lines(b"", 1)
    skip_header = dialect.header
    for lines in lines_of(path, encoding, block):
        data = pending.data + lines.data if pending.data else lines.data
        first = pending.first if pending.data else lines.first
        ends = _row_ends(data, dialect)
        cut = int(ends[-1]) + 1 if len(ends) else 0
        if not cut and len(data) > LONGEST_ROW:
            raise InputError(
                f"{path.name}:{first}: a quote is opened and not closed within {LONGEST_ROW >> 20} MB: "
                "close it, or double quotes that belong to the text"
            )
        pending = Lines(data[cut:], first + data.count(b"\n", 0, cut))
        if cut:
            yield parse(Lines(data[:cut], first), dialect, path.name, skip_header)
            skip_header = False
    if pending.data.strip():
        yield parse(pending, dialect, path.name, skip_header)


def parse(lines: Lines, dialect: Dialect, name: str, skip_header: bool = False) -> Batch:
    """Whole rows as a frame of strings; ragged ones are skipped and named."""
    import polars as pl

    rows = None if _spaced_quotes(lines.data, dialect) else _scan(lines.data, dialect)
    if rows is None:
        return _parse_slowly(lines, dialect, name, skip_header)
    starts, places, blank = rows
    data = lines.data
    drop = int(np.flatnonzero(~blank)[0]) + 1 if skip_header and (~blank).any() else 0
    if drop:
        data = data[int(starts[drop]) if drop < len(starts) else len(data) :]
        places, blank = places[drop:], blank[drop:]
    if blank.any():
        data = b"\n".join(line for line in data.split(b"\n") if line.strip(b" \t")) + b"\n"
    if len(dialect.names) == 1 and not dialect.quote:
        frame = pl.DataFrame(
            {dialect.names[0]: data.decode().split("\n")[:-1]}, schema={dialect.names[0]: pl.String}
        )
    elif data.strip():
        try:
            frame = _polars(data, dialect)
        except pl.exceptions.ComputeError:  # it counts the cells of a row with stray quotes otherwise
            return _parse_slowly(lines, dialect, name, skip_header)
    else:
        frame = pl.DataFrame(schema=dict.fromkeys(dialect.names, pl.String))
    numbers = places[~blank] + lines.first
    if frame.height != len(numbers):
        return _parse_slowly(lines, dialect, name, skip_header)
    return Batch(frame, numbers, name)


def _polars(data: bytes, dialect: Dialect) -> "pl.DataFrame":
    import polars as pl

    return pl.read_csv(
        io.BytesIO(data),
        has_header=False,
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
        schema=dict.fromkeys(dialect.names, pl.String),
    )


def _spaced_quotes(data: bytes, dialect: Dialect) -> bool:
    """Whether quotes open after a delimiter and a space, which only the slow way understands."""
    return dialect.spaced and f"{dialect.delimiter} {dialect.quote}".encode() in data


def _scan(
    data: bytes, dialect: Dialect
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]] | None":
    """Start of each row, lines before it, whether it is blank; None when a row is ragged or a quote open."""
    ends = _row_ends(data, dialect)
    if not len(ends) or ends[-1] != len(data) - 1:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    cells = np.frombuffer(data, np.uint8)
    blank = ends == starts
    for row in np.flatnonzero((ends - starts < 64) & ~blank):
        blank[row] = not data[starts[row] : ends[row]].strip(b" \t") and dialect.delimiter != "\t"
    marks = np.flatnonzero(cells == ord(dialect.delimiter))
    if dialect.quote and dialect.quote.encode() in data:
        marks = marks[~_quoted(cells, dialect.quote)[marks]]
    per_row = np.diff(np.searchsorted(marks, ends), prepend=0)
    if (per_row[~blank] != len(dialect.names) - 1).any():
        return None
    newlines = np.flatnonzero(cells == 10)
    return starts, np.searchsorted(newlines, starts), blank


def _row_ends(data: bytes, dialect: Dialect) -> NDArray[np.int64]:
    """Positions of the newlines that end a row."""
    cells = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(cells == 10)
    if not dialect.quote or dialect.quote.encode() not in data:
        return newlines
    return newlines[~_quoted(cells, dialect.quote)[newlines]]


def _quoted(cells: NDArray[np.uint8], quote: str) -> NDArray[np.bool_]:
    """Whether each byte has an odd number of quotes before it."""
    return (np.cumsum(cells == ord(quote), dtype=np.uint8) & 1).astype(np.bool_)


def _parse_slowly(lines: Lines, dialect: Dialect, name: str, skip_header: bool) -> Batch:
    import polars as pl

    width = len(dialect.names)
    kept: list[list[str]] = []
    places: list[int] = []
    skipped: list[BadRow] = []
    line = lines.first
    for row, after in _read_rows(lines.data.decode(), dialect):
        here, line = line, lines.first + after
        if not row or (len(row) == 1 and width > 1 and not row[0].strip()):
            continue
        if skip_header:
            skip_header = False
            continue
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) == width:
            kept.append(row)
            places.append(here)
        else:
            unclosed = " (an unclosed quote?)" if line - here > 1 else ""
            skipped.append(
                BadRow(f"{name}:{here}", f"{len(row)} cells where there are {width} columns{unclosed}")
            )
    columns = {cell: [row[place] or None for row in kept] for place, cell in enumerate(dialect.names)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(dialect.names, pl.String))
    return Batch(frame, np.asarray(places, np.int64), name, skipped)


def _read_rows(text: str, dialect: Dialect) -> Iterator[tuple[list[str], int]]:
    """Rows and the number of lines read after each."""
    limit = csv.field_size_limit(LONGEST_ROW)  # the default refuses cells above 128 KiB
    try:
        quoting = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=quoting,
            escapechar=dialect.escape or None,
            skipinitialspace=dialect.spaced,
        )
        for row in reader:
            yield row, reader.line_num
    finally:
        csv.field_size_limit(limit)


def _rows(text: str, dialect: Dialect) -> list[list[str]]:
    rows = []
    for row, _ in _read_rows(text, dialect):
        if row and any(cell.strip() for cell in row):
            rows.append(row)
        if len(rows) > SAMPLE_ROWS:
            break
    return rows


def _has_header(first: list[str], rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it does unless it looks like the numbers below it."""
    if len(set(first)) < len(first) and any(map(_like_number, first)):
        return False
    for_header = against = 0
    for place, cell in enumerate(first):
        below = [row[place] for row in rows if place < len(row) and row[place].strip()]
        if below and sum(map(_like_number, below)) > 0.9 * len(below):
            against += _like_number(cell)
            for_header += not _like_number(cell)
    return for_header >= against


def _like_number(cell: str) -> bool:
    return (
        bool(cell)
        and all(letter in "0123456789.,;|+-eE \t" for letter in cell)
        and any(map(str.isdigit, cell))
    )


def _check_names(names: tuple[str, ...], file: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        places = ", ".join(str(place + 1) for place, name in enumerate(names) if name == twice[0])
        raise InputError(
            f"{file}:1: column {short(twice[0])} is there {names.count(twice[0])} times (columns {places}): "
            "give each column its own name"
        )
    if names.count("") > 1:
        raise InputError(f"{file}:1: {names.count('')} columns have no name: name all but one")
