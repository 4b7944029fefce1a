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
