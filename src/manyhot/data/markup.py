"""Small tables for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def html_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A line and a table below it, as HTML; nothing in them is taken for markup."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
