"""The demo's sets are honest: the same each time, balanced, and nothing held out is seen before."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from multigraft.cli.demo import sets_image, sets_text
from multigraft.cli.demo.chapters import CHAPTERS, Chapter
from multigraft.cli.demo.figures import gain, over_seeds, row, verdict
from multigraft.cli.demo.sets import DemoSet
from multigraft.cli.demo.story import Ending


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


@pytest.mark.parametrize("build", [sets_text.build, sets_image.build])
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


def test_every_modality_has_a_chapter() -> None:
    assert [chapter.modality for chapter in CHAPTERS] == ["text", "image", "audio"]


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
