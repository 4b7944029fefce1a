import sys
import unicodedata

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image, ImageDraw, ImageFont

from manyhot.datasets.glyphs import FACES, glyphs
from manyhot.errors import MissingExtraError, OptionError


@pytest.fixture(scope="module")
def table():
    return glyphs()


def labels_of(table, character, face="DejaVuSans"):
    (row,) = np.flatnonzero(table.row_ids == f"{face}-U+{ord(character):04X}")
    return set(table.space.decode(table.targets.rows([row]))[0])


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("A", {"latin", "upper"}),
        ("é", {"latin", "lower", "acute"}),
        ("ΐ", {"greek", "lower", "diaeresis", "acute"}),  # tonos decomposes into an acute
        ("ø", {"latin", "lower", "stroke"}),  # no decomposition: the name tells
        ("ǿ", {"latin", "lower", "stroke", "acute"}),
        ("Ж", {"cyrillic", "upper"}),
        ("א", {"hebrew"}),  # no case
        ("7", {"digit"}),  # neither script nor case
        ("€", {"currency"}),
        ("(", {"bracket"}),
        ("!", {"punctuation"}),
        ("→", {"math", "arrow"}),
    ],
)
def test_labels_say_what_unicode_says(table, character, expected):
    assert labels_of(table, character) == expected


@pytest.mark.parametrize("face", FACES)
def test_faces_carry_their_style(table, face):
    assert labels_of(table, "Q", face) == {"latin", "upper", *FACES[face]}


def test_script_and_case_exclude_within_their_group(table):
    assert [group.name for group in table.space.groups] == ["script", "case"]
    for group in table.space.groups:
        assert group.allow_none
        assert table.targets.columns(table.space.columns(group.labels)).row_counts().max() == 1


def test_there_are_thousands_of_long_tailed_rows(table):
    counts = table.targets.label_counts()
    assert len(table) > 10_000
    assert counts.min() > 0
    assert counts.max() / counts.min() > 100


def test_pixels_are_those_that_the_font_draws(table):
    from matplotlib import get_data_path

    font = ImageFont.truetype(
        f"{get_data_path()}/fonts/ttf/DejaVuSerif.ttf", 23, layout_engine=ImageFont.Layout.BASIC
    )
    picture = Image.new("L", (32, 32), 255)
    ImageDraw.Draw(picture).text((16, 24), "Q", fill=0, font=font, anchor="ms")
    (row,) = np.flatnonzero(table.row_ids == "DejaVuSerif-U+0051")
    decoded = table.inputs.decode([row], 32)
    assert decoded.shape == (1, 32, 32, 3)
    np.testing.assert_array_equal(decoded[0], np.repeat(np.asarray(picture)[..., None], 3, axis=2))


def test_every_picture_shows_something(table):
    assert (table.inputs.decode(slice(None), 32).reshape(len(table), -1).min(axis=1) < 255).all()


def test_equal_pictures_and_equal_characters_are_in_one_group(table):
    pixels = table.inputs.decode(slice(None), 32)
    for keys in ([picture.tobytes() for picture in pixels], [name.split("-U+")[1] for name in table.row_ids]):
        group = dict(zip(keys, table.group, strict=True))
        assert [group[key] for key in keys] == table.group.tolist()
    assert len(set(table.group)) > 1000


def test_every_label_is_on_ten_characters(table):
    for name in set(table.space.names) - {"bold", "oblique", "serif", "mono"}:
        rows = table.targets.positives[:, [table.space.column(name)]].nonzero()[0]
        assert len({table.row_ids[row].split("-U+")[1] for row in rows}) >= 10, name


def test_the_same_table_every_time(table):
    again = glyphs()
    assert again.targets == table.targets
    assert again.row_ids.tolist() == table.row_ids.tolist()
    np.testing.assert_array_equal(again.group, table.group)


def test_size_is_honoured_and_checked():
    assert glyphs(size=16).inputs.decode([0], 16).shape == (1, 16, 16, 3)
    with pytest.raises(OptionError, match=r"size must be in \[16, 128\], got 8"):
        glyphs(size=8)


def test_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"glyphs .* needs the package matplotlib: .*manyhot\[plot\]"):
        glyphs()


def test_sentence_names_the_unicode_version(table):
    assert f"Unicode {unicodedata.unidata_version}" in table.notes.sentence
