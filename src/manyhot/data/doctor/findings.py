"""From facts to advice: what in a diagnosis matters, and what mends it."""

from collections.abc import Iterator, Sequence, Sized

import numpy as np

from manyhot._typing import BoolArray
from manyhot.data.doctor.diagnosis import Diagnosis, Finding
from manyhot.data.doctor.label_counts import HEAD, TAIL
from manyhot.data.doctor.repeats import Leaks

IMBALANCED = 10.0  # mean imbalance from which the frequent labels decide what is learnt
MANY_EMPTY = 0.05  # share of rows without labels from which they may be unlabelled rather than empty
MOSTLY_UNKNOWN = 0.5
MOSTLY_MISSING = 0.2
SHOWN = 5  # names in a line
MANY = {"they": "they", "them": "them", "their": "their", "are": "are", "say": "say"}
ONE = {"they": "it", "them": "it", "their": "its", "are": "is", "say": "says"}
WORST_FIRST = ("problem", "warning", "note")


def findings(diagnosis: Diagnosis) -> list[Finding]:
    """All findings, worst first."""
    looks = (_labels, _rows, _balance, _rules, _pairs, _parts, _repeats, _unknown, _features)
    found = [finding for look in looks for finding in look(diagnosis)]
    return sorted(found, key=lambda finding: WORST_FIRST.index(finding.severity))


def _labels(diagnosis: Diagnosis) -> Iterator[Finding]:
    positives = diagnosis.frequencies.positives
    if len(positives) == 1:
        yield _warning(
            f"{diagnosis.names[0]!r} is the only label", "this is binary classification; add its alternatives"
        )
    if diagnosis.rows and not positives.sum():
        yield _problem("no row has a label", "check the label column and its separator")
        return
    absent = _named(diagnosis, positives == 0)
    if absent:
        yield _warning(
            f"{_count(absent, 'label')} in no row: {_list(absent)}",
            _about(
                absent, "collect rows or drop {them}; {they} cannot be learnt, and averages leave {them} out"
            ),
        )
    constant = _named(diagnosis, (positives > 0) & (positives == diagnosis.frequencies.known))
    if constant:
        yield _warning(
            f"{_count(constant, 'label')} in every row: {_list(constant)}",
            _about(constant, "drop {them}; {they} {say} nothing"),
        )


def _rows(diagnosis: Diagnosis) -> Iterator[Finding]:
    if not diagnosis.rows:
        yield _problem("there are no rows", "check the file and what was skipped on reading")
        return
    empty = diagnosis.rows_without_labels
    if 0 < empty < diagnosis.rows:
        share = empty / diagnosis.rows
        told = ", ".join(filter(None, (f"{100 * share:.3g} %", diagnosis.cut_told)))
        text = f"{_count(empty, 'row')} without any label ({told})"
        mend = _about(
            empty,
            "if nobody looked at {them}, leave {them} out or mark {their} cells unknown; else {they} {are} "
            "fine",
        )
        yield _warning(text, mend) if share > MANY_EMPTY else _note(text, mend)
    if diagnosis.soft:
        yield _note("targets are soft; all counts here are of values from 0.5 on")
    if diagnosis.skipped:
        yield _warning(
            f"{_count(diagnosis.skipped, 'row')} left out on reading: {diagnosis.skipped[0]}"
            + ("; ..." if len(diagnosis.skipped) > 1 else ""),
            _about(diagnosis.skipped, "mend {them} in the data, or remove {them}"),
        )


