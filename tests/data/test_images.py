"""Images: where they are found, how they are decoded, and those that cannot be."""

import io
import pickle
import re
import zipfile

import numpy as np
import peak_memory
import pytest
from PIL import Image

from manyhot.data import Images, read
from manyhot.data import images as images_module
from manyhot.errors import InputError, ManyhotWarning, OptionError, ShapeError


def picture(colour="red", size=(12, 8), kind="PNG", mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind, **options)
    return out.getvalue()


def noise(size, seed=0):
    array = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Image.fromarray(array)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "clothes"
    for folder, colours in (("red_dress", ["red", "red"]), ("blue_jeans", ["blue"]), ("red_jeans", ["red"])):
        (root / folder).mkdir(parents=True)
        for place, colour in enumerate(colours):
            (root / folder / f"{place}.png").write_bytes(picture(colour))
    return root


def zipped(root, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(root).as_posix())
    return path


def names(table):
    return [[table.space.names[column] for column in row] for row in table.targets.to_index_lists()]


def test_folder_names_carry_the_labels(tree):
    table = read(tree)
    assert table.space.names == ("blue", "dress", "jeans", "red")
    assert names(table) == [["blue", "jeans"], ["dress", "red"], ["dress", "red"], ["jeans", "red"]]
    assert table.notes.sentence == (
        "read clothes: 4 rows, images, 4 labels from folder names (separated by '_'), 2.00 a row"
    )
    assert table.inputs.decode([0, 3], 4)[:, 0, 0].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_a_zip_of_such_a_folder_is_the_same(tree, tmp_path):
    for prefix in ("", "clothes/"):
        table = read(zipped(tree, tmp_path / "clothes.zip", prefix))
        assert names(table) == names(read(tree))
        assert (table.inputs.decode(slice(None), 6) == read(tree).inputs.decode(slice(None), 6)).all()


def test_the_separator_of_folder_names_can_be_said(tree):
    assert read(tree, separator="").space.names == ("blue_jeans", "red_dress", "red_jeans")
    (tree / "red+hat").mkdir()
    (tree / "red+hat" / "0.png").write_bytes(picture())
    assert "hat" in read(tree, separator="+").space.names


def test_names_that_share_no_label_raise_a_doubt(tmp_path):
    for folder in ("golden_retriever", "tabby_cat"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_bytes(picture())
    assert any(
        "say separator='' if each name is one label" in warning for warning in read(tmp_path).notes.warnings
    )


def test_a_first_level_of_parts(tree, tmp_path):
    root = tmp_path / "parts"
    for part in ("train", "test"):
        (root / part).parent.mkdir(exist_ok=True)
        zipfile.ZipFile(zipped(tree, tmp_path / "t.zip")).extractall(root / part)
    table = read(root)
    assert table.space.names == ("blue", "dress", "jeans", "red")
    assert sorted(table.part.tolist()) == ["test"] * 4 + ["train"] * 4


def test_files_that_are_no_images_or_in_no_label_folder_are_named(tree):
    (tree / "red_dress" / "notes.txt").write_text("about")
    (tree / "red_dress" / ".DS_Store").write_text("system file")
    (tree / "lost.png").write_bytes(picture())
    table = read(tree)
    assert len(table) == 4
    assert sorted(map(str, table.notes.skipped)) == [
        "lost.png: in no folder that names labels",
        "red_dress/notes.txt: not an image",
    ]


def broken(kind):
    whole = io.BytesIO()
    noise((64, 64)).save(whole, kind)
    return whole.getvalue()[: len(whole.getvalue()) // 2]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file has 0 bytes"),
        (b"<html>not found</html>", "not a known image format"),
        (broken("JPEG"), "truncated"),
        (broken("PNG"), "truncated"),
        (broken("BMP"), "truncated"),
        (broken("WEBP"), ""),
        (
            picture(size=(9000, 9000), mode="1", colour=1),
            "9,000 x 9,000 pixels in PNG, more than the limit of 64,000,000",
        ),
    ],
    ids=["zero bytes", "html", "jpeg", "png", "bmp", "webp", "huge png"],
)
def test_unreadable_images_are_counted_named_and_left_out(tree, content, why):
    (tree / "red_jeans" / "bad.png").write_bytes(content)
    table = read(tree)
    assert len(table) == 4
    (row,) = table.notes.skipped
    assert row.where == "red_jeans/bad.png"
    assert re.search(why, row.why)
    assert "skipped 1 bad row (red_jeans/bad.png" in table.notes.sentence


