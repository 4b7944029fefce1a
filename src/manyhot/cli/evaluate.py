"""`manyhot evaluate`: how good a run is, on its own test rows or on new labelled data."""

import math
from typing import Any

import click

from manyhot.cli._options import DataPath, chosen, read_options, shared_options


@click.command()
@click.argument("run", type=click.Path())
@click.argument("data", type=DataPath(), required=False)
@click.option("--by-label", is_flag=True, help="A line for each label, the most frequent first.")
@click.option("--allow-tuned-rows", is_flag=True, help="Measure all rows, also those that RUN was fitted on.")
@read_options
@shared_options
def command(
    run: str, data: str | None, by_label: bool, allow_tuned_rows: bool, as_json: bool, **options: Any
) -> None:
    """Measure RUN beside the baseline: its own test rows, or new labelled DATA.

    Of DATA with a test part, or of the data that RUN was trained on, only the test rows are measured.

    \b
      manyhot evaluate runs/a
      manyhot evaluate runs/a next_month.csv --by-label
    """
    from manyhot.cli._show import print_json, print_results, say
    from manyhot.runs import load

    trained = load(run)
    if data is None:
        result, columns = (
            trained.metrics,
            {"cut 0.5": trained.untuned.values, "tuned cuts": trained.metrics.values},
        )
        where = f"{result.rows:,} test rows of the run"
    else:
        read = chosen(options)
        table = trained.read(data, read.pop("labels", None), **read)
        sentence, *notes = table.notes.lines()
        say("read", sentence.removeprefix("read "), errors=as_json)
        for line in notes:
            say("", line, errors=as_json)
        judges = trained.rows_to_judge(table, tuned_rows="allow" if allow_tuned_rows else "refuse")
        if judges.sentence:
            say("", judges.sentence, errors=as_json)
        result = trained.measure(judges.table)
        columns, where = {"tuned cuts": result.values}, f"{result.rows:,} rows of {data}"
    if as_json:
        print_json({"run": run, **result.to_dict()})
        return
    if data is not None:
        click.echo()
    click.echo(f"{run} on {where}:\n")
    print_results(columns, result)
    if by_label:
        click.echo()
        print_labels(result)


def print_labels(result: Any) -> None:
    """A line for each label: its rows, and what the run makes of it."""
    from manyhot.cli._show import number, print_table

    columns = result.per_label
    shown = [name for name in ("precision", "recall", "f1", "ap") if name in columns]
    order = sorted(range(result.labels), key=lambda place: -int(columns["positives"][place]))
    rows = [
        [
            str(columns["label"][place]),
            f"{int(columns['positives'][place]):,}",
            *(number(float(columns[name][place])) for name in shown),
        ]
        for place in order
    ]
    defined = [f"{sum(not math.isnan(float(value)) for value in columns[name]):,} defined" for name in shown]
    headings = [f"{name} ({count})" if not count.startswith(f"{result.labels:,} ") else name
                for name, count in zip(shown, defined, strict=True)]  # fmt: skip
    print_table(["label", "rows", *headings], rows, right=range(1, len(shown) + 2))
