"""What all readers share: how rows become a batch, and how a reader's spec is kept in a folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from multigraft.contracts.padding import Fills, pad
from multigraft.contracts.reader import (
    CountingReader,
    Excess,
    Reader,
    TellingReader,
    WindowReader,
)
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import (
    BundleError,
    MultigraftError,
    OutOfMemory,
    RowError,
    as_ours,
    first_line,
    refused_as,
    shown,
)
from multigraft.system.files import check_plain, is_plain_name, leads_out, open_plain
from multigraft.system.validation import problem_lines

log = logging.getLogger("multigraft")
Checked = TypeVar("Checked", bound=BaseModel)
SPEC_BYTES = 2**28
"""The most bytes of a file that belongs to a spec; the largest published tokenizer takes 35 MB."""
UNREAD = "the file cannot be read"
"""How the reason begins for which a row's file was refused."""


@contextmanager
def no_panic() -> Iterator[None]:
    """A tokenizer that contradicts itself ends in a panic of Rust's, which is no Exception: raise
    BundleError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise BundleError(f"tokenizer.json contradicts itself: {error}") from error


@contextmanager
def row_errors() -> Iterator[None]:
    """Turn whatever reading one value raises into RowError: a decoder's library may raise anything.

    The border between the engine and every reader, built in or not. Errors of ours pass as they
    are. MemoryError is the row's too: a header that claims a terabyte gives one; an import for
    which there was no memory is not.
    """
    try:
        yield
    except MultigraftError:
        raise
    except Exception as error:
        # may be its own mistake: --debug shows where
        log.debug("the reader failed", exc_info=error)
        if isinstance(short := as_ours(error, RowError, "the reader failed"), OutOfMemory):
            raise short from error
        said = (
            error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        )
        # an error without a text is called by its type
        told = dict.fromkeys((type(error).__name__, said))
        raise RowError(f"the reader failed ({': '.join(told)})") from error


def read_row(reader: Reader, raw: Any) -> Arrays:
    """`Reader.read` as the engine calls it. Raises RowError, whatever the reader raises."""
    with row_errors():
        return reader.read(raw)


def all_windows(reader: Reader, raw: Any, first: Arrays) -> tuple[Arrays, ...]:
    """The rows in which all of a raw value is read, of which ``first`` is what `read` gave; that
    one alone where its ``rest`` is 0, the reader counts nothing beyond it, or has no windows.
    Raises RowError."""
    if not isinstance(reader, WindowReader) or int(first.get("rest", 1)) == 0:
        return (first,)
    if isinstance(reader, CountingReader) and excess_of(reader, raw, first) is None:
        return (first,)
    with row_errors():
        return tuple(reader.windows(raw))


def excess_of(reader: Reader, raw: Any, row: Arrays) -> Excess | None:
    """`CountingReader.excess` as the engine calls it; None where the reader does not count. Raises
    RowError."""
    if not isinstance(reader, CountingReader):
        return None
    with row_errors():
        return reader.excess(raw, row)


def oddities_of(reader: Reader, raw: Any) -> Sequence[str]:
    """`TellingReader.oddities` as the engine calls it; nothing where the reader tells nothing.
    Raises RowError."""
    if not isinstance(reader, TellingReader):
        return ()
    with row_errors():
        return reader.oddities(raw)


def collate(rows: Sequence[Arrays], fills: Fills) -> Arrays:
    """Stack rows into a batch; arrays named in ``fills`` are padded to the longest (see `pad`).

    >>> rows = [{"x": np.array([1, 2])}, {"x": np.array([3])}]
    >>> collate(rows, {"x": 0})["x"].tolist()
    [[1, 2], [3, 0]]
    """
    return {
        name: pad([row[name] for row in rows], fills[name])
        if name in fills
        else np.stack([row[name] for row in rows])
        for name in rows[0]
    }


def fingerprint(spec: Spec) -> str:
    """A short hash of a spec, equal for equal specs whatever the order of their keys."""
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def save_spec(spec: Spec, folder: Path) -> Spec:
    """Write the values whose key ends in ``.json`` as files of that name; return the spec without
    them.

    Such a value stays in the returned spec as None, which `load_spec` fills in again.
    """
    kept: Spec = {}
    for key, value in spec.items():
        if key.endswith(".json"):
            _refuse_path(key, folder)
            (folder / key).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
            kept[key] = None
        else:
            kept[key] = value
    return kept


def kind_of(spec: Any) -> Any:
    """The ``kind`` by which one of several readers is chosen; None of what is no spec, which
    `check_spec` refuses."""
    return spec.get("kind") if isinstance(spec, Mapping) else None


def check_spec(spec: Mapping[str, object], model: type[Checked]) -> Checked:
    """The spec as ``model`` describes it. Raises BundleError with every field that is missing or
    wrong.

    A spec comes from a run's folder or a bundle, which anybody may have written.
    """
    with refused_as(BundleError, "the reader's saved settings cannot be read"):
        try:
            return model.model_validate(spec)
        except ValidationError as error:
            lines = [f"  {line}" for line in problem_lines(error, model)]
            raise BundleError(
                "\n".join(["the reader's saved settings are wrong", *lines])
            ) from error


@contextmanager
def row_file(path: str | Path, *, limit: int | None = None) -> Iterator[BinaryIO]:
    """Open the file that a row names, the one door through which readers and sketches come to a
    file.

    Raises RowError for what is no plain file of at most ``limit`` bytes (a device, a pipe, a
    folder), and for an OSError of the block. No reason names the path.
    """
    try:
        with open_plain(path, limit=limit) as file:
            yield file
    except OSError as error:
        raise RowError(f"{UNREAD}: {error.strerror or type(error).__name__}") from error


def naming_file(reason: str, name: Any) -> str:
    """Why a row's file cannot be read with its name, for who gave it; any other reason as it is.

    >>> naming_file("the file cannot be read: No such file or directory", "a.png")
    "the file cannot be read: No such file or directory: 'a.png'"
    """
    if not isinstance(name, str | Path) or not reason.startswith(UNREAD):
        return reason
    return f"{reason}: {shown(str(name))}"


def row_bytes(path: str | Path, *, limit: int) -> bytes:
    """The bytes of the file that a row names, at most ``limit``. Raises RowError as `row_file`
    does."""
    with row_file(path, limit=limit) as file:
        size = os.fstat(file.fileno()).st_size  # Python takes as much memory as it is asked to read
        content = file.read(min(size, limit) + 1)
        if len(content) > size:  # it grows, or is one that tells no size
            content += file.read(limit + 1 - len(content))
        if len(content) > limit:
            raise RowError(f"the file cannot be read: it has more than {limit:,} bytes")
        return content


def load_spec(spec: Mapping[str, object], folder: Path) -> Spec:
    """Undo `save_spec`. Raises BundleError where a file is missing or a name leaves the folder."""
    full: Spec = {}
    for key, value in spec.items():
        if key.endswith(".json"):
            _refuse_path(key, folder)
        full[key] = _read_json(folder, key) if key.endswith(".json") and value is None else value
    return full


def _refuse_path(name: str, folder: Path) -> None:
    if not is_plain_name(name):
        raise BundleError(f"reader file {name!r} must lie in {folder}, not elsewhere")


def _read_json(folder: Path, name: str) -> object:
    file = folder / name
    with refused_as(BundleError, f"{file}: cannot be read"):
        if file.is_symlink() and leads_out(file):
            raise BundleError(f"{file}: is a link out of {folder}; copy the folder with cp -rL")
        check_plain(file, limit=SPEC_BYTES)
        return json.loads(file.read_text(encoding="utf-8"))
