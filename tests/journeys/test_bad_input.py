"""Bad input through the command line: a clear message, the right exit code, nothing lost, no traceback."""

import csv
import json
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from forked import Starter, limit_file_size
from PIL import Image

import manyhot as mh
from manyhot.cli import main


@pytest.fixture
def manyhot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert "Traceback" not in result.output
        assert "an error that manyhot does not know" not in result.output, result.output
        return result

    return call


@pytest.fixture
def start(tmp_path):
    """Starts a command in a process of its own: start("fit", "toy") -> `Command`."""
    return Starter(tmp_path)


def refused(result, *words, code=1):
    assert result.exit_code == code, result.output
    for word in words:
        assert word in result.stderr
    assert result.stdout == "" or "read" in result.stdout
    assert not list(Path().glob("**/manyhot.json"))


def write_posts(path, rows=60, **columns):
    """A CSV with a text and a label column; further columns by name, one value for all rows or a list."""
    rng = np.random.default_rng(0)
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "labels", *columns])
        for row in range(rows):
            names = [name for name in ("sport", "money") if rng.random() < 0.5]
            extra = [values[row] if isinstance(values, list) else values for values in columns.values()]
            writer.writerow([f"{' '.join(names)} the day {row}", "|".join(names), *extra])


def test_an_empty_file(manyhot, tmp_path):
    for name in ("empty.csv", "empty.jsonl", "empty.parquet", "empty.arff"):
        (tmp_path / name).write_bytes(b"")
        refused(manyhot("fit", name), name, "empty")


def test_a_header_without_rows(manyhot, tmp_path):
    (tmp_path / "header.csv").write_text("text,labels\n")
    refused(manyhot("fit", "header.csv"), "header.csv")


def test_no_label_column(manyhot, tmp_path):
    (tmp_path / "plain.csv").write_text(
        "body\n" + "".join(f"words of row {row} and more\n" for row in range(30))
    )
    refused(manyhot("fit", "plain.csv"), "plain.csv", "label")
    write_posts("posts.csv")
    refused(manyhot("fit", "posts.csv", "--labels", "lables"), "lables")


def test_one_label_only(manyhot):
    write_posts("posts.csv")
    text = Path("posts.csv").read_text().replace("sport|money", "money").replace(",sport", ",")
    Path("posts.csv").write_text(text)
    looked = manyhot("doctor", "posts.csv")
    assert "'money' is the only label" in looked.stdout
    result = manyhot("fit", "posts.csv", "--epochs", "1")
    assert result.exit_code == 0, result.output
    assert "1/1 labels" in result.stdout


def test_a_label_in_no_row(manyhot, tmp_path):
    write_posts("posts.csv")
    space = mh.LabelSpace(("sport", "money", "chess"))
    (tmp_path / "space.json").write_text(space.to_json())
    assert "chess" in manyhot("doctor", "posts.csv", "--space", "space.json").stdout
    result = manyhot("fit", "posts.csv", "--space", "space.json", "--epochs", "1", "--out", "run")
    assert result.exit_code == 0, result.output
    assert "2/3 labels" in result.stdout
    assert mh.load("run").space == space


def test_all_rows_without_labels(manyhot, tmp_path):
    (tmp_path / "posts.csv").write_text(
        "text,labels\n" + "".join(f"words of row {row},\n" for row in range(30))
    )
    refused(manyhot("fit", "posts.csv", "--labels", "labels"), "label")


def test_duplicate_column_names(manyhot, tmp_path):
    (tmp_path / "posts.csv").write_text(
        "text,a,a\n" + "".join(f"words {row},1,{row % 2}\n" for row in range(30))
    )
    result = manyhot("fit", "posts.csv", "--epochs", "1")
    if result.exit_code:
        refused(result, "'a'")
    else:
        assert "a" in result.output


