"""The head of an ARFF file, and which of its attributes are labels in the Mulan, MEKA and Clus dialects."""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manyhot.data.files import bare_name
from manyhot.data.frames import listed, short
from manyhot.data.label_columns import Wishes, columns_named, label_names_in
from manyhot.data.marks import NO, YES
from manyhot.data.roles import PART_WORDS
from manyhot.errors import InputError

_ATTRIBUTE = re.compile(
    r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(.+)$""", re.IGNORECASE
)
_VALUE = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)""")
_MEKA = re.compile(r"-C\s+(-?\d+)")
NUMERIC = ("numeric", "real", "integer")


@dataclass(frozen=True)
class Attribute:
    """One attribute; kind is "number", "nominal" (with values), "string" or "hierarchical" (with classes)."""

    name: str
    kind: str
    values: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether its values are 0 and 1, or words for them."""
        lower = [value.lower() for value in self.values]
        return self.kind == "nominal" and set(lower) <= {*YES, *NO}

    @property
    def is_numeric(self) -> bool:
        """Whether its cells are to be read as numbers: declared so, or nominal in 0 and 1."""
        return self.kind == "number" or (self.kind == "nominal" and set(self.values) <= {"0", "1"})


@dataclass(frozen=True)
class Header:
    """The relation, its attributes, and the line that says @data."""

    relation: str
    attributes: tuple[Attribute, ...]
    data_line: int

    @property
    def names(self) -> list[str]:
        """Attribute names in order."""
        return [attribute.name for attribute in self.attributes]


@dataclass(frozen=True)
class Labels:
    """Which attributes are labels (column numbers), how that is known, and the parents that the XML gives."""

    columns: tuple[int, ...]
    how: str
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)


def parse_header(text: str, name: str) -> Header:
    """The header up to and with the line @data.

    Raises:
        InputError: no @data, a malformed or repeated attribute, with its line.
    """
    relation = ""
    attributes: list[Attribute] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        word = line.split(None, 1)[0].lower() if line else ""
        if word == "@relation":
            relation = unquoted(line[len(word) :].strip())
        elif word == "@attribute":
            attributes.append(_attribute(line, f"{name}:{number}"))
        elif word == "@data":
            twice = [label for label, count in Counter(a.name for a in attributes).items() if count > 1]
            if twice:
                raise InputError(
                    f"{name}: attribute {listed(twice, 3)} is declared twice: give each its own name"
                )
            if not attributes:
                raise InputError(f"{name}:{number}: @data without any @attribute before it")
            return Header(relation, tuple(attributes), number)
        elif word and not word.startswith("%"):
            raise InputError(f"{name}:{number}: {short(line)} is no @attribute, no @data and no % comment")
    raise InputError(f"{name}: there is no @data line: the file is cut short")


def labels_of(header: Header, path: Path, wishes: Wishes, xml: Path | None) -> Labels:
    """The label attributes: as wished, by the XML file, by `-C n` in the relation, or a hierarchical one.

    Raises:
        InputError: none of these says them.
    """
    if wishes.labels is not None:
        return _wished(header, path, wishes)
    xml = xml or _xml_beside(path, header)
    if xml is not None:
        return _of_xml(header, xml)
    meka = _MEKA.search(header.relation)
    if meka:
        return _of_meka(header, int(meka[1]), path)
    hierarchical = [place for place, a in enumerate(header.attributes) if a.kind == "hierarchical"]
    if len(hierarchical) == 1:
        return Labels(tuple(hierarchical), f"in '{header.attributes[hierarchical[0]].name}'")
    if wishes.space is not None:
        found = [place for place, name in enumerate(header.names) if name in wishes.space]
        if found:
            return Labels(tuple(found), "named by the label space")
    raise InputError(
        f"{path.name} does not say which attributes are labels: no XML file with their names lies beside "
        "it, and its "
        "@relation has no -C n: say xml=..., or labels=... with names, a pattern, or a file of names"
    )


def unquoted(text: str) -> str:
    """A name or value without its quotes and backslashes."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text)