def test_only_broken_images_is_an_error_that_names_the_first(tmp_path):
    (tmp_path / "red_dress").mkdir()
    (tmp_path / "red_dress" / "0.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the 1 rows can be used; .*red_dress/0.jpg: .* 0 bytes"):
        read(tmp_path)


@pytest.mark.skipif(not peak_memory.readable, reason=peak_memory.UNREADABLE)
def test_a_jpeg_of_400_megapixels_is_decoded_at_a_reduced_scale(tmp_path):
    path = tmp_path / "big.jpg"
    Image.new("L", (20_000, 20_000), 200).save(path, "JPEG", quality=30)
    images = Images.of_paths([path])
    assert images.fault(0) is None
    out, grown = peak_memory.grown_by(lambda: images.decode([0], 96))
    assert (abs(out.astype(int) - 200) < 3).all()
    assert grown < 120e6  # whole it would be 400 MB in grey, 1,200 MB in colour


def test_a_png_of_400_megapixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "big.png"
    Image.new("1", (20_000, 20_000)).save(path, "PNG")
    with pytest.warns(ManyhotWarning, match=r"big.png: 20,000 x 20,000 pixels in PNG, more than the limit"):
        out = Images.of_paths([path]).decode([0], 16)
    assert not out.any()


def test_decoding_squeezes_to_a_square_and_keeps_colours():
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[1, :, 2:] = (0, 200, 0)
    images = Images.of_array(pixels, ["a", "b"])
    assert (images.decode([1, 0], 4) == pixels[[1, 0]]).all()
    small = images.decode([1], 2)
    assert small.shape == (1, 2, 2, 3)
    assert small[0, :, 0].max() < 40  # bilinear: a little of the neighbour
    assert small[0, 0, 1, 1] > 160
    assert not small[..., [0, 2]].any()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("LA", (10, 255), (10, 10, 10)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 256 * 100, (100, 100, 100)),
    ],
)
def test_every_mode_becomes_rgb_with_transparency_on_white(mode, colour, expected):
    data = picture(colour, mode=mode)
    assert images_module.decode_bytes(data, 4)[0, 0].tolist() == list(expected)


def test_a_palette_with_transparency_is_white_there():
    image = Image.new("P", (6, 6), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0)
    assert images_module.decode_bytes(out.getvalue(), 3)[1, 1].tolist() == [255, 255, 255]


def test_the_exif_orientation_is_honoured():
    image = Image.new("RGB", (8, 8))
    image.paste((255, 255, 255), (0, 0, 4, 8))  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the left side comes to the top
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    turned = images_module.decode_bytes(out.getvalue(), 8)[:, :, 0]
    assert turned[0].tolist() == [255] * 8
    assert turned[7].tolist() == [0] * 8


