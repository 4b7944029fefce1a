"""Label spaces on disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhot.errors import InputError, MissingExtraError
from manyhot.labels import Constraint, Group, LabelSpace, read_unknown_code

HEADS = """
heads:
  colour:   {exclusive: [black, blue, red]}
  type:     {exclusive: [dress, jeans, shirt], allow_none: true}
  details:  {independent: [striped, denim, sleeveless], unknown: -1}
rules: ["jeans -> not sleeveless", "jeans -> denim"]
"""

SPACE = LabelSpace(
    ["a -> b", "not c", "ü|;,", "d"],
    groups=[Group("g", ("a -> b", "d"), allow_none=True)],
    parents={"ü|;,": ["d", "not c"]},
    rules=[Constraint("implies", "a -> b", "not c"), Constraint("excludes", "not c", "d")][:1],
)


def test_json_and_yaml_round_trip_even_with_ugly_names() -> None:
    assert LabelSpace.from_json(SPACE.to_json()) == SPACE
    assert LabelSpace.from_yaml(SPACE.to_yaml()) == SPACE
    assert LabelSpace.from_dict(SPACE.to_dict()) == SPACE


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=6, unique=True))
def test_any_names_survive_json_and_yaml(names: list[str]) -> None:
    space = LabelSpace(names)
    assert LabelSpace.from_json(space.to_json()).names == tuple(names)
    if all(name.isprintable() for name in names):
        assert LabelSpace.from_yaml(space.to_yaml()).names == tuple(names)


def test_the_heads_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(HEADS)
    space = LabelSpace.read(path)
    assert space.names == (
        "black", "blue", "red", "dress", "jeans", "shirt", "striped", "denim", "sleeveless",
    )  # fmt: skip
    assert space.groups == (
        Group("colour", ("black", "blue", "red")),
        Group("type", ("dress", "jeans", "shirt"), allow_none=True),
    )
    assert space.independent == ("striped", "denim", "sleeveless")
    assert [str(rule) for rule in space.rules] == ["jeans -> not sleeveless", "jeans -> denim"]
    assert read_unknown_code(path) == -1


def test_a_file_of_names_and_one_of_json_are_read(tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text('["b", "a"]')
    assert LabelSpace.read(names) == LabelSpace(["b", "a"])
    assert read_unknown_code(names) is None
    whole = tmp_path / "space.JSON"
    whole.write_text("\ufeff" + SPACE.to_json(), encoding="utf-8")
    assert LabelSpace.read(str(whole)) == SPACE


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "x.yaml",
            "heads: {colour: [yes, no]}",
            r"label 0: expected a string, got True \(bool\); put it in quotes",
        ),
        (
            "x.yaml",
            "heads: {colour: {exclusive: red}}",
            "head 'colour': expected a list of labels, got 'red'",
        ),
        ("x.yaml", "heads: {colour: {exklusive: [a, b]}}", "head 'colour': expected either 'exclusive"),
        (
            "x.yaml",
            "heads: {c: {exclusive: [a, b], allow: 1}}",
            "head 'c': unknown key 'allow'; the keys are",
        ),
        ("x.yaml", "names: [a\n", "not YAML"),
        ("x.yaml", "", "expected 'names: "),
        ("x.yaml", "names: [a]\nrule: []", "unknown key 'rule'; the keys are version, names"),
        ("x.json", '{"names": ["a"],\n}', "not JSON: line 2"),
        ("x.json", '{"names": ["a"], "version": 9}', "label space of version 9, this manyhot reads 1"),
        ("x.json", '{"names": ["a", "a"]}', "label 'a' is there twice"),
        ("x.json", '{"names": "ab"}', "expected a list of label names, got 'ab'"),
        ("x.json", '{"names": ["a"], "rules": [{"kind": "implies"}]}', "a rule: key 'label' is missing"),
        ("x.json", '{"names": ["a"], "rules": [["a", "b"]]}', "a rule: expected the keys kind, label, other"),
        ("x.json", '{"names": ["a"], "groups": [{"name": "g"}]}', "a group: key 'labels' is missing"),
        ("x.txt", "a", "expected a .json, .yaml or .yml file, got the suffix '.txt'"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        LabelSpace.read(path)
    assert name in str(caught.value)


def test_a_missing_file_and_two_codes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels file .*nowhere.json: cannot be read"):
        LabelSpace.read(tmp_path / "nowhere.json")
    path = tmp_path / "codes.yaml"
    path.write_text("heads: {a: {independent: [x], unknown: -1}, b: {independent: [y], unknown: 9}}")
    with pytest.raises(InputError, match=r"expected one unknown code, got \[-1, 9\]"):
        read_unknown_code(path)


def test_without_pyyaml_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'manyhot\[yaml\]'"):
        SPACE.to_yaml()
