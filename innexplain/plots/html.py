"""Pages that need nothing else, not even a network: style, tables and pictures inside the file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0; overflow-x: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #888; }
tbody th { font-weight: normal; font-family: ui-monospace, monospace; }
.for { color: #b2182b; font-weight: 600; } .against { color: #2166ac; font-weight: 600; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def document(title: str, body: str) -> str:
    """A whole page around a body that is HTML already.

    >>> document("a < b", "<p>text</p>").splitlines()[5]
    '<title>a &lt; b</title>'
    """
    return _PAGE.format(title=escape(title), style=_STYLE, body=body)


def picture(png: bytes, alternative: str, caption: str = "") -> str:
    r"""A PNG file as part of the page, with a text for those who do not see it.

    >>> picture(b"x", "a map")
    '<figure>\n<img src="data:image/png;base64,eA==" alt="a map">\n</figure>'
    """
    data = base64.b64encode(png).decode("ascii")
    below = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure>\n<img src="data:image/png;base64,{data}" alt="{escape(alternative)}">{below}\n</figure>'


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names the rows.

    >>> "<td>2</td>" in table("numbers", ["name", "value"], [["a", "2"]])
    True
    """
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return (
        f'<div class="wide"><table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )
