"""Run folders of unknown origin: their recipe, record, metrics, reports, weights and checkpoints
changed."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

import multigraft as mg
from fuzz.breaking import broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from helpers.samples import write_texts

TRAINING = {
    "epochs": 1,
    "batch_size": 8,
    "precision": "fp32",
    "workers": 0,
    "keep": 1,
    "compile": "off",
}


class Stop:
    """A plugin that interrupts training after its second step."""

    @mg.hookimpl
    def step_end(self, run: Any, step: int, logs: Any) -> None:
        """Stop as a person would."""
        if step == 2:
            raise KeyboardInterrupt


@functools.cache
def sound_run() -> tuple[Path, Path, tempfile.TemporaryDirectory[str]]:
    """A finished run, one that was interrupted, and what holds both."""
    holder = tempfile.TemporaryDirectory(prefix="multigraft-runs-")
    folder = Path(holder.name)
    fields: dict[str, Any] = {
        "task": "text-classification",
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": str(write_texts(folder, 24)),
        "reader": {"max_length": 16, "vocabulary": 60},
        "evaluation": {"bootstrap": 0},
    }
    mg.finetune(**fields, training=TRAINING, output=folder / "finished").evaluate()
    with suppress(KeyboardInterrupt):
        mg.finetune(
            **fields,
            training={**TRAINING, "epochs": 3, "checkpoint_every": 1},
            output=folder / "stopped",
            plugins=[Stop()],
        )
    return folder / "finished", folder / "stopped", holder


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _broken(number: int) -> st.SearchStrategy[tuple[str, int, str, Any]]:
    """A file of one of the runs, changed; JSON and YAML also part by part."""
    folder = sound_run()[number]
    structured = (
        "recipe.yaml",
        "run.json",
        "model/config.json",
        "reports/evaluate.json",
        "tokenizer.json",
    )
    return st.sampled_from([*_files(folder), *structured * 4]).flatmap(
        lambda name: _change(folder, number, name)
    )


def _change(folder: Path, number: int, name: str) -> st.SearchStrategy[tuple[str, int, str, Any]]:
    file = folder / name
    content = file.read_bytes() if file.exists() else b"{}"
    bytes_of = st.tuples(
        st.just("bytes"), st.just(number), st.just(name), broken_bytes(st.just(content))
    )
    if file.suffix not in (".json", ".yaml") or len(content) > 20_000:
        return bytes_of
    value = yaml.safe_load(content)
    values = st.tuples(st.just("value"), st.just(number), st.just(name), broken_values(value))
    return st.one_of(bytes_of, values, values)


CHANGES = ("link", "missing", "folder", "zero")
INPUTS = st.one_of(
    *[st.deferred(lambda: st.integers(0, 1).flatmap(_broken))] * 5,
    st.deferred(
        lambda: st.tuples(
            st.sampled_from(CHANGES), st.just(0), st.sampled_from(_files(sound_run()[0])), st.none()
        )
    ),
)


def feed(folder: Path, given: tuple[str, int, str, Any]) -> None:
    """A run that opens has the splits and labels of its record; one that resumes ends."""
    way, number, name, what = given
    case = folder / "case"
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(sound_run()[number], case)
    file = case / name
    if way in CHANGES:
        _swap(case, file, way)
    elif way == "bytes":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(what)
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(what))
    if number == 0:
        run = mg.open_run(case)
        if set(run.rows) - {"train", "validation", "test"} or not run.targets["labels"]:
            raise WrongAnswer(f"{sorted(run.rows)} {run.targets}")
        run.evaluate()
    else:
        mg.resume(case)


def _swap(case: Path, file: Path, way: str) -> None:
    file.unlink()
    if way == "link":
        file.symlink_to(sound_run()[0].parent / "texts.csv")
    elif way == "folder":
        file.mkdir()
    elif way == "zero":
        file.symlink_to("/dev/zero")


def prepare(folder: Path) -> None:
    """Train both runs."""
    sound_run()


def sound() -> list[tuple[str, int, str, Any]]:
    """Both runs, with a file written again as it was."""
    return [
        ("bytes", number, "run.json", (sound_run()[number] / "run.json").read_bytes())
        for number in (0, 1)
    ]


BORDER = Border("run", INPUTS, feed, sound, prepare)
