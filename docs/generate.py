"""Write docs/reference/: a page for every loss with its plot, their index, and what metrics_and_rules lists.

    python docs/generate.py            write them
    python docs/generate.py --check    say which are out of date, and fail if any is

Numbers on a page may differ in the last digit from machine to machine; the check allows for that.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from metrics_and_rules import table_pages

from manyhot.losses import LOSSES, LossFacts, describe
from manyhot.losses.facts import SYMBOLS
from manyhot.losses.trace import LABEL_COUNTS, LOGITS, NUM_ROWS, TARGETS, trace

REFERENCE = Path(__file__).parent / "reference"
FOLDER = REFERENCE / "losses"
WRITTEN = "<!-- written by docs/generate.py -->"
TABLE_POINTS = (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0)
# Drawn with other arguments than the default ones, where these would show nothing.
DRAWN = {"csl": "csl(likelihood_topk=0)", "smooth-ap": "smooth-ap(temperature=0.5)"}
TOLERANCE = 2e-3
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        stale = out_of_date()
        print("\n".join(stale) or "all pages are up to date")
        return bool(stale)
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = pages()
    for path in FOLDER.iterdir():
        path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)
    tables = table_pages(WRITTEN)
    for name, text in tables.items():
        (REFERENCE / name).write_text(text)
    print(f"wrote {len(LOSSES)} losses, their index, {' and '.join(tables)} into {REFERENCE}")
    return 0


def pages() -> dict[str, str]:
    """File name -> text, of all that is generated."""
    every = [describe(name) for name in LOSSES]
    texts = {"index.md": index(every)} | {f"{facts.name}.md": page(facts) for facts in every}
    return texts | {f"{name}.svg": drawing(name) for name in LOSSES}


def out_of_date() -> list[str]:
    """What is wrong with the folder, a line a file; nothing when all is well."""
    wanted = pages()
    there = {path.name for path in FOLDER.iterdir()} if FOLDER.is_dir() else set()
    wrong = [f"{name}: missing" for name in sorted(set(wanted) - there)]
    wrong += [f"{name}: of no loss" for name in sorted(there - set(wanted))]
    for name in sorted(there & set(wanted)):
        if not same((FOLDER / name).read_text(), wanted[name]):
            wrong.append(f"{name}: out of date")
    for name, text in table_pages(WRITTEN).items():
        path = REFERENCE / name
        if not path.is_file() or not same(path.read_text(), text):
            wrong.append(f"{name}: out of date")
    return wrong


def same(text: str, other: str) -> bool:
    """True for texts that agree but for the last digits of their numbers."""
    if NUMBER.sub("#", text) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(text), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE * max(1.0, abs(float(a))) for a, b in pairs)


# ------------------------------------------------------------------ the index


COLUMNS = [
    *("loss", "mean over", "unknown cells", "soft targets", "sparse", "bounded gradient", "batch"),
    *("needs", "in a loop"),
]
NAMES = """\
Every name here is one that `--loss` and `loss=` take, with or without arguments: `asl`,
`"asl(gamma_neg=2)"`. In a terminal: `manyhot losses`, `manyhot losses asl`."""
LEGEND = [
    "- **mean over**: what the reduction `mean` divides by; *own* is said on the page of the loss.",
    "- **unknown cells**: *out* as if they were not there; *learned* where the loss makes something of them.",
    "- **soft targets**: a value between 0 and 1 costs the *expected* cost or is read *inside* the formula; "
    "elsewhere its cell has to *count* on both sides by its share, or is a *share* of a hit.",
    "- **sparse**: sparse targets are costed without a dense matrix of them; *on the CPU* by its compiling "
    "engine only. Masks of unknown cells may be of the size of the logits.",
    "- **bounded gradient**: none grows with the logit, so that no wrong cell carries the model away. Those "
    "of `gkl` and `count` grow up to 22,026, where the cost goes on as its tangent.",
    "- **batch**: the cost of a row depends on which rows are with it; use large batches.",
    "- **needs**: what it has to know of the training set; `fit` tells it.",
    "- **in a loop**: what a loop of your own gives it or calls beside the loss itself.",
]
SOFT = {
    "the expected cost": "expected",
    "inside the formula": "inside",
    "counts on both sides by its share": "count",
    "a share of a hit": "share",
}


def index(every: list[LossFacts]) -> str:
    rows = [index_row(facts) for facts in every]
    lines = [WRITTEN, "# Losses", "", NAMES, "", table(COLUMNS, rows), "", *LEGEND, ""]
    for family in dict.fromkeys(facts.family for facts in every):
        members = [facts for facts in every if facts.family == family]
        lines += [f"## {family}", ""]
        lines += [f"- [{f.name}]({f.name}.md) `{f.kind.__name__}`: {f.use}" for f in members]
        lines.append("")
    return "\n".join(lines)


def index_row(facts: LossFacts) -> list[str]:
    return [
        f"[{facts.name}]({facts.name}.md)",
        {"cell": "cells", "row": "rows", "own": "own"}[facts.unit],
        {"left out": "out", "learned from": "learned"}[facts.unknown],
        SOFT[facts.soft],
        {"kept": "yes", "kept on the CPU": "on the CPU", "made dense": "no"}[facts.sparse],
        yes(facts.bounded),
        yes(facts.batch),
        ", ".join(f"`{name}`" for name in facts.needs),
        ", ".join(f"`{name}`" for name in facts.calls),
    ]


def yes(held: bool) -> str:
    return "yes" if held else "no"


# ------------------------------------------------------------------ a page


def page(facts: LossFacts) -> str:
    lines = [WRITTEN, f"# {facts.name}: `{facts.kind.__name__}`", "", facts.summary, ""]
    if facts.details:
        lines += [facts.details, ""]
    lines += ["```text", facts.formula, "```", "", f"{SYMBOLS}", ""] if facts.formula else []
    lines += [f"**Use.** {facts.use}", ""]
    lines += [f"**Trap.** {facts.trap}", ""] if facts.trap else []
    if facts.parameters:
        rows = [[f"`{p.name}`", code(p.default), cell(p.meaning)] for p in facts.parameters]
        lines += [table(["argument", "default", "meaning"], rows), ""]
    lines += [table(["property", ""], [[name, cell(text)] for name, text in facts.properties().items()]), ""]
    lines += drawn(facts.name)
    lines += ["## Source", "", facts.source, ""] if facts.source else []
    lines += ["[All losses](index.md)", ""]
    return "\n".join(lines)


def drawn(name: str) -> list[str]:
    """The plot, what it shows, and its values: a table that other implementations can be held against."""
    spec = DRAWN.get(name, name)
    headings = ["", *(f"{z:g}" for z in TABLE_POINTS)]
    rows = []
    for one in trace(spec, TABLE_POINTS):
        rows.append([f"{one.side}: cost", *map(number, one.costs)])
        rows.append([f"{one.side}: gradient", *map(number, one.gradients)])
    return [f"![cost and gradient of {name}]({name}.svg)", "", scene(spec), "", table(headings, rows), ""]


def scene(spec: str) -> str:
    with_arguments = f" of `{spec}`" if "(" in spec else ""
    return (
        f"Cost and gradient{with_arguments} while the first logit of the first row moves. The rows: logits "
        f"`{matrix(LOGITS)}`, targets `{matrix(TARGETS)}`; label counts `{list(LABEL_COUNTS)}` of "
        f"{NUM_ROWS} rows, second epoch, reduction `none`."
    )


def matrix(rows: tuple[tuple[float, ...], ...]) -> str:
    return str([[float(f"{value:g}") for value in row] for row in rows]).replace(".0", "")


def number(value: float) -> str:
    rounded = 0.0 if abs(value) < 5e-4 else value
    return f"{rounded:.3f}" if abs(rounded) < 1e4 else f"{rounded:.3e}"


def code(text: str | None) -> str:
    return "required" if text is None else f"`{text}`"


def table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Text that a table's cell can hold."""
    return text.replace("|", "\\|")


