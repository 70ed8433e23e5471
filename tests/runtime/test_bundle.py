from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.readers import load_spec
from multigraft.contracts.records import Option
from multigraft.errors import BundleError
from multigraft.runtime.answers.registry import named_answers
from multigraft.runtime.bundle import (
    Bundle,
    Port,
    Precision,
    manifest_hash,
    open_bundle,
    read_manifest,
    seal,
)
from multigraft.runtime.describing import bundle_name
from multigraft.runtime.manifest import said_of

ASKED = Option(default=None, types=(int,), low=1, help="how many")


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
    assert opened.model_copy(update={"files": {}, "sha256": None}) == manifest()
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
        raw["sha256"] = manifest_hash(raw)  # as somebody does who means it
        (folder / "bundle.json").write_text(json.dumps(raw))

    return spoil


def _writes(*shape: int | str, pad: int = 0) -> dict[str, Any]:
    port = {"past": "past", "present": "present", "dtype": "float32", "shape": shape}
    known = {"tokens": "t", "logits": "l", "vocabulary": 9, "max_length": 9}
    return {**known, "cache": [port], "pad": pad}


def _text(content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "bundle.json").write_text(content) and None


def _flip(folder: Path) -> None:
    """One bit, which makes of the label "no" the label "nn"."""
    content = bytearray((folder / "bundle.json").read_bytes())
    content[content.index(b'"no"') + 2] ^= 1
    (folder / "bundle.json").write_bytes(content)


