"""One process at a time in a run's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from multigraft.errors import RunError
from multigraft.system.lock import alone_in

HOLD = """
import sys
from pathlib import Path
from multigraft.system.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(RunError, match=rf"process {holder.pid} on .* is at work on this run"),
        alone_in(tmp_path),
    ):
        pass
    holder.kill()  # however the holder ends, the lock is free
    holder.wait()
    holder.stdout.close()
    assert holder.stdin is not None
    holder.stdin.close()
    with alone_in(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock.json").read_text()
    assert not (tmp_path / ".lock.json").exists()