# ------------------------------------------------------------------ a drawing

WIDTH, HEIGHT = 330, 170  # of a panel, within margins
MARGINS = {"left": 52, "top": 34, "right": 18, "bottom": 34}
STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#999;stroke-width:1}.curve{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)
CURVES = {"applies": ("#0072b2", ""), "does not apply": ("#d55e00", "7 3"), "unknown": ("#009e73", "2 3")}


def drawing(name: str) -> str:
    """The plot as SVG: costs at the left, gradients at the right."""
    traces = trace(DRAWN.get(name, name))
    across = MARGINS["left"] + WIDTH + MARGINS["right"]
    down = MARGINS["top"] + HEIGHT + MARGINS["bottom"]
    costs = {one.side: one.costs for one in traces}
    gradients = {one.side: one.gradients for one in traces}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * across} {down}" role="img">',
        f"<title>cost and gradient of {name} against the logit</title>",
        f"<style>{STYLE}</style>",
        *panel("cost", costs, traces[0].logits, MARGINS["left"]),
        *panel("gradient", gradients, traces[0].logits, across + MARGINS["left"]),
        *legend([one.side for one in traces], MARGINS["left"] + 60),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def panel(title: str, curves: dict[str, np.ndarray], logits: np.ndarray, left: int) -> list[str]:
    top, bottom = MARGINS["top"], MARGINS["top"] + HEIGHT
    low, high = min(v.min() for v in curves.values()), max(v.max() for v in curves.values())
    low, high = (min(low, 0.0), max(high, 0.0)) if high > low else (low - 1, high + 1)

    def x(logit: float) -> float:
        return left + (logit - logits[0]) / (logits[-1] - logits[0]) * WIDTH

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * HEIGHT

    parts = [f'<text x="{left}" y="{top - 16}" font-weight="bold">{title}</text>']
    parts.append(f'<path class="axis" d="M{left} {top}V{bottom}M{left} {y(0):.1f}H{left + WIDTH}"/>')
    for value in sorted({low, 0.0, high}):
        if value in (low, high) or min(abs(y(value) - y(low)), abs(y(value) - y(high))) > 14:
            parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for logit in (-6, -3, 0, 3, 6):
        parts.append(f'<text x="{x(logit):.0f}" y="{bottom + 18}" text-anchor="middle">{logit}</text>')
    for side, values in curves.items():
        colour, dashes = CURVES[side]
        points = " ".join(f"{x(z):.1f},{y(v):.1f}" for z, v in zip(logits, values, strict=True))
        parts.append(
            f'<polyline class="curve" stroke="{colour}" stroke-dasharray="{dashes}" points="{points}"/>'
        )
    return parts


def legend(sides: list[str], left: int) -> list[str]:
    parts, y = [], MARGINS["top"] - 20
    for side in sides:
        colour, dashes = CURVES[side]
        parts.append(
            f'<path class="curve" stroke="{colour}" stroke-dasharray="{dashes}" d="M{left} {y}h24"/>'
            f'<text x="{left + 30}" y="{y + 4}">{side}</text>'
        )
        left += 110
    return parts


if __name__ == "__main__":
    sys.exit(main())
