"""`random_state` as scikit-learn means it, as the one integer that our generators start from."""

from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state


def seed_of(random_state: Any) -> int:
    """An integer is itself; None draws anew; a RandomState gives its next number.

    Raises:
        ValueError: none of these.
    """
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
