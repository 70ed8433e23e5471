"""The bundle folder: its manifest, and the checks before anything in it is used."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from multigraft.contracts.owners import Owner
from multigraft.errors import BundleError, refused_as
from multigraft.runtime.manifest import Bundle, FileEntry, Port, Precision
from multigraft.runtime.manifest_writing import FORMAT, NEWEST, CachePort, Generation, Speech
from multigraft.system.about import __version__
from multigraft.system.files import check_plain, is_plain_name, leads_out
from multigraft.system.validation import problem_lines

__all__ = [
    "Bundle",
    "CachePort",
    "FileEntry",
    "Generation",
    "Owner",
    "Port",
    "Precision",
    "Speech",
    "manifest_hash",
    "open_bundle",
    "read_manifest",
    "seal",
]
log = logging.getLogger("multigraft")
MANIFEST = "bundle.json"
MANIFEST_BYTES = 2**26
"""The most bytes of a manifest; one with 100,000 labels takes 2 MB."""


def manifest_hash(raw: Mapping[str, Any]) -> str:
    """SHA-256 of what a manifest says beside its own hash, however it is laid out.

    >>> manifest_hash({"task": "a", "sha256": "b"}) == manifest_hash({"task": "a"})
    True
    """
    said = {key: value for key, value in raw.items() if key != "sha256"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def seal(bundle: Bundle, folder: Path) -> Bundle:
    """Hash every file in ``folder`` into ``bundle.json``; for use inside `files.whole_folder`.

    Raises BundleError where `open_bundle` would.
    """
    files = {path.name: _entry(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    sealed = bundle.model_copy(update={"files": files})
    said = sealed.said()
    sealed = sealed.model_copy(update={"sha256": manifest_hash(said)})
    said["sha256"] = sealed.sha256
    text = json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    _check_folder(sealed, folder)
    return sealed


def open_bundle(folder: str | Path) -> Bundle:
    """Read a checked bundle. Raises BundleError for files missing, changed, linked or unlisted.

    A manifest without a hash of its own, as bundles of earlier versions have, opens with a warning.
    """
    folder = Path(folder)
    bundle = read_manifest(folder)
    if bundle.sha256 is None:
        log.warning(
            "%s: was made before manifests were hashed, or its hash was taken out: whether its "
            "labels and settings were changed since cannot be told; export the run again for one "
            "that can",
            folder / MANIFEST,
        )
    with refused_as(BundleError, f"{folder}: cannot be opened"):
        _check_folder(bundle, folder)
        for name, entry in bundle.files.items():
            if _sha256(folder / name) != entry.sha256:
                raise BundleError(
                    f"{folder / name}: its content is not what {MANIFEST} lists; copy the bundle "
                    "again"
                )
    return bundle


def read_manifest(folder: Path) -> Bundle:
    """Read ``bundle.json`` alone: enough to show a bundle, not to trust it."""
    path = folder / MANIFEST
    if not os.path.lexists(path):
        missing = f"holds no {MANIFEST}" if folder.exists() else "does not exist"
        raise BundleError(f"{folder}: is not a bundle: it {missing}")
    with refused_as(BundleError, f"{path}: cannot be read"):
        _refuse_link(path)
        check_plain(path, limit=MANIFEST_BYTES)
        raw = json.loads(path.read_text(encoding="utf-8"))
        _check_format(raw, path)
        try:
            bundle = Bundle.model_validate(raw)
        except ValidationError as error:
            problems = [f"  {line}" for line in problem_lines(error, Bundle)]
            raise BundleError("\n".join([f"{path}: is not a valid manifest", *problems])) from error
        if bundle.sha256 not in (None, manifest_hash(raw)):
            raise BundleError(
                f"{path}: was changed since it was written; copy the bundle again, or export it "
                "again"
            )
        return bundle


def _check_format(raw: Any, path: Path) -> None:
    found = raw.get("format") if isinstance(raw, dict) else None
    if type(found) is not int or not FORMAT <= found <= NEWEST:
        raise BundleError(
            f"{path}: has format {found!r}; multigraft {__version__} reads formats {FORMAT} to "
            f"{NEWEST}; export it again, or install the multigraft that wrote it"
        )


def _check_folder(bundle: Bundle, folder: Path) -> None:
    """Names, links, sizes and completeness: all that can be told without reading the files."""
    graphs = [name for p in bundle.precisions.values() for name in p.graphs.values()]
    for name in [
        *bundle.files,
        *graphs,
        *(p.file for p in bundle.precisions.values() if p.file is not None),
    ]:
        if not _is_plain(name):
            raise BundleError(f"{folder / MANIFEST}: file name {name!r} leaves the folder")
    found = {
        path.name: path for path in folder.iterdir() if path.name != MANIFEST and not _mounted(path)
    }
    for path in found.values():
        _check_plain(path)
    if unlisted := sorted(found.keys() - bundle.files.keys()):
        raise BundleError(
            f"{folder}: {', '.join(unlisted)}: not listed in {MANIFEST}; move it elsewhere"
        )
    if missing := sorted(bundle.files.keys() - found.keys()):
        raise BundleError(f"{folder}: {', '.join(missing)}: listed in {MANIFEST} but missing")
    for name, entry in bundle.files.items():
        size = found[name].stat().st_size
        if size != entry.size:
            raise BundleError(f"{folder / name}: has {size} bytes, {MANIFEST} lists {entry.size}")
    _check_precisions(bundle, folder)


def _check_precisions(bundle: Bundle, folder: Path) -> None:
    for name, precision in bundle.precisions.items():
        if (
            precision.accepted
            and not {precision.file, *precision.graphs.values()} <= bundle.files.keys()
        ):
            raise BundleError(f"{folder / MANIFEST}: precision {name} names no listed file")
    chosen = bundle.precisions.get(bundle.default)
    if chosen is None or not chosen.accepted:
        raise BundleError(
            f"{folder / MANIFEST}: the default precision {bundle.default!r} is not in the bundle"
        )


def _is_plain(name: str) -> bool:
    return name != MANIFEST and is_plain_name(name)


def _mounted(path: Path) -> bool:
    """Whether a folder is what a cluster keeps behind the links of a mounted configuration."""
    return path.name.startswith("..") and path.is_dir()


def _refuse_link(path: Path) -> None:
    if path.is_symlink() and leads_out(path):
        raise BundleError(
            f"{path}: is a link out of the bundle; copy it with what its links lead to: cp -rL "
            f"{path.parent} COPY, and open the copy"
        )


def _check_plain(path: Path) -> None:
    _refuse_link(path)
    if not path.is_file():
        raise BundleError(f"{path}: is no plain file; a bundle holds plain files and no folders")
    # a hard link: its content can be changed, or shown, from elsewhere
    if path.stat().st_nlink > 1:
        raise BundleError(
            f"{path}: is a hard link; copy the bundle's files instead of linking them"
        )


def _entry(path: Path) -> FileEntry:
    return FileEntry(sha256=_sha256(path), size=path.stat().st_size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
