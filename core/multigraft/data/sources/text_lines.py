"""Plain text as rows: a line each, or a paragraph between blank lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.arrow_cache import Chunk
from multigraft.data.sources.cells import column, open_text
from multigraft.data.sources.delimited import refuse_returns
from multigraft.data.sources.formats import blocks, read_chunks

TEXT = "text"
"""The column that plain text is read as."""


def read_lines(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a row a line; blank lines are left out and noted."""
    chunks = partial(_chunks, layout=layout, cut=_lines)
    return read_chunks(path, chunks, path.stat().st_size, f"lines {layout}")


def read_paragraphs(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a row a paragraph: the lines between blank ones, joined by line feeds."""
    chunks = partial(_chunks, layout=layout, cut=_paragraphs)
    return read_chunks(path, chunks, path.stat().st_size, f"paragraphs {layout}")


def _chunks(
    path: Path, *, layout: Layout, cut: Callable[[Iterable[str], list[str]], Iterator[str]]
) -> Iterator[Chunk]:
    first, notes = 0, list[str]()
    with open_text(path, layout.encoding) as file:
        lines = (line.removesuffix("\n").removesuffix("\r") for line in file)
        for block in blocks((text, len(text)) for text in cut(lines, notes)):
            if not first:
                refuse_returns(path, block[0])
            bad: dict[int, str] = {}
            values = column(block, TEXT, bad, first, layout.encoding)
            yield Chunk({TEXT: values}, len(block), bad)
            first += len(block)
    yield Chunk({} if first else {TEXT: []}, 0, notes=notes)


def _lines(lines: Iterable[str], notes: list[str]) -> Iterator[str]:
    blank = 0
    for line in lines:
        if line.strip():
            yield line
        else:
            blank += 1
    if blank:
        what = "blank line" if blank == 1 else "blank lines"
        notes.append(
            f"{blank} {what} left out; a row is a line: where blank lines part what belongs "
            "together, set data.format: paragraphs"
        )


def _paragraphs(lines: Iterable[str], notes: list[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        if line.strip():
            held.append(line)
        elif held:
            yield "\n".join(held)
            held = []
    if held:
        yield "\n".join(held)