def test_constant_and_empty_columns(manyhot):
    rng = np.random.default_rng(0)
    size = rng.normal(size=80)
    lines = ["size,same,nothing,big,wide"] + [f"{v:.3f},7,,{int(v > 0)},{int(abs(v) > 1)}" for v in size]
    Path("table.csv").write_text("\n".join(lines))
    result = manyhot("fit", "table.csv", "--labels", "big,wide", "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert "same" in result.output


def test_missing_cells_in_numbers(manyhot):
    rng = np.random.default_rng(0)
    size = rng.normal(size=80)
    cells = ["" if row % 5 == 0 else "nan" if row % 7 == 0 else f"{v:.3f}" for row, v in enumerate(size)]
    lines = ["size,big,wide"] + [
        f"{cell},{int(v > 0)},{int(abs(v) > 1)}" for cell, v in zip(cells, size, strict=True)
    ]
    Path("table.csv").write_text("\n".join(lines))
    result = manyhot("fit", "table.csv", "--labels", "big,wide", "--epochs", "2", "--out", "run")
    assert result.exit_code == 0, result.output
    assert np.isfinite(mh.load("run").predict({"size": [None, 1.0]}).scores).all()


def write_photos(folder: Path, each: int = 6) -> None:
    rng = np.random.default_rng(0)
    for colour, name in (
        ((200, 30, 30), "red_dress"),
        ((30, 30, 200), "blue_dress"),
        ((30, 30, 200), "blue_jeans"),
    ):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.clip(rng.normal(colour, 20, size=(20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def huge_png(side: int) -> bytes:
    """A PNG of side x side zero pixels in a few hundred kB, never held in memory as pixels here."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_broken_and_huge_images_are_counted_and_named(manyhot, tmp_path):
    write_photos(tmp_path / "photos")
    whole = (tmp_path / "photos" / "red_dress" / "0.png").read_bytes()
    (tmp_path / "photos" / "red_dress" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "photos" / "red_dress" / "zero.png").write_bytes(b"")
    (tmp_path / "photos" / "blue_jeans" / "huge.png").write_bytes(huge_png(20_000))
    result = manyhot(
        "fit", "photos", "--encoder", "linear", "--image-size", "16", "--epochs", "2", "--out", "run"
    )
    assert result.exit_code == 0, result.output
    assert "18 " in result.stdout.splitlines()[0]
    for name in ("cut.png", "zero.png", "huge.png"):
        assert name in result.output
    for name in ("cut.png", "zero.png"):
        told = manyhot("predict", "run", f"photos/red_dress/{name}")
        assert (told.exit_code, name in told.stderr) == (1, True)
    both = manyhot("predict", "run", "photos", "--json")
    assert both.exit_code == 0, both.output
    assert "zero.png" in both.stderr
    assert len(both.stdout.splitlines()) == 18


def test_latin_1_text_is_read_and_said(manyhot, tmp_path):
    labels = ["k\xfcche", "sport"]
    rows = "".join(f"caf\xe9 der tag {row},{labels[row % 2]}\n" for row in range(40))
    (tmp_path / "posts.csv").write_bytes(f"text,labels\n{rows}".encode("latin-1"))
    result = manyhot(
        "fit", "posts.csv", "--labels", "labels", "--text", "text", "--epochs", "1", "--out", "run"
    )
    assert result.exit_code == 0, result.output
    assert "not UTF-8" in result.output
    assert "k\xfcche" in mh.load("run").space


def test_ten_megabytes_in_one_cell(manyhot):
    write_posts("posts.csv", rows=40)
    with Path("posts.csv").open("a") as file:
        file.write(f'"{"sport money " * 900_000}",sport\n')
    result = manyhot("fit", "posts.csv", "--epochs", "1", "--encoder", "mlp")
    assert result.exit_code == 0, result.output
    assert "41 rows" in result.stdout


def test_a_missing_path_and_its_nearest_name(manyhot):
    write_posts("posts.csv")
    refused(manyhot("fit", "post.csv"), "post.csv: no such file", "did you mean posts.csv?", code=2)
    refused(manyhot("doctor", "no/folder/x.csv"), "no/folder/x.csv", "no folder", code=2)


def test_files_of_other_kinds_are_told_the_way_out(manyhot, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04K\x01.")
    refused(manyhot("fit", "model.pkl"), "model.pkl", "pickle")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 20)
    refused(manyhot("fit", "noise.csv"), "noise.csv", "binary")


# ------------------------------------------------------------------ full disk


@pytest.mark.slow
def test_a_file_that_may_not_grow_loses_nothing(start, tmp_path):
    fit = ["fit", "toy", "--epochs", "2", "--out", "run", "--encoder", "mlp"]
    full = start(*fit, "--set", "checkpoint_seconds=0", before=limit_file_size)
    assert full.wait() == 1
    assert "Traceback" not in full.stderr
    assert "make room" in full.stderr
    assert not (tmp_path / "run" / "manyhot.json").exists()
    assert not list((tmp_path / "run").glob("**/*.part*"))
    whole = start("fit", "--resume", "run", "--json")
    assert whole.wait() == 0, whole.stderr
    assert json.loads(whole.stdout)["test"]["tuned"]["metrics"]["exact"]["value"] > 0.3


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 kB, where the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_good_state(start, small_disk):
    full = start("fit", "toy", "--epochs", "2", "--out", small_disk / "run", "--encoder", "mlp")
    assert full.wait() == 1
    assert "make room" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (small_disk / "run" / "manyhot.json").exists()


# ------------------------------------------------------------------ Ctrl-C and kill


@pytest.mark.slow
def test_ctrl_c_in_mid_epoch_says_how_to_go_on(start, tmp_path):
    process = start("fit", "toy", "--epochs", "400", "--patience", "0", "--out", "run", "--encoder", "mlp")
    process.wait_for("epoch ")
    process.send(signal.SIGINT)
    assert process.wait() == 1
    assert "stopped: what was trained is kept: go on with `manyhot fit --resume run`" in process.stderr
    assert "Traceback" not in process.stderr
    (tmp_path / "x.csv").write_text("x1,x2\n0.5,0.5\n")
    refusal = start("predict", "run", "x.csv")
    assert refusal.wait() == 1
    assert "the run in run is not finished: go on with `manyhot fit --resume run`" in refusal.stderr


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_run(start, tmp_path):
    options = ["--epochs", "12", "--patience", "0", "--encoder", "mlp", "--batch-size", "512"]
    options += ["--set", "checkpoint_seconds=0"]
    assert start("fit", "toy", "--out", "whole", *options).wait() == 0
    process = start("fit", "toy", "--out", "run", *options)
    process.wait_for("epoch 3")
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "manyhot.json").exists()
    resumed = start("fit", "--resume", "run")
    assert resumed.wait() == 0, resumed.stderr
    assert "going on from step" in resumed.stdout
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "whole")]
    assert same[0] == same[1]


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m manyhot datasets imports --json | head -c 5", shell=True, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
