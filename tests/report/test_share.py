"""A small table and figure in; what the shared page holds, and that a browser shows it without running anything."""

from __future__ import annotations

from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from stan.report import share

HOSTILE = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">"
TABLE = pd.DataFrame(
    {"row": [HOSTILE, "stan"], "fair": [True, False], "top-1": [43.25, np.nan], "95 %": ["1 to 2", None]}
)


def made(title: str = "Runs") -> bytes:
    figure, axes = plt.subplots()
    axes.set_title("</svg><script>1</script>")
    axes.barh([0, 1], [1, 2])
    return share.page(title, [HOSTILE], TABLE, {HOSTILE: figure}, [HOSTILE, "s/r/h-s0"], f"stan {HOSTILE}")


class Seen(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, page: bytes):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_the_page_holds_the_table_the_figure_and_where_they_are_from():
    seen = Seen(made())
    assert [text for text in seen.texts if text in ("43.3", "–", "✓", "1 to 2", "stan")] == [
        *("✓", "43.3", "1 to 2"),
        *("stan", "–", "–"),
    ]
    assert "s/r/h-s0" in seen.texts and f"stan {HOSTILE}" in seen.texts
    classes = [of.get("class") for tag, of in seen.tags if tag == "th"]
    assert classes == [None, None, "number", None]


def test_names_are_text_and_nothing_is_loaded_or_run():
    seen = Seen(made(HOSTILE))
    kinds = {tag for tag, _ in seen.tags}
    assert not kinds & {"script", "link", "iframe", "object", "svg"}
    assert seen.texts.count(HOSTILE) == 6, "title, heading, paragraph, cell, caption, run"
    [picture] = [of for tag, of in seen.tags if tag == "img"]
    assert picture["src"].startswith("data:image/svg+xml;base64,") and picture["alt"] == HOSTILE
    assert "onerror" not in picture
    [policy] = [of["content"] for tag, of in seen.tags if of.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_equal_content_gives_equal_bytes():
    assert made() == made()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_it_from_the_disk(open_page, tmp_path, width):
    file = tmp_path / "shared.html"
    file.write_bytes(made("Shared"))
    asked = []
    page = open_page("about:blank", width=width)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.title() == "Shared"
    assert page.locator("img").evaluate("image => image.naturalWidth > 100")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
