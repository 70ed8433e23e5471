"""npm packages by their pinned hash: from a folder, the machine's cache, or the registry."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from multigraft.contracts.web import NpmPackage
from multigraft.errors import MissingDependency
from multigraft.system.cache import find_entry, new_entry, room_for
from multigraft.system.libraries import offline

log = logging.getLogger("multigraft")
KIND = "npm"
SECONDS = 600
"""What npm may take for one package."""


def unpack(
    package: NpmPackage, target: Path, *, folder: Path | None = None, fetch: bool = True
) -> None:
    """Write the files of a package into ``target``.

    Its archive is looked for in ``folder`` alone where one is given; else in the cache, then asked
    of npm where ``fetch`` says that the person at work wants it: a file that somebody made does
    not. Raises MissingDependency with what to do where it cannot be had, or is not the pinned one.
    """
    content = (
        _given(package, folder)
        if folder is not None
        else _kept(package) or _fetched(package, fetch)
    )
    target.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for path, name in package.files.items():
            with _file(archive, f"package/{path}", package) as file:
                (target / name).write_bytes(file.read())


def _file(archive: tarfile.TarFile, path: str, package: NpmPackage) -> IO[bytes]:
    try:
        file = archive.extractfile(path)
    except KeyError:
        file = None
    if file is None:
        raise MissingDependency(
            f"{_called(package)}: holds no file {path.removeprefix('package/')}"
        )
    return file


def archive_name(package: NpmPackage) -> str:
    """The name that ``npm pack`` gives the archive.

    >>> archive_name(NpmPackage(name="@a/b", version="1.0.0", integrity="", files={}))
    'a-b-1.0.0.tgz'
    """
    return f"{package.name.removeprefix('@').replace('/', '-')}-{package.version}.tgz"


def _given(package: NpmPackage, folder: Path) -> bytes:
    try:
        content = (folder / archive_name(package)).read_bytes()
    except OSError as error:
        raise MissingDependency(
            f"{folder / archive_name(package)}: {error.strerror}; in that folder: npm pack "
            f"{_called(package)}"
        ) from error
    return _checked(package, content)


def _kept(package: NpmPackage) -> bytes | None:
    entry = find_entry(KIND, archive_name(package))
    return _given(package, entry) if entry is not None else None


def fetch_package(package: NpmPackage) -> None:
    """Have npm fetch a package into the machine's cache, which may have no room for it."""
    if _kept(package) is None:
        _fetched(package, True)


def _fetched(package: NpmPackage, wanted: bool) -> bytes:
    npm, forbidden = shutil.which("npm"), offline()
    if not wanted:
        raise MissingDependency(
            f"{_called(package)} is needed for the page and not in the cache, and a recipe's "
            "export.web fetches nothing  ->  multigraft export RUN --web, or multigraft web RUN "
            "--into FOLDER"
        )
    if forbidden or npm is None:
        why = (
            f"{forbidden} is set, so npm does not fetch it"
            if forbidden
            else "npm is not here to fetch it"
        )
        raise MissingDependency(
            f"{_called(package)} is needed for the page, and {why}  ->  on a machine with npm: npm "
            f"pack {_called(package)}; then give the folder of that archive as --packages"
        )
    log.info("npm fetches %s", _called(package))
    with tempfile.TemporaryDirectory() as folder:
        _pack(npm, package, folder)
        content = _given(package, Path(folder))
    _keep(package, content)
    return content


def _pack(npm: str, package: NpmPackage, folder: str) -> None:
    command = [
        npm,
        "pack",
        _called(package),
        "--pack-destination",
        folder,
        "--ignore-scripts",
        "--silent",
    ]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MissingDependency(
            f"npm pack {_called(package)}: took longer than {SECONDS} s"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise MissingDependency(f"npm pack {_called(package)} failed: {said}")


def _keep(package: NpmPackage, content: bytes) -> None:
    """Keep the archive for other pages; where the cache has no room it is fetched again."""
    if not room_for(len(content)):
        return
    try:
        with new_entry(KIND, archive_name(package)) as entry:
            (entry / archive_name(package)).write_bytes(content)
    except OSError as error:
        log.info("%s is not kept in the cache: %s", _called(package), error.strerror)


def _checked(package: NpmPackage, content: bytes) -> bytes:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise MissingDependency(
            f"{archive_name(package)}: is not the archive that is pinned "
            f"({package.integrity[:20]}...); remove it and fetch it again: npm pack "
            f"{_called(package)}"
        )
    return content


def _called(package: NpmPackage) -> str:
    return f"{package.name}@{package.version}"
