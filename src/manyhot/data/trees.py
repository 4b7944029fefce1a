"""Images in folders whose names carry their labels (`red_dress/0001.jpg`), in a folder or in a zip of one."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from manyhot.data.files import shown
from manyhot.data.images import SUFFIXES, Archive, Images
from manyhot.data.marks import Marks, in_order, of_lists
from manyhot.data.piece import Piece
from manyhot.data.roles import PART_WORDS
from manyhot.data.table import NO_IMAGE, BadRow, Schema
from manyhot.errors import InputError

FOLDER_SEPARATOR = "_"
IGNORED = ("thumbs.db", "desktop.ini", ".ds_store")


def read_tree(path: Path, separator: str | None) -> Piece:
    """All images under a folder or in a zip; the names of the folders on the way are split into labels.

    A first level called train, valid, test (or dev, val, ...) gives the parts. A file that is no image is
    skipped and named, and so is an image that lies in no label folder.

    Args:
        path: folder or zip.
        separator: what joins labels in a folder's name, "_" by default; "" takes each name as one label.

    Raises:
        InputError: no image, or no folder that could name labels.
    """
    names = members_of(path)
    images = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not images:
        raise InputError(
            f"{path.name} holds no image ({shown([PurePosixPath(name).name for name in names])}); wanted "
            "folders of images "
            "such as red_dress/0001.jpg, or a table file"
        )
    separator = FOLDER_SEPARATOR if separator is None else separator
    folders = _label_folders(images)
    parts = _parts(folders)
    skipped = [BadRow(name, NO_IMAGE) for name in names if PurePosixPath(name).suffix.lower() not in SUFFIXES]
    bad = {
        row: "in no folder that names labels"
        for row, folder in enumerate(folders)
        if not folder[parts is not None :]
    }
    if len(bad) == len(images):
        raise InputError(
            f"{path.name}: the {len(images):,} images lie in no folder that names labels: put them into "
            "folders such as "
            "red_dress/, or lay a labels.csv with file and labels columns beside them"
        )
    labels = [_split(folder[parts is not None :], separator) for folder in folders]
    inputs = Images.of_folder(path, images) if path.is_dir() else Images.of_zip(path, images)
    piece = Piece(
        path.name,
        inputs,
        _marks(labels),
        np.asarray(images, np.str_),
        Schema(layout="images", kind="image", image="file", separator=separator),
        "images",
        f"from folder names (separated by {separator!r})" if separator else "from folder names",
        part=None if parts is None else np.asarray(parts, np.str_),
        skipped=skipped,
        warnings=_doubts(folders, labels, separator),
    )
    faults = {row: fault for row, fault in inputs.faults().items() if row not in bad}
    return piece.without({row: BadRow(images[row], why) for row, why in (bad | faults).items()})


def members_of(path: Path) -> list[str]:
    """Relative names of all files under a folder or in a zip, sorted, without hidden and system files."""
    if path.is_dir():
        files = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    else:
        files = Archive(path).names()
    return sorted(name for name in files if not _hidden(name))


def _hidden(name: str) -> bool:
    steps = PurePosixPath(name).parts
    return any(step.startswith(".") or step == "__MACOSX" for step in steps) or steps[-1].lower() in IGNORED


def _label_folders(images: Sequence[str]) -> list[tuple[str, ...]]:
    """The folders above each image, without those that all images share (as in a zip of one folder)."""
    folders = [PurePosixPath(name).parts[:-1] for name in images]
    shared = 0
    while (
        all(len(folder) > shared + 1 for folder in folders)
        and len({folder[shared] for folder in folders}) == 1
    ):
        shared += 1
    return [folder[shared:] for folder in folders]


def _parts(folders: Sequence[tuple[str, ...]]) -> list[str] | None:
    first = {folder[0].lower() for folder in folders if folder}
    if len(first) < 2 or not first <= set(PART_WORDS) or not all(folders):
        return None
    return [PART_WORDS[folder[0].lower()] for folder in folders]


def _split(folder: tuple[str, ...], separator: str) -> list[str]:
    if not separator:
        return list(folder)
    return [label.strip() for step in folder for label in step.split(separator) if label.strip()]


def _marks(labels: Sequence[Sequence[str]]) -> Marks:
    names = in_order(list({label for row in labels for label in row}))
    column = {name: place for place, name in enumerate(names)}
    rows = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
    codes = np.fromiter((column[label] for row in labels for label in row), np.int64)
    return of_lists(names, rows, codes, len(labels))


def _doubts(folders: Sequence[tuple[str, ...]], labels: Sequence[Sequence[str]], separator: str) -> list[str]:
    """A warning when splitting the folder names found no label that two folders share."""
    sets = dict(zip(folders, labels, strict=True))
    if not separator or not any(len(row) > 1 for row in sets.values()):
        return []
    met = [label for row in sets.values() for label in set(row)]
    if len(met) > len(set(met)):
        return []
    return [
        f"no two folders share a label when their names are split at {separator!r}: "
        "say separator='' if each name is one label"
    ]
