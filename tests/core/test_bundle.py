from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multigraft.bundle import Bundle, Port, Precision, open_bundle, read_manifest, seal
from multigraft.errors import BundleError


def manifest(**fields: Any) -> Bundle:
    known: dict[str, Any] = {
        "task": "text-classification",
        "modality": "text",
        "reader": {"tokenizer.json": None, "max_length": 8},
        "targets": {"labels": ["no", "yes"]},
        "inputs": (Port(name="input_ids", dtype="int64", shape=("batch", "length")),),
        "outputs": (Port(name="probabilities", dtype="float32", shape=("batch", 2)),),
        "precisions": {"fp32": Precision(accepted=True, file="model.onnx", reason="")},
        "default": "fp32",
        "opset": 20,
    }
    return Bundle(**{**known, **fields})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle whose graph is a few bytes."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "tokenizer.json").write_text("{}")
    seal(manifest(), folder)
    return folder


def test_a_bundle_comes_back_as_it_was_written(folder: Path) -> None:
    opened = open_bundle(folder)
    assert opened.model_copy(update={"files": {}}) == manifest()
    assert opened.files["model.onnx"].size == 5
    assert sorted(opened.files) == ["model.onnx", "tokenizer.json"]


def _change_same_size(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"gr4ph")


def _grow(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"graph and more")


def _remove(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _add(folder: Path) -> None:
    (folder / "model.onnx.data").write_bytes(b"")


def _add_folder(folder: Path) -> None:
    (folder / "extra").mkdir()


def _symlink(folder: Path) -> None:
    moved = (folder / "model.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(moved)


def _hard_link(folder: Path) -> None:
    os.link(folder / "model.onnx", folder.parent / "elsewhere.onnx")


def _link_manifest(folder: Path) -> None:
    moved = (folder / "bundle.json").rename(folder.parent / "elsewhere.json")
    (folder / "bundle.json").symlink_to(moved)


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        raw = json.loads((folder / "bundle.json").read_text())
        change(raw)
        (folder / "bundle.json").write_text(json.dumps(raw))

    return spoil


def _escape(raw: dict[str, Any]) -> None:
    raw["files"]["../secret"] = raw["files"]["model.onnx"]


def _escape_precision(raw: dict[str, Any]) -> None:
    raw["precisions"]["fp32"]["file"] = "/etc/passwd"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_change_same_size, "model.onnx: its content is not what bundle.json lists"),
        (_grow, "has 14 bytes, bundle.json lists 5"),
        (_remove, "tokenizer.json: listed in bundle.json but missing"),
        (_add, "model.onnx.data: not listed in bundle.json"),
        (_add_folder, "extra: is no plain file"),
        (_symlink, "model.onnx: is no plain file"),
        (_hard_link, "model.onnx: is a hard link"),
        (_link_manifest, "bundle.json: is a link"),
        (_edit(_escape), "'../secret' leaves the folder"),
        (_edit(_escape_precision), "'/etc/passwd' leaves the folder"),
        (_edit(lambda raw: raw.update(format=2)), "has format 2; multigraft .* reads format 1"),
        (_edit(lambda raw: raw.pop("format")), "has format None"),
        (_edit(lambda raw: raw.pop("task")), "task: is missing"),
        (_edit(lambda raw: raw.update(default="int8")), "default precision 'int8' is not in the bundle"),
        (_edit(lambda raw: raw["precisions"]["fp32"].update(file="x.onnx")), "fp32 names no listed file"),
        (lambda folder: (folder / "bundle.json").write_text("{"), "bundle.json: cannot be read"),
        (lambda folder: (folder / "bundle.json").unlink(), "is not a bundle"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_said(
    folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    with pytest.raises(BundleError, match=message):
        open_bundle(folder)


def test_a_folder_that_is_missing_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        open_bundle(tmp_path / "nothing")


def test_a_bundle_without_its_default_cannot_be_sealed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    refused = {"fp32": Precision(accepted=False, file=None, reason="lost too much")}
    with pytest.raises(BundleError, match="default precision"):
        seal(manifest(precisions=refused), tmp_path)


def test_fields_of_a_later_writer_are_passed_over(folder: Path) -> None:
    _edit(lambda raw: raw.update(colour="green"))(folder)
    assert read_manifest(folder).task == "text-classification"
