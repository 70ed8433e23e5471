"""What an evaluation of 1,000 and of 10,000 rows needs in memory, against `Trainer.evaluate`.

A BERT of 2 x 64 with 1,000 classes, texts of 6 to 20 tokens, batches of 32, in a process of its own
for each figure. The rows are read and tokenised beforehand on both sides. The figure is the peak of
the process's anonymous memory (``RssAnon``, sampled each millisecond) during ``run.evaluate()``,
intervals and report included, or during ``Trainer.evaluate`` with a ``compute_metrics`` that takes
the accuracy, above its value just before. The bar: flat, 10,000 rows need no more than 1.2 times
what 1,000 do.
"""

from __future__ import annotations

import csv
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Bar, Case, Mode, Sample, Turn

CLASSES = 1000
ROWS = {"full": (1000, 10_000), "quick": (200, 2000), "smoke": (100, 200)}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}
BATCH = 32
GROWTH = 1.2


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The many rows, with the few beside them."""
    few, many = ROWS[mode]
    runs = {count: _trained(desk, count) for count in (few, many)}

    def side(name: str) -> Callable[[Turn], Sample]:
        def take(turn: Turn) -> Sample:
            peaks = {count: _peak(name, run) for count, run in runs.items()}
            return Sample(peaks[many], facts={f"MB for {few} rows": peaks[few]})

        return take

    return [
        Case(
            name="evaluation_memory",
            work=f"evaluate {many} rows of {CLASSES} classes, peak above the model",
            other="Trainer.evaluate, compute_metrics",
            unit="MB",
            ours=side("ours"),
            theirs=side("theirs"),
            rounds=ROUNDS[mode],
            bar=Bar(f"flat: <= {GROWTH:g} times the MB of {few} rows", _flat),
            settings={"rows": [few, many], "classes": CLASSES, "batch_size": BATCH},
            warm=False,
        )
    ]


def _flat(figures: Mapping[str, Any]) -> bool:
    few = next(iter(figures["ours"]["facts"].values()))
    return bool(figures["ours"]["median"] <= GROWTH * few)


def _trained(desk: Path, count: int) -> Path:
    """A run of one step whose test split has that many rows."""
    import multigraft as mg

    train, test = desk / "train.csv", desk / f"test-{count}.csv"
    _write(train, 2 * CLASSES, seed=0)
    _write(test, count, seed=count)
    run = mg.finetune(
        task="text-classification",
        backbone={"name": "bert-tiny", "weights": "scratch"},
        data={
            "train": str(train),
            "test": str(test),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        training={"steps": 1, "batch_size": BATCH},
        output=str(desk / f"run-{count}"),
    )
    return run.folder


def _write(path: Path, count: int, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(count):
            words = rng.integers(0, 500, rng.integers(4, 19))
            writer.writerow([" ".join(f"w{word}" for word in words), f"class {index % CLASSES}"])


def _peak(side: str, run: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.cases.evaluation_memory", side, str(run)]
    here = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=here, check=False, capture_output=True, text=True, env=dict(os.environ)
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}"
        )
    return float(json.loads(done.stdout.splitlines()[-1]))


def _ours(folder: Path) -> Callable[[], Any]:
    import multigraft as mg

    run = mg.open_run(folder)
    return run.evaluate


def _theirs(folder: Path) -> Callable[[], Any]:
    import datasets
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    import multigraft as mg
    from benchmarks.texts import read_rows

    datasets.disable_progress_bars()
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    test = mg.Recipe.parse(_yaml(folder / "recipe.yaml")).data.test
    rows = read_rows(Path(str(test)))
    raw = datasets.Dataset.from_dict(
        {
            "text": [text for text, _ in rows],
            "labels": [model.config.label2id[label] for _, label in rows],
        }
    )
    read = raw.map(lambda batch: tokenizer(batch["text"]), batched=True, remove_columns=["text"])
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "trainer"),
            per_device_eval_batch_size=BATCH,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        eval_dataset=read,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda found: {
            "accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())
        },
    )
    return trainer.evaluate


def _yaml(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _anonymous_mb() -> float:
    for entry in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if entry.startswith("RssAnon:"):
            return int(entry.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's anonymous memory")


def _watched(work: Callable[[], Any]) -> float:
    """The peak of anonymous memory while ``work`` runs, above what there was before, in MB."""
    gc.collect()
    before = peak = _anonymous_mb()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, _anonymous_mb())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peak, _anonymous_mb()) - before


if __name__ == "__main__":
    prepare = {"ours": _ours, "theirs": _theirs}[sys.argv[1]]
    print(json.dumps(_watched(prepare(Path(sys.argv[2])))))