def test_a_reduced_jpeg_is_close_to_the_whole_one_resized():
    y, x = np.mgrid[0:512, 0:512]
    image = Image.fromarray(np.stack([x // 2, y // 2, (x + y) // 4], axis=2).astype(np.uint8))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    mine = images_module.decode_bytes(out.getvalue(), 32).astype(int)
    truth = np.asarray(Image.open(out).convert("RGB").resize((32, 32), Image.Resampling.BOX)).astype(int)
    assert abs(mine - truth).max() <= 8


def test_an_image_that_breaks_while_decoding_is_black_and_named(tree):
    images = read(tree).inputs
    (tree / "red_dress" / "1.png").write_bytes(b"gone")
    with pytest.warns(ManyhotWarning, match=r"1 of 4 images could not be decoded .*: red_dress/1.png"):
        out = images.decode(slice(None), 4)
    assert [image.any() for image in out] == [True, True, False, True]


def test_taking_and_joining_keep_names_and_pixels(tree, tmp_path):
    one = read(tree).inputs
    other = read(zipped(tree, tmp_path / "c.zip")).inputs
    both = one.joined([other, Images.of_array(np.full((1, 4, 4, 3), 9, np.uint8))])
    assert len(both) == 9
    some = both.take([8, 5, 0])
    assert some.names.tolist() == ["0", "red_dress/0.png", "blue_jeans/0.png"]
    assert some.decode([0, 1, 2], 4)[:, 0, 0].tolist() == [[9, 9, 9], [255, 0, 0], [0, 0, 255]]
    assert one.take(np.array([True, False, False, True])).names.tolist() == [
        "blue_jeans/0.png",
        "red_jeans/0.png",
    ]


def test_images_survive_being_sent_to_another_process(tree, tmp_path):
    images = read(zipped(tree, tmp_path / "c.zip")).inputs
    images.decode([0], 4)
    again = pickle.loads(pickle.dumps(images))
    assert (again.decode([2], 4) == images.decode([2], 4)).all()


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"must be uint8 \(n, height, width, 3\), got float64"):
        Images.of_array(np.zeros((2, 4, 4, 3)))


def table_beside(tree, path, prefix=""):
    lines = [
        f"{prefix}{file.relative_to(tree).as_posix()},{file.parent.name.replace('_', '|')}"
        for file in sorted(tree.rglob("*.png"))
    ]
    path.write_text("file,labels\n" + "\n".join(lines) + "\n")
    return path


def test_a_table_beside_a_folder_or_zip_of_images(tree, tmp_path):
    expected = names(read(tree))
    beside = table_beside(tree, tmp_path / "labels.csv", "clothes/")
    assert names(read(beside)) == expected
    inside = table_beside(tree, tree / "labels.csv")
    assert names(read(inside)) == expected
    apart = tmp_path / "apart"
    apart.mkdir()
    table = table_beside(tree, apart / "labels.csv")
    assert names(read(table, images=tree)) == expected
    (tree / "labels.csv").unlink()
    zipped(tree, apart / "images.zip", "photos/")
    read_again = read(apart)
    assert names(read_again) == expected
    assert "images named in 'file' (images.zip)" in read_again.notes.sentence
    assert read_again.row_ids[0] == "blue_jeans/0.png"
    assert read_again.inputs.decode([0], 4)[0, 0, 0].tolist() == [0, 0, 255]


def test_images_that_a_table_names_and_nobody_has(tree, tmp_path):
    table = table_beside(tree, tmp_path / "labels.csv", "elsewhere/")
    with pytest.raises(InputError, match=r"the images it names .*elsewhere/blue_jeans/0.png.* say images="):
        read(table)


def test_one_missing_image_of_many_is_a_bad_row(tree):
    table = table_beside(tree, tree / "labels.csv")
    (tree / "red_dress" / "1.png").unlink()
    found = read(table)
    assert len(found) == 3
    assert str(found.notes.skipped[0]) == "red_dress/1.png: the file is missing"


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.docx").write_text("x")
    with pytest.raises(InputError, match=r"holds no image \(a.docx\); wanted folders of images"):
        read(tmp_path)
    (tmp_path / "void").mkdir()
    with pytest.raises(InputError, match="void is an empty folder"):
        read(tmp_path / "void")


def test_images_in_no_folder_at_all(tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    with pytest.raises(InputError, match=r"the 1 images lie in no folder that names labels: put"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"a.png is one image: name the folder"):
        read(tmp_path / "a.png")


def test_a_zip_that_is_none(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputError, match=r"images.zip is not a readable zip file"):
        read(path)


def test_columns_named_for_folders_of_images_are_refused(tree):
    with pytest.raises(OptionError, match=r"clothes has no columns \(the .* so labels= has no meaning here"):
        read(tree, labels="tags")
    with pytest.raises(OptionError, match=r"so images= has no meaning here: leave out images="):
        read(tree, images=tree)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM"])
def test_damaged_bytes_never_raise_anything_but_unreadable(kind):
    whole = io.BytesIO()
    noise((40, 50)).save(whole, kind)
    random = np.random.default_rng(0)
    for trial in range(200):
        data = bytearray(whole.getvalue())
        for place in random.integers(0, 200 if trial % 2 else len(data), 4):
            data[place] = random.integers(256)
        data = bytes(data[: random.integers(1, len(data))] if trial % 5 == 0 else data)
        try:
            decoded = images_module.decode_bytes(data, 8)
        except images_module.UNREADABLE:
            continue
        assert decoded.shape == (8, 8, 3)
