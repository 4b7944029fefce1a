import numpy as np
import pytest

from manyhot.estimators.seeds import seed_of


def test_integers_are_themselves_and_generators_give_their_next_number():
    assert seed_of(3) == seed_of(np.int64(3)) == 3
    assert isinstance(seed_of(np.int64(3)), int)
    state = np.random.RandomState(0)
    assert seed_of(state) == np.random.RandomState(0).randint(2**31 - 1) != seed_of(state)
    np.random.seed(0)
    assert seed_of(None) != seed_of(None)
    with pytest.raises(ValueError, match="cannot be used to seed"):
        seed_of("zero")
