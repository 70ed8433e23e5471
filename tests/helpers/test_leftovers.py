from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fuzz.standing import Server, bundle

LEFT = """
import subprocess, psutil
from helpers import leftovers
leftovers.SECONDS = 0.2
print(leftovers.end_leftovers())
left = subprocess.Popen(["sleep", "61.5"])
print(leftovers.end_leftovers())
print(leftovers.end_leftovers())
print(psutil.pid_exists(left.pid))
"""
ORPHANED = """
import os, sys
from pathlib import Path
from fuzz.standing import server
print(server("image", Path(sys.argv[1])).process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def alone(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, whose children are no other test's."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_what_was_left_is_ended_and_told() -> None:
    done = alone(LEFT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "['sleep 61.5']", "[]", "False"]


def test_a_server_of_the_fuzz_borders_ends_with_its_owner(tmp_path: Path) -> None:
    server = Server(bundle("image", tmp_path / "bundle"))
    server.end()
    assert server.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the system ends it on Linux only")
def test_a_server_of_the_fuzz_borders_ends_with_a_killed_owner(tmp_path: Path) -> None:
    done = alone(ORPHANED, str(tmp_path))
    assert done.returncode == -9, done.stderr
    orphan = int(done.stdout)
    if psutil.pid_exists(orphan):
        psutil.wait_procs([psutil.Process(orphan)], timeout=5)
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
