"""glyphs: characters of the DejaVu fonts as small pictures, with what Unicode says of them as labels."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyhot._check import between
from manyhot.data.images import Images
from manyhot.data.table import Table
from manyhot.errors import MissingExtraError
from manyhot.labels import Group, LabelSpace

# face -> its style labels; the upright, regular sans face carries none
FACES: dict[str, tuple[str, ...]] = {
    "DejaVuSans": (),
    "DejaVuSans-Bold": ("bold",),
    "DejaVuSans-Oblique": ("oblique",),
    "DejaVuSans-BoldOblique": ("bold", "oblique"),
    "DejaVuSerif": ("serif",),
    "DejaVuSerif-Bold": ("serif", "bold"),
    "DejaVuSerif-Italic": ("serif", "oblique"),
    "DejaVuSerif-BoldItalic": ("serif", "bold", "oblique"),
    "DejaVuSansMono": ("mono",),
    "DejaVuSansMono-Bold": ("mono", "bold"),
    "DejaVuSansMono-Oblique": ("mono", "oblique"),
    "DejaVuSansMono-BoldOblique": ("mono", "bold", "oblique"),
}
SCRIPTS = (
    "arabic",
    "armenian",
    "canadian",
    "coptic",
    "cyrillic",
    "georgian",
    "greek",
    "hebrew",
    "lao",
    "latin",
    "lisu",
    "nko",
    "ogham",
    "tifinagh",
)
CASES = {"Lu": "upper", "Ll": "lower"}
KINDS = {"Nd": "digit", "Sc": "currency", "Sm": "math", "Ps": "bracket", "Pe": "bracket"}
FEWEST = 10  # a label on fewer characters cannot be learnt from one part and tested on another


class Drawing(NamedTuple):
    """One character drawn in one face."""

    character: str
    face: str
    pixels: NDArray[np.uint8]


def glyphs(size: int = 32) -> Table:
    """Letters, digits, punctuation and mathematical signs of twelve DejaVu faces, black on white.

    Labels: the exclusive groups `script` and `case` (both with none: a digit has no script, a Hebrew
    letter no case), the accents and other marks, `bold`, `oblique`, `serif`, `mono`, and the kind of a
    sign. Names come from Python's `unicodedata`, so that they follow its Unicode version. Long-tailed:
    ten thousand pictures are Latin, some marks are on forty. Some answers cannot be seen: Latin A, Greek
    Alpha and Cyrillic A are one picture. `Table.group` joins the faces of a character and characters that
    look alike.

    Args:
        size: pixels a side, in [16, 128]. Characters that do not fit are left out.

    Raises:
        MissingExtraError: matplotlib, which ships the fonts, is not installed (extra `plot`).
    """
    between("size", size, 16, 128)
    drawings = list(_drawings(_font_folder(), size))
    characters = sorted({drawing.character for drawing in drawings})
    labels = {character: _labels(character) for character in characters}
    carried = Counter(label for found in labels.values() for label in found)
    known = {label for label, count in carried.items() if count >= FEWEST}
    space = _space(known)
    rows = [(labels[one.character] & known) | set(FACES[one.face]) for one in drawings]
    names = [f"{one.face}-U+{ord(one.character):04X}" for one in drawings]
    pixels = np.stack([one.pixels for one in drawings])
    sentence = (
        f"glyphs: {len(rows):,} pictures of {len(characters):,} characters in {len(FACES)} DejaVu faces, "
        f"{size} x {size}, {len(space)} labels of Unicode {unicodedata.unidata_version}"
    )
    return Table.of(
        Images.of_array(np.broadcast_to(pixels[..., None], (*pixels.shape, 3)), names),
        space.encode(rows),
        space,
        group=_groups(drawings),
        row_ids=names,
        sentence=sentence,
    )


def _font_folder() -> Path:
    try:
        from matplotlib import get_data_path
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "the data set glyphs (its fonts)") from error
    return Path(get_data_path()) / "fonts" / "ttf"


def _drawings(fonts: Path, size: int) -> Iterator[Drawing]:
    """All characters in all faces but where a face draws one as an earlier face did: arrows do not slant."""
    seen: set[tuple[str, bytes]] = set()
    for face in FACES:
        path = fonts / f"{face}.ttf"
        font = ImageFont.truetype(path, round(0.72 * size), layout_engine=ImageFont.Layout.BASIC)
        for character in _characters(path):
            pixels = _draw(font, character, size)
            if pixels is not None and (character, pixels.tobytes()) not in seen:
                seen.add((character, pixels.tobytes()))
                yield Drawing(character, face, pixels)


def _characters(path: Path) -> list[str]:
    from matplotlib.ft2font import FT2Font

    return [chr(code) for code in sorted(FT2Font(str(path)).get_charmap()) if _is_wanted(chr(code))]


def _is_wanted(character: str) -> bool:
    category = unicodedata.category(character)
    if category.startswith("L"):
        return category != "Lm" and _script(character) is not None
    return category in ("Nd", "Sc", "Sm") or category.startswith("P")


def _draw(font: ImageFont.FreeTypeFont, character: str, size: int) -> NDArray[np.uint8] | None:
    """The picture on one baseline, so that height tells case; None where nothing shows or it does not fit."""
    place = (size // 2, round(0.74 * size))
    left, top, right, bottom = font.getbbox(character, anchor="ms")
    if left + place[0] < 0 or top + place[1] < 0 or right + place[0] > size or bottom + place[1] > size:
        return None
    picture = Image.new("L", (size, size), 255)
    ImageDraw.Draw(picture).text(place, character, fill=0, font=font, anchor="ms")
    pixels = np.asarray(picture)
    return pixels if pixels.min() < 255 else None


def _labels(character: str) -> set[str]:
    """What Unicode says of one character, style left out."""
    category = unicodedata.category(character)
    if not category.startswith("L"):
        return {KINDS.get(category, "punctuation")} | ({"arrow"} if "ARROW" in _name(character) else set())
    script = _script(character)
    return (
        ({script} if script else set())
        | ({CASES[category]} if category in CASES else set())
        | _marks(character)
    )


def _script(character: str) -> str | None:
    first = _name(character).split(" ")[0].lower()
    return first if first in SCRIPTS else None


def _marks(character: str) -> set[str]:
    """Accents of the canonical decomposition, and what only the base letter's name tells (stroke, hook)."""
    base, *accents = unicodedata.normalize("NFD", character)
    _, _, told = _name(base).partition(" WITH ")
    marks = told.split(" AND ") if told else []
    for accent in accents:
        words = _name(accent).removeprefix("COMBINING ").removeprefix("GREEK ").removeprefix("HEBREW POINT ")
        marks.append(words.removeprefix("ARABIC ").replace(" ACCENT", "").split(" OR ")[0])
    return {mark.lower() for mark in marks}


def _name(character: str) -> str:
    return unicodedata.name(character, "")


def _space(known: set[str]) -> LabelSpace:
    scripts = tuple(script for script in SCRIPTS if script in known)
    cases = tuple(sorted(set(CASES.values()) & known))
    styles = ("bold", "mono", "oblique", "serif")
    others = sorted(known - set(scripts) - set(cases))
    groups = (Group("script", scripts, allow_none=True), Group("case", cases, allow_none=True))
    return LabelSpace((*scripts, *cases, *styles, *others), groups=groups)


def _groups(drawings: list[Drawing]) -> NDArray[np.int64]:
    """One number for all drawings of a character and of the characters that some face draws alike."""
    characters: dict[str, int] = {}
    pictures: dict[bytes, int] = {}
    first = [characters.setdefault(one.character, len(characters)) for one in drawings]
    second = [pictures.setdefault(one.pixels.tobytes(), len(pictures)) for one in drawings]
    size = len(characters) + len(pictures)
    columns = np.array(second) + len(characters)
    links = coo_array((np.ones(len(first), np.int8), (np.array(first), columns)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return component[first].astype(np.int64)