def _loop(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(folder / "model.onnx")


def _link_folder(folder: Path) -> None:
    (folder / "extra").symlink_to(folder)


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
        (_symlink, "model.onnx: is a link out of the bundle; .*cp -rL"),
        (_hard_link, "model.onnx: is a hard link"),
        (_link_manifest, "bundle.json: is a link out of the bundle; .*cp -rL"),
        (_loop, "cannot be opened"),
        (_link_folder, "extra: is no plain file"),
        (_flip, "bundle.json: was changed since it was written"),
        (_text("[]"), "has format None"),
        (_text("null"), "has format None"),
        (_text("[" * 100_000), "bundle.json: cannot be read"),
        (_text('{"format": 1, "facts": ' + '{"a":' * 900 + "1" + "}" * 901), "bundle.json: "),
        (_text('{"format": 1, "opset": ' + "9" * 5000 + "}"), "bundle.json: cannot be read"),
        (_text('{"format": 1, "task": ' + "[" * 900 + "]" * 900 + "}"), "bundle.json: "),
        (
            _edit(lambda raw: raw.update(sample={"input_ids": [1, 400_000_000]})),
            "at most 131,072 numbers",
        ),
        (_edit(lambda raw: raw.update(sample={"x": [2**40, 2**40]})), "at most 67,108,864 numbers"),
        (_edit(lambda raw: raw.update(sample={"input_ids": [-1, 4]})), "numbers are allowed"),
        (
            _edit(lambda raw: raw.update(generation=_writes("batch", 400_000_000, 64))),
            "at most 4,194,304 numbers a row",
        ),
        (
            _edit(lambda raw: raw.update(generation=_writes("batch", "past", -1))),
            "the axis batch first",
        ),
        (
            _edit(lambda raw: raw.update(generation=_writes("past", "batch", 2))),
            "the axis batch first",
        ),
        (
            _edit(lambda raw: raw.update(generation=_writes("batch", "past", pad=2**70))),
            "generation.pad",
        ),
        (_edit(_escape), "'../secret' leaves the folder"),
        (_edit(_escape_precision), "'/etc/passwd' leaves the folder"),
        (_edit(lambda raw: raw.update(format=3)), "has format 3; .* reads formats 1 to 2;"),
        (_edit(lambda raw: raw.pop("format")), "has format None"),
        (_edit(lambda raw: raw.pop("task")), "task: is missing"),
        (
            _edit(lambda raw: raw.update(default="int8")),
            "default precision 'int8' is not in the bundle",
        ),
        (
            _edit(lambda raw: raw["precisions"]["fp32"].update(file="x.onnx")),
            "fp32 names no listed file",
        ),
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


def test_the_earliest_format_is_written_that_can_say_it() -> None:
    first = manifest(**said_of("classification", {"top_k": ASKED})).said()
    assert (first["format"], first["decode"], first["merge"]) == (
        *(1, "classification", "mean_probabilities"),
    )
    assert not {"answers", "asks"} & first.keys()
    own = manifest(**said_of(None, {})).said()
    assert (own["format"], own["decode"]) == (1, None)
    asking = manifest(**said_of(None, {"top_k": ASKED})).said()
    assert (asking["format"], asking["answers"]) == (2, None)
    assert asking["asks"]["top_k"] | {"low": 1.0, "help": "how many"} == asking["asks"]["top_k"]
    later = manifest(**said_of("transcript", {})).said()
    assert (later["format"], later["answers"], later["asks"]) == (2, "transcript", {})
    assert not {"decode", "merge"} & later.keys()


def test_a_bundle_of_format_2_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    wanted = manifest(**said_of(None, {"top_k": ASKED}))
    seal(wanted, tmp_path)
    opened = open_bundle(tmp_path)
    assert opened.model_copy(update={"files": {}, "sha256": None}) == wanted
    assert opened.named is None


def test_answers_of_a_later_version_are_said() -> None:
    later = manifest(**said_of("transcript", {}))
    assert later.named == "transcript"
    with pytest.raises(
        BundleError, match=r"answers with 'transcript', .* does not know .*classification"
    ):
        named_answers("transcript", {})


@pytest.mark.parametrize("left", [{}, {"sha256": None}])
def test_a_bundle_of_an_earlier_version_opens_with_a_warning(
    folder: Path, left: dict[str, None], caplog: pytest.LogCaptureFixture
) -> None:
    open_bundle(folder)
    assert not caplog.messages
    raw = json.loads((folder / "bundle.json").read_text())
    del raw["sha256"]
    (folder / "bundle.json").write_text(json.dumps(raw | left, indent=1))
    assert open_bundle(folder).sha256 is None
    (said,) = caplog.messages
    assert said.startswith(f"{folder / 'bundle.json'}: was made before manifests were hashed")
    assert "export the run again" in said


def test_no_flipped_bit_of_a_manifest_changes_what_it_says(folder: Path) -> None:
    """Each is refused, or lies where JSON does not look."""
    sound = (folder / "bundle.json").read_bytes()
    wanted = read_manifest(folder)
    for place in range(0, len(sound), 7):
        for bit in (0, 5):
            flipped = bytearray(sound)
            flipped[place] ^= 1 << bit
            (folder / "bundle.json").write_bytes(flipped)
            with suppress(BundleError):
                assert read_manifest(folder).model_copy(update={"sha256": wanted.sha256}) == wanted


def test_a_bundle_behind_the_links_of_a_hub_opens(folder: Path, tmp_path: Path) -> None:
    """Each file of a snapshot is a link into the blobs beside it."""
    snapshot, blobs = (
        tmp_path / "models--jo--reviews" / "snapshots" / "4f2a",
        tmp_path / "models--jo--reviews/blobs",
    )
    for inner in (snapshot, snapshot / "bundle"):
        inner.mkdir(parents=True, exist_ok=True)
        blobs.mkdir(exist_ok=True)
        for path in folder.iterdir():
            (blobs / f"{path.name}-blob").write_bytes(path.read_bytes())
            link = inner / path.name
            link.symlink_to(os.path.relpath(blobs / f"{path.name}-blob", inner))
    assert open_bundle(snapshot / "bundle").task == "text-classification"
    shutil.rmtree(snapshot / "bundle")
    opened = open_bundle(snapshot)
    assert load_spec(opened.reader, snapshot)["tokenizer.json"] == {}
    assert bundle_name(snapshot) == "reviews"
    (blobs / "model.onnx-blob").write_bytes(b"gr4ph")
    with pytest.raises(BundleError, match=r"model\.onnx: its content is not"):
        open_bundle(snapshot)


def test_a_bundle_that_a_cluster_mounts_opens(folder: Path, tmp_path: Path) -> None:
    """Each file is a link into a hidden folder, which is exchanged whole."""
    mounted = tmp_path / "reviews"
    shutil.copytree(folder, mounted / "..2026_01_01")
    (mounted / "..data").symlink_to("..2026_01_01")
    for path in folder.iterdir():
        (mounted / path.name).symlink_to(Path("..data") / path.name)
    opened = open_bundle(mounted)
    assert load_spec(opened.reader, mounted)["tokenizer.json"] == {}
    assert bundle_name(mounted) == "reviews"


def test_a_bundle_is_called_as_it_lies(folder: Path) -> None:
    """The folder around it lends its name only where it is the run."""
    assert bundle_name(folder) == "bundle"
    (folder.parent / "run.json").write_text("{}")
    assert bundle_name(folder) == folder.parent.name
    assert bundle_name(Path("/bundle")) == "bundle"


def test_a_folder_that_is_missing_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle: it does not exist"):
        open_bundle(tmp_path / "nothing")


def test_a_bundle_without_its_default_cannot_be_sealed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    refused = {"fp32": Precision(accepted=False, file=None, reason="lost too much")}
    with pytest.raises(BundleError, match="default precision"):
        seal(manifest(precisions=refused), tmp_path)


def test_fields_of_a_later_writer_are_passed_over(folder: Path) -> None:
    _edit(lambda raw: raw.update(colour="green"))(folder)
    assert read_manifest(folder).task == "text-classification"
