"""`manyhot predict`: names for new rows, as a table, JSON lines or CSV."""

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from manyhot.cli._options import InputPath, given, shared_options

ROWS = 1024
"""Rows that are scored and printed at a time, so that a long file shows its first names soon."""

CELLS = 1 << 23
"""Scores that are held at a time: with many labels, fewer rows are."""


@click.command()
@click.argument("run", type=click.Path())
@click.argument("inputs", type=InputPath(), nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--topk", type=click.IntRange(min=1), help="The so many best labels, not those above the tuned cuts."
)
@click.option("--floor", type=click.FloatRange(0, 1), help="Labels that score at least so much.")
@click.option("--all-scores", is_flag=True, help="The score of every label.")
@click.option(
    "--format", "form", type=click.Choice(["table", "jsonl", "csv"]), default="table", show_default=True
)
@click.option(
    "--images", type=click.Path(exists=True), help="Folder or zip that image names in a table are in."
)
@shared_options
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    inputs: tuple[str, ...],
    topk: int | None,
    floor: float | None,
    all_scores: bool,
    form: str,
    images: str | None,
    as_json: bool,
) -> None:
    """Name the labels of INPUT: files, folders, or - for JSON lines on standard input.

    The cuts that were tuned with the model decide, unless --topk or --floor do; of an exclusive group no
    more than the best label is given. With --all-scores a * is before the labels that are given. --json is
    --format jsonl.

    \b
      manyhot predict runs/a photos/*.jpg
      manyhot predict runs/a new.csv --topk 3 --format csv > labels.csv
      echo '{"text": "oil prices rise"}' | manyhot predict runs/a - --json
    """
    if as_json and form != "jsonl" and "--format" in given(ctx):
        raise click.UsageError(f"--json is --format jsonl: leave out --json or --format {form}")
    from manyhot.bundle import read_bundle
    from manyhot.runs.run import input_batches

    predictor = read_bundle(run)
    step = max(1, min(ROWS, CELLS // len(predictor.space)))
    parts = (
        (rows.take(part), names[part])
        for rows, names in input_batches(inputs, predictor.schema, images)
        for part in (slice(start, start + step) for start in range(0, len(rows), step))
    )
    told = (
        pair
        for rows, names in parts
        for pair in zip(
            predictor.predict(rows, topk=topk, floor=floor, row_ids=names).records(all_scores=all_scores),
            snippets(rows),
            strict=True,
        )
    )
    if form == "jsonl" or as_json:
        print_lines(record for record, _ in told)
    elif form == "csv":
        print_csv((record for record, _ in told), predictor.space.names if all_scores else None)
    else:
        print_rows(told, mark="*" if all_scores else "")


def print_lines(records: Iterable[dict[str, Any]]) -> None:
    """One JSON object a row."""
    import msgspec

    for record in records:
        click.echo(msgspec.json.encode(record))


def print_csv(records: Iterable[dict[str, Any]], names: tuple[str, ...] | None) -> None:
    """row, labels and scores joined by |; with `names`, a column for the score of each label instead."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["row", "labels", *(names or ["scores"])])
    for record in records:
        scores = [f"{value:.6g}" for value in record["scores"].values()]
        labels = "|".join(record["labels"])
        writer.writerow([record["row"], labels, *(scores if names else ["|".join(scores)])])


def print_rows(records: Iterable[tuple[dict[str, Any], str]], mark: str = "") -> None:
    """A line a row: its name, the beginning of its text, and its labels with their scores, best first.

    The labels that are given have the mark before them, where others are listed too.
    """
    for record, snippet in records:
        chosen = set(record["labels"])
        scores = sorted(record["scores"].items(), key=lambda pair: (pair[0] not in chosen, -pair[1]))
        told = [
            f"{click.style(mark + name, bold=True) if name in chosen else click.style(name, dim=True)} "
            f"{short(score)}"
            for name, score in scores
        ]
        click.echo(
            "  ".join(filter(None, (str(record["row"]), snippet and f"{snippet!r}", "  ".join(told) or "-")))
        )


def short(score: float) -> str:
    """Two digits after the point, and more where those would be zero."""
    return f"{score:.2f}" if score >= 0.01 else f"{score:.1g}"


def snippets(rows: Any, width: int = 40) -> Iterator[str]:
    """The beginning of each text; nothing for other rows, whose names say enough."""
    texts = {"text": lambda: rows.values, "mixed": lambda: rows.texts.values}
    for text in texts.get(rows.kind, lambda: [""] * len(rows))():
        line = " ".join(text.split())
        yield line if len(line) <= width else f"{line[: width - 3]}..."
