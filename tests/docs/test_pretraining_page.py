"""The page on pretraining: its recipes run as they stand, one behind the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import multigraft as mg
from docs.test_docs import ROOT, example
from helpers.samples import write_images, write_texts

PAGE = (ROOT / "docs" / "pretraining.md").read_text(encoding="utf-8")

ONE_EPOCH = {"training": {"epochs": 1}}


NAMES = ["pictures", "classes", "units", "rounds", "domain", "labels", "spans", "pairs"]


@pytest.mark.parametrize("name", NAMES)
def test_the_recipes_are_recipes(name: str) -> None:
    mg.Recipe.parse(yaml.safe_load(example(PAGE, name)))


@pytest.mark.slow
def test_a_domains_texts_are_learned_before_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft.cli.app import build

    monkeypatch.chdir(tmp_path)
    write_texts(tmp_path, 80).rename(tmp_path / "reviews.csv")
    published = mg.pretrain(
        task="masked-language-modeling",
        backbone={"name": "bert-tiny", "weights": "scratch"},
        data="reviews.csv",
        training={"epochs": 1},
    )
    (published.folder / "model").rename(tmp_path / "minilm")
    runner = CliRunner()
    for verb, name in (("pretrain", "domain"), ("finetune", "labels")):
        assert f"multigraft {verb} {name}.yaml\n" in PAGE
        Path(f"{name}.yaml").write_text(example(PAGE, name))
        done = runner.invoke(build(), [verb, f"{name}.yaml", "--set", "training.epochs=1"])
        assert done.exit_code == 0, done.output
    run = mg.open_run("runs/labels")
    assert run.facts["weights"].endswith("domain/model")


def test_the_probe_is_a_setting() -> None:
    pictures, probed = (yaml.safe_load(example(PAGE, name)) for name in ("pictures", "probed"))
    assert mg.Recipe.parse({**pictures, **probed}).evaluation.probe == 1000


@pytest.mark.slow
def test_pictures_are_filled_in_before_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path, 60).rename(tmp_path / "pictures")
    pretrained = mg.pretrain({**yaml.safe_load(example(PAGE, "pictures")), **ONE_EPOCH})
    assert type(pretrained.objective).__name__ == "MaskedAutoencoder"
    run = mg.finetune({**yaml.safe_load(example(PAGE, "classes")), **ONE_EPOCH})
    assert run.facts["weights"].endswith("pictures/model")
