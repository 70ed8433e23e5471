"""Folder integrity: hashes by which a torn or changed file is found before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xxhash

from multigraft.errors import RunError, refused_as
from multigraft.system.files import check_plain, is_plain_name

MANIFEST = "manifest.json"
MANIFEST_BYTES = 2**20
"""The most bytes of a checkpoint's manifest; one of five files takes 500."""
CHUNK = 1 << 22


def seal(folder: Path) -> None:
    """Write the size and XXH3-128 of every file in ``folder`` into its manifest.

    The hash finds accidents, at the speed of the disk; it is no guard against an attacker.
    """
    files = {
        path.name: _describe(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(files, indent=2), encoding="utf-8")


def damage(folder: Path) -> str | None:
    """Say in a few words what is wrong with a sealed folder; None where it is whole."""
    try:
        with refused_as(RunError, f"{MANIFEST} cannot be read"):
            return _damage(folder)
    except RunError as error:
        return str(error)


def _damage(folder: Path) -> str | None:
    check_plain(folder / MANIFEST, limit=MANIFEST_BYTES)
    files: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, expected in files.items():
        if not (is_plain_name(name) and (folder / name).is_file()):
            return f"{name} is missing"
        if _describe(folder / name) != expected:
            return f"{name} is not as it was written"
    return None


def _describe(path: Path) -> dict[str, Any]:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return {"size": path.stat().st_size, "xxh3_128": digest.hexdigest()}
