"""Which rows a rule was tuned on, remembered small, so that they are not used to evaluate it."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.errors import InputError

KEPT = 4096  # hashes: 44 kB of JSON at most


@dataclass(frozen=True)
class TunedRows:
    """A sketch of a set of row ids: the smallest `KEPT` of their 64-bit hashes.

    Exact up to `KEPT` rows. Of a larger set, a share q of its rows is noticed with probability
    1 - (1 - q)^KEPT: one row in a thousand with more than 98 %.

    Source: bottom-k sketches, Cohen and Kaplan, PODC 2007.
    """

    count: int
    hashes: tuple[int, ...]

    @classmethod
    def of(cls, rows: Iterable[Any]) -> "TunedRows":
        """The sketch of row ids: strings or numbers; a number and its text are the same id."""
        hashes = np.unique(_hashes(rows))
        return cls(len(hashes), tuple(int(value) for value in hashes[:KEPT]))

    def shared(self, rows: Iterable[Any]) -> int:
        """How many of these ids are among the remembered ones (a lower bound above `KEPT` rows)."""
        return int(np.isin(np.unique(_hashes(rows)), np.array(self.hashes, np.uint64)).sum())

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: the count and the hashes as base64 of little-endian 64-bit integers."""
        packed = np.array(self.hashes, "<u8").tobytes()
        return {"count": self.count, "hashes": base64.b64encode(packed).decode("ascii")}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TunedRows":
        """The inverse of `to_dict`."""
        packed = np.frombuffer(base64.b64decode(content["hashes"]), "<u8")
        return cls(int(content["count"]), tuple(int(value) for value in packed))


def refuse_tuned_rows(tuned_on: TunedRows | None, rows: Iterable[Any], allow_tuned_rows: bool) -> bool:
    """Raise `InputError` if some of the rows were tuned on. True if it could be checked at all."""
    if tuned_on is None or allow_tuned_rows:
        return False
    rows = list(rows)
    shared = tuned_on.shared(rows)
    if shared:
        least = "" if tuned_on.count <= KEPT else "at least "
        raise InputError(
            f"{least}{shared} of these {len(rows)} rows were used to tune the rule, so its figures on them "
            "would flatter it; evaluate on other rows, or say allow_tuned_rows=True"
        )
    return True


def _hashes(rows: Iterable[Any]) -> NDArray[np.uint64]:
    digests = (hashlib.blake2b(str(row).encode(), digest_size=8).digest() for row in rows)
    return np.frombuffer(b"".join(digests), "<u8")