def _attribute(line: str, where: str) -> Attribute:
    match = _ATTRIBUTE.match(line)
    if match is None:
        raise InputError(f"{where}: {short(line)} is no attribute; wanted @attribute name type")
    name = re.sub(r"\\(.)", r"\1", next(group for group in match.groups()[:3] if group is not None))
    kind = match[4].strip()
    lower = kind.lower()
    if kind.startswith("{"):
        if "}" not in kind:
            raise InputError(f"{where}: the values of attribute '{name}' open with {{ and never close")
        return Attribute(name, "nominal", tuple(values_of(kind[1 : kind.rindex("}")])))
    if lower.startswith(NUMERIC):
        return Attribute(name, "number")
    if lower.startswith("hierarchical"):
        return Attribute(name, "hierarchical", tuple(values_of(kind[len("hierarchical") :])))
    if lower.startswith(("string", "date")):
        return Attribute(name, "string")
    raise InputError(
        f"{where}: attribute '{name}' has type {short(kind)}; wanted numeric, {{values}}, string or "
        "hierarchical"
    )


def values_of(text: str) -> list[str]:
    """The values of a list in an ARFF file, without quotes and outer spaces."""
    values = []
    position = 0
    while position < len(text):
        match = _VALUE.match(text, position)
        if match is None or match.end() == position:
            break
        value = next((group for group in match.groups() if group is not None), "")
        values.append(re.sub(r"\\(.)", r"\1", value))
        position = match.end()
    return values


def _wished(header: Header, path: Path, wishes: Wishes) -> Labels:
    wish = wishes.labels
    assert wish is not None
    if isinstance(wish, str) and wish not in header.names and Path(wish).is_file():
        if Path(wish).suffix.lower() == ".xml":
            return _of_xml(header, Path(wish))
        wish = label_names_in(Path(wish))
    names = columns_named(header.names, wish, "labels", path)
    return Labels(tuple(header.names.index(name) for name in names), "as named")


def _of_meka(header: Header, count: int, path: Path) -> Labels:
    width = len(header.attributes)
    if not 0 < abs(count) < width:
        raise InputError(
            f"{path.name}: @relation says -C {count}, but there are {width} attributes: mend the number"
        )
    columns = range(count) if count > 0 else range(width + count, width)
    return Labels(tuple(columns), f"({'the first' if count > 0 else 'the last'} attributes: -C {count})")


def _of_xml(header: Header, xml: Path) -> Labels:
    parents = xml_labels(xml)
    place = {name: column for column, name in enumerate(header.names)}
    missing = [name for name in parents if name not in place]
    if missing:
        raise InputError(
            f"{xml.name} names labels that are no attributes: {listed(missing, 3)}: is it the file of this "
            "data?"
        )
    above = {name: (parent,) for name, parent in parents.items() if parent is not None}
    return Labels(tuple(sorted(place[name] for name in parents)), f"named in {xml.name}", above)


def xml_labels(path: Path) -> dict[str, str | None]:
    """Label -> its parent or None, as a Mulan XML file nests them.

    Raises:
        InputError: not XML, or without labels.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{path.name} is not XML ({error}): mend it") from error
    found: dict[str, str | None] = {}

    def walk(node: ElementTree.Element, parent: str | None) -> None:
        for child in node:
            if child.tag.rpartition("}")[2] == "label" and "name" in child.attrib:
                name = child.attrib["name"]
                if name in found:
                    raise InputError(f"{path.name} names label '{name}' twice: name each once")
                found[name] = parent
                walk(child, name)

    walk(root, None)
    if not found:
        raise InputError(f"{path.name} holds no <label name=...>: is it the label file of Mulan?")
    return found


def _xml_beside(path: Path, header: Header) -> Path | None:
    stem = bare_name(path)[0]
    words = [word for word in re.split(r"[-_.]", stem) if word.lower() not in PART_WORDS]
    files = sorted(path.parent.glob("*.xml"))
    for file in files:
        if file.stem == stem or re.split(r"[-_.]", file.stem) == words:
            return file
    names = set(header.names)
    return next((file for file in files if _names_only(file, names)), None)


def _names_only(xml: Path, names: "set[str] | Sequence[str]") -> bool:
    """Whether an XML file of another name lists labels that all are attributes here."""
    try:
        return set(xml_labels(xml)) <= set(names)
    except InputError:  # some other XML file that happens to lie there
        return False
