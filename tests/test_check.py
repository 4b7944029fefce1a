import numpy as np
import pytest

from manyhot import _check
from manyhot.errors import OptionError

MANY = [f"loss-{letter}" for letter in "abcdefghijklmnop"]


@pytest.mark.parametrize(
    ("value", "allowed", "message"),
    [
        ("minn", ["max", "min"], "cut must be one of max, min, got 'minn'; did you mean min?"),
        ("42", ["max", "min"], "cut must be one of max, min, got '42'"),
        ("loss-pp", [*MANY, "dice"], "cut 'loss-pp' is none of the 17 known; did you mean loss-p"),
        ("42", MANY, f"cut '42' is none of the 16 known: {', '.join(MANY)}"),
    ],
)
def test_a_wrong_name_gets_the_near_ones_and_all_only_where_they_help(value, allowed, message):
    with pytest.raises(OptionError) as caught:
        _check.one_of("cut", value, allowed)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200


def test_a_right_name_comes_back():
    assert _check.one_of("cut", "min", iter(["max", "min"])) == "min"


@pytest.mark.parametrize("value", ["a", None, [1.0, 2.0], {}])
def test_what_is_no_number_is_told_apart_from_a_wrong_one(value):
    for check in (lambda: _check.at_least("gamma", value, 0.0), lambda: _check.finite("gamma", value)):
        with pytest.raises(OptionError, match="gamma must be a number, got"):
            check()
    with pytest.raises(OptionError, match="gamma must be a number, got"):
        _check.between("gamma", value, 0.0, 1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_finite_number_is_asked_for(value):
    with pytest.raises(OptionError, match=f"mu must be a finite number, got {value}"):
        _check.finite("mu", value)
    _check.finite("mu", -3)


@pytest.mark.parametrize("value", [-1, 2**63, 99999999999999999999, 1.5, "3", None])
def test_a_seed_is_what_every_generator_takes(value):
    with pytest.raises(OptionError, match=r"seed must be (in \[0, \d+\]|a whole number), got"):
        _check.seed(value)
    assert [_check.seed(number) for number in (0, 2**63 - 1, np.int64(3))] == [0, 2**63 - 1, 3]
