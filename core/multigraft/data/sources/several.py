"""Several files as one source: lists, patterns, and folders of files of rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import TypeAlias

from multigraft.contracts.records import Modality
from multigraft.data.sources.folders import SPLITS, find_rows, list_folder, split_of
from multigraft.data.sources.remote import is_remote
from multigraft.errors import DataError, did_you_mean
from multigraft.system.file_endings import ending_of
from multigraft.system.files import expanded

Source: TypeAlias = str | Sequence[str]
"""A path, a pattern, a name on the hub or a URL; or several."""
FIRST_WORD = re.compile(r"[A-Za-z]*")


def sources_in(source: Source, base: Path | None) -> list[str]:
    """The sources that ``source`` stands for, patterns by what they match, each once.

    Raises DataError for a pattern that matches nothing, and for an empty list.
    """
    listed = [source] if isinstance(source, str) else source
    if not isinstance(listed, list | tuple) or not listed:
        raise DataError(f"{source!r} names no file; give a path, a pattern, or a list of these")
    found = [each for one in listed for each in _matched(one, base)]
    return list(dict.fromkeys(found))


def is_pattern(path: str, base: Path | None = None) -> bool:
    """Tell a pattern of paths; a file whose name merely looks like one is none."""
    here = not path.startswith("hub:") and not is_remote(path)
    return here and has_magic(path) and not ((base or Path()) / expanded(path)).exists()


def _matched(path: str, base: Path | None) -> list[str]:
    if not is_pattern(path, base):
        return [path]
    whole = (base or Path()) / expanded(path)
    found = sorted(glob(str(whole), recursive=True), key=in_order)  # noqa: PTH207 (a whole path)
    files = [each for each in found if Path(each).is_file()]
    if not files:
        raise DataError(f"{path}: matches no file (looked from {(base or Path()).resolve()})")
    return files


def missing(source: Source, base: Path | None = None) -> list[str]:
    """What of a source is not there, a line each: local files, folders and patterns alone."""
    listed = [source] if isinstance(source, str) else list(source)
    return [told for each in listed if (told := _missing(each, base))]


def _missing(path: str, base: Path | None) -> str | None:
    if path.startswith("hub:") or is_remote(path):
        return None
    try:
        found = _matched(path, base)
    except DataError as error:
        return str(error)
    file = (base or Path()) / expanded(found[0])
    return None if file.exists() else f"{path}: does not exist{looked_in(file)}"


def looked_in(file: Path) -> str:
    """The end of a sentence about a file that is not there: the nearest name beside it."""
    parent = file.parent
    beside = [item.name for item in parent.iterdir()] if parent.is_dir() else []
    hint = did_you_mean(file.name, beside) if beside else ""
    return f"; {hint}" if hint.startswith("did you mean") else f" (looked in {parent.resolve()})"


def in_order(name: str | Path) -> list[tuple[int, str]]:
    """A key that sorts numbers within names by their value.

    >>> sorted(["part-10.csv", "part-9.csv"], key=in_order)
    ['part-9.csv', 'part-10.csv']
    """
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", str(name))
    ]


def row_files(folder: Path, endings: Collection[str], *, leave: Collection[str]) -> list[Path]:
    """The files of rows directly in a folder, in the order of their names; none where it holds one
    of those to ``leave``."""
    held = [each for each in folder.iterdir() if each.name[0] not in "._" and each.is_file()]
    if any(each.name in leave for each in held):
        return []
    return sorted((each for each in held if ending_of(each) in endings), key=in_order)


def refuse_mixed(folder: Path, rows: Sequence[Path]) -> None:
    """Raise DataError where files of rows are of several splits, or of several kinds."""
    splits: dict[str, list[Path]] = {}
    for each in rows:
        splits.setdefault(split_of(_first_word(each)) or "", []).append(each)
    told = {split: splits[split] for split in SPLITS if split in splits}
    if len(told) > 1:
        named = ", ".join(f"{split}: {_all_of(held)}" for split, held in told.items())
        raise DataError(f"{folder.name}: give a file of rows for each split, as data: {{{named}}}")
    kinds = sorted({ending_of(each) for each in rows})
    if len(kinds) > 1:
        raise DataError(
            f"{folder.name}: holds files of several kinds ({', '.join(kinds)}); name those that "
            f"hold rows, as {folder / ('*' + kinds[0])}"
        )


def _first_word(file: Path) -> str:
    found = FIRST_WORD.match(file.name)
    return found[0] if found else ""


def _all_of(files: Sequence[Path]) -> Path:
    """What to write for the files of one split: the file, or a pattern that its files have."""
    first = files[0]
    word = _first_word(first)
    return first if len(files) == 1 else first.with_name(f"{word}*{first.suffix}")


def holds_media(folder: Path, modality: Modality) -> bool:
    """Tell whether a folder holds files that the modality reads as values of their own."""
    return bool(modality.suffixes) and bool(find_rows(list_folder(folder), modality.suffixes))
