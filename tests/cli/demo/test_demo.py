"""The demo's sets are honest: the same each time, balanced, and nothing held out is seen before."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor

from multigraft.cli import demo
from multigraft.cli.demo import chapters, sets_image, sets_text, sets_things
from multigraft.cli.demo.chapters import CHAPTERS, Chapter
from multigraft.cli.demo.figures import gain, over_seeds, row, verdict
from multigraft.cli.demo.published import LITE, MINILM, as_timm
from multigraft.cli.demo.sets import DemoSet
from multigraft.cli.demo.story import Ending
from multigraft.errors import MultigraftError


def texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [line["text"].casefold() for line in csv.DictReader(file)]


def test_names_are_in_one_split_only_and_labels_are_balanced(tmp_path: Path) -> None:
    data = sets_text.build(tmp_path)
    splits = [
        set(texts(path)) for path in (data.unlabelled, data.train, data.validation, data.test)
    ]
    assert sum(len(split) for split in splits) == len(set.union(*splits))
    with data.test.open(encoding="utf-8") as file:
        labels = [line["label"] for line in csv.DictReader(file)]
    assert {labels.count(label) for label in set(labels)} == {60}
    assert len(set(labels)) == 10


def test_digits_are_in_one_split_only(tmp_path: Path) -> None:
    data = sets_image.build(tmp_path)
    folders = (data.unlabelled, data.train, data.validation, data.test)
    pictures = [{path.read_bytes() for path in folder.rglob("*.png")} for folder in folders]
    assert [len(split) for split in pictures] == [
        data.rows[name] for name in ("unlabelled", "train", "validation", "test")
    ]
    assert sum(len(split) for split in pictures) == len(set.union(*pictures))


@pytest.mark.parametrize("build", [sets_text.build, sets_image.build, sets_things.build])
def test_a_set_is_the_same_each_time(build: object, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        build(tmp_path / name)  # type: ignore[operator]
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([(str(p.relative_to(tmp_path / name)), p.read_bytes()) for p in files])
    assert contents[0] == contents[1]


def ending(scratch: tuple[float, ...], pretrained: tuple[float, ...]) -> Ending:
    data = DemoSet(
        modality="text",
        unlabelled=Path(),
        train=Path(),
        validation=Path(),
        test=Path(),
        rows={"train": 50},
        facts={},
    )
    chapter = Chapter(
        modality="text", build=lambda folder: data, backbone={}, pretraining={}, finetuning={}
    )
    figures = {
        "torch": {"milliseconds": 2.0},
        "fp32": {"accuracy": 0.5, "milliseconds": 0.25, "accepted": True},
        "int8": {"accuracy": 0.4, "milliseconds": None, "accepted": False},
    }
    return Ending(chapter, data, scratch, pretrained, figures, {"fp32": (39, 40)}, ())


def test_intervals_are_students() -> None:
    interval = over_seeds([0.1, 0.2, 0.3])
    assert interval.mean == pytest.approx(0.2)
    assert interval.high - interval.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_the_verdict_says_when_pretraining_did_not_help() -> None:
    assert "helped, by +20.0" in verdict(ending((0.5, 0.51, 0.49), (0.7, 0.71, 0.69)))
    assert "no clear help" in verdict(ending((0.5, 0.6, 0.4), (0.52, 0.55, 0.5)))
    assert "did harm" in verdict(ending((0.5, 0.51, 0.49), (0.3, 0.31, 0.29)))


def test_a_line_of_the_table() -> None:
    told = ending((0.5, 0.5), (0.6, 0.6))
    assert gain(told).mean == pytest.approx(0.1)
    assert row(told)[5:] == ("50.0", "40.0 (refused)", "2.00", "0.25", "", "fp32 39/40")


def test_every_modality_is_pretrained_and_published_weights_are_beside() -> None:
    names = [(chapter.modality, chapter.name) for chapter in CHAPTERS]
    assert names == [
        ("text", "text"),
        ("image", "image"),
        ("audio", "audio"),
        ("text", "MiniLM"),
        ("image", "EfficientNet-Lite0"),
    ]
    assert all(bool(each.pretraining) != bool(each.published) for each in CHAPTERS)


def test_things_are_balanced_and_in_one_split_only(tmp_path: Path) -> None:
    data = sets_things.build(tmp_path)
    splits = [texts(path) for path in (data.train, data.validation, data.test)]
    assert [len(split) for split in splits] == list(data.rows.values()) == [25, 20, 120]
    assert len(set().union(*splits)) == 165
    assert data.unlabelled is None
    assert "cat" in sets_things._names("animal")
    assert not [name for name in sets_things._names("animal") if name.endswith(" face")]


def test_missing_packages_are_left_out_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = replace(MINILM, package="gt-none")
    chapter = next(each for each in CHAPTERS if each.name == "MiniLM")
    monkeypatch.setattr(chapters, "CHAPTERS", (replace(chapter, published=absent),))
    demo.main(tmp_path)
    said = " ".join(capsys.readouterr().err.split())
    assert f"left out: its weights are not installed; {MINILM.add}" in said
    assert (tmp_path / "report.html").is_file()


def test_a_package_without_its_weights_is_refused(tmp_path: Path) -> None:
    hollow = replace(MINILM, package="pluggy", inside="pluggy/none")
    with pytest.raises(MultigraftError, match="pluggy: has no pluggy/none; install it: pip"):
        hollow.weights(tmp_path)


def test_a_checkpoint_becomes_a_folder_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model(LITE, pretrained=False).eval()
    packed = [_as_published(each) for each in network.state_dict().values()]
    theirs = {f"their.{number}": each for number, each in enumerate(packed)}
    torch.save(theirs, tmp_path / "theirs.pth")
    folder = as_timm(tmp_path / "theirs.pth", tmp_path / "ours")
    found = timm.create_model(LITE, checkpoint_path=str(folder / "model.safetensors")).eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found(picture), network(picture))
    theirs.popitem()
    torch.save(theirs, tmp_path / "less.pth")
    with pytest.raises(MultigraftError, match="does not hold the arrays"):
        as_timm(tmp_path / "less.pth", tmp_path / "no")


def _as_published(array: Tensor) -> Tensor:
    """As the checkpoint has them: filters with the channels last."""
    return array.contiguous(memory_format=torch.channels_last) if array.ndim == 4 else array


def test_the_offline_process_cannot_import_torch() -> None:
    script = (
        "import sys; from multigraft.testing.offline import Blocker; sys.meta_path.insert(0, "
        "Blocker())\n"
        "try: import torch\nexcept ModuleNotFoundError as e: print(e)\n"
        "import json; print(json.dumps(sorted({'torch', 'timm'} & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first == "torch is blocked in this process"
    assert json.loads(second) == []
