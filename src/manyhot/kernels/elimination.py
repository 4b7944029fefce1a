"""The best of linked choices, row by row: a plan of `decide.elimination` is walked up, and down again.

Upwards, each choice in turn is made in the best way for every state of the choices around it; downwards, what
was best is read off. A state's entries are the ways to choose that are legal in it, each with its label (or
-1 for none) and with the states in which it leaves the choices made before.
"""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def best_choices(
    margins, taken, entry_starts, labels, child_starts, children, state_starts
):  # pragma: no cover - compiled
    """Mark the labels of the best legal set of each row; returns the rows that have none.

    Args:
        margins: (rows, labels) float64, what each label is worth.
        taken: (rows, labels) bool, written for the labels of the plan where a legal set exists.
        entry_starts: (states + 1,), state s owns the entries entry_starts[s]:entry_starts[s + 1].
        labels: (entries,) the label that an entry takes, -1 for none.
        child_starts: (entries + 1,), entry e owns children[child_starts[e]:child_starts[e + 1]].
        children: states, each before the state of its entry.
        state_starts: (choices + 1,), the states of each choice; the last choice has one.
    """
    states = len(entry_starts) - 1
    best, chosen = np.empty(states), np.empty(states, np.int64)
    pending = np.empty(len(state_starts), np.int64)
    without = 0
    for row in range(len(margins)):
        for state in range(states):
            most, at = -np.inf, np.int64(-1)
            for entry in range(entry_starts[state], entry_starts[state + 1]):
                value = margins[row, labels[entry]] if labels[entry] >= 0 else 0.0
                for c in range(child_starts[entry], child_starts[entry + 1]):
                    value += best[children[c]]
                if value > most:
                    most, at = value, np.int64(entry)
            best[state], chosen[state] = most, at
        if chosen[states - 1] < 0:
            without += 1
            continue
        for entry in range(len(labels)):
            if labels[entry] >= 0:
                taken[row, labels[entry]] = False
        pending[0], size = states - 1, 1
        while size:
            size -= 1
            entry = chosen[pending[size]]
            if labels[entry] >= 0:
                taken[row, labels[entry]] = True
            for c in range(child_starts[entry], child_starts[entry + 1]):
                pending[size] = children[c]
                size += 1
    return without


@njit(nogil=True, cache=True, error_model="numpy")
def _join(values, other, whole, most, into):  # pragma: no cover - compiled
    """Best sum of two parts for each number of labels; with `whole` the last number means "or more"."""
    into[:] = -np.inf
    for a in range(most + 1):
        if values[a] == -np.inf:
            continue
        for b in range(most + 1):
            count = a + b
            if count > most:
                if not whole:
                    break
                count = most
            into[count] = max(into[count], values[a] + other[b])


@njit(nogil=True, cache=True, error_model="numpy")
def best_counted_choices(
    margins, taken, least, most, whole, entry_starts, labels, child_starts, children, state_starts
):  # pragma: no cover - compiled
    """As `best_choices`, of sets of `least` to `most` labels; with `whole` of `least` or more.

    Args:
        least, most: numbers of labels that are told apart: 0 to `most`.
        whole: the last of them means "or more".
    """
    states, widest = len(entry_starts) - 1, 1
    for entry in range(len(labels)):
        widest = max(widest, child_starts[entry + 1] - child_starts[entry])
    best = np.empty((states, most + 1))
    joined = np.empty((widest + 1, most + 1))
    pending = np.empty((len(state_starts), 2), np.int64)
    without = 0
    for row in range(len(margins)):
        for state in range(states):
            best[state] = -np.inf
            for entry in range(entry_starts[state], entry_starts[state + 1]):
                size = _entry(margins[row], labels, child_starts, children, entry, best, whole, most, joined)
                for count in range(most + 1):
                    best[state, count] = max(best[state, count], joined[size, count])
        top = least
        for count in range(least, most + 1):
            if best[states - 1, count] > best[states - 1, top]:
                top = count
        if best[states - 1, top] == -np.inf:
            without += 1
            continue
        for entry in range(len(labels)):
            if labels[entry] >= 0:
                taken[row, labels[entry]] = False
        pending[0, 0], pending[0, 1], size = states - 1, top, 1
        while size:
            size -= 1
            state, count = pending[size]
            entry = entry_starts[state]
            last = _entry(margins[row], labels, child_starts, children, entry, best, whole, most, joined)
            final = entry_starts[state + 1] - 1
            while joined[last, count] != best[state, count] and entry < final:
                entry += 1
                last = _entry(margins[row], labels, child_starts, children, entry, best, whole, most, joined)
            if labels[entry] >= 0:
                taken[row, labels[entry]] = True
            for place in range(last, 0, -1):
                child = children[child_starts[entry] + place - 1]
                before, own = _split(joined[place - 1], best[child], whole, most, count, joined[place, count])
                pending[size, 0], pending[size, 1] = child, own
                size += 1
                count = before
    return without


@njit(nogil=True, cache=True, error_model="numpy")
def _entry(
    margins, labels, child_starts, children, entry, best, whole, most, joined
):  # pragma: no cover - compiled
    """Values of an entry by number of labels, without its children and with ever more of them."""
    joined[0] = -np.inf
    if labels[entry] < 0:
        joined[0, 0] = 0.0
    elif most > 0:
        joined[0, 1] = margins[labels[entry]]
    size = child_starts[entry + 1] - child_starts[entry]
    for place in range(size):
        child = children[child_starts[entry] + place]
        _join(joined[place], best[child], whole, most, joined[place + 1])
    return size


@njit(nogil=True, cache=True, error_model="numpy")
def _split(values, other, whole, most, count, wanted):  # pragma: no cover - compiled
    """The two numbers of labels whose best sum is the one wanted."""
    for a in range(most + 1):
        for b in range(most + 1):
            together = min(a + b, most) if whole else a + b
            if together == count and values[a] + other[b] == wanted:
                return a, b
    return 0, count
