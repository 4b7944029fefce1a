"""Split files of the extreme-classification repository: which rows of a file test, one column a split."""

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyhot.data.files import bare_name, open_bytes
from manyhot.data.piece import Piece
from manyhot.errors import InputError, OptionError

PARTS = {"tst": "test", "test": "test", "val": "valid", "vld": "valid", "valid": "valid"}


def is_split_file(path: Path) -> bool:
    """Whether a .txt file holds whole numbers only, equally many in each line."""
    if bare_name(path)[1] != ".txt":
        return False
    with open_bytes(path) as stream:
        lines = [line.split() for line in islice(stream, 100) if line.strip()]
    return (
        len(lines) > 1
        and len({len(line) for line in lines}) == 1
        and all(cell.isdigit() for line in lines for cell in line)
    )


def splits_beside(folder: Path) -> dict[str, Path]:
    """Part -> its split file in a folder, told by names such as `delicious_tstSplit.txt`."""
    found = {}
    for path in sorted(folder.glob("*[sS]plit*.txt")):
        stem = path.stem.lower().removesuffix("split").rstrip("_-. ")
        part = next((part for word, part in PARTS.items() if stem.endswith(word)), None)
        if part is not None and is_split_file(path):
            found[part] = path
    return found


def give_parts(piece: Piece, files: dict[str, Path], split: str | None) -> None:
    """Put the rows that split files name into their parts, and all others into train.

    Args:
        piece: of a file of the extreme-classification layout.
        files: "valid" or "test" -> split file.
        split: the column of the split files to take, from 1; the first by default.

    Raises:
        InputError: the rows are not those of the data file, or one is in two parts.
        OptionError: there is no such column.
    """
    if piece.schema.layout != "xmc":
        raise InputError(
            f"{next(iter(files.values())).name} is a split file of the extreme-classification repository, "
            f"but {piece.name} is not in its layout: give a file with the rows themselves"
        )
    number = piece.row_ids.astype(np.int64) - 1  # line 1 is the header, and rows count from 1
    part = np.full(len(number), "train", dtype="<U5")
    told = []
    for name, file in files.items():
        rows, columns = _column(file, split)
        beyond = rows[(rows < 1) | (rows > number.max(initial=0) + len(piece.skipped))]
        if len(beyond):
            raise InputError(
                f"{file.name} names row {beyond[0]:,}, {piece.name} has {len(number):,}: "
                "the split belongs to another file"
            )
        chosen = np.isin(number, rows)
        if (part[chosen] != "train").any():
            raise InputError(f"{file.name}: rows of it are in another part already: give each row one part")
        part[chosen] = name
        told.append(f"{file.name} (split {split or 1} of {columns}; say split= for another)")
    piece.part = part
    piece.warnings.append(f"parts by {' and '.join(told)}")


def _column(file: Path, split: str | None) -> tuple[NDArray[np.int64], int]:
    """Row numbers of one split, and how many splits there are."""
    with open_bytes(file) as stream:
        table = np.loadtxt(stream, dtype=np.int64, ndmin=2)
    columns = table.shape[1]
    place = split or "1"
    if not place.isdigit() or not 1 <= int(place) <= columns:
        raise OptionError(f"{file.name} holds splits 1 to {columns}, got split {place!r}")
    return table[:, int(place) - 1], columns
