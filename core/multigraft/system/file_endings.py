"""File endings: the one that tells a format, with what packs a file left aside."""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath

ZIP = ".zip"
PACKED = (".gz", ".bz2", ".xz", ".zst", ZIP)
"""The endings of what is unpacked: one file, or an archive."""

TABLES = (
    *(".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"),
    *(".xlsx", ".xlsm"),
)
"""The endings of the tables that core reads; plugins bring more."""


def is_packed(file: PurePath) -> bool:
    """Tell a compressed file or an archive by its ending."""
    return file.suffix.lower() in PACKED


def ending_of(file: str | PurePath) -> str:
    """The ending that tells the format, with what packs it left aside, in small letters.

    >>> ending_of("a.csv.gz"), ending_of("a.JSONL"), ending_of("a.zip"), ending_of("a.gz")
    ('.csv', '.jsonl', '.zip', '')
    """
    path = PurePosixPath(file)
    plain = path.suffix.lower() not in PACKED or path.suffix.lower() == ZIP
    return (path if plain else PurePosixPath(path.stem)).suffix.lower()
