"""Every fusion through the engine: learned, measured, exported, and asked with a branch alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.samples import write_both
from multigraft.errors import RecipeError

TEXTS = {"text": {"max_length": 16, "vocabulary": 60}}


def learn(folder: Path, task: Any, **fields: Any) -> Any:
    return mg.finetune(
        **{
            "task": task,
            "backbone": {"text": "bert-tiny", "image": "resnet-tiny"},
            "reader": TEXTS,
            "data": {"train": str(write_both(folder, 30)), "missing": "allow"},
            "training": {"steps": 2, "batch_size": 8, "precision": "fp32", "workers": 0},
            "evaluation": {"bootstrap": 0},
            "export": {"precisions": ["fp32", "int8"], "rows": 1, "budget": 100},
            "output": folder / "run",
            **fields,
        }
    )


def test_a_fusion_is_learned_and_opened_again(tmp_path: Path) -> None:
    run = learn(tmp_path, {"name": "classification", "fusion": "gated", "modality_dropout": 0.3})
    assert any("rows have no 'image'" in note for note in run.facts["notes"])
    again = mg.open_run(run.folder)
    assert again.evaluate().metrics["loss"].value == run.evaluate().metrics["loss"].value


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["gated", "cross-attention"])
def test_a_fusion_is_learned_and_served(fusion: str, tmp_path: Path) -> None:
    run = learn(tmp_path, {"name": "classification", "fusion": fusion, "modality_dropout": 0.3})
    bundle = run.export().files["bundle"]
    predictor = mg.load(bundle, precision="fp32")
    picture = str(next((tmp_path / "images").rglob("*.png")))
    values: list[Any] = [
        {"text": "a great day", "image": picture},
        {"text": "a great day"},
        {"image": picture},
    ]
    together = [answer["scores"] for answer in predictor.predict(values)]
    alone = [predictor.predict(value)["scores"] for value in values]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert len({round(each["first"], 6) for each in alone}) == 3
    quantised = mg.load(bundle, precision="int8").predict(values)
    assert all(sum(each["scores"].values()) == pytest.approx(1) for each in quantised)


def test_numbers_and_label_sets_take_a_fusion(tmp_path: Path) -> None:
    from multigraft.plugins.catalog import Catalog

    for name in ("classification", "multilabel", "regression"):
        assert {"fusion", "modality_dropout"} <= Catalog().task(name).options.keys()
    for name in ("text-classification", "contrastive"):
        assert "fusion" not in Catalog().task(name).options


def test_one_backbone_has_nothing_to_fuse(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"task\.fusion: found 'gated'; it is for several"):
        learn(
            tmp_path,
            {"name": "classification", "fusion": "gated"},
            backbone="bert-tiny",
            reader=TEXTS["text"],
            data=str(tmp_path / "both.jsonl"),
        )
