"""How many rows a second near duplicates are taken out of, against text-dedup's MinHash.

Texts of 40 to 200 made-up words, a tenth of which are earlier ones with 3% of their words
exchanged, in one file of JSON lines. Ours is ``prepare`` with the one step ``near-duplicates`` at
0.7, one worker, shards, manifest and page included; theirs ``python -m text_dedup.minhash``, 250
permutations of 5-grams of words, one process. An exchanged word changes five of its shingles and
about a dozen of our several hundred, so its threshold is 0.5 here: at its default, 0.7, it finds a
fifth of the copies. Each in a process of its own, the imports not counted. The quality is F1 of the
rows that are dropped, by which ones were planted; recall and precision are in the notes, and by how
many MB each process's memory grew.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, Mode, Sample, Turn, at_least

ROWS = {"full": 50_000, "quick": 5000, "smoke": 300}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
NEAR, THEIRS = 0.7, 0.5
WARM = 300


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Nothing where text-dedup is not installed, as `pip install text-dedup` would."""
    if find_spec("text_dedup") is None:
        return []
    given = {rows: _planted(desk / f"{rows}.jsonl", rows) for rows in {ROWS[mode], WARM}}

    def side(name: str) -> Callable[[Turn], Sample]:
        def take(turn: Turn) -> Sample:
            rows = WARM if turn.warm else ROWS[mode]
            path, planted = given[rows]
            return _taken(name, path, planted, turn.folder)

        return take

    return [
        Case(
            name="near_duplicates",
            work=f"take near duplicates out of {ROWS[mode]} texts, one process",
            other="text_dedup.minhash, threshold 0.5",
            unit="rows/s",
            ours=side("ours"),
            theirs=side("theirs"),
            rounds=ROUNDS[mode],
            bar=at_least(1.0),
            settings={"rows": ROWS[mode], "near": NEAR, "threshold": THEIRS},
        )
    ]


def _planted(path: Path, rows: int) -> tuple[Path, np.ndarray]:
    """The texts in a file, and which of them are copies."""
    from benchmarks.copies import planted_copies

    texts, copies = planted_copies(rows)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)
        )
    return path, copies


def _taken(side: str, path: Path, planted: np.ndarray, folder: Path) -> Sample:
    command = [sys.executable, "-m", "benchmarks.cases.near_duplicates", side, str(path)]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(folder / "cache")},
    )
    if done.returncode:
        raise RuntimeError(f"{side} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    kept = np.zeros(len(planted), bool)
    kept[told["kept"]] = True
    found = (~kept & planted).sum()
    recall, precision = found / max(1, planted.sum()), found / max(1, (~kept).sum())
    return Sample(
        len(planted) / told["seconds"],
        quality=float(2 * recall * precision / max(1e-9, recall + precision)),
        facts={"recall": recall, "precision": precision, "MB": told["megabytes"]},
        held_out=int(planted.sum()),
    )


def _ours() -> Callable[[Path, Path], list[int]]:
    from pyarrow import parquet

    from multigraft.preparing import prepare

    def take(path: Path, folder: Path) -> list[int]:
        steps = [{"name": "near-duplicates", "near": NEAR}]
        found = prepare(source=path, steps=steps, workers=1, output=folder / "out", quiet=True)
        shards = [found.folder / each["file"] for each in found.manifest["shards"]]
        return [row for shard in shards for row in parquet.read_table(shard)["id"].to_pylist()]

    return take


def _theirs() -> Callable[[Path, Path], list[int]]:
    import datasets
    from text_dedup.minhash import main

    def take(path: Path, folder: Path) -> list[int]:
        output = folder / "out"
        arguments = ["--path", "json", "--data_files", str(path), "--split", "train"]
        arguments += ["--column", "text", "--output", str(output), "--num_proc", "1"]
        arguments += ["--cache_dir", str(folder / "cache"), "--threshold", str(THEIRS)]
        main(arguments, standalone_mode=False)
        return list(datasets.load_from_disk(str(output))["id"])

    return take


def _peak_mb() -> float:
    """The most memory of this process, or of a child."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


if __name__ == "__main__":
    work = {"ours": _ours, "theirs": _theirs}[sys.argv[1]]()
    before, begun = _peak_mb(), time.perf_counter()
    left = work(Path(sys.argv[2]), Path(sys.argv[3]))
    seconds = time.perf_counter() - begun
    print(json.dumps({"kept": left, "seconds": seconds, "megabytes": _peak_mb() - before}))
