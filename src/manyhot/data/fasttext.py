"""fastText lines: `__label__sauce __label__cheese How much ...`; every word with the prefix is a label."""

from pathlib import Path

import numpy as np

from manyhot.data.files import Encoding, lines_of
from manyhot.data.inputs import Texts
from manyhot.data.marks import in_order, of_lists
from manyhot.data.piece import Piece
from manyhot.data.table import Schema
from manyhot.errors import InputError

PREFIX = "__label__"


def read_piece(path: Path) -> Piece:
    """A whole file; blank lines are nothing, a line without labels is a row without labels.

    Raises:
        InputError: no line has a label.
    """
    encoding = Encoding()
    texts: list[str] = []
    rows: list[int] = []
    found: list[str] = []
    places: list[int] = []
    for lines in lines_of(path, encoding):
        for place, line in enumerate(lines.data.decode().split("\n"), lines.first):
            if line.strip():
                labels, text = split_line(line)
                rows += [len(texts)] * len(labels)
                found += labels
                texts.append(text)
                places.append(place)
    if not found:
        raise InputError(f"{path.name}: no line has a label; wanted {PREFIX}name before the text")
    names = in_order(list(set(found)))
    column = {name: place for place, name in enumerate(names)}
    codes = np.fromiter((column[name] for name in found), np.int64, len(found))
    warning = encoding.warning(path.name)
    return Piece(
        path.name,
        Texts(texts),
        of_lists(names, np.asarray(rows, np.int64), codes, len(texts)),
        np.asarray(places).astype(np.str_),
        Schema(layout="fasttext", kind="text", text=("text",)),
        "text after the labels",
        f"written {PREFIX}…",
        warnings=[warning] if warning else [],
    )


def split_line(line: str) -> tuple[list[str], str]:
    """The labels of a line and the text that is left."""
    labels = []
    line = line.strip()
    while line.startswith(PREFIX):
        word, _, line = line.partition(" ")
        labels.append(word[len(PREFIX) :])
        line = line.lstrip()
    if PREFIX in line:
        words = line.split()
        labels += [word[len(PREFIX) :] for word in words if word.startswith(PREFIX)]
        line = " ".join(word for word in words if not word.startswith(PREFIX))
    return [label for label in labels if label], line
