"""evaluate: all metrics of one set of predictions, from shared counts, ranks and sorts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.errors import OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets
from manyhot.labels.column_names import shared_names
from manyhot.labels.tuned_rows import TunedRowsUse, ids_for, ids_of
from manyhot.metrics.average import Average
from manyhot.metrics.baseline import LearnedNothing, Training
from manyhot.metrics.inputs import (
    BinaryScores,
    are_probabilities,
    read_costs,
    read_decisions,
    read_propensity,
    read_scores,
    read_targets,
    read_weight,
    refuse_binary,
    refuse_tuned_decisions,
)
from manyhot.metrics.material import Material, Measured
from manyhot.metrics.replicates import Bootstrap, Replicated, interval, replicate
from manyhot.metrics.result import Result
from manyhot.metrics.slices import (
    Part,
    by_combination,
    by_frequency,
    by_group,
    by_level,
    parts_of,
    slice_of,
)
from manyhot.metrics.table import METRICS, Metric, find_metric
from manyhot.metrics.top_k import USUAL_PROPENSITY, propensities

# What `evaluate` gives unasked, in the order of its table, as far as the input allows.
HEADLINE = (
    "hamming", "exact", "jaccard_samples", "f1_micro", "f1_macro", "f1_samples",
    "precision_micro", "precision_macro", "recall_micro", "recall_macro",
    "ap_macro", "ap_micro", "auc_macro", "lrap", "coverage_error", "ranking_loss", "one_error",
    "p@1", "p@3", "p@5", "ndcg@5", "psp@5", "log_loss", "brier", "ece", "cost",
)  # fmt: skip


def evaluate(
    targets: Any,
    scores: Any = None,
    decisions: Any = None,
    *,
    metrics: str | Iterable[str] | None = None,
    baseline: bool = True,
    intervals: bool | int | Bootstrap = False,
    slices: bool = True,
    by: Mapping[str, Any] | None = None,
    space: LabelSpace | None = None,
    train: Any = None,
    row_weight: Any = None,
    costs: tuple[Any, Any] | None = None,
    propensity: tuple[float, float] = USUAL_PROPENSITY,
    undefined: float | None = None,
    rows: Iterable[Any] | None = None,
    tuned_rows: TunedRowsUse = "refuse",
    binary_scores: BinaryScores = "refuse",
) -> Result:
    """Metrics of scores and decisions, each beside what a predictor that has learned nothing gets.

    Unknown cells take part in nothing: the result is as if they had been deleted. Averages leave out labels
    and rows where the metric is undefined, and say how many they are of.

    Args:
        targets: (rows, labels), any form of `as_targets`, hard; with `space` also rows of names.
        scores: (rows, labels), any real, higher = more likely: NumPy, torch, DataFrame, or SciPy sparse,
            whose absent cells rank below all stored ones (and are 0 as probabilities).
        decisions: (rows, labels) of 0/1 or bool, `Targets`, or rows of label indices; with `space` of names.
        metrics: names of `METRICS` (and `p@7`, `f0.5_macro`...), or "all"; None = the usual ones that the
            input allows.
        baseline: also evaluate all-zero decisions and each label's share as score.
        intervals: percentile intervals of every value, of slices and labels too: True = 1,000 bootstrap
            draws of rows, a number = so many, or a `Bootstrap` that says more (groups drawn together, seed,
            level).
        slices: evaluate parts by themselves, as far as they are known: head, torso and tail labels and
            seen and unseen label combinations (needs `train`), levels of the space's hierarchy.
        by: name -> (rows,) values; each value's rows are evaluated by themselves, as in {"site": sites},
            also without `slices`.
        space: names the labels in tables and messages; the columns of DataFrames are found by its names.
            Without one, DataFrames and sets that a rule decided meet by the names of their own columns.
        train: targets (or `Training` counts) of the training rows: the baseline's shares, and the
            propensities of `psp@k`. Without it the shares are those of the evaluated rows.
        row_weight: (rows,), >= 0; None = all alike.
        costs: of a false positive and of a false negative, each a number or (labels,); makes `cost`.
        propensity: the constants A and B of the model of `psp@k`; (0.5, 0.4) is usual for Wikipedia,
            (0.6, 2.6) for Amazon.
        undefined: value with which undefined labels and rows enter averages, and of a pooled one that is
            undefined itself, as scikit-learn's `zero_division`; None leaves them out.
        rows: ids of the rows, as a rule's `fit` takes them; the index of a pandas DataFrame, if it has a name
            or holds no numbers, needs no saying.
        tuned_rows: "refuse" rows that the rule behind the decisions was tuned on, told by their ids or by
            their scores, or "allow" them.
        binary_scores: "refuse" scores that are nothing but 0 and 1, which are mostly decisions, or "allow"
            them: a tree grown to its end has no others.

    Raises:
        OptionError: an unknown metric, or one that needs what was not given.
        InputError: NaN scores, 0/1 given as scores, real numbers given as decisions, soft targets, rows that
            the decisions were tuned on, DataFrames with columns of other names.
        ShapeError: shapes differ.

    Example:
        >>> import numpy as np
        >>> result = evaluate(np.array([[1, 0], [1, 1]]), decisions=np.array([[1, 0], [1, 0]]))
        >>> result["hamming"], result["f1_macro"], str(result.counted["precision_macro"])
        (0.75, 0.5, '1/2 labels')
    """
    if scores is None and decisions is None:
        raise OptionError("nothing to evaluate: pass scores=, decisions= or both")
    if space is None:
        names = shared_names(targets=targets, scores=scores, decisions=decisions, train=train)
        space = None if names is None else LabelSpace(names)
    truth = read_targets(targets, space=space)
    if not truth.width:
        raise ShapeError(f"expected one label at least, got targets of shape {truth.shape}")
    read = None if scores is None else read_scores(scores, truth.shape, space)
    refuse_binary(read, binary_scores)
    chosen = None if decisions is None else read_decisions(decisions, truth.shape, space)
    if chosen is not None:
        ids = ids_of(scores, targets) if rows is None else ids_for(rows, len(truth))
        refuse_tuned_decisions(chosen, ids, tuned_rows)
    weight = read_weight(row_weight, len(truth))
    train = train if train is None or isinstance(train, Training) else read_targets(train, space=space)
    training = Training.of(truth, weight) if train is None else _training(train, truth)
    constants = read_propensity(propensity)
    inverse = None if train is None else propensities(training.positive, training.rows, *constants)
    wanted = _wanted(metrics, _available(read, chosen, train is not None, costs is not None))
    given = Measured(truth, read, chosen, weight, inverse, undefined)
    nothing = LearnedNothing(truth, training.shares, weight, inverse, undefined) if baseline else None
    if costs is not None:
        given.costs = read_costs(costs, truth.width)
        if nothing is not None:
            nothing.costs = given.costs
    parts = _parts(truth, space if slices else None, train if slices else None, by or {})
    words = _baseline_words(baseline, train is not None)
    return _result((given, nothing), wanted, _plan(intervals), parts, _names(space, truth), words)


def _result(
    sides: tuple[Measured, LearnedNothing | None],
    wanted: Sequence[Metric],
    plan: Bootstrap | None,
    parts: Sequence[Part],
    names: NDArray[Any],
    baseline_is: str,
) -> Result:
    """All values of the predictions and of the baseline beside them."""
    given, nothing = sides
    averages = {metric.name: metric.recipe.average(given) for metric in wanted}
    drawn = None if plan is None else replicate(given, wanted, plan, parts if plan.slices else ())
    of_parts = drawn.parts if drawn is not None and drawn.parts else [{}] * len(parts)
    level = 0.0 if plan is None else plan.level
    return Result(
        values=_values(averages),
        counted={name: average.counted for name, average in averages.items()},
        baseline={} if nothing is None else _values({m.name: m.recipe.average(nothing) for m in wanted}),
        baseline_is=baseline_is,
        per_label=_per_label(given, wanted, names, drawn),
        rows=len(given.targets),
        labels=given.targets.width,
        intervals={} if drawn is None else _intervals(drawn.values, level),
        slices=[
            replace(slice_of(part, given, nothing, wanted), intervals=_intervals(values, level))
            for part, values in zip(parts, of_parts, strict=True)
        ],
        replicates={} if drawn is None else drawn.values,
        draws_of="" if plan is None else plan.fingerprint(given.targets, given.weight),
    )


def _values(averages: dict[str, Average]) -> dict[str, float]:
    return {name: float(average.value) for name, average in averages.items()}


def _intervals(drawn: Mapping[str, NDArray[Any]], level: float) -> dict[str, tuple[float, float]]:
    return {name: interval(values, level) for name, values in drawn.items()}


def _per_label(
    given: Material, wanted: Sequence[Metric], names: NDArray[Any], drawn: Replicated | None
) -> dict[str, NDArray[Any]]:
    """Counts, then every metric that has a value for each label, without its average, and its interval."""
    table = {
        "label": names,
        "positives": given.targets.label_counts(),
        "known": given.targets.known_counts(),
    }
    for metric in wanted:
        values = None if metric.stem in table else metric.recipe.per_label(given)
        if values is not None:
            table[metric.stem] = values
            if drawn is not None and metric.stem in drawn.labels:
                table[f"{metric.stem}_low"], table[f"{metric.stem}_high"] = drawn.labels[metric.stem]
    return table


def _plan(intervals: bool | int | Bootstrap) -> Bootstrap | None:
    if isinstance(intervals, Bootstrap):
        return intervals
    if intervals is False:
        return None
    if intervals is True:
        return Bootstrap()
    if isinstance(intervals, Integral):
        return Bootstrap(replicates=int(intervals))
    raise OptionError(
        f"intervals must be True, False, a number of bootstrap draws or a Bootstrap, got {intervals!r:.60}"
    )


def _parts(
    truth: Targets, space: LabelSpace | None, train: Training | Targets | None, by: Mapping[str, Any]
) -> list[Part]:
    """Parts of the labels, then of the rows, as far as they are known."""
    labels, rows = {}, {}
    if train is not None:
        labels["frequency"] = by_frequency(_training(train, truth).positive)
    if space is not None and space.parents:
        labels["level"] = by_level(space)
    if train is not None and not isinstance(train, Training):
        rows["combination"] = by_combination(truth, train)
    for name, groups in by.items():
        rows[name] = by_group(name, groups, len(truth))
    return parts_of({"labels": labels, "rows": rows})


def _training(train: Training | Targets, truth: Targets) -> Training:
    training = train if isinstance(train, Training) else Training.of(train)
    if len(training.positive) != truth.width:
        raise ShapeError(f"train has {len(training.positive)} labels, targets have {truth.width}")
    return training


def _available(scores: Any, decisions: Targets | None, train: bool, costs: bool) -> set[str]:
    available = set() if decisions is None else {"decisions"}
    if decisions is not None and costs:
        available.add("decisions and costs")
    if scores is not None:
        available.add("scores")
        if train:
            available.add("scores and train")
        if are_probabilities(scores):
            available.add("probabilities")
    return available


def _wanted(metrics: str | Iterable[str] | None, available: set[str]) -> list[Metric]:
    if metrics is None or metrics == "all":
        names = HEADLINE if metrics is None else METRICS
        return [METRICS[name] for name in names if METRICS[name].needs in available]
    found = [find_metric(name) for name in ([metrics] if isinstance(metrics, str) else metrics)]
    for metric in found:
        if metric.needs not in available:
            raise OptionError(f"{metric.name} needs {metric.needs}; {_MENDS[metric.needs]}")
    return found


_MENDS = {
    "decisions": "pass decisions=, cut from the scores by a rule of manyhot.decide",
    "scores": "pass scores=, as predict_proba or decision_function give them",
    "scores and train": "pass scores= and the training rows' targets as train=",
    "decisions and costs": "pass decisions= and costs=(false positive, false negative)",
    "probabilities": "pass scores= in [0, 1]; sigmoid makes them of logits",
}


def _names(space: LabelSpace | None, truth: Targets) -> NDArray[Any]:
    return np.arange(truth.width) if space is None else np.array(space.names, dtype=object)


def _baseline_words(baseline: bool, train: bool) -> str:
    if not baseline:
        return ""
    rows = "the training rows" if train else "these rows"
    return f"no label assigned; as scores each label's share of {rows}"
