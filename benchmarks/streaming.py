"""Anonymous memory while corpora of several sizes are loaded, audited and read once: it must not
grow.

``python -m benchmarks.streaming 10 100 1000`` (megabytes of JSON lines); each runs in a process of
its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SIZES = (10, 100, 1000)
WORDS = [f"word{number}" for number in range(2000)]
LENGTH = 240
"""Words a row."""


def main(arguments: list[str]) -> None:
    """Measure each size in megabytes."""
    if arguments[:1] == ["--one"]:
        measure(Path(arguments[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in [float(each) for each in arguments] or SIZES:
            path = write_lines(Path(folder) / f"{size:g}.jsonl", size * 1e6)
            settings = {**os.environ, "MULTIGRAFT_CACHE": f"{folder}/cache-{size:g}"}
            for turn in ("first", "again"):
                print(f"{size:g} MB, {turn}", flush=True)
                command = [sys.executable, "-m", "benchmarks.streaming", "--one", str(path)]
                subprocess.run(command, env=settings, check=True)
            path.unlink()


def write_lines(path: Path, size: float) -> Path:
    """About ``size`` bytes of rows with a text and a label."""
    rng = np.random.default_rng(0)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            words = " ".join(WORDS[number] for number in rng.integers(0, len(WORDS), LENGTH))
            written += file.write(json.dumps({"text": words, "label": written % 3}) + "\n")
    return path


def measure(path: Path) -> None:
    """Print the largest anonymous memory, and the seconds, of each stage."""
    from multigraft.contracts.objectives import Objective
    from multigraft.data import Epoch, Rows, iterate, load_splits, plan_batches
    from multigraft.recipe import Data
    from multigraft_text import register_modalities

    class Nothing(Objective):
        monitor, greater_is_better = "loss", False

    modality = next(each for each in register_modalities() if each.name == "text")
    reader, objective = modality.reader(tokenizer_spec()), Nothing()
    print(f"  {'start':8} {anonymous() / 1e6:7.0f} MB")
    with stage("load"):
        splits = load_splits(
            Data(train=str(path)), modality=modality, task_columns=(), stratify_by=None, seed=0
        )
    with stage("audit"):
        rows = Rows.audit(splits.train, reader, objective, allowed_bad=0, name="train")
    with stage("iterate"):
        batches = plan_batches(rows.lengths, size=32, seed=0, epoch=0, shuffle=True)
        loaded = iterate(
            rows,
            batches,
            Epoch(seed=0, train=True),
        )
        read = sum(len(indices) for indices, _ in loaded)
    print(f"  {read} rows, {rows.lengths.sum() / 1e6:.1f} million tokens")


def tokenizer_spec() -> dict[str, object]:
    """A reader that knows a word list, so that nothing must be learned or loaded."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    content = json.loads(tokenizer.to_str())
    return {
        "kind": "text",
        "tokenizer.json": content,
        "max_length": 128,
        "pad_id": 0,
        "token_types": False,
        "special": {},
    }


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Sample the memory while the block runs."""
    peak, done = [anonymous()], threading.Event()

    def sample() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], anonymous())

    thread = threading.Thread(target=sample)
    thread.start()
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    done.set()
    thread.join()
    print(f"  {name:8} {peak[0] / 1e6:7.0f} MB at most, {seconds:7.1f} s", flush=True)


def anonymous() -> int:
    """The bytes of this process that no file stands behind."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    found = next(line for line in lines if line.startswith("RssAnon"))
    return int(found.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
