"""`manyhot doctor`: what is in data, what will go wrong with it, what mends it."""

import math
import shlex
from typing import Any

import click

from manyhot.cli._options import READ_NAMES, DataPath, chosen, read_options, shared_options, typed_again

PLANNED = ("encoder", "loss", "batch_size", "epochs")
"""Options that `fit` has too, beside those of reading."""


@click.command()
@click.argument("data", type=DataPath())
@click.option("--plan", is_flag=True, help="Also say what memory and time a fit will take.")
@click.option("--encoder", default="auto", help="Of the planned fit.  [by the kind of data]")
@click.option("--loss", default="auto", help="Of the planned fit.")
@click.option("--batch-size", type=int, help="Of the planned fit.")
@click.option("--epochs", type=int, help="Of the planned fit.")
@read_options
@shared_options
@click.pass_context
def command(ctx: click.Context, data: str, as_json: bool, plan: bool, **options: Any) -> None:
    """Say what is in DATA, what will go wrong, and what to do about it.

    Trains nothing, save a few steps for the time in --plan. Findings are sorted, worst first: !! is a
    problem, ! a warning, - a note.

    \b
      manyhot doctor photos/ --separator _
      manyhot doctor posts.csv --text body --labels flags --group author
      manyhot doctor tags.jsonl --plan --encoder mlp --batch-size 64
    """
    from manyhot.cli._show import print_json
    from manyhot.data import examine
    from manyhot.runs import open_data

    again = typed_again(ctx, (*READ_NAMES, *PLANNED))
    table = open_data(data, **chosen(options))
    diagnosis = examine(table)
    planned = plan_of(table, options) if plan else None
    if as_json:
        told = {} if planned is None else {"plan": {**planned[0].to_dict(), "minutes": planned[1]}}
        print_json({"sentence": table.notes.sentence, **diagnosis.to_dict(), **told})
        return
    for line in table.notes.lines():
        click.echo(line)
    click.echo()
    print_diagnosis(diagnosis)
    if planned is not None:
        print_plan(*planned)
    click.echo(f"\n{click.style('next', bold=True)}  manyhot fit {shlex.quote(data)}{again}")


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


def plan_of(table: Any, options: dict[str, Any]) -> tuple[Any, float]:
    """The memory that `fit` with these options takes, and the minutes that it trains at most."""
    from manyhot.runs import plan_fit

    return plan_fit(table, **{name: value for name, value in options.items() if value is not None})


def print_plan(plan: Any, minutes: float) -> None:
    """What holds memory while a fit trains and while it judges, biggest first; the decision, and the time."""
    from manyhot.cli._show import print_table
    from manyhot.runs.memory import size

    click.echo(
        f"\n{click.style('plan', bold=True)}  {plan.encoder}, {plan.weights:,} weights, {plan.sentence}"
    )
    click.echo(f"      trains {in_words(minutes)} (estimated from a few steps), on {plan.device}\n")
    parts = dict.fromkeys([*plan.training, *plan.judging])
    order = sorted(parts, key=lambda part: -max(plan.training.get(part, 0), plan.judging.get(part, 0)))
    rows = [[part, *(size(side[part]) if side.get(part) else "-" for side in _sides(plan))] for part in order]
    rows.append(["together", *(size(sum(side.values())) for side in _sides(plan))])
    print_table(["memory", "training", "cuts and test"], rows, right=(1, 2))


def in_words(minutes: float) -> str:
    """Minutes as one reads them."""
    if minutes <= 1:
        return "less than a minute"
    return f"up to {math.ceil(minutes)} minutes" if minutes < 90 else f"up to {minutes / 60:.1f} hours"


def _sides(plan: Any) -> tuple[Any, Any]:
    return plan.training, plan.judging
