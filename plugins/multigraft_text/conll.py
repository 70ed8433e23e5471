"""CoNLL files: a word a line with its columns, and an empty line behind each sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.cells import open_text
from multigraft.errors import DataError

DOCUMENT = "-DOCSTART-"
"""The word of a line that begins a document in the files of CoNLL 2003."""
Line = tuple[int, list[str]]
"""Its number, from 1, and its cells."""


def read_conll(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read ``words`` and ``tags``, the first and the last column, a sentence a row.

    Columns between them are called by their place: ``column 2`` of a file of CoNLL 2003 holds parts
    of speech. Where a line holds tabs they separate its cells, else spaces do. Lines with ``#`` in
    front of a sentence of cells with tabs are comments. A sentence whose lines have not as many
    cells as its first one is a bad row. Raises DataError for a file without sentences.
    """
    with open_text(path, layout.encoding) as file:
        sentences = list(_sentences(file))
    if not sentences:
        raise DataError(
            f"{path.name}: holds no words; a word a line is needed, its tag behind it, and an "
            "empty line behind each sentence"
        )
    width = len(sentences[0][0][1])
    if width < 2:
        raise DataError(f"{path.name}: line {sentences[0][0][0]}: a word and its tag are needed")
    bad = {
        row: why
        for row, sentence in enumerate(sentences)
        if (why := _uneven(sentence, width)) is not None
    }
    names = ["words", *(f"column {place}" for place in range(2, width)), "tags"]
    columns = {
        name: [
            None if row in bad else [cells[place] for _, cells in sentence]
            for row, sentence in enumerate(sentences)
        ]
        for place, name in enumerate(names)
    }
    return Parsed(columns, bad, kind="sentence")


def _sentences(lines: Iterable[str]) -> Iterator[list[Line]]:
    numbered = iter(enumerate(lines, 1))
    while True:
        first = next(numbered, None)
        if first is None:
            return
        block = [first, *takewhile(lambda line: bool(line[1].strip()), numbered)]
        tabs = any("\t" in text for _, text in block)
        cells = [
            (number, _cells(text, tabs=tabs))
            for number, text in block
            if text.strip() and not (tabs and text.startswith("#") and "\t" not in text)
        ]
        if sentence := [line for line in cells if line[1][0] != DOCUMENT]:
            yield sentence


def _cells(text: str, *, tabs: bool) -> list[str]:
    bare = text.strip("\r\n")
    if tabs:
        return [cell.strip() for cell in bare.split("\t")]
    return [cell for cell in bare.split(" ") if cell]  # other spaces are a word's own


def _uneven(sentence: list[Line], width: int) -> str | None:
    """What is wrong with a sentence that has not the cells of the first; None where nothing is."""
    for number, cells in sentence:
        if len(cells) != width:
            return f"line {number} has {len(cells)} cells; the first of the file has {width}"
        if not all(cells):
            return f"line {number} has an empty cell"
    return None