def _balance(diagnosis: Diagnosis) -> Iterator[Finding]:
    frequencies, zero = diagnosis.frequencies, diagnosis.all_zero
    if zero.get("hamming", 0) > 0.5:
        yield _note(
            f"{100 * zero['hamming']:.4g} % of the cells are right and the log loss is "
            f"{zero['log_loss']:.3f} when nothing has been learned",
            "judge by f1_macro and ap_macro, and beside the baseline",
        )
    if frequencies.mean_imbalance >= IMBALANCED:
        worst = int(np.argmin(np.where(frequencies.positives > 0, frequencies.positives, diagnosis.rows + 1)))
        best = int(frequencies.positives.argmax())
        yield _warning(
            f"mean imbalance {frequencies.mean_imbalance:.1f}: "
            f"{diagnosis.names[best]!r} in {_count(int(frequencies.positives[best]), 'row')}, "
            f"{diagnosis.names[worst]!r} in {frequencies.positives[worst]:,}",
            "try the loss asl or pos_weight sqrt, and tune a cut for each label",
        )
    if frequencies.tail:
        yield _note(
            f"long tail: {frequencies.head:,} labels with {HEAD} rows or more, {frequencies.torso:,} with "
            f"{TAIL} to {HEAD - 1}, {frequencies.tail:,} with 1 to {TAIL - 1}",
            "cuts of rare labels lean on the pooled one; read the metrics by frequency band",
        )


def _rules(diagnosis: Diagnosis) -> Iterator[Finding]:
    for rule, rows in diagnosis.violations.items():
        yield _problem(
            f"{_count(rows, 'row')} against the label space, {rule!r}", "mend the rows or the rule"
        )
    for group in diagnosis.groups:
        share = diagnosis.frequencies.positives[[diagnosis.names.index(name) for name in group.labels]].sum()
        often = (
            f"at most one ({share / max(diagnosis.rows, 1):.0%} of the rows have one)"
            if group.allow_none
            else "exactly one"
        )
        if not group.allow_none and len(group.labels) == len(diagnosis.names):
            yield _note(
                f"every row has exactly one of all {len(group.labels):,} labels",
                "this is single-label classification: one exclusive group, softmax",
            )
        else:
            yield _note(
                f"every row has {often} of {_list(group.labels, 12)}",
                "if they are alternatives, declare an exclusive group: softmax and arg-max then keep to it",
            )
    if not diagnosis.groups_complete:
        yield _note(
            "the search for exclusive groups was stopped at its limit; there may be more", "declare them"
        )


def _pairs(diagnosis: Diagnosis) -> Iterator[Finding]:
    positives = dict(zip(diagnosis.names, diagnosis.frequencies.positives.tolist(), strict=True))
    for pair in diagnosis.always_together[:SHOWN]:
        rows = f"{pair.rows:,}/{positives[pair.label]:,} rows"
        if pair.both_ways:
            yield _warning(
                f"{pair.label!r} and {pair.other!r} are in the same {pair.rows:,} rows",
                "merge them, or collect rows with one only",
            )
        else:
            yield _warning(
                f"{pair.label!r} only ever occurs with {pair.other!r} ({rows})",
                f"if it must, declare the rule '{pair.label} -> {pair.other}'; else collect rows without it",
            )
    if len(diagnosis.always_together) > SHOWN:
        more = len(diagnosis.always_together) - SHOWN
        yield _note(f"{_count(more, 'more pair')} of which one label always brings the other")
    unseen = diagnosis.never_together
    if unseen:
        shown = ", ".join(
            f"{pair.label}+{pair.other} ({pair.expected:.0f} by chance)" for pair in unseen[:SHOWN]
        )
        more = f" and {len(unseen) - SHOWN:,} more pairs" if len(unseen) > SHOWN else ""
        yield _warning(
            f"never seen together: {shown}{more}",
            "declare 'a -> not b' where impossible; else hold combinations out to see how unseen ones fare",
        )
    if not diagnosis.pairs_complete:
        yield _note("pairs of rare labels were not looked at: there are too many")


def _parts(diagnosis: Diagnosis) -> Iterator[Finding]:
    for part, names in diagnosis.absent_in.items():
        text = f"{_count(names, 'label')} without a row in {part}: {_list(names)}"
        if part == "train":
            yield _warning(
                text, _about(names, "{they} cannot be learnt: split anew, stratified, or drop {them}")
            )
        else:
            yield _note(text, _about(names, f"no metric of {part} says anything about {{them}}"))
    yield from separated(diagnosis.leaks)


