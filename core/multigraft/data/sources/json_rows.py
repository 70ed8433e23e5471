"""JSON rows: an object a line, or one list of objects."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from multigraft.data.sources.delimited import refuse, refuse_returns
from multigraft.errors import DataError, first_line, out_of_memory, refused_as

BLANK = " \t\r\n"
"""What JSON takes for nothing; a line of other signs is not blank."""


def read_objects(file: IO[str], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Read objects with the length of each line (0 in a list). Raises DataError with all faults."""
    text = file.read(1)
    while text and text in BLANK:
        text = file.read(1)
    file.seek(0)
    return _from_list(file, path) if text == "[" else _from_lines(file, path)


def _from_list(file: IO[str], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    with refused_as(DataError, f"{path.name}: is not JSON"):
        try:
            rows = parse(file.read())
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path.name}: line {error.lineno}: is not JSON: {error.msg}"
            ) from error
        except RecursionError as error:
            raise DataError(f"{path.name}: is nested too deeply") from error
    wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]
    if wrong:
        refuse(
            path, [f'item {number}: an object is needed, as {{"text": ...}}' for number in wrong]
        )
    yield from ((row, 0) for row in rows)


def _from_lines(file: IO[str], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    problems: list[str] = []
    for number, line in enumerate(file, start=1):
        if not line.strip(BLANK):
            continue
        try:
            row = parse(line)
        except Exception as error:  # whatever the parser meets, it is this line that it cannot read
            if out_of_memory(error):
                raise
            if not problems:
                refuse_returns(path, line)
            problems.append(f"line {number}: is not JSON: {first_line(error)}")
            continue
        if isinstance(row, dict):
            yield row, len(line)
        else:
            problems.append(f"line {number}: holds {type(row).__name__}; an object is needed")
    if problems:
        refuse(path, problems)


def parse(text: str) -> Any:
    """Parse a text of JSON; a whole number too long for Python stays as its digits."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | str:
    most = sys.get_int_max_str_digits()
    return digits if most and len(digits) > most else int(digits)
