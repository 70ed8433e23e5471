"""A folder of files as a gallery: what is new or changed is embedded, what is known is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from multigraft.contracts.records import Modality
from multigraft.errors import DataError, PredictError
from multigraft.runtime.answers.embeddings import EMBEDDINGS
from multigraft.runtime.embedding import EMBEDDING, check_branch, dual_branches, scaled
from multigraft.runtime.gallery import Gallery, fingerprint

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

AT_ONCE = 256
"""Files whose answers are in memory as lists at a time."""


@dataclass(frozen=True)
class FolderGallery:
    """The gallery of a folder, and what was done for it."""

    gallery: Gallery
    embedded: int
    """Files of the gallery that were read now; of the others the vectors were known."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Why a file is not in it, by its path in the folder."""


def folder_gallery(
    predictor: Predictor, folder: Path, *, branch: str | None = None, known: Gallery | None = None
) -> FolderGallery:
    """Embed the files of a folder and of those in it; ids are their paths there.

    ``branch`` reads them; unset, the one that reads most of them. A file of the size and time that
    ``known`` has for it is not read again. Raises DataError where there is none to read.
    """
    branch = branch or _branch_for(predictor, folder)
    check_branch(predictor, branch)
    modality = predictor.modality.branches[branch] if branch else predictor.modality
    stamps = {_id(path, folder): _stamp(path) for path in _files(folder, modality.suffixes)}
    if not stamps:
        raise DataError(f"{folder}: holds no file ending in {', '.join(modality.suffixes)}")
    kept = _kept(known, stamps) if known and known.fingerprint == fingerprint(predictor) else {}
    wanted = [name for name in stamps if name not in kept]
    found, errors = dict(kept), dict[str, str]()
    for name, vector in _embedded(predictor, folder, wanted, branch):
        if isinstance(vector, str):
            errors[name] = vector
        else:
            found[name] = vector
    if not found:
        raise DataError(f"{folder}: no file can be read; {next(iter(errors.values()))}")
    names = [name for name in stamps if name in found]
    gallery = Gallery(
        np.stack([found[name] for name in names]),
        tuple(names),
        fingerprint(predictor),
        tuple(stamps[name] for name in names),
    )
    return FolderGallery(gallery, len(wanted) - len(errors), errors)


def branch_of(predictor: Predictor, query: str) -> str | None:
    """The branch that reads a query: of a file that is there the one of its ending, else one that
    is typed; None where there are no branches. Raises PredictError."""
    branches = {name: predictor.modality.branches[name] for name in dual_branches(predictor)}
    if not branches:
        return None
    by_ending = [name for name, each in branches.items() if _fits(Path(query), each.suffixes)]
    typed = [name for name, each in branches.items() if not each.suffixes]
    if by_ending and _is_file(Path(query)):
        return by_ending[0]
    if typed:
        return typed[0]
    told = "; ".join(f"{name}: {', '.join(each.suffixes)}" for name, each in branches.items())
    raise PredictError(f"{query!r} is no file that a branch reads ({told})")


def is_missing_file(predictor: Predictor, query: str) -> bool:
    """Whether a query ends like a file that a branch reads, and there is none."""
    suffixes = {
        end
        for name in dual_branches(predictor)
        for end in predictor.modality.branches[name].suffixes
    }
    return _fits(Path(query), suffixes) and not _is_file(Path(query))


def _branch_for(predictor: Predictor, folder: Path) -> str | None:
    """The branch that reads most of a folder's files."""
    dual = dual_branches(predictor)
    if not dual:
        _check_files(predictor.modality)
        return None
    branches = predictor.modality.branches
    reading = [name for name in dual if branches[name].suffixes]
    if not reading:
        raise PredictError(
            "no branch reads files; rank texts in Python: predictor.rank(query, texts)"
        )
    return max(reading, key=lambda name: sum(1 for _ in _files(folder, branches[name].suffixes)))


def _check_files(modality: Modality) -> None:
    if not modality.suffixes:
        raise PredictError(
            f"the bundle embeds {modality.name}, which is typed, and no files; rank values in "
            "Python: predictor.rank(query, values)"
        )


def _files(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """The files that end so, by name, hidden ones left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and _fits(path, suffixes) and path.is_file():
            yield path


def _fits(path: Path, suffixes: Collection[str]) -> bool:
    return path.name.lower().endswith(tuple(suffixes)) if suffixes else False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a long text, or one with a NUL
        return False


def _id(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _stamp(path: Path) -> str:
    told = path.stat()
    return f"{told.st_size}:{told.st_mtime_ns}"


def _kept(known: Gallery, stamps: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The vectors of files that did not change."""
    told = zip(known.ids, known.stamps, known.embeddings, strict=False)
    return {name: vector for name, stamp, vector in told if stamps.get(name) == stamp}


def _embedded(
    predictor: Predictor, folder: Path, names: Sequence[str], branch: str | None
) -> Iterator[tuple[str, np.ndarray | str]]:
    """The unit vector of each file, or why there is none."""
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        values: list[Any] = [str(folder / name) for name in part]
        given = values if branch is None else [{branch: value} for value in values]
        for name, answer in zip(part, predictor.predict(given, on_error="return"), strict=True):
            if "error" in answer:
                yield name, str(answer["error"]).partition(": ")[2]
                continue
            vector = answer[EMBEDDING] if branch is None else answer[EMBEDDINGS][branch]
            yield name, scaled(np.asarray([vector]))[0].astype(np.float32)
