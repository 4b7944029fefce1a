"""Files as streams of bytes: compression, encodings, lines, and which layout a file has."""

import bz2
import gzip
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast

from manyhot.errors import InputError

BLOCK = 8 << 20
HEAD = 1 << 18
LONGEST_LINE = 256 << 20
MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, OSError)

FileLayout: TypeAlias = Literal[
    "delimited", "jsonl", "parquet", "arff", "libsvm", "fasttext", "xmc", "image", "zip", "text"
]
SUFFIX_LAYOUTS: dict[str, FileLayout] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arff": "arff",
    ".svm": "libsvm",
    ".libsvm": "libsvm",
    ".svmlight": "libsvm",
    ".zip": "zip",
}
MENDS = {
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".pkl": "pickles run code when they are opened: save as Parquet or JSONL",
    ".pickle": "pickles run code when they are opened: save as Parquet or JSONL",
    ".npy": "use manyhot.Table.of(...) from Python, or save as Parquet",
    ".npz": "use manyhot.Table.of(...) from Python, or save as Parquet",
    ".h5": "save as Parquet",
    ".hdf5": "save as Parquet",
    ".feather": "save as Parquet",
    ".arrow": "save as Parquet",
    ".tar": "unpack it, or pack it as .zip",
    ".7z": "unpack it, or pack it as .zip",
    ".rar": "unpack it, or pack it as .zip",
}


@dataclass
class Encoding:
    """What had to be assumed to read the bytes of one file as text; filled while reading."""

    repaired: list[int] = field(default_factory=list)  # lines that are not UTF-8

    def warning(self, name: str) -> str | None:
        """The sentence for the user; None when all was UTF-8."""
        if not self.repaired:
            return None
        lines = f"line {self.repaired[0]}" if len(self.repaired) == 1 else f"{len(self.repaired):,} lines"
        return (
            f"{name}:{self.repaired[0]}: not UTF-8; {lines} read as Windows-1252 (Latin-1): "
            "save the file as UTF-8 if names look wrong"
        )


@dataclass(frozen=True)
class Lines:
    """Whole lines of one file: their bytes, each ending in a newline, and the number of the first."""

    data: bytes
    first: int


def existing(path: str | Path) -> Path:
    """The path, when something is there.

    Raises:
        InputError: nothing is there, near names in the same folder are listed; or this is no path.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(
            f"expected the path of a file or folder, got {type(path).__name__}; data in memory goes to fit() "
            "or a ManyHotClassifier as it is"
        )
    path = Path(path).expanduser()
    if path.exists():
        return path if path.name not in ("", "..") else path.resolve()  # "." has no name to be told by
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: no such file, and no folder {folder} either: check the path")
    names = sorted(entry.name for entry in folder.iterdir())
    near = get_close_matches(path.name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the folder holds {shown(names)}"
    raise InputError(f"{path}: no such file; {hint}")


def open_bytes(path: Path) -> BinaryIO:
    """The file for reading, unpacked when it is gzip or bzip2 (told by its first bytes, not its name)."""
    file = path.open("rb")
    magic = file.read(3)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    if magic == b"BZh":
        return cast("BinaryIO", bz2.BZ2File(file))
    return file


def bare_name(path: Path) -> tuple[str, str]:
    """Stem and lower-case suffix without .gz / .bz2: ("cooking.train", ".txt")."""
    name = path.name
    while Path(name).suffix.lower() in (".gz", ".bz2"):
        name = Path(name).stem
    return Path(name).stem, Path(name).suffix.lower()


def head_of(path: Path) -> bytes:
    """The first 256 KiB, unpacked.

    Raises:
        InputError: the file is empty, a folder, or broken gzip / bzip2.
    """
    with guarded(path) as file:
        head = file.read(HEAD)
    if not head.strip(b" \t\r\n\0\xef\xbb\xbf"):
        size = path.stat().st_size
        raise InputError(
            f"{path.name} is empty ({size:,} bytes): check that it was written, or name another file"
        )
    return head


class guarded:  # noqa: N801 - used like a function
    """An open file whose compression errors become `InputError` with the file's name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> BinaryIO:
        try:
            self.file = open_bytes(self.path)
        except OSError as error:
            raise InputError(f"{self.path.name} cannot be opened: {error.strerror or error}") from error
        return self.file

    def __exit__(self, kind: type | None, error: BaseException | None, _trace: object) -> None:
        self.file.close()
        if isinstance(error, BROKEN):
            raise InputError(
                f"{self.path.name} breaks off or is damaged while reading ({error}): fetch or pack it again"
            ) from error


