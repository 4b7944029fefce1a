"""Images that stay in their files until a batch of them is wanted."""

import io
import os
import threading
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from manyhot.data.index import count, positions
from manyhot.errors import InputError, ManyhotWarning, ShapeError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
)
# JPEG is decoded at 1/2, 1/4 or 1/8 of its size when that is enough; other formats only whole, so they have
# a limit
MAX_PIXELS = 64_000_000
MAX_JPEG_PIXELS = 2_000_000_000
THREADS = min(8, os.cpu_count() or 1)
# what the last bytes of a whole file hold
ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b";"}
READERS = (
    (b"\xff\xd8\xff", "JpegImagePlugin", "JpegImageFile"),
    (b"\x89PNG\r\n\x1a\n", "PngImagePlugin", "PngImageFile"),
    (b"GIF8", "GifImagePlugin", "GifImageFile"),
    (b"BM", "BmpImagePlugin", "BmpImageFile"),
    (b"RIFF", "WebPImagePlugin", "WebPImageFile"),
    (b"II*\0", "TiffImagePlugin", "TiffImageFile"),
    (b"MM\0*", "TiffImagePlugin", "TiffImageFile"),
    *((b"P%d" % kind, "PpmImagePlugin", "PpmImageFile") for kind in range(1, 7)),
)
UNREADABLE = (OSError, ValueError, MemoryError, NotImplementedError, zipfile.BadZipFile)


class Source(Protocol):
    """Where the bytes of images lie."""

    def read(self, name: str) -> bytes:
        """All bytes of one file."""
        ...

    def ends(self, name: str) -> tuple[bytes, bytes, int]:
        """The first 64 KiB, the last 64 bytes and the size of one file."""
        ...


@dataclass(frozen=True)
class Folder:
    """Files under a root folder; an absolute name ignores the root."""

    root: Path

    def read(self, name: str) -> bytes:
        """All bytes of one file."""
        return (self.root / name).read_bytes()

    def ends(self, name: str) -> tuple[bytes, bytes, int]:
        """The first 64 KiB, the last 64 bytes and the size of one file."""
        with (self.root / name).open("rb") as file:
            head = file.read(65536)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 64))
            return head, file.read(64), size


