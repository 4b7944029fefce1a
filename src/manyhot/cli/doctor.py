"""`manyhot doctor`: what is in data, what will go wrong with it, what mends it."""

from typing import Any

import click

from manyhot.cli._options import DataPath, chosen, read_options, shared_options


@click.command()
@click.argument("data", type=DataPath())
@read_options
@shared_options
def command(data: str, as_json: bool, **options: Any) -> None:
    """Say what is in DATA, what will go wrong, and what to do about it.

    Trains nothing. Findings are sorted, worst first: !! is a problem, ! a warning, - a note.

    \b
      manyhot doctor photos/ --separator _
      manyhot doctor posts.csv --text body --labels flags --group author
    """
    from manyhot.cli._show import print_json
    from manyhot.data import examine
    from manyhot.runs import open_data

    table = open_data(data, **chosen(options))
    diagnosis = examine(table)
    if as_json:
        print_json({"sentence": table.notes.sentence, **diagnosis.to_dict()})
        return
    for line in table.notes.lines():
        click.echo(line)
    click.echo()
    print_diagnosis(diagnosis)
    click.echo(f"\n{click.style('next', bold=True)}  manyhot fit {data}")


def print_diagnosis(diagnosis: Any) -> None:
    """The summary, the baseline, and the findings, each with its mend on a line of its own."""
    click.echo(diagnosis.summary)
    click.echo(diagnosis.baseline)
    colours = {"problem": "red", "warning": "yellow", "note": "cyan"}
    marks = {"problem": "!!", "warning": "! ", "note": "- "}
    for finding in diagnosis.findings:
        click.echo(
            f"{click.style(marks[finding.severity], fg=colours[finding.severity], bold=True)} {finding.text}"
        )
        if finding.mend:
            click.echo(f"     {finding.mend}")
