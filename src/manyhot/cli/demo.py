"""`manyhot demo`: the whole way on embedded data, from a look at it to names for new rows."""

import time
from pathlib import Path
from typing import Any

import click

from manyhot.cli._failures import Stopped
from manyhot.cli._options import shared_options

DATA = "imports"
ROWS = 2000
SHOWN = 5


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False), help="New folder for the run.  [runs/demo-1, -2, ...]"
)
@shared_options
def command(out: str | None, as_json: bool) -> None:
    """Train, evaluate and predict on embedded data, in about a minute.

    The data is the standard library of the Python that runs: pieces of code without their import lines,
    labelled with the modules that they use. Nothing is downloaded.
    """
    from manyhot.cli._narrator import Narrator
    from manyhot.cli.fit import free_folder, report
    from manyhot.data import examine
    from manyhot.datasets import load
    from manyhot.runs import fit

    began = time.perf_counter()
    folder = Path(out) if out else free_folder("demo")
    narrator = Narrator(errors=as_json)
    table = load(DATA, limit=ROWS)
    if not as_json:
        heading(1, f"look at the data: manyhot doctor {DATA}")
        show_doctor(examine(table))
        heading(2, f"train, tune the cuts, evaluate: manyhot fit {DATA}")
    try:
        run = fit(table, out=folder, on_event=narrator)
    except KeyboardInterrupt:
        raise Stopped("the demo was stopped: start it again") from None
    finally:
        narrator.close()
    report(run, time.perf_counter() - began, as_json)
    if not as_json:
        tell_the_story(run.metrics, run.untuned)
        heading(3, f"name the labels of rows it has not seen: manyhot predict {folder} FILE")
        show_predictions(run, table)
        heading(4, "the same with your data")
        show_commands(folder)


def heading(number: int, text: str) -> None:
    """The title of a step."""
    click.echo(f"\n{click.style(f'{number}  {text}', bold=True)}\n")


def show_doctor(diagnosis: Any) -> None:
    """What the doctor says, the worst findings first."""
    click.echo(diagnosis.summary)
    click.echo(diagnosis.baseline)
    for finding in diagnosis.findings[:4]:
        click.echo(str(finding))


def tell_the_story(tuned: Any, untuned: Any) -> None:
    """The mistake that most projects make once, in the numbers of this run."""
    zero, half = tuned.baseline["hamming"], untuned["hamming"]
    click.echo(
        f"\nA model that never gives a label has {zero:.1%} of the cells right, and finds nothing: F1 0.\n"
        f"Cut at 0.5 this one has {half:.1%} right, which hardly looks better, with a macro-F1 of "
        f"{untuned['f1_macro']:.2f}; with\ntuned cuts the same scores give {tuned['f1_macro']:.2f}. "
        "The share of right cells hides what matters: look at F1\nand mAP, beside the baseline."
    )


def show_predictions(run: Any, table: Any) -> None:
    """A few test rows: their code, the true labels and those that the run gives."""
    from manyhot.cli.predict import short, snippets
    from manyhot.data.keys import row_keys

    rows = run.seen.judges(row_keys(table))
    some = table.take(rows[:: len(rows) // SHOWN][:SHOWN])
    predictions = run.predict(some.inputs, row_ids=some.row_ids)
    truth = some.space.decode(some.targets)
    for record, text, names in zip(predictions.records(), snippets(some.inputs, 70), truth, strict=True):
        given = "  ".join(f"{name} {short(score)}" for name, score in record["scores"].items()) or "-"
        click.echo(click.style(f"{record['row']}", bold=True))
        click.echo(f"  code   {text}\n  given  {given}\n  true   {'  '.join(names) or '-'}")


def show_commands(folder: Path) -> None:
    """What to type next."""
    click.echo("manyhot doctor DATA            what is in it, what will go wrong, what to do about it")
    click.echo(
        "manyhot fit DATA               DATA: CSV, JSONL, Parquet, a folder of images, ARFF, libsvm, ..."
    )
    click.echo("manyhot predict RUN NEW        names with scores; --topk, --floor, --all-scores, --json")
    click.echo(f"manyhot evaluate {folder} --by-label   each label of this run")
