"""A fingerprint of data: equal for equal content, whatever file it came from."""

import hashlib

from manyhot.data import Table
from manyhot.data.keys import Keys

_SEPARATOR = "\x1f"  # unit separator: ends each string, so that ["ab", "c"] and ["a", "bc"] differ


def digest_of(table: Table, keys: Keys) -> str:
    """SHA-256 of the label space, and of the rows in their order with their names, in hex.

    Args:
        table: the data.
        keys: of its rows, as `row_keys` gives them.
    """
    names = "".join(f"{name}{_SEPARATOR}" for name in table.row_ids)
    total = hashlib.sha256(table.space.digest.encode())
    total.update(keys.astype("<u8").tobytes())
    total.update(names.encode("utf-8", "surrogatepass"))
    return total.hexdigest()
