"""Pages that need nothing else: escaped, embedded, closed."""

import numpy as np
import pytest

from innexplain.plots import save_image
from innexplain.plots.html import document, picture, table
from tests.pages import Page

HOSTILE = "<b title=\"x\">&amp; 'quoted'</b> {braces}"


def test_a_picture_is_inside_the_page(tmp_path) -> None:
    png = save_image(np.zeros((2, 3, 3), "uint8"), tmp_path / "a.png").read_bytes()
    page = Page(document("t", picture(png, "what it shows", "below")))
    page.check()
    assert page.pictures == [(png, "what it shows")]
    assert "<figcaption>below</figcaption>" in page.text
    assert "figcaption" not in picture(png, "a")


def test_texts_are_escaped() -> None:
    body = picture(b"x", HOSTILE, HOSTILE) + table(HOSTILE, [HOSTILE, "b"], [[HOSTILE, HOSTILE]])
    page = Page(document(HOSTILE, body))
    page.check()
    assert "<b" not in page.text.replace("<body>", "")
    assert page.pictures == [(b"x", HOSTILE)]
    assert page.cells == [HOSTILE, "b", HOSTILE, HOSTILE]


@pytest.mark.parametrize(
    ("rows", "cells"), [([], []), ([["a", "1"], ["b", "2"]], ["a", "1", "b", "2"]), ([["a"]], ["a"])]
)
def test_the_first_column_names_the_rows(rows: list, cells: list) -> None:
    page = Page(document("t", table("numbers", ["name", "value"], rows)))
    page.check()
    assert page.cells == ["name", "value", *cells]
    scopes = [attributes["scope"] for tag, attributes in page.tags if tag == "th"]
    assert scopes == ["col", "col", *["row"] * len(rows)]
    assert "<caption>numbers</caption>" in page.text


def test_the_body_is_html_already() -> None:
    text = document("title", "<p>{not a field}</p>")
    assert "<p>{not a field}</p>" in text
    assert "<title>title</title>" in text
    assert Page(text).open == []
