"""Folders as rows: each entry becomes a row, a bad row, or is told in a note."""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from multigraft.errors import DataError

SHOWN = 3
MEDIA = {"image", "audio", "video"}
"""Kinds of files that a person sees as pictures and sounds, whatever we can read."""
MORE = {
    "image": ".jxl .psd .jp2 .cr2 .cr3 .nef .arw .dng .raw .webp .jfif .tga .exr .hdr".split(),
    "audio": ".m4a .wma .amr .caf .mka .flac .oga .spx .wv .ape .mpc .aifc".split(),
}
"""Endings that the standard library does not know by itself."""
SPLITS = {
    "train": {"train", "training", "trn"},
    "validation": {
        "validation",
        "valid",
        "val",
        "dev",
        "devel",
        "development",
        "eval",
        "evaluation",
    },
    "test": {"test", "testing", "tst", "holdout"},
}
"""A field of the recipe -> how people call its folder."""
SPLIT_WORDS = {word for known in SPLITS.values() for word in known}
FILLERS = {"set", "data", "images", "imgs", "pictures", "audio", "split", "files"}


@dataclass
class Listing:
    """Listing of all below a folder, as names relative to it with forward slashes."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """Entries that cannot be used -> why: dangling links, folders that cannot be listed, pipes."""
    hidden: list[str] = field(default_factory=list)
    """Entries whose name begins with a dot; what they hold is not listed."""


def list_folder(folder: Path) -> Listing:
    """List all below a folder, through links too. Raises OSError where it cannot be listed."""
    found = Listing()
    os.scandir(folder).close()
    waiting = [("", frozenset[tuple[int, int]]())]
    while waiting:
        name, above = waiting.pop()
        facts = (folder / name).stat()
        here = (facts.st_dev, facts.st_ino)
        if here in above:
            found.faults[name] = "is a link to a folder that holds it"
            continue
        waiting += [(each, above | {here}) for each in _list_one(folder, name, found)]
    return found


def _list_one(folder: Path, name: str, found: Listing) -> list[str]:
    """Sort the entries of one folder in; the folders among them come back."""
    try:
        with os.scandir(folder / name) as opened:
            entries = list(opened)
    except OSError as error:
        found.faults[name] = f"cannot be listed: {error.strerror}"
        return []
    inner = []
    for entry in entries:
        path = f"{name}/{entry.name}" if name else entry.name
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            mode = 0
            found.faults[path] = (
                "is a link to nothing" if entry.is_symlink() else str(error.strerror)
            )
        if entry.name.startswith("."):
            found.hidden.append(path)
            found.faults.pop(path, None)
        elif stat.S_ISDIR(mode):
            inner.append(path)
        elif stat.S_ISREG(mode):
            found.files.append(path)
        elif mode:
            found.faults[path] = "is no plain file"
    found.folders += inner
    return inner


def find_rows(listing: Listing, suffixes: Sequence[str]) -> dict[str, str | None]:
    """Find the entries that are rows, sorted, each with why it is bad, or None.

    Bad are also the pictures and sounds of a kind that no reader of this modality takes.
    """
    wanted = {media_of(f"x{suffix}") for suffix in suffixes} & MEDIA
    rows: dict[str, str | None] = {}
    for name in listing.files:
        if name.lower().endswith(tuple(suffixes)):
            rows[name] = None
        elif media_of(name) in wanted:
            rows[name] = (
                f"files ending in {ending(name)} are not read; convert it, as to {suffixes[0]}"
            )
    folders = set(listing.folders)
    for name, why in listing.faults.items():
        if name in folders or name.lower().endswith(tuple(suffixes)) or media_of(name) in wanted:
            rows[name] = why
    return dict(sorted(rows.items()))


def media_of(name: str) -> str | None:
    """Tell a picture's or sound's name, as ``image``; the same on every machine."""
    return _media_of_ending(ending(name))


@cache
def _media_of_ending(last: str) -> str | None:
    # without the system's own list
    known = mimetypes.MimeTypes().guess_type(f"x{last}", strict=False)[0]
    return (
        known.partition("/")[0]
        if known
        else next((kind for kind in MORE if last in MORE[kind]), None)
    )


def ending(name: str) -> str:
    """The ending of a file's name in small letters, ``.png``; empty where there is none."""
    return PurePosixPath(name).suffix.lower()


