"""Which rows a rule was tuned on, remembered small, so that they are not used to evaluate it.

Rows are told by ids, where they have some, and always by their scores. Ids are exact. Equal score rows may be
chance: a tree with few leaves scores many rows alike, and a text may occur twice. So only rows whose scores
occur exactly twice in all, in the tuning rows and the others together, are looked at: of two parts of one
source, chance lays a known share of these pairs across; of rows that are the same, all lie across. Beside
them the whole sequence is remembered, so that the very same rows are told where no row has scores of its own.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from manyhot._check import one_of
from manyhot.errors import InputError, ShapeError
from manyhot.labels import formats

Hashes = NDArray[np.uint64]
TunedRowsUse = Literal["refuse", "allow"]
KEPT = 4096  # hashes of each kind: 100 kB of JSON at most
CHANCE = 1e-6  # of so many equal score rows in two parts of one source
ONCE, TWICE, OFTEN = 1, 2, 3


@dataclass(frozen=True)
class RowMarks:
    """What rows can be told by.

    Attributes:
        scores: (rows,) digest of each row's scores.
        ids: (rows,) hash of each row's id, None where rows have none.
    """

    scores: Hashes
    ids: Hashes | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, chosen: NDArray[np.int64]) -> "RowMarks":
        """Those of some rows."""
        return RowMarks(self.scores[chosen], None if self.ids is None else self.ids[chosen])

    @classmethod
    def concat(cls, parts: Sequence["RowMarks"]) -> Self:
        """Those of all parts; ids only where all have them."""
        ids = [part.ids for part in parts if part.ids is not None]
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate(ids) if len(ids) == len(parts) else None,
        )


@dataclass(frozen=True)
class TunedRows:
    """A sketch of the rows that a rule was tuned on: the smallest `KEPT` of their 64-bit hashes.

    Exact up to `KEPT` rows. Of a larger set, a share q of its rows is noticed by id with probability
    1 - (1 - q)^KEPT: one row in a thousand with more than 98 %.

    Attributes:
        count: number of different ids; of rows where these have none.
        ids: the smallest hashes of ids, ascending; empty where rows have none.
        scores: the smallest digests of score rows, ascending.
        times: how often each of these occurred: once, twice, or more often.
        rows: number of rows.
        sequence: digest of all score rows in their order.

    Source: bottom-k sketches, Cohen and Kaplan, PODC 2007.
    """

    count: int
    ids: tuple[int, ...] = ()
    scores: tuple[int, ...] = ()
    times: tuple[int, ...] = ()
    rows: int = 0
    sequence: str = ""

    @classmethod
    def of(cls, marks: RowMarks) -> Self:
        """The sketch of some rows."""
        digests, times = np.unique(marks.scores, return_counts=True)
        ids = np.zeros(0, np.uint64) if marks.ids is None else np.unique(marks.ids)
        return cls(
            len(marks) if marks.ids is None else len(ids),
            tuple(ids[:KEPT].tolist()),
            tuple(digests[:KEPT].tolist()),
            tuple(np.minimum(times[:KEPT], OFTEN).tolist()),
            len(marks),
            _sequence(marks.scores),
        )

    def shared_ids(self, ids: Hashes) -> int:
        """How many of these ids are among the remembered ones (a lower bound above `KEPT` rows)."""
        return int(np.isin(np.unique(ids), np.array(self.ids, np.uint64)).sum())

    def shared_scores(self, digests: Hashes) -> int:
        """How many of these score rows are remembered ones, 0 where that can be chance."""
        found, times = np.unique(digests, return_counts=True)
        own, own_times = np.array(self.scores, np.uint64), np.array(self.times)
        if not len(own) or not len(found):
            return 0
        if _sequence(digests) == self.sequence:
            alike = len(digests) * np.log(np.sum((times / len(digests)) ** 2))
            return len(digests) if alike < np.log(CHANCE) else 0
        if len(own) == KEPT:  # a sketch knows what lies up to its largest hash, and nothing above
            times, found = times[found <= own[-1]], found[found <= own[-1]]
            if not len(found):
                return 0
        place = np.minimum(np.searchsorted(own, found), len(own) - 1)
        there = own[place] == found
        across = int(((times == ONCE) & there & (own_times[place] == ONCE)).sum())
        within = int(((times == TWICE) & ~there).sum())
        within += int((own_times == TWICE).sum() - (there & (own_times[place] == TWICE)).sum())
        mine, theirs = self.rows, len(digests)
        chance = 2 * mine * theirs / ((mine + theirs) * max(mine + theirs - 1, 1))
        likely = across == 0 or bdtrc(across - 1, across + within, chance) >= CHANCE
        return 0 if likely else int(times[there].sum())

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: counts, and hashes as base64 of little-endian 64-bit integers."""
        return {
            "count": self.count,
            "hashes": _packed(self.ids, "<u8"),
            "rows": self.rows,
            "scores": _packed(self.scores, "<u8"),
            "times": _packed(self.times, "u1"),
            "sequence": self.sequence,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; without score rows too, which were not remembered at first."""
        ids, scores = (_unpacked(content.get(name, ""), "<u8") for name in ("hashes", "scores"))
        times = _unpacked(content.get("times", ""), "u1")
        last = int(content.get("rows", 0)), str(content.get("sequence", ""))
        return cls(int(content["count"]), ids, scores, times, *last)


def refuse_tuned_rows(tuned_on: TunedRows | None, marks: RowMarks, use: TunedRowsUse) -> None:
    """Raise `InputError` if some of the rows were tuned on, unless they may be used."""
    if one_of("tuned_rows", use, ("refuse", "allow")) == "allow" or tuned_on is None:
        return
    by_id = 0 if marks.ids is None else tuned_on.shared_ids(marks.ids)
    if by_id:
        raise InputError(f"{_refusal(tuned_on, by_id, len(marks))}, or say tuned_rows='allow'")
    if by_score := tuned_on.shared_scores(marks.scores):
        raise InputError(
            f"{_refusal(tuned_on, by_score, len(marks))}, or say tuned_rows='allow' (told by their scores, "
            "which are the same digit by digit for more rows than chance explains)"
        )


def refuse_tuned_ids(tuned_on: TunedRows | None, rows: Iterable[Any]) -> bool:
    """Raise `InputError` if some of the rows were tuned on. True if it could be checked at all."""
    if tuned_on is None or not tuned_on.ids:
        return False
    ids = hashed_ids(rows)
    if shared := tuned_on.shared_ids(ids):
        raise InputError(_refusal(tuned_on, shared, len(ids)))
    return True


def ids_of(*frames: Any) -> Hashes | None:
    """Hashes of the row ids of the first pandas DataFrame whose index is meant as ids, None without one.

    Meant as ids is an index that has a name, or holds no numbers, and no value twice: bare numbers are what
    filtering leaves behind, and start anew in every file.
    """
    for frame in frames:
        index = getattr(frame, "index", None) if formats.is_frame(frame) else None
        if index is None or not index.is_unique:
            continue
        if any(name is not None for name in index.names) or index.dtype.kind not in "iuf":
            return hashed_ids(index)
    return None


def hashed_ids(rows: Iterable[Any]) -> Hashes:
    """64-bit hashes of ids: strings or numbers; a number, whole or not, and its text are the same id."""
    values = formats.array_of(rows).tolist() if hasattr(rows, "tolist") else rows
    digests = (hashlib.blake2b(_text(row).encode(), digest_size=8).digest() for row in values)
    return np.frombuffer(b"".join(digests), "<u8")


def ids_for(rows: Iterable[Any], count: int) -> Hashes:
    """Hashes of the ids that were given for so many rows.

    Raises:
        ShapeError: another number of ids.
    """
    ids = hashed_ids(rows)
    if len(ids) != count:
        raise ShapeError(f"expected an id for each of {count} rows, got {len(ids)}")
    return ids


def _sequence(digests: Hashes) -> str:
    return hashlib.blake2b(digests.astype("<u8").tobytes(), digest_size=8).hexdigest()


def _text(row: Any) -> str:
    """200.0 is the id "200": a column of whole numbers with a gap is read as floats."""
    return str(int(row)) if isinstance(row, (float, np.floating)) and row.is_integer() else str(row)


def _refusal(tuned_on: TunedRows, shared: int, rows: int) -> str:
    least = "" if max(tuned_on.count, tuned_on.rows) <= KEPT else "at least "
    return (
        f"{least}{shared} of these {rows} rows were used to tune the rule, so its figures on them would "
        "flatter it; evaluate on other rows"
    )


def _packed(values: tuple[int, ...], kind: str) -> str:
    return base64.b64encode(np.array(values, kind).tobytes()).decode("ascii")


def _unpacked(text: str, kind: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(base64.b64decode(text), kind).tolist())
