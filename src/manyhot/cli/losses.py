"""`manyhot losses`: the losses that `--loss` takes, and one of them on a page, drawn."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from manyhot.cli._options import shared_options

if TYPE_CHECKING:
    from manyhot.losses import LossFacts
    from manyhot.losses.facts import Parameter
    from manyhot.losses.trace import Trace


@click.command()
@click.argument("loss", required=False)
@click.option(
    "--plot", type=click.Path(dir_okay=False), metavar="FILE", help="Draw it into a PNG, SVG or PDF."
)
@shared_options
def command(loss: str | None, plot: str | None, as_json: bool) -> None:
    """List the losses, or say all of one: formula, arguments, when to use it, what goes wrong.

    LOSS is a name, with or without arguments. Its cost and gradient are drawn against the logit.

    \b
      manyhot losses
      manyhot losses asl
      manyhot losses 'asl(gamma_neg=2)' --plot asl.svg
    """
    if loss is None:
        if plot is not None:
            raise click.UsageError("--plot draws one loss; name it, as in: manyhot losses asl --plot asl.svg")
        _list(as_json)
        return
    from manyhot.losses import describe
    from manyhot.losses.make import parse
    from manyhot.losses.trace import trace

    name, given = parse(loss)
    facts = describe(name)
    traces = trace(loss)
    if plot is not None:
        _save(loss, traces, plot)
    if as_json:
        from manyhot.cli._show import print_json

        print_json(facts.to_dict() | {"drawn": loss, "traces": [_as_lists(one) for one in traces]})
        return
    _page(facts, given)
    _draw(traces)
    click.echo(f"\n{click.style('use', bold=True)}   manyhot fit DATA --loss {_quoted(loss)}")
    click.echo(f"      manyhot.losses.{_call(facts, given)}(logits, targets)")
    if plot is not None:
        click.echo(f"      drawn into {plot}")


def _list(as_json: bool) -> None:
    from manyhot.cli._show import print_json, print_table
    from manyhot.losses import LOSSES, describe

    every = [describe(name) for name in LOSSES]
    if as_json:
        print_json([facts.to_dict() for facts in every])
        return
    for family, members in groupby(sorted(every, key=_family_order(every)), key=lambda facts: facts.family):
        click.secho(family, bold=True)
        print_table(
            ["name", "what for", "arguments", "source"],
            [
                [f.name, f.use, ", ".join(p.name for p in f.parameters) or "-", _short_source(f.source)]
                for f in members
            ],
        )
        click.echo()
    click.echo(f"{click.style('next', bold=True)}  manyhot losses asl")


def _family_order(every: "list[LossFacts]") -> Any:
    """Key that brings a family's losses together, families in the order of their first loss."""
    order = list(dict.fromkeys(facts.family for facts in every))
    return lambda facts: order.index(facts.family)


def _short_source(source: str) -> str:
    """A source up to its year."""
    import re

    found = re.match(r".*?\b(19|20)\d\d\b", source)
    return found.group() if found else source.split(";")[0].rstrip(".")


def _page(facts: "LossFacts", given: dict[str, Any]) -> None:
    from manyhot.cli._show import console, print_table
    from manyhot.losses.facts import SYMBOLS

    click.secho(facts.name, bold=True)
    console().print("\n\n".join(filter(None, (facts.summary, facts.details))), markup=False)
    rows = [["formula", facts.formula], ["", SYMBOLS]] if facts.formula else []
    rows.append(["use", facts.use])
    rows += [["trap", facts.trap]] if facts.trap else []
    rows += [[name, text] for name, text in facts.properties().items()]
    rows += [["source", facts.source]] if facts.source else []
    print_table(["", ""], rows)
    if facts.parameters:
        click.echo()
        print_table(
            ["argument", "value", "meaning"],
            [[p.name, _value(p, given), p.meaning] for p in facts.parameters],
        )


def _call(facts: "LossFacts", given: dict[str, Any]) -> str:
    """The loss in Python, with what was given and what it cannot do without."""
    from manyhot.losses.make import required

    missing = {name: name for name in required(facts.kind) if name not in given}
    said = {name: repr(value) for name, value in given.items()} | missing
    return f"{facts.kind.__name__}({', '.join(f'{name}={value}' for name, value in said.items())})"


def _value(parameter: "Parameter", given: dict[str, Any]) -> str:
    """The value that was given, or the default, which has none where it must be given."""
    default = "-" if parameter.default is None else parameter.default
    if parameter.name not in given:
        return default
    return f"{given[parameter.name]!r} (default {default})"


def _draw(traces: "list[Trace]") -> None:
    """Costs at the left and gradients at the right, against the logit."""
    from manyhot.cli._canvas import Canvas

    panels = []
    for values in ([one.costs for one in traces], [one.gradients for one in traces]):
        canvas = Canvas(min(v.min() for v in values), max(v.max() for v in values))
        if canvas.low < 0 < canvas.high:
            canvas.curve([0.0, 0.0], "bright_black", every=4)
        for place, curve in enumerate(values):
            canvas.curve(curve, COLOURS[place], every=place + 1)
        panels.append(canvas.lines())
    legend = (
        click.style(f"{dots} {one.side}", fg=colour)
        for one, dots, colour in zip(traces, ("⠤⠤⠤", "⠄⠄⠄", "⠄ ⠄"), COLOURS, strict=False)
    )
    click.echo("\n" + "   ".join(legend))
    gap = " " * 4
    margins = [line.index("│") for line in (click.unstyle(panel[0]) for panel in panels)]
    titles = [
        f"{'':{margin}} {title:42}" for margin, title in zip(margins, ("cost", "gradient"), strict=True)
    ]
    click.echo(gap.join(titles).rstrip())
    for pair in zip(*panels, strict=True):
        click.echo(gap.join(pair))
    low, high = traces[0].logits[0], traces[0].logits[-1]
    axis = f"{low:<10g}{'logit':^21}{high:>9g}"
    click.echo(gap.join(f"{'':{margin}}  {axis}" for margin in margins))


COLOURS = ("blue", "red", "green")


def _save(loss: str, traces: "list[Trace]", path: str) -> None:
    from manyhot.errors import InputError, OptionError
    from manyhot.losses.trace import new_figure, plot

    figure, axes = new_figure(loss)
    plot(traces, axes)
    formats = figure.canvas.get_supported_filetypes()
    ending = path.rpartition(".")[2].lower()
    if ending not in formats:
        raise OptionError(f"expected a file that ends in .png, .svg or .pdf, got {path}")
    try:
        figure.savefig(path)
    except OSError as error:
        raise InputError(f"the plot cannot be written into {path}: {error.strerror}") from None


def _as_lists(one: "Trace") -> dict[str, Any]:
    return {"side": one.side} | {
        name: getattr(one, name).tolist() for name in ("logits", "costs", "gradients")
    }


def _quoted(loss: str) -> str:
    return f"'{loss}'" if "(" in loss else loss
