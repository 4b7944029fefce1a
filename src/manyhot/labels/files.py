"""Reading and writing a label space: plain dicts, JSON, YAML, and the `heads` form that people write."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from manyhot.errors import InputError, MissingExtraError
from manyhot.labels.links import Constraint

if TYPE_CHECKING:
    from manyhot.labels.space import LabelSpace

VERSION = 1
Read = TypeVar("Read")


def to_dict(space: "LabelSpace") -> dict[str, Any]:
    """Plain content of a space. Rules are records, since a label's name may contain an arrow."""
    return {
        "version": VERSION,
        "names": list(space.names),
        "groups": [
            {"name": group.name, "labels": list(group.labels), "allow_none": group.allow_none}
            for group in space.groups
        ],
        "parents": {label: list(above) for label, above in space.parents.items()},
        "rules": [{"kind": rule.kind, "label": rule.label, "other": rule.other} for rule in space.rules],
    }


def canonical(space: "LabelSpace") -> dict[str, Any]:
    """The content of `to_dict`, the same for spaces that mean the same."""
    content = to_dict(space)
    content["parents"] = {label: sorted(above) for label, above in space.parents.items()}
    content["rules"] = [
        {"kind": kind, "label": label, "other": other}
        for label, kind, other in sorted(rule.meaning for rule in space.rules)
    ]
    return content


def parts_of(content: Any) -> dict[str, Any]:
    """Arguments of `LabelSpace` from plain content, in the form of `to_dict` or with `heads`."""
    from manyhot.labels.space import Group

    if isinstance(content, list):
        content = {"names": content}
    if not isinstance(content, Mapping) or not ("names" in content or "heads" in content):
        raise InputError("expected 'names: [...]' or 'heads: {name: {exclusive or independent: [...]}}'")
    _known_keys("a label space", content, ("version", "names", "heads", "groups", "parents", "rules"))
    if content.get("version", VERSION) != VERSION:
        raise InputError(
            f"label space of version {content['version']}, this manyhot reads {VERSION}; upgrade it"
        )
    if isinstance(content.get("names"), str):
        raise InputError(f"expected a list of label names, got {content['names']!r:.80}")
    names, groups = list(content.get("names") or ()), []
    for head, body in (content.get("heads") or {}).items():
        labels, exclusive, allow_none = _head(head, body)
        names += labels
        if exclusive:
            groups.append(Group(head, tuple(labels), allow_none))
    for group in content.get("groups") or ():
        _known_keys("a group", group, ("name", "labels", "allow_none"), needed=("name", "labels"))
        groups.append(Group(group["name"], group["labels"], group.get("allow_none", False)))
    rules = []
    for rule in content.get("rules") or ():
        if not isinstance(rule, str):
            _known_keys("a rule", rule, ("kind", "label", "other"), needed=("kind", "label", "other"))
        rules.append(rule if isinstance(rule, str) else Constraint(**rule))
    return {"names": names, "groups": groups, "parents": content.get("parents") or {}, "rules": rules}


def read_unknown_code(path: str | Path) -> float | None:
    """The `unknown` code that the heads of a labels file declare, None without one.

    It tells how files of data are read and is no part of the space.

    Raises:
        InputError: two heads declare different codes.
    """
    content = located(path, lambda: content_of(path))
    heads = content.get("heads", {}) if isinstance(content, Mapping) else {}
    codes = {body["unknown"] for body in heads.values() if isinstance(body, Mapping) and "unknown" in body}
    if len(codes) > 1:
        raise InputError(f"{path}: expected one unknown code, got {sorted(codes)}; recode the data to one")
    return codes.pop() if codes else None


def content_of(path: str | Path) -> Any:
    """Plain content of a .json, .yaml or .yml file."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise InputError(f"expected a .json, .yaml or .yml file, got the suffix {suffix!r}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}") from error
    return parsed_json(text) if suffix == ".json" else parsed_yaml(text)


def located(path: str | Path, read: Callable[[], Read]) -> Read:
    """The result of `read`, its input errors told with the file's name."""
    try:
        return read()
    except InputError as error:
        raise InputError(f"labels file {path}: {error}") from error


def parsed_json(text: str) -> Any:
    """Content of a JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: line {error.lineno}: {error.msg}") from error


def parsed_yaml(text: str) -> Any:
    """Content of a YAML text."""
    module = yaml()
    try:
        return module.safe_load(text)
    except module.YAMLError as error:
        raise InputError(f"not YAML: {error}") from error


def yaml() -> ModuleType:
    """PyYAML, or the error that tells how to install it."""
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("pyyaml", "yaml", "a label space in YAML") from error
    return yaml


def _head(head: str, body: Any) -> tuple[list[str], bool, bool]:
    """(labels, whether exclusive, whether none is allowed) of one head."""
    if isinstance(body, list):
        return body, False, False
    if not isinstance(body, Mapping) or ("exclusive" in body) == ("independent" in body):
        raise InputError(
            f"head {head!r}: expected either 'exclusive: [...]' or 'independent: [...]', got {body!r:.80}"
        )
    _known_keys(f"head {head!r}", body, ("exclusive", "independent", "allow_none", "unknown"))
    exclusive = "exclusive" in body
    labels = body["exclusive" if exclusive else "independent"]
    if not isinstance(labels, list):
        raise InputError(f"head {head!r}: expected a list of labels, got {labels!r:.80}")
    return labels, exclusive, bool(body.get("allow_none", False))


def _known_keys(what: str, content: Any, allowed: tuple[str, ...], *, needed: tuple[str, ...] = ()) -> None:
    if not isinstance(content, Mapping):
        raise InputError(f"{what}: expected the keys {', '.join(allowed)}, got {content!r:.80}")
    strange = [key for key in content if key not in allowed]
    if strange:
        raise InputError(f"{what}: unknown key {strange[0]!r}; the keys are {', '.join(allowed)}")
    missing = [key for key in needed if key not in content]
    if missing:
        raise InputError(f"{what}: key {missing[0]!r} is missing in {dict(content)!r:.80}")
