import platform
import textwrap

import numpy as np
import pytest

from manyhot.datasets.imports import imports, library_snippets, module_snippets
from manyhot.errors import InputError

SOURCE = textwrap.dedent(
    '''
    """A module."""

    import os.path
    import json as j
    from collections import OrderedDict, deque
    from . import sibling
    from package.other import thing
    try:
        import ssl
    except ImportError:
        ssl = None

    LIMIT = OrderedDict()


    class Reader:
        queue = deque()

        @staticmethod
        def read(path):
            import io
            with io.open(os.path.join(path)) as file:
                return j.load(file), sibling, thing

        def plain(self, os):
            return os + 1


    async def secure(sock):
        def inner():
            return ssl.wrap(sock)
        return inner
    '''
)


@pytest.fixture(scope="module")
def snippets():
    return {snippet.text.split("(")[0]: snippet for snippet in module_snippets("package.reader", SOURCE)}


@pytest.fixture(scope="module")
def table():
    return imports()


def test_labels_are_resolved_through_aliases_and_local_imports(snippets):
    assert snippets["@staticmethod\ndef read"].uses == {"os", "json", "io"}


def test_import_lines_are_removed_and_the_code_is_dedented(snippets):
    text = snippets["@staticmethod\ndef read"].text
    assert "import" not in text
    assert text.startswith("@staticmethod\ndef read(path):\n    with io.open")


def test_an_argument_hides_an_imported_name(snippets):
    assert snippets["def plain"].uses == set()


def test_nested_functions_belong_to_the_outer_one(snippets):
    assert snippets["async def secure"].uses == {"ssl"}
    assert not any("def inner" in text for text in snippets if not text.startswith("async"))


def test_the_module_body_holds_what_is_outside_functions(snippets):
    (body,) = (snippet for snippet in snippets.values() if snippet.line == 0)
    assert body.uses == {"collections"}
    assert "LIMIT = OrderedDict()" in body.text
    assert "def " not in body.text
    assert "import os" not in body.text


def test_own_package_is_no_label(table):
    for name, group in zip(table.space.decode(table.targets), table.group, strict=True):
        assert group.split(".")[0] not in name


def test_rows_are_real_labelled_and_unique(table):
    assert len(table) > 1000
    assert len(set(table.inputs.values)) == len(table)
    assert table.targets.row_counts().min() >= 1
    assert len(set(table.row_ids)) == len(table)


def test_labels_have_the_minimum_count(table):
    assert table.targets.label_counts().min() >= 20


def test_a_known_function_has_its_labels(table):
    """`base64.b64encode` has called nothing but `binascii` in every Python 3."""
    texts = zip(table.row_ids, table.inputs.values, strict=True)
    (row,) = [
        row
        for row, (name, text) in enumerate(texts)
        if name.startswith("base64:") and "def b64encode" in text
    ]
    assert table.space.decode(table.targets.rows([row])) == [["binascii"]]


def test_the_same_rows_in_the_same_order_every_time(table):
    library_snippets.cache_clear()
    again = imports(min_count=100)
    kept = table.space.columns(again.space.names)
    rows = np.flatnonzero(table.targets.columns(kept).row_counts())
    assert 0 < len(kept) < len(table.space)
    assert again.inputs.values == table.inputs.take(rows).values
    assert again.targets == table.targets.rows(rows).columns(kept)


def test_sentence_names_the_python(table):
    assert f"Python {platform.python_version()}" in table.notes.sentence
    assert np.array_equal(table.group, [name.split(":")[0] for name in table.row_ids])


def test_a_python_without_sources_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(InputError, match="no source files of its standard library"):
        imports()