def separated(leaks: Leaks) -> Iterator[Finding]:
    """What there is to say of groups that the parts of the data separate."""
    if leaks.groups:
        yield _problem(
            f"{_count(leaks.groups, 'group')} with rows in several parts "
            f"({leaks.rows:,} rows; {_list(leaks.examples, 3)})",
            "the test is too easy: split anew by group",
        )


def _repeats(diagnosis: Diagnosis) -> Iterator[Finding]:
    repeats = diagnosis.repeats
    if repeats.across:
        yield _problem(
            f"{_count(repeats.across, 'valid or test row')} equal to a training row",
            _about(
                repeats.across, "the test is too easy: drop {them}, or split with equal rows as one group"
            ),
        )
    if repeats.rows and not repeats.across:
        mend = _about(repeats.rows, "drop {them}, or split with equal rows as one group")
        separated = diagnosis.parts or diagnosis.grouped
        text = f"{_count(repeats.rows, 'row')} equal to an earlier one"
        yield _note(text) if separated else _warning(text, mend)
    if repeats.contradictory:
        yield _warning(
            f"{_count(repeats.contradictory, 'row')} with equal inputs but other labels",
            "no model can be right on all of them: check the labels",
        )
    if repeats.empty:
        yield _warning(
            f"{_count(repeats.empty, 'row')} without any input", _about(repeats.empty, "leave {them} out")
        )


def _unknown(diagnosis: Diagnosis) -> Iterator[Finding]:
    if not diagnosis.unknown_cells:
        return
    share = diagnosis.unknown_cells / (diagnosis.unknown_cells + diagnosis.cells)
    yield _note(f"{100 * share:.3g} % of the cells are unknown", "losses, splits and metrics leave them out")
    known = diagnosis.frequencies.known / max(diagnosis.rows, 1)
    mostly = _named(diagnosis, known < 1 - MOSTLY_UNKNOWN)
    if mostly:
        yield _warning(
            f"{_count(mostly, 'label')} unknown in more than half of the rows: {_list(mostly)}",
            _about(mostly, "{their} metrics rest on few rows: read the counts beside them"),
        )


def _features(diagnosis: Diagnosis) -> Iterator[Finding]:
    features = diagnosis.features
    if features.constant:
        yield _note(
            f"{_count(features.constant, 'constant column')}: {_list(features.constant)}",
            _about(features.constant, "{they} {say} nothing"),
        )
    if features.missing:
        worst = sorted(features.missing, key=features.missing.__getitem__, reverse=True)
        shown = ", ".join(f"{name} {features.missing[name]:.0%}" for name in worst[:SHOWN])
        text = f"missing values in {_count(worst, 'column')}: {shown}{', ...' if len(worst) > SHOWN else ''}"
        if features.missing[worst[0]] > MOSTLY_MISSING:
            yield _warning(
                text, "columns that are mostly empty are better left out; others are filled and flagged"
            )
        else:
            yield _note(text, "they are filled and flagged")


def _problem(text: str, mend: str) -> Finding:
    return Finding("problem", text, mend)


def _warning(text: str, mend: str = "") -> Finding:
    return Finding("warning", text, mend)


def _note(text: str, mend: str = "") -> Finding:
    return Finding("note", text, mend)


def _named(diagnosis: Diagnosis, mask: BoolArray) -> list[str]:
    return [diagnosis.names[label] for label in np.flatnonzero(mask)]


def _count(things: int | Sized, noun: str) -> str:
    number = things if isinstance(things, int) else len(things)
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _about(things: int | Sized, mend: str) -> str:
    """The mend with the words for one thing or for several."""
    number = things if isinstance(things, int) else len(things)
    return mend.format_map(ONE if number == 1 else MANY)


def _list(names: Sequence[str], most: int = SHOWN) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
