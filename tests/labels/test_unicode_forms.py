import unicodedata

import pytest

from manyhot.errors import InputError
from manyhot.labels import LabelSpace
from manyhot.labels.unicode_forms import composed, lookalikes, twin

ONE = "caf\u00e9"  # é as one character
TWO = "cafe\u0301"  # e, and an accent set on it
HANGUL = "\ud55c"


def test_forms_agree_with_unicodes_own():
    for name in (ONE, TWO, "plain", unicodedata.normalize("NFD", HANGUL)):
        assert composed(name) == unicodedata.normalize("NFC", name)


def test_lookalikes_are_found_and_equal_names_are_none():
    decomposed = unicodedata.normalize("NFD", HANGUL)
    names = ["a", ONE, HANGUL, TWO, "a", decomposed, ONE]
    assert lookalikes(names) == [(ONE, TWO), (HANGUL, decomposed)]
    assert lookalikes([ONE, ONE, "a", "a"]) == []
    assert (twin(TWO, names), twin("a", names), twin("\u00e8", names)) == (ONE, None, None)


def test_a_space_refuses_names_that_look_the_same():
    with pytest.raises(InputError, match=r"look the same.*'caf\\xe9'.*'cafe\\u0301'.*NFC"):
        LabelSpace((ONE, "tea", TWO))


def test_a_name_in_the_other_form_is_explained():
    with pytest.raises(InputError, match="looks the same but has its accents composed in another way"):
        LabelSpace((ONE, "tea")).encode([[TWO]])
