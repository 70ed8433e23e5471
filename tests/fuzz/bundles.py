"""Bundles of unknown origin: a changed manifest, changed files, links, and sealed lies."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
from hypothesis import strategies as st
from onnx import numpy_helper

import multigraft as mg
from fuzz.breaking import broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from helpers import toy_plugin, toy_runs
from multigraft.runtime import load
from multigraft.runtime.bundle import manifest_hash

ROW = "3 1 4 1 5"
CATALOG = mg.Catalog([toy_plugin], discover=False)


@functools.cache
def sound_files() -> dict[str, bytes]:
    """The files of a sound bundle."""
    run, _ = toy_runs.exported("numbers")
    return {path.name: path.read_bytes() for path in (Path(run.folder) / "bundle").iterdir()}


@functools.cache
def manifest() -> dict[str, Any]:
    """What its bundle.json says."""
    found: dict[str, Any] = json.loads(sound_files()["bundle.json"])
    return found


@functools.cache
def answer() -> dict[str, Any]:
    """What it answers."""
    run, _ = toy_runs.exported("numbers")
    found: dict[str, Any] = load(Path(run.folder) / "bundle", catalog=CATALOG).predict(ROW)
    return found


def _fresh(case: Path) -> None:
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir()
    for name, content in sound_files().items():
        (case / name).write_bytes(content)


def _link(case: Path) -> None:
    (case / "model.onnx").unlink()
    (case / "model.onnx").symlink_to(case.parent / "model.onnx")


def _hard_link(case: Path) -> None:
    (case / "model.onnx").unlink()
    os.link(case.parent / "model.onnx", case / "model.onnx")


def _linked_folder(case: Path) -> None:
    shutil.rmtree(case)
    (case.parent / "elsewhere.json").write_text("{}")
    case.mkdir()
    (case / "bundle.json").symlink_to(case.parent / "elsewhere.json")


def _rewrite(case: Path, **changed: Any) -> None:
    (case / "bundle.json").write_text(resealed({**manifest(), **changed}))


def resealed(raw: Any) -> str:
    """A manifest's text with the hash of what it says now, as somebody writes it who means harm."""
    with suppress(ValueError, RecursionError):
        if isinstance(raw, dict) and "sha256" in raw:
            raw = {**raw, "sha256": manifest_hash(raw)}
    return json.dumps(raw)


def _outside(case: Path, name: str) -> None:
    """A graph beside the bundle, as somebody who writes the manifest would name it."""
    fp32 = {**manifest()["precisions"]["fp32"], "file": name}
    files = {**manifest()["files"], name: manifest()["files"]["model.onnx"]}
    _rewrite(case, precisions={"fp32": fp32}, default="fp32", files=files)


def _weights_outside(case: Path) -> None:
    """A graph whose weights lie in a file beside the bundle."""
    model = onnx.load(case / "model.onnx")
    (weight, *_) = (
        each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT
    )
    (case.parent / "weights.bin").write_bytes(numpy_helper.to_array(weight).tobytes())
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../weights.bin")
    _write(case, "model.onnx", model.SerializeToString(), sealed=True)
    fp32 = {"fp32": manifest()["precisions"]["fp32"]}
    _rewrite(
        case,
        **{**json.loads((case / "bundle.json").read_text()), "precisions": fp32, "default": "fp32"},
    )


def _without_output(case: Path) -> None:
    """A graph that gives less than the manifest lists."""
    model = onnx.load(case / "model.onnx")
    del model.graph.output[0]
    _write(case, "model.onnx", model.SerializeToString(), sealed=True)
    fp32 = {"fp32": manifest()["precisions"]["fp32"]}
    _rewrite(
        case,
        **{**json.loads((case / "bundle.json").read_text()), "precisions": fp32, "default": "fp32"},
    )


def _deep(case: Path, levels: int) -> None:
    """A manifest whose facts are nested."""
    text = json.dumps({**manifest(), "facts": "HERE", "sha256": None})
    (case / "bundle.json").write_text(text.replace('"HERE"', '{"a":' * levels + "1" + "}" * levels))


