"""The pages of docs/reference/ that list tables: every metric, and every rule and goal. See generate.py."""

import inspect
import re
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from manyhot import decide
from manyhot.decide.goals import GOALS
from manyhot.metrics import METRICS, Metric

METRICS_TEXT = """\
The keys of `manyhot.evaluate(...)`, `result[...]`, `Stream` and `manyhot.estimators.scorer`. Beside the
listed ones any k (`p@7`, `f1_macro@20`), any beta (`f0.5_macro`, `f2_samples`) and any floor
(`recall@precision=0.95`) can be asked for. An arrow marks those where lower is better. Unknown cells take
part in nothing.

*Undefined* says where a metric, or its value of one label or row, is NaN. Such labels and rows are left out
of the average, and `result.counted` says how many it is of; `undefined=0.0` counts them as 0."""
FAMILIES = {
    "sets": "Of decisions",
    "threshold-free": "Of scores, whatever the cut",
    "ranking": "Of the order of a row's labels",
    "top-k": "Of a row's first labels",
    "calibration": "Of probabilities",
}
SPECIAL_NEEDS = {
    "scores and train": "`train=`",
    "decisions and costs": "`costs=`",
    "probabilities": "scores in [0, 1]",
}
RULES_TEXT = """\
A rule is options until it is fitted: `rule.fit(scores, targets, goal, space=..., rows=...,
row_weight=...)`. What comes back decides: `fitted.decide(scores)` gives `Targets`; `fitted.to_dict()` and
`manyhot.decide.read_rule(content, space)` keep it as JSON by label name; `fitted.check_rows(ids)` refuses
rows that it was tuned on, as `manyhot.evaluate` does by itself. `rule.takes_goal` says whether `fit` may be
handed any goal: a rule that keeps its own refuses another. By name: `manyhot.decide.fit_rule("per_label",
...)`.

`row_weight` counts a row of weight 2 as two rows and one of weight 0 as none, in every rule; only in
`MacroAtK` could two copies of a row choose differently, which one row of weight 2 cannot."""
INTERVALS_TEXT = """\
**Intervals.** Rules with `replicates` give each cut an interval: the cuts that the same sweep would have
chosen on other rows of the same source. Cuts for a samples goal have none, as each is best only beside all
others. `ReviewBudget`, `Conformal` and `AbstainBand` have none, since their cuts estimate nothing: they
keep a promise about the rows as they are. What can vary is what they find, so evaluate the decided sets
with intervals. `Legal`, `AtLeastOne` and `Calibrated` use the cuts of the rule inside: ask that one."""
GOALS_TEXT = """\
A goal is an object, or its name; a mapping of label names (and `"*"` for the rest) gives labels different
ones. Of equal cuts the one that assigns least is taken."""
PATTERNS = {
    "f2_macro": "any beta; `_macro`, `_micro` or `_samples`",
    "precision >= 0.9": "any share; also `>= 90%`",
    "recall >= 0.9": "any share",
    "specificity >= 0.9": "any share",
    "cost(miss=5, false_alarm=1)": "any two costs",
}


def table_pages(written: str) -> dict[str, str]:
    """File name -> text; `written` is the mark of what no hand changes."""
    return {"metrics.md": metrics_page(written), "rules.md": rules_page(written)}


# ------------------------------------------------------------------ metrics


def metrics_page(written: str) -> str:
    lines = [written, "# Metrics", "", METRICS_TEXT, ""]
    headings = ["key", "what it is", "over", "range", "undefined", "source"]
    for family, title in FAMILIES.items():
        rows = [metric_row(metric) for metric in METRICS.values() if metric.family == family]
        lines += [f"## {title}", "", *grid(headings, rows), ""]
    lines.append(
        "[Which number can I trust?](../explanation/metrics.md) · "
        "[intervals, and two models](../how-to/compare-models.md)"
    )
    return "\n".join([*lines, ""])


def metric_row(metric: Metric) -> list[str]:
    arrow = "" if metric.higher_is_better else " ↓"
    needs = f"; needs {SPECIAL_NEEDS[metric.needs]}" if metric.needs in SPECIAL_NEEDS else ""
    high = "∞" if np.isinf(metric.high) else f"{metric.high:g}"
    return [
        f"`{metric.name}`{arrow}",
        metric.description.removesuffix(f", {metric.average}") + needs,
        metric.average,
        f"{metric.low:g} to {high}",
        metric.undefined,
        metric.source,
    ]


# ------------------------------------------------------------------ rules and goals


def rules_page(written: str) -> str:
    lines = [written, "# Rules and goals", "", RULES_TEXT, "", "## Rules", ""]
    rows = [
        [f"[`{name}`](#{name})", f"`{kind.__name__}`", first_lines(kind), yes(kind().takes_goal),
         yes(any(field.name == "replicates" for field in fields(kind)))]
        for name, kind in classes()
    ]  # fmt: skip
    lines += [*grid(["name", "class", "what it does", "takes a goal", "intervals"], rows), "", INTERVALS_TEXT]
    for name, kind in classes():
        lines += ["", f"### {name}", "", *entry(kind)]
    lines += ["", "## Calibration", "", *entry(decide.Calibration), "", "## Goals", "", GOALS_TEXT, ""]
    lines += [*grid(["name", "what it is", "as an object"], goal_rows()), ""]
    lines.append(
        "[Which threshold?](../how-to/choose-cuts.md) · "
        "[why rare labels share their cuts](../explanation/cuts.md)"
    )
    return "\n".join([*lines, ""])


def classes() -> list[tuple[str, Any]]:
    return list(decide.RULES.items())


def entry(kind: Any) -> list[str]:
    """The class, its text, its arguments, its source."""
    pieces = re.split(r"^(Args:\n|Source: )", inspect.getdoc(kind) or "", flags=re.MULTILINE)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    lines = [f"`manyhot.decide.{kind.__name__}`", "", pieces[0].strip()]
    if "Args:\n" in sections:
        found = re.split(r"^(\w+): ", inspect.cleandoc("\n" + sections["Args:\n"]), flags=re.MULTILINE)
        rows = [
            [
                f"`{name}`",
                f"`{default(kind, name)}`",
                " ".join(meaning.split()).replace("f<beta>", "f\\<beta\\>"),
            ]
            for name, meaning in zip(found[1::2], found[2::2], strict=True)
        ]
        lines += ["", *grid(["argument", "default", "meaning"], rows)]
    if "Source: " in sections:
        lines += ["", f"Source: {' '.join(sections['Source: '].split())}"]
    return lines


def default(kind: Any, name: str) -> str:
    """As written in Python."""
    (field,) = (each for each in fields(kind) if each.name == name)
    made = field.default if field.default_factory is MISSING else field.default_factory()
    return f"{type(made).__name__}()" if type(made).__module__.startswith("manyhot") else repr(made)


def goal_rows() -> list[list[str]]:
    named = dict.fromkeys(GOALS, "") | {name: f" ({note})" for name, note in PATTERNS.items()}
    rows = []
    for name, note in named.items():
        goal = decide.as_goal(name)
        formula = (inspect.getdoc(type(goal).value) or "").rstrip(".")
        shown = f" `{formula[0].lower()}{formula[1:]}`" if "/" in formula else ""
        rows.append([f"`{name}`{note}", f"{whole(type(goal))}{shown}", f"`{goal!r}`"])
    return rows


def first_lines(kind: Any) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def whole(kind: Any) -> str:
    """The docstring without its source."""
    return " ".join((inspect.getdoc(kind) or "").partition("Source:")[0].split())


def yes(held: bool) -> str:
    return "yes" if held else "no"


def grid(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
