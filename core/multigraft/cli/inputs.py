"""Inputs of ``predict``: texts, paths, lines of stdin, and rows of tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from multigraft.errors import DataError, RowError
from multigraft.evaluation.file_answers.bundle_tables import PLAIN, Tables, read_tables
from multigraft.system.file_endings import ending_of

if TYPE_CHECKING:
    from multigraft.contracts.records import Modality

LINES = ".txt"
LINES_BYTES = 2**30
"""The most of a file of lines, which is in memory whole."""


@dataclass(frozen=True)
class Input:
    """An input value, how it is shown, and what is wrong with it where nothing can be asked."""

    value: Any
    shown: Any
    error: str = ""


def gather(
    arguments: Sequence[str], modality: Modality, *, stdin: bool, tables: Tables = PLAIN
) -> list[Input]:
    """The inputs in order, the lines of stdin where ``-`` stands or at the end.

    A table's name stands for its rows. Where a text is wanted, the name of any other file or folder
    is refused: nobody means the name's letters. A line of stdin is always the value itself.
    """
    found: list[Input] = []
    for argument in [*arguments, *(["-"] if stdin and "-" not in arguments else [])]:
        if argument == "-" and modality.branches:
            found += [_of_branches(line, modality) for line in read_lines()]
        elif argument == "-":
            found += [Input(line, line) for line in read_lines()]
        else:
            found += _meant(argument, modality, tables)
    return found


def read_lines() -> list[str]:
    """Read the lines of stdin, ended by newlines alone; what is no UTF-8 becomes surrogates."""
    if sys.stdin is None:
        raise RowError("stdin is closed")
    binary = getattr(sys.stdin, "buffer", None)
    content = sys.stdin.read() if binary is None else binary.read()
    return split_lines(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )


def split_lines(content: bytes) -> list[str]:
    r"""Split at newlines, blank lines too, so that there are as many answers as lines.

    >>> split_lines(b"a\r\n\n\x0cb\xc2\x85c")
    ['a', '', '\x0cb\x85c']
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r").decode("utf-8", "surrogateescape") for line in lines]


def _meant(argument: str, modality: Modality, tables: Tables) -> Iterator[Input]:
    """What an argument stands for."""
    typed = not modality.suffixes
    path = Path(argument)
    ending = ending_of(argument)
    spaced = any(sign.isspace() for sign in argument)
    if typed and not argument:
        yield Input(argument, argument)
    elif modality.branches and not (ending in tables.endings or _is_folder(path)):
        yield _of_branches(argument, modality)
    elif typed and ending == LINES and _is_there(path):
        yield from (Input(line, line) for line in split_lines(_content(path)))
    elif (ending in tables.endings and ending != LINES and (_is_there(path) or not spaced)) or (
        not typed and _is_folder(path)
    ):
        yield from _rows(path, modality, tables)
    elif typed and (_is_there(path) or (argument[:1] == "@" and _is_there(Path(argument[1:])))):
        raise typer.BadParameter(
            f"{argument!r} names a {'folder' if _is_folder(path) else 'file'} here, and a text is "
            f"wanted: {', '.join((*tables.endings, LINES))} are read row by row; a text of these "
            "very letters can be given on stdin, with -"
        )
    elif typed and ending == LINES and not spaced:
        raise DataError(f"{argument}: does not exist; its lines would be answered")
    else:
        yield Input(argument, argument)


def _of_branches(argument: str, modality: Modality) -> Input:
    """A value of several branches, written as JSON."""
    try:
        value = json.loads(argument)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        wanted = ", ".join(f'"{branch}": ...' for branch in modality.branches)
        return Input(None, argument, f"is no value of several branches: write {{{wanted}}} as JSON")
    return Input(value, argument)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a long text, or one with a NUL
        return False


def _is_folder(path: Path) -> bool:
    return _is_there(path) and path.is_dir()


def _content(path: Path) -> bytes:
    from multigraft.contracts.readers import row_bytes

    return row_bytes(path, limit=LINES_BYTES)


def _rows(path: Path, modality: Modality, tables: Tables) -> Iterator[Input]:
    """The raw values of a table or a folder; a row that has none keeps its place."""
    _, table = read_tables(str(path), modality, tables)
    for index in range(len(table)):
        place = table.place(index)
        try:
            value = table.raw(index)
        except RowError as error:
            yield Input(None, place, str(error))
        else:
            texts = value if isinstance(value, tuple) else (value,)
            yield Input(value, value if all(isinstance(each, str) for each in texts) else place)