def folder_notes(listing: Listing, rows: Collection[str]) -> Iterator[str]:
    """Note what was left out of a folder with a subfolder a class."""
    others = [name for name in [*listing.files, *listing.faults] if name not in rows]
    if others:
        endings = Counter(ending(name) or "without an ending" for name in others)
        most = sorted(endings, key=lambda kind: (-endings[kind], kind))[:SHOWN]
        kinds = ", ".join(f"{endings[kind]} {kind}" for kind in most)
        more = ", ..." if len(endings) > SHOWN else ""
        yield f"{len(others)} {_files(others)} of other kinds left out: {kinds}{more}"
    if listing.hidden:
        count = len(listing.hidden)
        yield (
            f"{count} {'entry whose name begins' if count == 1 else 'entries whose names begin'} "
            f"with a dot left out: {named(listing.hidden)}; rename a class that is called so"
        )
    filled = {name.split("/")[0] for name in rows}
    empty = [name for name in listing.folders if "/" not in name and name not in filled]
    if empty:
        yield (
            f"{len(empty)} {'folder' if len(empty) == 1 else 'folders'} without a file that can be "
            f"read, so no class: {named(empty)}"
        )


def named(names: Sequence[str]) -> str:
    """The first of some names, in order, in quotes."""
    first = ", ".join(repr(shown_name(name)) for name in sorted(names)[:SHOWN])
    return first + (", ..." if len(names) > SHOWN else "")


def shown_name(path: str) -> str:
    """Write a name on a disk, which need not be UTF-8, as text."""
    return path.encode(errors="replace").decode()


def _files(names: Sequence[str]) -> str:
    return "file" if len(names) == 1 else "files"


def refuse_splits(name: str, paths: Collection[str]) -> None:
    """Raise DataError where the folders of classes look like the splits of a data set.

    Two of them are named as splits are, or all; or the one folder there is holds such, or classes.
    Where every name holds a split's beside a rest, as ``seg_train``, they must name several, and
    training among them or all hold the same folders.
    """
    labels = sorted({path.split("/")[0] for path in paths if "/" in path})
    fields = splits_among(labels, alike=_hold_the_same(paths))
    below = [path.split("/", 1)[1] for path in paths if "/" in path]
    alone = len(labels) == 1 and all("/" in path for path in below)
    if len(set(fields.values())) > 1 or (
        fields and len(fields) == len(labels) and (len(labels) > 1 or alone)
    ):
        lines = [f"  {split}: {name}/{label}" for label, split in fields.items()]
        others = [label for label in labels if label not in fields]
        aside = [f"what are {named(others)} beside them?"] if others else []
        raise DataError(
            "\n".join(
                [
                    f"{name}: holds splits, not classes; write under data:",
                    *lines,
                    *aside,
                    "if these are classes, rename the folders, or give their labels in a "
                    "metadata.csv",
                ]
            )
        )
    if alone:
        refuse_splits(f"{name}/{labels[0]}", below)


def _hold_the_same(paths: Collection[str]) -> bool:
    """Tell whether every folder holds the same folders: then those are the classes."""
    inner: dict[str, set[str]] = {}
    for label, *below in (path.split("/") for path in paths if "/" in path):
        inner.setdefault(label, set()).update(below[:-1][:1])
    held = list(inner.values())
    return bool(held and held[0]) and all(each == held[0] for each in held)


def splits_among(labels: Collection[str], *, alike: bool = False) -> dict[str, str]:
    """Match labels that are named as splits to the field of the recipe each stands for.

    Where every one holds one split's name, a rest beside it may be any; but then they must name
    several splits, and training among them or the folders be ``alike`` in what they hold: else
    these are classes. Where all of these have the same rest, others that have it too may stand
    beside: ``seg_pred``.

    >>> splits_among(["seg_train", "seg_test"])
    {'seg_train': 'train', 'seg_test': 'test'}
    >>> splits_among(["seg_train", "seg_test", "seg_pred"])
    {'seg_train': 'train', 'seg_test': 'test'}
    >>> splits_among(["train station", "test tube", "bus"])
    {}
    """
    held = {label: split for label in labels if (split := _split_within(label))}
    splits = set(held.values())
    several = len(splits) > 1 and (alike or "train" in splits)
    if several and (len(held) == len(labels) or _share_a_rest(held, labels)):
        return held
    return {label: split for label in labels if (split := split_of(label))}


def _share_a_rest(held: Collection[str], labels: Collection[str]) -> bool:
    """Tell whether the names of splits have one same rest, and all labels have it."""
    first, *others = (set(_words(label)) - SPLIT_WORDS for label in held)
    same = bool(first) and all(each == first for each in others)
    return same and all(first < {*_words(label)} for label in labels)


def split_of(label: str) -> str | None:
    """The field of the recipe that a folder's name stands for, whatever its case and decoration.

    >>> split_of("Train"), split_of("val2017"), split_of("test_set"), split_of("trains")
    ('train', 'validation', 'test', None)
    """
    return _split_within(label) if len(set(_words(label)) - FILLERS) == 1 else None


def _split_within(label: str) -> str | None:
    """The field whose name is the only one of a split in a folder's name."""
    words = _words(label)
    found = [split for split, known in SPLITS.items() for word in words if word in known]
    return found[0] if len(found) == 1 else None


def _words(label: str) -> list[str]:
    return [word for word in re.split(r"[^a-z]+", label.casefold()) if word]
