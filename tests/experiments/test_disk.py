"""A disk that fills up is told by cell; with room made, the experiment ends as on any other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.conftest import Compute
from multigraft.system.disk import size_of


def mount(*arguments: str) -> bool:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=64m", "none", str(folder)):
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in rows]


def test_a_full_disk_is_told_by_cell_and_what_was_measured_stays(
    compute: Compute, disk: Path, tmp_path: Path
) -> None:
    whole = timeless(compute(output=str(tmp_path / "whole")).rows())
    small = size_of(tmp_path / "whole") * 6 // 10
    assert mount("-o", f"remount,size={small}", str(disk))
    struck = compute(output=str(disk / "made"))
    assert struck.problems
    assert all("space" in why or "disk" in why for (why, *_) in struck.problems.values())
    measured = [row for row in timeless(struck.rows()) if row["state"] == "finished"]
    assert measured and all(row in whole for row in measured)
    assert mount("-o", "remount,size=64m", str(disk))
    again = compute(output=str(disk / "made"), retry=True)
    assert not again.problems
    assert timeless(again.rows()) == whole
