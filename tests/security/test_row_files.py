"""Every file that a row names is opened by one door: no device, pipe or claimed size is read
without end."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import multigraft_speech.likeness
import multigraft_vision.likeness
from multigraft.contracts.readers import row_bytes, row_file
from multigraft.data.cache.hashes import FileHashes
from multigraft.errors import RowError
from multigraft_speech.reader import audio_reader
from multigraft_vision.reader import image_reader

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes and devices here")
PLUGINS = Path(__file__).parents[2] / "plugins"
IMAGE = image_reader(
    {
        "size": [8, 8],
        "crop": 1.0,
        "interpolation": "bilinear",
        "fit": "center",
        "max_pixels": 50_000_000,
    }
)
AUDIO = audio_reader({})


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def sparse(folder: Path) -> Path:
    path = folder / "sparse.png"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    return path


def link(folder: Path) -> Path:
    (folder / "link.png").symlink_to("/dev/zero")
    return folder / "link.png"


STRANGE: dict[str, Callable[[Path], Path]] = {
    "a device": lambda folder: Path("/dev/zero"),
    "a link to a device": link,
    "a pipe": pipe,
    "a folder": lambda folder: folder,
    "a sparse file of 3 GB": sparse,
}
WAYS: dict[str, Callable[[Any], Any]] = {
    "image sketch": lambda raw: multigraft_vision.likeness.sketch([raw])[0].any(),
    "image reader": IMAGE.read,
    "sound sketch": lambda raw: multigraft_speech.likeness.sketch([raw])[0].any(),
    "sound reader": AUDIO.read,
}


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("way", WAYS)
def test_no_reader_or_sketch_reads_it(way: str, name: str, tmp_path: Path) -> None:
    path = STRANGE[name](tmp_path)
    before = peak()
    for raw in (str(path), path, {"bytes": None, "path": str(path)}):
        try:
            assert not WAYS[way](raw)  # a sketch of zeros; a reader raises
        except RowError as error:
            assert str(tmp_path) not in str(error)
    assert peak() - before < 100 * 2**20


@pytest.mark.timeout(5)
@pytest.mark.parametrize("name", STRANGE)
def test_no_fingerprint_waits_for_it(name: str, tmp_path: Path) -> None:
    with FileHashes() as hashes:
        assert hashes.digest(str(STRANGE[name](tmp_path))).startswith("unreadable: ")


def test_a_large_file_that_holds_what_it_claims_is_hashed(tmp_path: Path, monkeypatch: Any) -> None:
    """Holes in it or not: what is on the disk counts."""
    monkeypatch.setattr("multigraft.data.cache.hashes.HOLLOW", 2**20)
    path, wanted = tmp_path / "large.wav", bytes(2**21) + bytes(range(256)) * 2**10
    with path.open("wb") as file:
        file.seek(2**21)
        file.write(bytes(range(256)) * 2**10)
    with FileHashes() as hashes:
        assert hashes.digest(str(path)) == hashlib.sha256(wanted).hexdigest()


def test_a_file_that_grows_after_it_was_looked_at_is_read_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(10))
    assert row_bytes(path, limit=10) == bytes(10)
    with pytest.raises(RowError, match="at most 9 are read"):
        row_bytes(path, limit=9)
    with pytest.raises(RowError, match="more than 5 bytes"):
        row_bytes("/proc/self/status", limit=5)  # it tells a size of 0
    assert b"VmPeak" in row_bytes("/proc/self/status", limit=10**6)


def test_a_small_file_takes_little_memory_however_large_one_may_be(tmp_path: Path) -> None:
    path = tmp_path / "row"
    path.write_bytes(bytes(10))
    tracemalloc.start()
    try:
        assert row_bytes(path, limit=2**30) == bytes(10)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_pipe_that_took_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("multigraft.system.files.os.stat", _only_open(os.stat))
    with pytest.raises(RowError, match="no plain file"), row_file(pipe(tmp_path)):
        pass


def _only_open(stat: Callable[[Any], os.stat_result]) -> Callable[[Any], os.stat_result]:
    """Before it is opened everything looks like a plain file of one byte."""
    plain = stat(__file__)
    return lambda path: stat(path) if isinstance(path, int) else plain


def test_good_files_are_read(tmp_path: Path) -> None:
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(4000.0)), 16_000)
    assert WAYS["image sketch"](tmp_path / "a.png")
    assert WAYS["sound sketch"](tmp_path / "a.wav")
    assert IMAGE.read(tmp_path / "a.png")["image"].max() == 255
    assert len(AUDIO.read(tmp_path / "a.wav")["input_values"]) == 4000


OPENERS = {"open", "read_bytes", "read_text", "fromfile", "load", "imread", "memmap"}


@pytest.mark.parametrize("module", ["pictures", "depths", "likeness", "reader", "augment"])
def test_nothing_that_reads_rows_opens_a_file_itself(module: str) -> None:
    """`Image.open` and `SoundFile` are given bytes or an open file, never a name."""
    for path in PLUGINS.glob(f"multigraft_*/{module}.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = (
                    node.func.attr
                    if isinstance(node.func, ast.Attribute)
                    else getattr(node.func, "id", "")
                )
                first = ast.unparse(node.args[0]) if node.args else ""
                loads = named == "load" and not node.args  # a picture that is open
                assert loads or named not in OPENERS or first.startswith("BytesIO("), (
                    f"{path}:{node.lineno}"
                )


def test_the_engine_asks_readers_in_one_place() -> None:
    """`read_row` and `row_errors`, so that whatever a plugin's reader raises is the row's error.

    A server's `Reading` makes a fault of it and keeps its words from clients.
    """
    core = Path(__file__).parents[2] / "core" / "multigraft"
    asking = re.compile(r"reader\.(read|windows|prompt)\(")
    for path in sorted(core.rglob("*.py")):
        if path.parent.name == "serving" or "testing" in path.parts:
            continue
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if asking.search(line):
                assert "with row_errors():" in lines[number - 1], (
                    f"{path.relative_to(core)}:{number + 1}"
                )