CHANGES: dict[str, Callable[[Path], object]] = {
    "symlink": _link,
    "hard link": _hard_link,
    "linked manifest": _linked_folder,
    "unlisted": lambda case: (case / "extra.bin").write_bytes(b"x"),
    "folder": lambda case: (case / "inner").mkdir(),
    "pipe": lambda case: os.mkfifo(case / "pipe"),
    "missing": lambda case: (case / "model.onnx").unlink(),
    "no manifest": lambda case: (case / "bundle.json").unlink(),
    "pipe as manifest": lambda case: (
        (case / "bundle.json").unlink(),
        os.mkfifo(case / "bundle.json"),
    ),
    "path outside": lambda case: _outside(case, "../model.onnx"),
    "whole path": lambda case: _outside(case, str(case.parent / "model.onnx")),
    "weights outside": _weights_outside,
    "huge graph": lambda case: os.truncate(case / "model.onnx", 2**36),
    "zip as graph": lambda case: (case / "model.onnx").write_bytes(b"PK\x03\x04" + bytes(2**20)),
    "a graph without an output": _without_output,
    "another's JSON": lambda case: (case / "bundle.json").write_text('["format", 1]'),
    "deep facts": lambda case: _deep(case, 100_000),
    "huge manifest": lambda case: os.truncate(case / "bundle.json", 2**36),
}
NAMES = ("model.onnx", "model.int8.onnx", "words.json")
BROKEN = st.deferred(
    lambda: st.sampled_from(NAMES).flatmap(
        lambda name: st.tuples(st.just(name), broken_bytes(st.just(sound_files()[name])))
    )
)
MANIFESTS = st.deferred(lambda: broken_values(manifest()))
TEXTS_OF_MANIFESTS = st.deferred(lambda: broken_bytes(st.just(sound_files()["bundle.json"])))
INPUTS = st.one_of(
    *[st.tuples(st.just("manifest"), MANIFESTS)] * 4,
    st.tuples(st.just("text"), TEXTS_OF_MANIFESTS),
    st.tuples(st.just("file"), BROKEN),
    *[st.tuples(st.just("sealed"), BROKEN)] * 2,
    st.tuples(st.just("change"), st.sampled_from(list(CHANGES))),
)


def prepare(folder: Path) -> None:
    """Export once; a graph outside the bundle for links to point at."""
    answer()
    (folder / "model.onnx").write_bytes(sound_files()["model.onnx"])


def feed(folder: Path, given: tuple[str, Any]) -> None:
    """Changed files are never answered from; a changed manifest that is accepted answers in its own
    words."""
    way, what = given
    case = folder / "case"
    _fresh(case)
    if way == "manifest":
        (case / "bundle.json").write_text(resealed(what))
    elif way == "text":
        (case / "bundle.json").write_bytes(what)
    elif way == "change":
        CHANGES[what](case)
    else:
        _write(case, *what, sealed=way == "sealed")
    predictor = load(case, catalog=CATALOG)
    found = predictor.predict(ROW)
    if way == "change" or (way == "file" and what[1] != sound_files()[what[0]]):
        raise WrongAnswer(f"answered {found}")
    _check(found, predictor.labels)
    same = (predictor.labels, predictor.precision) == (
        tuple(manifest()["targets"]["labels"]),
        manifest()["default"],
    )
    if way in ("manifest", "text") and same and found["label"] != answer()["label"]:
        raise WrongAnswer(f"answered {found}, not {answer()}")


def _write(case: Path, name: str, content: bytes, *, sealed: bool) -> None:
    """Change a file; sealed: as somebody who changes the manifest with it."""
    (case / name).write_bytes(content)
    if sealed:
        entry = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        files = {**manifest()["files"], name: entry}
        (case / "bundle.json").write_text(resealed({**manifest(), "files": files}))


def _check(found: Any, labels: tuple[str, ...]) -> None:
    """An answer is a probability for each label; NaN is none."""
    scores = found["scores"]
    if tuple(sorted(scores)) != tuple(sorted(labels)) or not all(
        0 <= score <= 1 for score in scores.values()
    ):
        raise WrongAnswer(f"answered {found}")


BORDER = Border("bundle", INPUTS, feed, lambda: [("manifest", manifest())], prepare)
