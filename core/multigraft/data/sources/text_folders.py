"""Folders of texts as rows: a file each, whose label is the folder it lies in."""

from __future__ import annotations

import codecs
from pathlib import Path

from multigraft.contracts.formats import AUTO, UTF8, Layout, Parsed
from multigraft.data.sources.cells import column
from multigraft.data.sources.encodings import by_mark, western
from multigraft.data.sources.folders import (
    Listing,
    find_rows,
    folder_notes,
    refuse_splits,
    shown_name,
)
from multigraft.data.sources.text_lines import TEXT

ENDINGS = (".txt",)


def is_text(file: Path) -> bool:
    """Tell a file of plain text by its ending."""
    return file.suffix.lower() in ENDINGS


def holds_texts(listing: Listing) -> bool:
    """Tell whether a folder's folders hold files of text."""
    return any("/" in name and name.lower().endswith(ENDINGS) for name in listing.files)


def text_folder(folder: Path, listing: Listing, layout: Layout) -> Parsed:
    """Read every ``.txt`` below a folder as a row, the first folder in its path as its label.

    Raises DataError where the folders are named as splits are.
    """
    name = folder.resolve().name
    rows = find_rows(listing, ENDINGS)
    refuse_splits(name, rows)
    paths = list(rows)
    bad = {number: why for number, why in enumerate(rows.values()) if why is not None}
    texts = [None if row in bad else _text(folder / path, layout) for row, path in enumerate(paths)]
    labels = [path.split("/")[0] if "/" in path else None for path in paths]
    return Parsed(
        {TEXT: column(texts, TEXT, bad), "label": column(labels, "label", bad)},
        bad,
        notes=list(folder_notes(listing, rows)),
        paths=[shown_name(path) for path in paths],
    )


def _text(file: Path, layout: Layout) -> str:
    """A file's text; what cannot be decoded is kept as lone surrogates, which cost its row."""
    found = layout.encoding
    if found == AUTO:
        found = by_mark(file) or UTF8
    text = _decoded(file, found)
    if layout.encoding == AUTO and found == UTF8 and not _is_sound(text):
        other = western(file)
        text = _decoded(file, other) if other else text
    return text


def _decoded(file: Path, encoding: str) -> str:
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return file.read_bytes().decode(codec, "surrogateescape")


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
