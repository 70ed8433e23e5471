"""Make what ``kept`` holds: ``OMP_NUM_THREADS=1 PYTHONPATH=tests python -m before.make``.

Runs and bundles that an earlier multigraft left behind, and later ones must open. Made anew they
would only show that today's code opens what today's code wrote: add a case, but keep those that
are there.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from samples import LABELS, write_images, write_texts

import multigraft as mg
from before import pocket
from before.ends import KEPT, answers, fingerprint, machine, metrics, weights
from multigraft.system.files import write_json

PASSING = {"rows": 5, "budget": 100, "repair": 0}
"""An export whose gate lets int8 pass on a few rows."""
SENTENCES = ("the fox runs.", "rain falls on us.", "a cook eats soup.", "my train has left.")
TEXTS = ["the film was great day 3. some people then.", "a river awful day 8.", "and a day"]
LONG = " ".join(["people and the river was some great day", "with a film house"] * 5)
Fields = Mapping[str, Any]


class Stop:
    """Asks the training to stop at the end of a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def text() -> list[dict[str, Any]]:
    """A BERT from a folder of weights, whole and cut short; a probe of bert-tiny from scratch."""
    _noisy(write_texts(Path("written"), 90).rename("rows.csv"))
    _bert(Path("bert"))
    data = {"train": "rows.csv", "split": {"validation": 0.2, "test": 0.3}}
    common = {"task": "text-classification", "data": data, "reader": {"max_length": 24}}
    training = {"epochs": 8, "batch_size": 4, "learning_rate": 0.01, "keep": 1, "precision": "fp32"}
    full = {
        **common,
        "backbone": {"name": "bert-tiny", "weights": "bert"},
        "training": {**training, "ema": 0.8},
        "export": PASSING,
    }
    _finished(full)
    _interrupted(full, step=40)
    probe = {
        **common,
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "reader": {"max_length": 24, "vocabulary": 128},
        "strategy": "linear-probe",
        "training": training,
    }
    _interrupted(probe, step=40, name="probe")
    return [
        {"asked": {}, "inputs": TEXTS},
        {"asked": {"top_k": 1, "threshold": 0.5}, "inputs": TEXTS},
        {"asked": {"long": "window"}, "inputs": [LONG]},
        {"precision": "int8", "asked": {"batch_size": 1}, "inputs": TEXTS},
    ]


def writing() -> list[dict[str, Any]]:
    """A GPT that writes."""
    # what follows each sentence is sure, and so is each token of a greedy answer
    pairs = zip(SENTENCES, [*SENTENCES[1:], SENTENCES[0]], strict=True)
    rows = [{"text": f"{first} {second}"} for first, second in pairs] * 8
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    _finished(
        {
            "task": "causal-language-modeling",
            "backbone": "pocket-gpt-tiny",
            "data": {
                "train": "rows.jsonl",
                "split": {"validation": 0.2, "test": 0.2},
                "leakage": {"allowed": 1},
            },
            "reader": {"tokenizer": "character", "vocabulary": 64, "max_length": 48},
            "training": {"epochs": 24, "batch_size": 4, "learning_rate": 0.02, "precision": "fp32"},
            "export": PASSING,
        }
    )
    inputs = ["the fox", "a cook eats", "my"]
    greedy = {"verb": "generate", "asked": {"max_new_tokens": 32}, "inputs": inputs}
    beams = {"verb": "generate", "asked": {"max_new_tokens": 12, "method": "beam", "beams": 3}}
    first = {"inputs": inputs[:1]}
    return [greedy, {**beams, **first}, {**greedy, **first, "precision": "int8"}]


def image() -> list[dict[str, Any]]:
    """A small ResNet, whole and cut short."""
    write_images(Path(), 24)
    fields = {
        "task": "image-classification",
        "backbone": "pocket-resnet-tiny",
        "data": {"train": "images", "split": {"validation": 0.25, "test": 0.25}},
        "training": {
            "epochs": 16,
            "batch_size": 4,
            "learning_rate": 0.02,
            "augment": "light",
            "precision": "fp32",
            "keep": 1,
        },
        "export": PASSING,
    }
    _finished(fields)
    _interrupted(fields, step=20)
    inputs = [f"images/{LABELS[index % 2]}/{index:03d}.png" for index in range(2, 6)]
    return [
        {"asked": {}, "inputs": inputs},
        {"precision": "int8", "asked": {"batch_size": 1}, "inputs": inputs},
    ]


