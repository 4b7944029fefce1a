"""`manyhot datasets`: the embedded data sets, and one of them as files."""

import shlex
from typing import Any

import click

from manyhot.cli._options import SEED, shared_options


@click.command()
@click.argument("name", required=False)
@click.option(
    "--out", type=click.Path(), help="File (.jsonl, .csv, .parquet) or, for images, folder to write."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows, drawn at random.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of that draw, and of made-up data.")
@shared_options
def command(name: str | None, out: str | None, limit: int | None, seed: int, as_json: bool) -> None:
    """List the embedded data sets, or make NAME and write it as files.

    They are made on this machine and need no network. `openml:NAME` fetches one from openml.org.
    Each name can also stand for DATA: manyhot fit imports.

    \b
      manyhot datasets
      manyhot datasets imports --out imports.jsonl
      manyhot datasets glyphs --limit 3000 --out glyphs/
    """
    if name is None:
        _list(as_json)
        return
    from manyhot.cli._show import print_json
    from manyhot.datasets import load
    from manyhot.runs.table_files import write_table

    table = load(name, limit=limit, seed=seed)
    written = [] if out is None else write_table(table, out)
    if as_json:
        summary: dict[str, Any] = {"name": name, "rows": len(table), "labels": list(table.space.names)}
        print_json(summary | {"sentence": table.notes.sentence, "files": [str(path) for path in written]})
        return
    click.echo(table.notes.sentence)
    for path in written:
        click.echo(f"wrote {path}")
    click.echo(f"\n{click.style('next', bold=True)}  manyhot fit {shlex.quote(out or name)}")


def _list(as_json: bool) -> None:
    from manyhot.cli._show import print_json, print_table
    from manyhot.datasets import DATASETS

    about = {name: (maker.__doc__ or "").split("\n", 1)[0] for name, maker in DATASETS.items()}
    if as_json:
        print_json([{"name": name, "about": text} for name, text in about.items()])
        return
    print_table(
        ["name", "what it is"],
        [*about.items(), ("openml:NAME", "A data set of openml.org (network needed).")],
    )
