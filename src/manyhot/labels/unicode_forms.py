"""Names that look the same and are not: é as one character, and as e with an accent set on it."""

from collections.abc import Iterable, Sequence
from unicodedata import normalize


def composed(name: str) -> str:
    """The name with each letter and its accents as one character (Unicode's form NFC)."""
    return name if name.isascii() else normalize("NFC", name)


def lookalikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ only in how their letters are composed, in sets of two or more."""
    alike: dict[str, list[str]] = {}
    for name in names:
        if not name.isascii():
            alike.setdefault(composed(name), []).append(name)
    return [tuple(dict.fromkeys(group)) for group in alike.values() if len(set(group)) > 1]


def twin(name: str, among: Sequence[str]) -> str | None:
    """Another of these names that looks the same."""
    if name.isascii():
        return None
    form = composed(name)
    return next((other for other in among if other != name and composed(other) == form), None)