@dataclass(frozen=True)
class Archive:
    """Members of a zip file; opened once in each process, read by many threads."""

    path: Path
    _open: dict[int, zipfile.ZipFile] = field(default_factory=dict, repr=False, compare=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    def read(self, name: str) -> bytes:
        """All bytes of one member."""
        with self._lock:
            return self._zip().read(name)

    def ends(self, name: str) -> tuple[bytes, bytes, int]:
        """The first 64 KiB, the last 64 bytes and the size of one member."""
        data = self.read(name)
        return data[:65536], data[-64:], len(data)

    def names(self) -> list[str]:
        """All members that are files, in the order of the archive."""
        with self._lock:
            return [info.filename for info in self._zip().infolist() if not info.is_dir()]

    def _zip(self) -> zipfile.ZipFile:
        process = os.getpid()  # a forked worker must not share the file position of its parent
        if process not in self._open:
            try:
                self._open[process] = zipfile.ZipFile(self.path)
            except zipfile.BadZipFile as error:
                raise InputError(
                    f"{self.path.name} is not a readable zip file ({error}): make it again"
                ) from error
        return self._open[process]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(path=state["path"], _open={}, _lock=threading.Lock())


@dataclass(frozen=True)
class Pixels:
    """Images already in memory, uint8 (n, height, width, 3)."""

    array: NDArray[np.uint8]


class Images:
    """Rows that are images in a folder, a zip or in memory; decoded only by `decode`.

    Args:
        names: one name per image, as its source knows it.
        sources: where the bytes are.
        which: for each image the number of its source; all 0 by default.
    """

    kind: ClassVar[Literal["image"]] = "image"

    def __init__(
        self,
        names: Sequence[str] | NDArray[np.str_],
        sources: Sequence[Source | Pixels],
        which: NDArray[np.integer[Any]] | None = None,
        places: NDArray[np.integer[Any]] | None = None,
    ) -> None:
        self.names: NDArray[np.str_] = np.asarray(names, dtype=np.str_)
        self.sources = tuple(sources)
        self.which = np.zeros(len(self.names), np.int32) if which is None else np.asarray(which, np.int32)
        # row of each image inside an in-memory source
        self.places = np.arange(len(self.names)) if places is None else np.asarray(places, np.int64)
        if not len(self.names) == len(self.which) == len(self.places):
            raise ShapeError(f"{len(self.names)} image names, but {len(self.which)} sources named")

    @classmethod
    def of_folder(cls, root: str | Path, names: Sequence[str]) -> "Images":
        """Files under `root`, named relative to it."""
        return cls(names, [Folder(Path(root).absolute())])

    @classmethod
    def of_paths(cls, paths: Iterable[str | Path]) -> "Images":
        """Single files."""
        return cls([str(path) for path in paths], [Folder(Path.cwd())])

    @classmethod
    def of_zip(cls, path: str | Path, names: Sequence[str]) -> "Images":
        """Members of a zip file."""
        return cls(names, [Archive(Path(path).absolute())])

    @classmethod
    def of_array(cls, pixels: NDArray[np.uint8], names: Sequence[str] | None = None) -> "Images":
        """Images in memory.

        Args:
            pixels: uint8 (n, height, width, 3).
            names: one name per image; its number by default.

        Raises:
            ShapeError: not uint8 of that shape.
        """
        pixels = np.asarray(pixels)
        if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
            raise ShapeError(
                f"images in memory must be uint8 (n, height, width, 3), got {pixels.dtype} {pixels.shape}"
            )
        return cls([str(row) for row in range(len(pixels))] if names is None else names, [Pixels(pixels)])

    @classmethod
    def of_pictures(cls, pictures: "Sequence[Image.Image]") -> "Images":
        """PIL images of any size and mode; transparent pixels are white."""
        sources = [Pixels(np.asarray(_in_colour(picture), np.uint8)[None]) for picture in pictures]
        names = [getattr(picture, "filename", "") or str(row) for row, picture in enumerate(pictures)]
        return cls(names, sources, np.arange(len(sources)), np.zeros(len(sources), np.int64))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return count(len(self), "image", "images")

    def glance(self) -> list[str]:
        """Their names, to be looked at."""
        return self.names.tolist()

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "Images":
        """The given images, in the given order; nothing is decoded."""
        index = positions(rows, len(self))
        return Images(self.names[index], self.sources, self.which[index], self.places[index])

    def joined(self, others: "Sequence[Images]") -> "Images":
        """These images, then those of the others."""
        parts = [self, *others]
        firsts = np.cumsum([0, *(len(part.sources) for part in parts[:-1])])
        return Images(
            np.concatenate([part.names for part in parts]),
            [source for part in parts for source in part.sources],
            np.concatenate([part.which + first for part, first in zip(parts, firsts, strict=True)]),
            np.concatenate([part.places for part in parts]),
        )

    def decode(self, rows: "NDArray[Any] | slice | Sequence[int]", size: int) -> NDArray[np.uint8]:
        """The given images, each squeezed to a square.

        An image that cannot be decoded becomes a black square, and a `ManyhotWarning` names it.

        Args:
            rows: (n,) row numbers.
            size: edge of the square in pixels.

        Returns:
            uint8 (n, size, size, 3), RGB; transparent pixels are white.
        """
        index = positions(rows, len(self))
        out = np.zeros((len(index), size, size, 3), dtype=np.uint8)
        failures: list[str] = []

        def fill(place: int) -> None:
            try:
                out[place] = self._pixels(int(index[place]), size)
            except UNREADABLE as error:
                failures.append(f"{self.names[index[place]]}: {error}")

        if len(index) < 4 or THREADS == 1:
            for place in range(len(index)):
                fill(place)
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(fill, range(len(index)), chunksize=max(1, len(index) // (4 * THREADS))))
        if failures:
            warnings.warn(
                f"{len(failures)} of {len(index)} images could not be decoded and are black: "
                f"{'; '.join(sorted(failures)[:3])}",
                ManyhotWarning,
                stacklevel=2,
            )
        return out

    def fault(self, row: int) -> str | None:
        """Why an image cannot be read; None when it looks whole.

        Finds missing and empty files, files that are no image, truncated ones, and too many pixels. Costs one
        header for most files: only one whose last bytes look wrong is decoded to be sure.
        """
        source = self.sources[self.which[row]]
        if isinstance(source, Pixels):
            return None
        name = str(self.names[row])
        try:
            head, tail, size = source.ends(name)
            if not size:
                return "the file has 0 bytes"
            fault, whole = _judge(head, tail, size)
            if not fault and not whole:
                decode_bytes(source.read(name), 8)
        except FileNotFoundError:
            return "the file is missing"
        except KeyError:
            return "no such file in the zip"
        except UNREADABLE as error:
            return _short(error)
        return fault

    def faults(self) -> dict[int, str]:
        """Row number -> why it cannot be read, for all rows that look broken."""
        if len(self) < 64:
            found = map(self.fault, range(len(self)))
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                found = list(pool.map(self.fault, range(len(self)), chunksize=64))
        return {row: fault for row, fault in enumerate(found) if fault}

    def _pixels(self, row: int, size: int) -> NDArray[np.uint8]:
        source = self.sources[self.which[row]]
        if isinstance(source, Pixels):
            array = source.array[self.places[row]]
            if array.shape[:2] == (size, size):
                return array
            from PIL import Image

            return _squared(Image.fromarray(array), size)
        return decode_bytes(source.read(str(self.names[row])), size)


def decode_bytes(data: bytes, size: int) -> NDArray[np.uint8]:
    """One image file as uint8 (size, size, 3).

    A JPEG is decoded at a reduced scale when it is much larger than wanted; the EXIF orientation is honoured.

    Raises:
        ValueError: more than `MAX_PIXELS` in a format that cannot be decoded at a reduced scale.
        OSError: not an image, or truncated.
    """
    from PIL import ImageOps

    with _opened(data) as image:
        fault = _too_large(image)
        if fault:
            raise ValueError(fault)
        with _decoder_faults():
            image.draft("RGB", (size, size))
            image.load()
            upright = ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
            return _squared(upright, size)


def _opened(data: bytes) -> "Image.Image":
    """The image of its first bytes' format, not decoded yet.

    `Image.open` would refuse a large JPEG before its reduced decoding can be asked for, and warn of others
    below our limit, in a way that threads cannot silence; so the reader is chosen here.
    """
    module, name = next((reader[1:] for reader in READERS if data.startswith(reader[0])), ("", ""))
    if not module or (name == "WebPImageFile" and data[8:12] != b"WEBP"):
        raise ValueError("not a known image format")
    reader = getattr(import_module(f"PIL.{module}"), name)
    with _decoder_faults():
        return reader(io.BytesIO(data))


@contextmanager
def _decoder_faults() -> Iterator[None]:
    """Any failure of a decoder as `OSError`: damaged bytes make them fail in every way there is."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise OSError(str(error) or type(error).__name__) from error


def _too_large(image: "Image.Image") -> str | None:
    width, height = image.size
    limit = MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS
    if width * height <= limit:
        return None
    mend = (
        "save it smaller"
        if image.format == "JPEG"
        else "save it smaller, or as JPEG, which can be read reduced"
    )
    return f"{width:,} x {height:,} pixels in {image.format}, more than the limit of {limit:,}: {mend}"


def _squared(image: "Image.Image", size: int) -> NDArray[np.uint8]:
    from PIL import Image

    image = _in_colour(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image, dtype=np.uint8)


def _in_colour(image: "Image.Image") -> "Image.Image":
    """RGB, transparent pixels white."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_bytes(np.asarray(image)))
    return image.convert("RGB")


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey levels of 16 or 32 bits or floats as bytes; 16 bits lose their lower half."""
    if values.dtype == np.uint16 or (values.dtype.kind == "i" and values.max(initial=0) > 255):
        return (np.clip(values, 0, 65535) >> 8).astype(np.uint8)
    top = 1.0 if values.dtype.kind == "f" and values.max(initial=0) <= 1 else 255.0
    return np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)


def _judge(head: bytes, tail: bytes, size: int) -> tuple[str | None, bool]:
    """What is wrong with a file of these first and last bytes, and whether its end looks as it should."""
    try:
        with _opened(head) as image:
            kind, fault = image.format, _too_large(image)
    except UNREADABLE as error:
        if size > len(head):  # a header longer than what was read, as with large embedded profiles
            return None, False
        return f"not a readable image ({_short(error)})", False
    if kind in ENDINGS:
        return fault, ENDINGS[kind] in tail
    return fault, kind not in ("BMP", "WEBP", "TIFF")


def _short(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__