def audio() -> list[dict[str, Any]]:
    """A log-mel encoder, of sounds that are resampled."""
    for index in range(24):
        _sound(Path("sounds") / LABELS[index % 2] / f"{index:03d}.wav", index)
    _finished(
        {
            "task": "audio-classification",
            "backbone": "pocket-logmel-tiny",
            "data": {"train": "sounds", "split": {"validation": 0.25, "test": 0.25}},
            "reader": {"sample_rate": 4000},
            "training": {"epochs": 6, "batch_size": 4, "learning_rate": 0.02, "precision": "fp32"},
            "export": PASSING,
        }
    )
    inputs = [f"sounds/{label}/{index:03d}.wav" for index, label in enumerate(LABELS)]
    return [
        {"asked": {}, "inputs": inputs},
        {"precision": "int8", "asked": {"batch_size": 1}, "inputs": inputs},
    ]


CASES = (text, writing, image, audio)


def _noisy(path: Path) -> None:
    """Turn each sixth label round, so that no metric is perfect."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::6]:
        row["label"] = LABELS[1 - LABELS.index(row["label"])]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)


def _sound(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = np.arange(int(8000 * rng.uniform(0.1, 0.2))) / 8000
    tone = np.sin(2 * np.pi * (900, 450)[seed % 2] * rng.uniform(0.7, 1.3) * time)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (0.3 * tone + rng.normal(0, 0.1, len(time))).astype(np.float32), 8000)


def _bert(folder: Path) -> None:
    """Weights with their tokenizer, as they are handed on: the folder of a pretrained model."""
    with tempfile.TemporaryDirectory() as place:
        run = mg.pretrain(
            task="masked-language-modeling",
            backbone="pocket-bert-tiny",
            data="rows.csv",
            reader={"vocabulary": 128, "max_length": 24},
            training={"epochs": 1, "batch_size": 8, "precision": "fp32"},
            output=f"{place}/run",
            plugins=[pocket],
        )
        shutil.copytree(run.folder / "model", folder)


def _train(fields: Fields, name: str, *plugins: object) -> mg.Run:
    verb = mg.pretrain if "modeling" in fields["task"] else mg.finetune
    return verb({**fields, "output": name}, plugins=[pocket, *plugins])


def _finished(fields: Fields) -> None:
    _train(fields, "finished").export()
    shutil.rmtree("finished/checkpoints")  # nothing but a training that goes on looks at them


def _interrupted(fields: Fields, *, step: int, name: str = "interrupted") -> None:
    with suppress(KeyboardInterrupt):
        _train(fields, name, Stop(step))
    if json.loads(Path(name, "run.json").read_text(encoding="utf-8"))["state"] != "interrupted":
        raise SystemExit(f"{name} was to be interrupted at step {step}")


def _relative() -> None:
    """Let every file name what lies here by a relative path, so that the folder can be moved."""
    here = f"{Path.cwd()}"
    for path in (each for each in Path().rglob("*") if each.is_file()):
        content = path.read_bytes()
        if here.encode() in content:
            path.write_bytes(content.replace(f"{here}/".encode(), b"").replace(here.encode(), b"."))


def _ends(name: str) -> dict[str, Any]:
    """How a run ends, asked of a copy of it: one that was interrupted is resumed."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(name, Path(place) / name))
        if (copy / "checkpoints").exists():
            mg.resume(copy, plugins=[pocket])
        report = mg.open_run(copy, plugins=[pocket]).evaluate()
        return {"metrics": metrics(report), "weights": fingerprint(weights(copy))}


def _answered(question: Fields) -> dict[str, Any]:
    whole = {"precision": "fp32", "verb": "predict", **question}
    return {**whole, "answers": _rounded(answers(Path("finished/bundle"), whole))}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def _make(folder: Path, questions: Any) -> None:
    folder.mkdir(parents=True)
    with chdir(folder):
        asked: Sequence[Fields] = questions()
        _relative()
        names = [path.parent.name for path in sorted(Path().glob("*/run.json"))]
        runs = {name: _ends(name) for name in names}
        for path in [*Path().rglob(".lock"), *Path().glob("*/report.html")]:
            path.unlink()
        told = [_answered(each) for each in asked]
        write_json(Path("expected.json"), {"runs": runs, "questions": told})


def main() -> None:
    """Make every case in a folder of its own, and say on what they were made."""
    if KEPT.exists():
        raise SystemExit(f"{KEPT} is there already; see the top of {Path(__file__).name}")
    with tempfile.TemporaryDirectory() as place:
        made = Path(place).resolve() / "kept"
        for case in CASES:
            _make(made / case.__name__, case)
        write_json(made / "made.json", {"multigraft": mg.__version__, **machine()})
        shutil.copytree(made, KEPT)


if __name__ == "__main__":
    main()
