"""The page of filters, made of their records: ``python docs/website/filters.py`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference import options

from multigraft.contracts.filters import Dropped, Filter
from multigraft.contracts.options import defaults
from multigraft.plugins.catalog import Catalog

PAGE = Path(__file__).parents[1] / "filters.md"
TITLES = {
    "": "Of any modality",
    "text": "Of texts",
    "image": "Of pictures",
    "audio": "Of sounds",
}
HEAD = """# Filters: the steps of `multigraft prepare`

Each with its rule, where rule and defaults come from, and its options.
Those that judge a text by itself have an example on both sides.
[Preparing](preparing.md) says how they are used.
This page is made of the filters' records by `python docs/website/filters.py`.
Words are what blanks part, unless a rule says otherwise.
A group names several filters at their defaults.
"""
LONGEST = 160


def page() -> str:
    """The page as text."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    found = Catalog().filters()
    yield HEAD
    for modality, title in TITLES.items():
        mine = [each for each in found if each.modality == modality]
        yield f"## {title}\n"
        groups = list(dict.fromkeys(group for each in mine for group in each.groups))
        for group in groups:
            names = ", ".join(f"`{each.name}`" for each in mine if group in each.groups)
            yield f"- group `{group}`: {names}"
        yield from ([""] if groups else [])
        for each in mine:
            yield from _filter(each)


def _filter(record: Filter) -> Iterator[str]:
    yield f"### {record.name}\n"
    yield f"{record.help}\n"
    yield f"Source: {record.source}.\n"
    yield from options(record.options)
    if record.modality == "text" and record.judge is not None and record.keeps and record.drops:
        judge = record.judge({**defaults(record.options), **record.trial})
        kept, value = record.keeps(), record.drops()
        trial = {name: each for name, each in record.trial.items() if name != "against"}
        tried = f", with `{trial}`" if trial else ""
        yield f"| | text{tried} |\n|---|---|"
        yield f"| kept | {_cell(kept)} |"
        yield from _verdict(value, judge(value))
        yield ""


def _verdict(value: str, found: Any) -> Iterator[str]:
    if isinstance(found, Dropped):
        yield f"| dropped: {found.why} | {_cell(value)} |"
    else:
        yield f"| mended | {_cell(value)} |"
        yield f"| becomes | {_cell(found)} |"


def _cell(text: str) -> str:
    """A text as code in a cell of a table."""
    short = text if len(text) <= LONGEST else text[:LONGEST] + " ..."
    return "`" + short.replace("\n", " ⏎ ").replace("|", "¦").replace("`", "'") + "`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
