"""`read`: any supported file or folder -> one `Table`, and one sentence that says what was understood."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyhot._check import one_of
from manyhot.data import arff, fasttext, libsvm, tabular, trees, xmc
from manyhot.data.files import bare_name, existing, head_of, layout_of, shown
from manyhot.data.frames import Batch, listed
from manyhot.data.index import count
from manyhot.data.inputs import in_words
from manyhot.data.label_columns import Wishes
from manyhot.data.piece import Piece, join
from manyhot.data.roles import NO_SPLIT, PART_WORDS, Roles, assign, assign_like
from manyhot.data.table import PARTS, TABULAR, Schema, Table
from manyhot.data.xmc_splits import give_parts, is_split_file, splits_beside
from manyhot.errors import InputError, OptionError
from manyhot.labels import LabelSpace

if TYPE_CHECKING:
    import polars as pl

# files that lie beside data and are none
SPACE_FILE = "space.json"
COMPANIONS = (SPACE_FILE, "meta.json", "hierarchy.csv", "sha256sums", "dataset_infos.json")
DATA_SUFFIXES = (".parquet", ".pq", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".arff", ".svm", ".libsvm",
                 ".svmlight", ".txt", ".json")  # fmt: skip
LAYOUT_NAMES = (
    "delimited",
    "csv",
    "tsv",
    "jsonl",
    "parquet",
    "arff",
    "libsvm",
    "fasttext",
    "xmc",
    "images",
    "folders",
)

_IN_COLUMNS = ("labels", "text", "image", "features", "images", "separator", "unknown", "split", "group")
_USED: dict[str, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(TABULAR, (_IN_COLUMNS, "is no ARFF file")),
    "zip": (("separator",), "has no columns (the labels come from the names of the folders)"),
    "arff": (("labels", "text", "unknown", "xml"), "is an ARFF file"),
    "libsvm": (("labels",), "holds index:value pairs"),
    "xmc": (("labels",), "holds index:value pairs"),
    "fasttext": ((), "has no columns (the labels stand in front of each text)"),
}
"""Layout -> the options that it reads, and why not others."""


def read(
    path: str | Path,
    *,
    labels: str | Sequence[str] | None = None,
    text: str | Sequence[str] | None = None,
    image: str | None = None,
    features: str | Sequence[str] | None = None,
    images: str | Path | None = None,
    separator: str | None = None,
    unknown: str | float | None = None,
    split: str | None = None,
    group: str | None = None,
    space: LabelSpace | str | Path | None = None,
    layout: str | None = None,
    xml: str | Path | None = None,
    test: str | Path | None = None,
    valid: str | Path | None = None,
    like: Schema | None = None,
) -> Table:
    """Rows with labels from a file or folder, whose layout and columns are sniffed unless they are said.

    Reads CSV, TSV, JSONL, Parquet, folders and zips of images whose folders name labels, a table beside
    images, ARFF (Mulan, MEKA, Clus), multi-label libsvm, fastText lines and the extreme-classification text
    format; `.gz` and `.bz2` as they are. A folder that holds `train.*` and `test.*` (and `valid.*`) is data
    with given parts. Bad rows and images are left out, counted and named in `table.notes`;
    `table.notes.sentence` says in one line what was read.

    Args:
        path: file or folder.
        labels: the column of label sets; or the 0/1 columns, as a list, a pattern (`"label_*"`), or a file of
        names.
        text: the text column, or several to be joined; with `features` both are the input. When it is found
            by itself, the numbers and categories beside it are used too.
        image: the column that names image files.
        features: the input columns, as a list or a pattern; by default all that have no other role.
        images: folder or zip with the images that a table names; by default looked for beside it.
        separator: what joins labels in a cell or in a folder's name; "" = each is one label.
        unknown: the code that stands for "not annotated" beside blank and NaN, such as -1 or "?".
        split: the column that says train, valid or test, "" for none; with split files, the number of the
            split to take.
        group: the column whose equal values must stay in one part.
        space: the label space, or its JSON or YAML file; by default `space.json` in or beside the data, else
            the labels that occur, sorted.
        layout: "csv", "jsonl", "parquet", "arff", "libsvm", "fasttext", "xmc" or "images", when sniffing
        errs.
        xml: the Mulan file that names the labels of an ARFF file; by default the one beside it.
        test: a separate file with the test rows, or the split file of the extreme-classification repository
            that lists them; all other rows train.
        valid: the same for the validation rows.
        like: the schema of data that a model was made of: the inputs are those that the model reads, and the
            labels stand where they stood there, unless the other options say otherwise.

    Raises:
        InputError: nothing can be read or no label is found; the message names file, line and the mend.
        OptionError: an unknown layout, or an option that has no meaning in this one.

    Example:
        >>> import manyhot as mh
        >>> table = mh.read("films.csv", text="plot", labels="genres")  # doctest: +SKIP
        >>> table.notes.sentence  # doctest: +SKIP
        "read films.csv: 9,000 rows, text in 'plot', 16 labels in 'genres' (separated by '|'), 2.01 a row"
    """
    if layout is not None:
        one_of("layout", layout, LAYOUT_NAMES)
    path = existing(path)
    space = space if space is None or isinstance(space, LabelSpace) else LabelSpace.read(existing(space))
    wishes = Wishes(
        labels,
        text,
        image,
        features,
        separator,
        None if unknown is None else _code(unknown),
        split,
        group,
        space,
    )
    files, title = (
        parts_of(path)
        if path.is_dir() and layout not in ("images", "folders")
        else ([(path, None)], path.name)
    )
    splits = splits_beside(path) if path.is_dir() and len(files) == 1 and not (test or valid) else {}
    for extra, part in ((valid, "valid"), (test, "test")):
        if extra is None:
            continue
        files = [(file, named) for file, named in files if named != part]
        extra = existing(extra)
        if extra.is_file() and is_split_file(extra):
            splits[part] = extra
        else:
            files.append((extra, part))
    if len(files) > 1 and path.is_file():
        title = " + ".join(file.name for file, _ in files)
    reader = _Reader(replace(wishes, split=None) if splits else wishes, images, layout, xml, like)
    pieces = [reader.read(file) for file, _ in files]
    if splits:
        give_parts(pieces[0], splits, split)
    if space is None:
        space = _space_beside(path, pieces)
    return join(pieces, [part for _, part in files], title, space)


def read_frame(
    frame: "pl.DataFrame",
    *,
    space: LabelSpace | str | Path | None = None,
    like: Schema | None = None,
    unknown: str | float | None = None,
    **wishes: Any,
) -> Table:
    """A polars DataFrame with its labels in it, understood as a file with these columns is.

    Args:
        frame: the rows.
        space: as for `read`.
        like: as for `read`.
        unknown: as for `read`.
        wishes: `labels`, `text`, `image`, `features`, `separator`, `split` and `group`, as for `read`.

    Raises:
        InputError: the labels are not found, or nothing is left to learn from.
    """
    space = space if space is None or isinstance(space, LabelSpace) else LabelSpace.read(existing(space))
    wished = Wishes(**wishes, unknown=None if unknown is None else _code(unknown), space=space)
    batch = Batch(frame, np.arange(1, frame.height + 1), "the DataFrame")
    path = Path(batch.name)
    roles = (
        assign(frame, wished, "memory", path)
        if like is None
        else assign_like(frame, like, wished, "memory", path)
    )
    return join([tabular.piece_of(batch, roles, None, None)], [None], batch.name, space)


def _space_beside(path: Path, pieces: Sequence[Piece]) -> LabelSpace | None:
    """The label space in `space.json` in or beside the data, where it knows all labels that the data has."""
    file = (path if path.is_dir() else path.parent) / SPACE_FILE
    if not file.is_file():
        return None
    try:
        space = LabelSpace.read(file)
    except InputError as error:
        pieces[0].warnings.append(f"{SPACE_FILE} beside the data is no label space and is not used: {error}")
        return None
    strange = sorted({name for piece in pieces for name in piece.marks.names if name not in space})
    if strange:
        pieces[0].warnings.append(
            f"{SPACE_FILE} beside the data lacks {listed(strange, 3)} and is not used; space=... uses it"
        )
        return None
    pieces[0].warnings.append(f"the label space is that of {SPACE_FILE} ({_about(space)})")
    return space


def _about(space: LabelSpace) -> str:
    told = [
        count(len(space.groups), "exclusive group", "exclusive groups"),
        count(len(space.parents), "label with parents", "labels with parents"),
        count(len(space.rules), "rule", "rules"),
    ]
    return ", ".join(part for part in told if not part.startswith("0 ")) or "names only"


class _Reader:
    """Reads the files of one data set in turn; the first decides the roles of the columns for all."""

    def __init__(
        self,
        wishes: Wishes,
        images: str | Path | None,
        layout: str | None,
        xml: str | Path | None,
        like: Schema | None,
    ) -> None:
        self.wishes, self.images, self.layout, self.like = wishes, images, layout, like
        self.xml = None if xml is None else existing(xml)
        self.first: Piece | None = None
        self.roles: Roles | Schema | None = like

    def read(self, path: Path) -> Piece:
        if path.is_dir() or self.layout in ("images", "folders"):
            return self._kept(self._tree(path))
        head = head_of(path)
        layout, warning = self._layout(path, head)
        if layout in _USED:
            self._refuse_unread(path, layout)
        if layout in TABULAR:
            # `in TABULAR` does not narrow the layout to these three
            piece, self.roles = tabular.read_piece(path, layout, self.wishes, self.images, self.roles)  # type: ignore[arg-type]
        elif layout == "zip":
            piece = self._tree(path)
        elif layout == "arff":
            piece = arff.read_piece(path, self.wishes, self.xml, self.like)
        elif layout == "libsvm":
            piece = libsvm.read_piece(path, self.wishes, self._numbering())
        elif layout == "fasttext":
            piece = fasttext.read_piece(path)
        elif layout == "xmc":
            piece = xmc.read_piece(path, self.wishes)
        elif layout == "image":
            raise InputError(
                f"{path.name} is one image: name the folder or zip of images, or a table with a column of "
                "image files"
            )
        else:
            raise InputError(
                f"{path.name}: plain text without labels; wanted __label__ lines (fastText), a table with "
                "a header, or JSONL: "
                "for prediction it can be read as one text a line"
            )
        if warning:
            piece.warnings.append(warning)
        return self._kept(piece)

    def _tree(self, path: Path) -> Piece:
        self._refuse_unread(path, "zip")
        separator = self.wishes.separator
        if separator is None and self.like is not None and self.like.layout == "images":
            separator = self.like.separator
        return trees.read_tree(path, separator)

    def _numbering(self) -> Schema | None:
        """The schema that says from which number on features are counted."""
        if self.first is not None:
            return self.first.schema
        return self.like if self.like is not None and self.like.layout == "libsvm" else None

    def _refuse_unread(self, path: Path, layout: str) -> None:
        """Nothing that the caller says is passed over in silence."""
        used, why = _USED[layout]
        said = {**vars(self.wishes), "images": self.images, "xml": self.xml, "space": None}
        unread = [name for name, value in said.items() if name not in used and value not in (None, NO_SPLIT)]
        if self.wishes.separator == "" and "separator" not in used:
            unread.append("separator")
        if unread:
            raise OptionError(
                f"{path.name} {why}, so {unread[0]}= has no meaning here: leave out "
                f"{', '.join(f'{name}=' for name in unread)}"
            )

    def _kept(self, piece: Piece) -> Piece:
        if self.first is None:
            if self.like is not None and piece.schema.kind != self.like.kind:
                raise InputError(
                    f"{piece.name} gives {in_words(piece.schema.kind)}, the model reads "
                    f"{in_words(self.like.kind)}: name data of that kind"
                )
            self.first = piece
        elif piece.schema.kind != self.first.schema.kind:
            raise InputError(
                f"{piece.name} gives {in_words(piece.schema.kind)}, {self.first.name} gave "
                f"{self.first.schema.kind}: "
                "the parts of one data set must be alike"
            )
        return piece

    def _layout(self, path: Path, head: bytes) -> tuple[str, str | None]:
        if self.layout is not None:
            return {"csv": "delimited", "tsv": "delimited"}.get(self.layout, self.layout), None
        return layout_of(path, head)


def parts_of(folder: Path) -> tuple[list[tuple[Path, str | None]], str]:
    """The files of a folder that make up its data, each with its part, and a title for the sentence.

    Either `train` / `valid` / `test` files of one name and layout (`yeast-train.arff`, `yeast-test.arff`), or
    one table (with images beside it), or folders of images, or one zip of images.

    Raises:
        InputError: the folder is empty or holds several data sets.
    """
    files = sorted(file for file in folder.iterdir() if file.is_file() and _may_be_data(file))
    groups = _grouped(files)
    listed: list[tuple[Path, str | None]]
    parted = [group for group in groups if "train" in group]
    if parted:
        chosen = parted[0]
        listed = [(chosen[part], part) for part in PARTS if part in chosen]
        return listed, f"{folder.name} ({', '.join(file.name for file, _ in listed)})"
    single = [file for group in groups for file in group.values()]
    single = _preferred(single)
    if len(single) == 1:
        return [(single[0], None)], f"{folder.name} ({single[0].name})"
    zips = [file for file in folder.iterdir() if file.suffix.lower() == ".zip"]
    if not single and len(zips) == 1 and not any(entry.is_dir() for entry in folder.iterdir()):
        return [(zips[0], None)], f"{folder.name} ({zips[0].name})"
    if len(single) > 1:
        raise InputError(
            f"{folder.name} holds several data files ({shown([file.name for file in single])}) and none is "
            "called train: "
            "name one of them"
        )
    if not any(folder.iterdir()):
        raise InputError(f"{folder.name} is an empty folder: check the path")
    return [(folder, None)], folder.name


def _grouped(files: Sequence[Path]) -> list[dict[str | None, Path]]:
    """Files that differ in their part only, best layout first: {"train": ..., "test": ...} or {None: ...}."""
    groups: dict[tuple[int, str], dict[str | None, Path]] = {}
    for file in files:
        stem, suffix = bare_name(file)
        words = stem.replace("-", " ").replace("_", " ").replace(".", " ").split()
        part = next((PART_WORDS[word.lower()] for word in words if word.lower() in PART_WORDS), None)
        rest = " ".join(word for word in words if word.lower() not in PART_WORDS) if part else stem
        group = groups.setdefault((DATA_SUFFIXES.index(suffix), rest), {})
        if part in group:  # feature and label files of one part, as in trn_X_Xf.txt and trn_X_Y.txt
            group = groups.setdefault((DATA_SUFFIXES.index(suffix), stem), {})
        group[part] = file
    return [groups[key] for key in sorted(groups)]


def _preferred(files: list[Path]) -> list[Path]:
    """The file that its name makes the table, when there are several."""
    for word in ("labels", "data", "annotations", "metadata"):
        named = [file for file in files if bare_name(file)[0].lower() == word]
        if len(files) > 1 and len(named) == 1:
            return named
    return files


def _may_be_data(file: Path) -> bool:
    name = file.name.lower()
    if name.startswith((".", "readme", "license", "licence", "changelog")) or name in COMPANIONS:
        return False
    suffix = bare_name(file)[1]
    if "split" in name and suffix == ".txt" and is_split_file(file):
        return False
    return suffix in DATA_SUFFIXES and not name.startswith("inv_prop")


def _code(unknown: str | float) -> str:
    return unknown if isinstance(unknown, str) else f"{unknown:g}"
