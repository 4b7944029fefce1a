"""`manyhot fit`: train on data, tune the cuts, evaluate against the baseline, keep the run."""

import shlex
import time
from pathlib import Path
from typing import Any

import click

from manyhot.cli._failures import Stopped
from manyhot.cli._options import SEED, DataPath, Setting, chosen, given, read_options, shared_options

# option of the command -> option of `fit`
_TRAINING = ("epochs", "batch_size", "learning_rate", "optimizer", "patience", "head", "device")


@click.command()
@click.argument("data", type=DataPath(), required=False)
@click.option(
    "--out", type=click.Path(file_okay=False), help="New folder for the run.  [runs/<data>-1, -2, ...]"
)
@click.option(
    "--resume", type=click.Path(file_okay=False), metavar="RUN", help="Go on with an unfinished run."
)
@click.option("--encoder", default="auto", help="linear, mlp or smallervgg.  [by the kind of data]")
@click.option(
    "--loss",
    default="auto",
    help="Loss, as in asl or 'asl(gamma_neg=2)'; by default bce, or solved.",
)
@click.option("--pos-weight", metavar="SCHEME", help="Weight of positives: balanced, sqrt or effective.")
@click.option("--goal", default="f1_macro", show_default=True, help="What the cuts are tuned for.")
@click.option("--epochs", type=int, help="Passes over the training rows, at most.")
@click.option("--batch-size", type=int, help="Rows in a batch.")
@click.option("--learning-rate", "--lr", type=float, help="Highest learning rate.")
@click.option("--optimizer", help="adamw, adam, sgd, adadelta, rmsprop or adagrad.")
@click.option("--patience", type=int, help="Epochs without a better one before it stops; 0 never stops.")
@click.option("--head", help="fused or plain.  [fused from 2,000 labels on, where it can be]")
@click.option("--image-size", type=int, metavar="PIXELS", help="Side of the images.  [96]")
@click.option("--device", help="cpu, cuda, cuda:1, ...  [a GPU where there is one]")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same run.")
@click.option(
    "--set", "settings", type=Setting(), multiple=True, help="Any other training option, as in clip=1."
)
@read_options
@shared_options
@click.pass_context
def command(
    ctx: click.Context, data: str | None, out: str | None, resume: str | None, as_json: bool, **options: Any
) -> None:
    """Train on DATA, tune the cuts, evaluate against the baseline, keep the run.

    DATA is a file, a folder or zip of images, or the name of an embedded data set. What was understood of it
    is printed before anything runs; the options below --set say it otherwise.

    \b
      manyhot fit reviews.csv --out runs/a
      manyhot fit photos/ --separator _ --image-size 64
      manyhot fit posts.jsonl --text body --labels flags --goal f1_micro
    """
    _check_use(ctx, data, resume)
    from manyhot.cli._narrator import Narrator
    from manyhot.runs import fit
    from manyhot.runs import resume as go_on

    began = time.perf_counter()
    narrator = Narrator(errors=as_json)
    folder = Path(resume) if resume else Path(out) if out else free_folder(data or "")
    try:
        if data is None:
            goal = options["goal"] if "--goal" in given(ctx) else None
            run = go_on(folder, goal=goal, on_event=narrator)
        else:
            read = chosen(options)
            labels = read.pop("labels", None)
            run = fit(data, labels, out=folder, read=read, on_event=narrator, **fit_options(options))
    except KeyboardInterrupt:
        narrator.close()
        raise Stopped(how_to_go_on(folder)) from None
    finally:
        narrator.close()
    report(run, time.perf_counter() - began, as_json)


def _check_use(ctx: click.Context, data: str | None, resume: str | None) -> None:
    """DATA begins a run and --resume goes on with one, of which its goal alone may be said anew."""
    if data is None and resume is None:
        raise click.UsageError("name the DATA to train on, or --resume RUN to go on with a run")
    if resume is None:
        return
    if data is not None:
        raise click.UsageError(
            f"--resume {resume} goes on with the data that the run was begun on: leave out {data}"
        )
    others = [name for name in given(ctx) if name not in ("--resume", "--goal", "--json")]
    if others:
        raise click.UsageError(
            f"--resume {resume} goes on with the options that the run was begun with, --goal alone may be "
            f"another: leave out {', '.join(others)}, or fit into a new folder"
        )


def fit_options(options: dict[str, Any]) -> dict[str, Any]:
    """The command's options as `fit` takes them; what was not given is left out."""
    chosen = {name: options[name] for name in _TRAINING if options[name] is not None}
    chosen |= _settings(options)
    chosen |= {name: options[name] for name in ("encoder", "loss", "pos_weight", "goal", "seed")}
    if options["image_size"] is not None:
        chosen["preparation_options"] = {"size": options["image_size"]}
    return chosen


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """What was said by --set: training options that have no option of the command."""
    from manyhot._check import one_of
    from manyhot.train import TrainOptions

    settings = dict(options["settings"])
    for name in settings:
        if name in options:
            raise click.UsageError(
                f"--set {name}=...: it has an option of its own: --{name.replace('_', '-')}"
            )
        one_of(
            "option of --set", name, ["preparation", *(set(TrainOptions.__struct_fields__) - set(options))]
        )
    return settings


def free_folder(data: str) -> Path:
    """The first of runs/<data>-1, runs/<data>-2, ... that is not there yet."""
    stem = Path(data.removeprefix("openml:")).resolve().name.split(".")[0] or "run"
    number = 1
    while (folder := Path("runs", f"{stem}-{number}")).exists():
        number += 1
    return folder


def how_to_go_on(folder: Path) -> str:
    """What a user who pressed Ctrl-C has, and what to type to go on."""
    from manyhot.runs.plan import read_plan

    if read_plan(folder) is None:
        return "nothing was trained yet, and nothing is written"
    kept = any(folder.glob("checkpoints/*.safetensors"))
    what = "what was trained is kept: go on" if kept else "nothing was trained yet: start again"
    return f"{what} with `manyhot fit --resume {shlex.quote(str(folder))}`"


def report(run: Any, seconds: float, as_json: bool) -> None:
    """The results table, where the run is, and what to type next; or all of it as JSON."""
    from manyhot.cli._show import print_json, print_results

    if as_json:
        results = {"tuned": run.metrics.to_dict(), "untuned": run.untuned.to_dict()}
        print_json({"run": str(run.folder), "seconds": round(seconds, 2), "test": results})
        return
    click.echo(f"\non {run.metrics.rows:,} test rows that neither the model nor the cuts have seen:\n")
    print_results({"cut 0.5": run.untuned.values, "tuned cuts": run.metrics.values}, run.metrics)
    click.echo(f"\n{click.style('run', bold=True)}       {run.folder}  ({seconds:.0f} s)")
    folder = shlex.quote(str(run.folder))
    click.echo(f"{click.style('next', bold=True)}      manyhot predict {folder} {example_input(run)}")


def example_input(run: Any) -> str:
    """What a user may want to name labels for, in a word."""
    return {"image": "PHOTO.jpg", "text": "TEXTS.txt"}.get(run.predictor.model.preparation.reads, "NEW.csv")
