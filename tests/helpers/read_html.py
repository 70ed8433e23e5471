"""Pieces of HTML read back: whether their tags match, and what they say."""

from __future__ import annotations

from html.parser import HTMLParser

ALONE = {"br", "hr", "img", "input", "meta", "link"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"{tag} is closed where it is not open"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)


def read_html(text: str) -> tuple[list[str], list[str]]:
    """The tags in order, and the texts between them; every tag must be closed where it was
    opened."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [], f"left open: {reader.open}"
    return reader.tags, [each for each in reader.said if each.strip()]
