"""Plain text as rows: a line each, or a paragraph between blank lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from multigraft.contracts.formats import PLAIN, Chunk, Layout, Parsed
from multigraft.data.sources.cells import column, open_text
from multigraft.data.sources.delimited import refuse_returns
from multigraft.data.sources.formats import blocks, read_chunks

TEXT = "text"
"""The column that plain text is read as."""


def read_lines(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a row a line; blank lines are left out and noted."""
    chunks = partial(line_chunks, layout=layout)
    return read_chunks(path, chunks, path.stat().st_size, f"lines {layout}")


def read_paragraphs(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a row a paragraph: the lines between blank ones, joined by line feeds."""
    chunks = partial(paragraph_chunks, layout=layout)
    return read_chunks(path, chunks, path.stat().st_size, f"paragraphs {layout}")


def line_chunks(path: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read a row a line, some at a time."""
    return _chunks(path, layout=layout, cut=_lines)


def paragraph_chunks(path: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read a row a paragraph, some at a time."""
    return _chunks(path, layout=layout, cut=_paragraphs)


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
