"""Web readers: a modality's reader in JavaScript and its packages, for pages in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NpmPackage:
    """A package of the npm registry, of which some files are copied beside a page."""

    name: str
    version: str
    integrity: str
    """Of its archive, as npm's lock files write it: ``sha512-`` and base64."""
    files: Mapping[str, str]
    """A path in the package -> its name in ``vendor/<package>/``. Modules end in ``.js``: not every
    host knows ``.mjs``."""


@dataclass(frozen=True, kw_only=True)
class WebReader:
    """A modality's reader once more, for browsers: a folder of ES modules.

    Its ``reader.js`` exports ``openReader(spec, file)``, which gives an object, or the promise of
    one, with ``read(value)``: {name: {data, dims}} of typed arrays, or an Error with what is wrong;
    and, where answers are made of windows (see `WindowReader`), ``windows(value)``: a list of them.
    ``spec`` is the reader's, ``await file(name)`` the bytes of a file of it; a value is ``{text}``,
    ``{columns}`` or ``{file}``.
    """

    folder: str
    """``package:folder`` of the modules, in an installed package."""
    packages: tuple[NpmPackage, ...] = ()
    """What the modules import from ``../vendor/<package>/``."""
    kinds: tuple[str, ...] = ()
    """The ``kind`` of the specs that the modules read, where a modality has several; empty: all."""

    def __post_init__(self) -> None:
        package, _, folder = self.folder.partition(":")
        if not package or not folder:
            raise ValueError(f"{self.folder!r} must look like 'package:folder'")
