"""Magic bytes: files that are not the text their name says, told by their first bytes."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path

from multigraft.errors import DataError

START = 4096
SIGNS: Mapping[bytes, str] = {
    b"\xff\xfe\0\0": "is UTF-32; save it as UTF-8, or set data.encoding: utf-32",
    b"\0\0\xfe\xff": "is UTF-32; save it as UTF-8, or set data.encoding: utf-32",
    b"\xff\xfe": "is UTF-16; save it as UTF-8, or set data.encoding: utf-16",
    b"\xfe\xff": "is UTF-16; save it as UTF-8, or set data.encoding: utf-16",
    b"PK\x03\x04": "is a zip archive, as workbooks are: name it .zip or .xlsx, or save the sheet "
    "as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "is a workbook of old Excel (.xls); save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "is compressed by gzip; name it with .gz at its end, or: gunzip",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; name it with .zst at its end, or: unzstd",
    b"BZh": "is compressed by bzip2; name it with .bz2 at its end, or: bunzip2",
    b"\xfd7zXZ\0": "is compressed by xz; name it with .xz at its end, or: unxz",
    b"PAR1": "is a Parquet file; name it .parquet, or set data.format: parquet",
    b"ARROW1\0\0": "is an Arrow file; name it .arrow, or set data.format: arrow",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; fetch that: git lfs "
    "pull",
    b"<!DOCTYPE html": "is a page of the web; download the file itself",
    b"<html": "is a page of the web; download the file itself",
}
WIDE = ("utf-16", "utf-32")
MANY = 0.2
"""The share of NULs from which a file is no text; a cell that holds one is its row's fault."""


def refuse_foreign(path: Path, encoding: str) -> None:
    """Raise DataError where a file of text begins as another kind of file does."""
    with path.open("rb") as file:
        start = file.read(START)
    if codecs.lookup(encoding).name.startswith(WIDE):
        return
    for sign, what in SIGNS.items():
        if start.startswith(sign) or start[: len(sign)].lower() == sign.lower():
            raise DataError(f"{path.name}: {what}")
    if start.count(0) > len(start) * MANY:
        raise DataError(
            f"{path.name}: is no text, or UTF-16 without its mark: save it as UTF-8, or set "
            "data.encoding: utf-16-le (or utf-16-be)"
        )
