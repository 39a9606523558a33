"""Pages as tests read them: tags with their attributes, and the cells of tables."""

import base64
import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags of a page in order, and the text of all cells; every tag must be closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] in (["td"], ["th"]):
            self.cells.append(data)

    @property
    def pictures(self) -> list[tuple[bytes, str]]:
        """The embedded PNG files, each with its alternative text."""
        found = [attributes for tag, attributes in self.tags if tag == "img"]
        start = "data:image/png;base64,"
        assert all(attributes["src"].startswith(start) for attributes in found)
        return [(base64.b64decode(a["src"].removeprefix(start)), a["alt"]) for a in found]

    def check(self) -> None:
        """It stands alone, and readers of screens find their way."""
        assert self.open == []
        assert not re.search(r"https?://|<script|<link|@import|url\(", self.text)
        assert dict(self.tags)["html"]["lang"] == "en"
        assert all("scope" in attributes for tag, attributes in self.tags if tag == "th")
        assert all(alternative for _, alternative in self.pictures)