def layout_of(path: Path, head: bytes) -> tuple[FileLayout, str | None]:
    """Which layout a file has, by its first bytes, then its suffix; and a warning when the two disagree.

    Raises:
        InputError: a format that manyhot does not read, with the way out.
    """
    _, suffix = bare_name(path)
    if suffix in MENDS:
        raise InputError(f"{path.name}: {suffix} is not a layout that manyhot reads: {MENDS[suffix]}")
    inside = _layout_of_content(head)
    named = SUFFIX_LAYOUTS.get(suffix)
    if inside in ("parquet", "zip", "image", "arff"):
        disagree = named is not None and named != inside
        return (
            inside,
            f"{path.name} is named {suffix} but holds {inside}; read as {inside}" if disagree else None,
        )
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{path.name} holds binary data of no known layout; wanted CSV, TSV, JSONL, Parquet, ARFF, "
            "libsvm, fastText, "
            "extreme-classification text, a folder or zip of images"
        )
    if inside is None and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise InputError(_no_markup(path, head))
    if named in ("parquet", "zip", "arff"):
        raise InputError(f"{path.name} is named {suffix} but is not {named}: check how it was written")
    text_layout = inside or "delimited"
    if named == "jsonl" and text_layout != "jsonl":
        raise InputError(
            f"{path.name}:1: is named {suffix} but line 1 is not a JSON object: write one object a line"
        )
    if named == "delimited" and text_layout == "jsonl":
        return "jsonl", f"{path.name} is named {suffix} but holds JSON lines; read as JSONL"
    if named == "libsvm" and text_layout == "xmc":
        return "libsvm", None
    if named:
        return named, None
    if suffix == ".txt" and text_layout == "delimited" and b"\t" not in head:
        return "text", None
    return text_layout, None


def _no_markup(path: Path, head: bytes) -> str:
    if b"<labels" not in head:
        return f"{path.name} holds XML or HTML, which manyhot does not read: save it as CSV or JSONL"
    beside = sorted(file.name for file in path.parent.glob("*.arff*"))
    return (
        f"{path.name} is the label list of a Mulan data set and holds no rows: name the ARFF file that it "
        f"belongs to{f' ({shown(beside, 3)})' if beside else ''}, it is found beside it"
    )


def _layout_of_content(head: bytes) -> FileLayout | None:
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return "zip"
    if (
        head[:3] == b"\xff\xd8\xff"
        or head[:8] == b"\x89PNG\r\n\x1a\n"
        or head[:4] in (b"GIF8", b"II*\0", b"MM\0*")
    ):
        return "image"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lines = [line.strip() for line in text[:65536].split(b"\n") if line.strip()]
    for line in lines:
        if not line.startswith(b"%"):
            if line.lower().startswith(b"@relation"):
                return "arff"
            break
    if text[:1] in (b"{", b"["):
        return "jsonl"
    if (
        text.startswith(b"__label__")
        or sum(b"__label__" in line for line in lines[:20]) > min(len(lines), 20) / 2
    ):
        return "fasttext"
    return _sparse_layout(lines)


def _sparse_layout(lines: list[bytes]) -> FileLayout | None:
    """The layout "xmc" for a header of numbers over rows of `i:v`, "libsvm" for such rows without one."""
    rows = [line for line in lines[:50] if not line.startswith(b"#")]
    if (
        len(rows) > 1
        and len(rows) == len(lines[:50])
        and _is_header(rows[0])
        and all(map(_is_sparse, rows[1:10]))
    ):
        return "xmc"
    full = [row for row in rows[:20] if b":" in row]
    if full and len(full) >= 0.8 * len(rows[:20]) and all(map(_is_sparse, full)):
        return "libsvm"
    if rows and all(token.replace(b".", b"").isdigit() for row in rows[:20] for token in row.split()):
        return "xmc"  # split files and other companions of that format: its reader says what they are
    return None


def _is_header(line: bytes) -> bool:
    fields = line.split()
    return len(fields) in (2, 3) and all(field.isdigit() for field in fields)


def _is_sparse(line: bytes) -> bool:
    fields = line.split(b"#")[0].split()
    body = fields[1:] if fields and b":" not in fields[0] else fields
    return all(part.partition(b":")[0].isdigit() and b":" in part for part in body[:20])


def lines_of(path: Path | None, encoding: Encoding, block: int = BLOCK) -> Iterator[Lines]:
    """The file in blocks of whole lines, as UTF-8 with `\\n` line ends; None reads standard input.

    A byte-order mark goes, `\\r\\n` and lone `\\r` become `\\n`, UTF-16 is recoded, and a line that is not
    UTF-8 is read as Windows-1252 and noted in `encoding`.
    """
    if path is None:
        yield from _blocks(sys.stdin.buffer, "standard input", encoding, block)
        return
    with guarded(path) as file:
        yield from _blocks(file, path.name, encoding, block)


def _blocks(file: BinaryIO, name: str, encoding: Encoding, block: int) -> Iterator[Lines]:
    rest, number, codec = b"", 1, ""
    while True:
        read = file.read(block)
        if not codec:
            mark = next((mark for mark in MARKS if read.startswith(mark)), b"")
            codec = MARKS.get(mark, "utf-8")
            read = read[len(mark) :]
        data = rest + read
        if codec != "utf-8":  # wide text is recoded whole: blocks may not be cut inside a character
            data = _recoded(data + file.read(), codec, name)
            read = b""
        end = len(data) if not read else data.rfind(b"\n") + 1
        if read and not end and b"\r" in data and b"\n" not in data:
            end = data.rfind(b"\r")  # the last one may be half of a \r\n
        if not end and read:
            if len(data) > LONGEST_LINE:
                raise InputError(
                    f"{name}:{number}: a line of more than {LONGEST_LINE >> 20} MB: is this a text file?"
                )
            rest = data
            continue
        whole, rest = data[:end], data[end:]
        if whole:
            whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in whole else whole
            whole = whole if whole.endswith(b"\n") else whole + b"\n"
            yield Lines(_as_utf8(whole, number, encoding), number)
            number += whole.count(b"\n")
        if not read:
            return


def _recoded(data: bytes, codec: str, name: str) -> bytes:
    try:
        return data.decode(codec).encode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: starts as {codec} but byte {error.start} is not: save it as UTF-8"
        ) from error


def _as_utf8(data: bytes, first: int, encoding: Encoding) -> bytes:
    if data.isascii():
        return data
    try:
        data.decode()
        return data
    except UnicodeDecodeError:
        pass
    lines = data.split(b"\n")
    for place, line in enumerate(lines):
        try:
            line.decode()
        except UnicodeDecodeError:
            encoding.repaired.append(first + place)
            lines[place] = _windows(line).encode()
    return b"\n".join(lines)


def _windows(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:  # five bytes have no meaning there
        return line.decode("latin-1")


def shown(names: list[str], most: int = 8) -> str:
    """File names for a message, the first few of many."""
    text = ", ".join(names[:most]) or "nothing"
    return f"{text} and {len(names) - most:,} more" if len(names) > most else text
