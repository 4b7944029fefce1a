"""A table written as files that `manyhot.read` reads back."""

import csv
from pathlib import Path

import numpy as np

from manyhot.bundle.atomic import replacing, telling_disk_errors, write_bytes
from manyhot.data import Table
from manyhot.data.reading import SPACE_FILE
from manyhot.errors import OptionError, RunError

SUFFIXES = {
    "text": (".jsonl", ".parquet"),
    "columns": (".csv", ".parquet"),
    "sparse": (".parquet",),
    "mixed": (".jsonl", ".parquet"),
    "image": ("",),
}
SIDE = 96  # pixels of a written image


def write_table(table: Table, path: str | Path) -> list[Path]:
    """Write a table: texts (alone or with columns) as .jsonl, columns as .csv, images as a folder.

    All but images also as .parquet.
    An image folder has a labels.csv. Groups and parts become the columns `group` and `split`.

    Returns:
        The files, without the single images.

    Raises:
        RunError: something of that name is there, or the disk is full.
        OptionError: the suffix is not one for this kind of data.
    """
    path = Path(path)
    if path.exists():
        raise RunError(f"{path} is there already: choose another name, or delete it")
    kind = table.inputs.kind
    if path.suffix not in SUFFIXES[kind]:
        wanted = " or ".join(SUFFIXES[kind]) or "a folder, without a suffix"
        raise OptionError(f"{kind} data is written as {wanted}, got {path.name}")
    with telling_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return _write_images(table, path) if kind == "image" else [_write_frame(table, path)]


def _write_frame(table: Table, path: Path) -> Path:
    import polars as pl

    frame = pl.DataFrame({"id": table.row_ids})
    if table.inputs.kind in ("text", "mixed"):
        if table.inputs.kind == "mixed":
            frame = frame.hstack(table.inputs.frame)
        else:
            frame = frame.with_columns(pl.Series("text", table.inputs.values))
        labels = [pl.Series("labels", table.space.decode(table.targets), dtype=pl.List(pl.String))]
    else:
        inputs = table.inputs
        columns = (
            inputs.frame
            if inputs.kind == "columns"
            else pl.DataFrame(inputs.matrix.toarray(), list(inputs.names))
        )
        frame = frame.hstack(columns)
        dense = table.targets.to_dense()
        labels = [
            pl.Series(name, dense[:, column]).fill_nan(None).cast(pl.Int8)
            for column, name in enumerate(table.space.names)
        ]
    frame = frame.with_columns(labels + _marks(table))
    with replacing(path) as aside:
        {".jsonl": frame.write_ndjson, ".csv": frame.write_csv, ".parquet": frame.write_parquet}[path.suffix](
            aside
        )
    return path


def _marks(table: Table) -> list:
    import polars as pl

    marks = {"group": table.group, "split": table.part}
    return [
        pl.Series(name, np.asarray(values).astype(str))
        for name, values in marks.items()
        if values is not None
    ]


def _write_images(table: Table, path: Path) -> list[Path]:
    from PIL import Image

    with telling_disk_errors(path):
        path.mkdir()
        names = [f"{number:05d}.png" for number in range(len(table))]
        for start in range(0, len(table), 256):
            rows = np.arange(start, min(start + 256, len(table)))
            for row, pixels in zip(rows, table.inputs.decode(rows, SIDE), strict=True):
                Image.fromarray(pixels).save(path / names[row])
    marks = {"group": table.group, "split": table.part}
    columns = {"file": names, "labels": ["|".join(row) for row in table.space.decode(table.targets)]}
    columns |= {name: np.asarray(values).astype(str) for name, values in marks.items() if values is not None}
    with replacing(path / "labels.csv") as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    written = [path / "labels.csv"]
    if table.space.groups or table.space.rules or table.space.parents:
        write_bytes(path / SPACE_FILE, table.space.to_json().encode())
        written.append(path / SPACE_FILE)
    return written
