"""HTML for notebooks, in which every text from outside is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from pathnet_evo.values.names import on_one_line


def escaped(text: object) -> str:
    """A text as HTML shows it, on one line: no markup, no control characters."""
    return html.escape(on_one_line(str(text)))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: object = "") -> str:
    """A table; the first cell of each row names it.

    Args:
        head: titles of the columns.
        rows: the cells of each row.
        caption: what the table shows.
    """
    titles = "".join(f'<th scope="col">{escaped(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{escaped(first)}</th>'
        + "".join(f"<td>{escaped(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    named = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return f"<table>{named}<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
