"""Archives as npm packs them, made here, so that a page is written without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from multigraft.contracts.web import NpmPackage
from multigraft.runtime.web import site
from multigraft.runtime.web.packages import archive_name

CONTENT = {"package/dist/a.mjs": b"export const a = 1;", "package/LICENSE": b"free"}


def archive(content: Mapping[str, bytes] = CONTENT) -> bytes:
    """The same bytes at any time: gzip would write down the second it is made in."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as packed:
        for name, value in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(value)
            packed.addfile(entry, io.BytesIO(value))
    return gzip.compress(held.getvalue(), mtime=0)


def package(content: bytes, **more: object) -> NpmPackage:
    """A package whose archive has these bytes."""
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    made = NpmPackage(
        name="@scope/a", version="1.2.3", integrity=f"sha512-{digest}", files={"dist/a.mjs": "a.js"}
    )
    return replace(made, **more)


def stand_in_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with an archive in the place of onnxruntime's: a page is written with it, and
    can be looked at, but computes nothing."""
    engine = package(archive(), name="onnxruntime-web")
    monkeypatch.setattr(site, "ENGINE", engine)
    folder.mkdir()
    (folder / archive_name(engine)).write_bytes(archive())
    return folder
