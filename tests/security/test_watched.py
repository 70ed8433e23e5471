"""No command reaches anybody by itself or leaves a file about, native code included: what the
system saw."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from security.watched import WATCHERS, Seen, environment, watched, watchers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIFE = HERE / "life.py"
NATIVE = """
import ctypes, sys
libc = ctypes.CDLL(None)
folder = sys.argv[1].encode()
libc.mkdir(folder + b"/made", 0o700)
libc.creat(folder + b"/made/file", 0o600)
libc.open(folder + b"/opened", 0o101, 0o600)
libc.rename(folder + b"/opened", folder + b"/renamed")
libc.symlink(b"file", folder + b"/made/link")
address = bytes([2, 0, 0, 9, 192, 0, 2, 1]) + bytes(8)  # AF_INET, port 9, nobody's address
libc.connect(libc.socket(2, 2, 0), address, 16)
"""
LOOK_UP = """
import ctypes
ctypes.CDLL(None).getaddrinfo(b"nobody.invalid", None, None, ctypes.byref(ctypes.c_void_p()))
"""
LOOPBACK = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
"""
each_watcher = pytest.mark.parametrize("watcher", WATCHERS)


def see(watcher: str, code: str, home: Path, *arguments: str, **variables: str) -> Seen:
    """What a few lines of Python do."""
    if watcher not in watchers():
        pytest.skip(f"{watcher} does not work on this machine")
    command = [sys.executable, "-c", code, *arguments]
    done, seen = watched(command, watcher=watcher, env=environment(home, **variables), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return seen


@each_watcher
def test_a_watcher_sees_what_native_code_does(watcher: str, tmp_path: Path) -> None:
    seen = see(watcher, NATIVE, tmp_path / "home", str(tmp_path))
    names = ("made", "made/file", "made/link", "opened", "renamed")
    assert {tmp_path / name for name in names} <= set(seen.made)
    assert tmp_path / "renamed" in seen.outside(tmp_path / "made")
    assert not seen.outside(tmp_path)
    assert seen.strangers() == ["192.0.2.1 port 9"]


@each_watcher
def test_a_watcher_sees_a_name_looked_up(watcher: str, tmp_path: Path) -> None:
    assert see(watcher, LOOK_UP, tmp_path, RES_OPTIONS="timeout:1 attempts:1").strangers()


@each_watcher
def test_this_machine_is_no_stranger(watcher: str, tmp_path: Path) -> None:
    seen = see(watcher, LOOPBACK, tmp_path)
    assert seen.reached and not seen.strangers()


@each_watcher
def test_onnxruntime_left_to_itself_would_be_seen(watcher: str, tmp_path: Path) -> None:
    left = see(watcher, "import onnxruntime", tmp_path / "left").outside()
    assert any("DeveloperTools" in path.parts for path in left)
    told = see(
        watcher, "import onnxruntime", tmp_path / "told", ORT_DISABLE_TELEMETRY="1"
    ).outside()
    assert not any("DeveloperTools" in path.parts for path in told)


def judge(seen: Seen | None, home: Path, work: Path) -> None:
    """Nobody is reached; files are in the run's folders and our cache alone; what was temporary is
    gone."""
    cache = home / ".cache" / "multigraft"
    left = {path for path in home.rglob("*") if not path.is_relative_to(cache)} - {
        cache.parent,
        home / "tmp",
    }
    assert not left
    assert not cache.exists() or cache.stat().st_mode & 0o077 == 0
    if seen is not None:
        assert seen.strangers() == []
        assert set(seen.outside(work, cache, home / "tmp")) <= {cache.parent}
        assert any(path.is_relative_to(work / "run") for path in seen.made), "nothing was seen"


def live(modality: str, folder: Path, *apart: str) -> None:
    """Run a model's life under the best watcher there is; see security/watched.py for the order."""
    home, work = folder / "home", folder / "work"
    work.mkdir()
    command = [sys.executable, str(LIFE), modality, str(work), *apart]
    paths = [str(ROOT / name) for name in ("core", "plugins", "tests")]
    env = environment(home, PYTHONPATH=os.pathsep.join(paths))
    seen = None
    if watchers():
        done, seen = watched(command, watcher=watchers()[0], env=env, cwd=folder)
    else:
        warnings.warn(
            "native calls are not seen here: install strace or a C compiler", stacklevel=2
        )
        done = subprocess.run(
            command, env=env, cwd=folder, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    judge(seen, home, work)


def test_a_models_life_reaches_nobody_and_leaves_nothing_about(tmp_path: Path) -> None:
    live("text", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_each_command_alone_and_a_server_for_a_minute(modality: str, tmp_path: Path) -> None:
    live(modality, tmp_path, "--apart", "60")
