"""``prepare`` is killed at random moments, and ends with the same shards bit for bit."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from helpers.corpora import planted, write_lines

LIMIT = 60.0
KILLS = 50


def command(folder: Path, output: str) -> list[str]:
    run = [sys.executable, "-m", "multigraft.cli", "prepare", str(folder / "clean.yaml"), "-q"]
    return [*run, "--out", str(folder / output), "--workers", "2"]


def shards(folder: Path) -> dict[str, str]:
    found = sorted(folder.glob("*/*.parquet"))
    return {
        f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def killed(run: list[str], after: float) -> bool:
    """Start it in a group of its own, and kill the group so many seconds later, if it still is."""
    with subprocess.Popen(run, start_new_session=True) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    assert process.returncode == 0
    return False


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_anywhere_it_ends_with_the_same_shards(tmp_path: Path) -> None:
    texts = planted(600, share=0.3).texts
    (tmp_path / "in").mkdir()
    for part in range(6):
        write_lines(tmp_path / "in" / f"{part}.jsonl", texts[100 * part : 100 * part + 100])
    recipe = {
        "source": f"{tmp_path}/in/*.jsonl",
        "steps": ["spaces", "exact-duplicates", "markup", "near-duplicates", "gopher-symbols"],
        "split": {"test": 0.2},
    }
    (tmp_path / "clean.yaml").write_text(yaml.safe_dump(recipe))
    begun = time.monotonic()
    subprocess.run(command(tmp_path, "whole"), check=True, timeout=LIMIT)
    whole, seconds = shards(tmp_path / "whole"), time.monotonic() - begun
    rng, done = random.Random(0), 0
    for turn in range(10 * KILLS):
        output = f"out-{turn}"
        while killed(command(tmp_path, output), rng.uniform(0.3, 1.0) * seconds):
            done += 1
        assert shards(tmp_path / output) == whole
        if done >= KILLS:
            return
    pytest.fail(f"only {done} of {KILLS} kills came in time")
