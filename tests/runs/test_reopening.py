"""Whatever a backbone was asked for, the run's own folder opens again, to be evaluated and
exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.records import Backbone
from multigraft.errors import MultigraftError
from multigraft.testing.tiny_runs import engine_of, recipe_of
from multigraft.testing.workbench import Bench, find_plugin

TASKS = {
    **{"t5": "text-to-text", "bart": "text-to-text", "marian": "text-to-text"},
    **{"detr": "object-detection", "whisper": "automatic-speech-recognition"},
}
LIGHT: list[tuple[str, str, dict[str, Any]]] = [
    ("vision", "detr", {"config": {"num_queries": 20}}),
    ("text", "transformers", {"config": {"num_hidden_layers": 1}, "dropout": 0.3}),
]
HEAVY: list[tuple[str, str, dict[str, Any]]] = [
    ("text", "transformers", {"pooling": "mean"}),
    ("text", "bert", {"dropout": 0.3, "pooling": "mean"}),
    ("text", "gpt", {"dropout": 0.3, "pooling": "mean"}),
    *(("text", name, {"dropout": 0.3, "prefix": "say: "}) for name in ("t5", "bart", "marian")),
    *(("vision", name, {"drop_path": 0.2}) for name in ("resnet", "vit", "timm")),
    *(("speech", name, {"spec_augment": 0.2}) for name in ("wav2vec2", "hubert", "whisper", "ast")),
    ("speech", "logmel", {"dropout": 0.3, "spec_augment": 0.2}),
]
OF_PUBLISHED_WEIGHTS = {"source_language", "target_language", "language", "task"}
"""Refused from scratch."""


def bench_of(plugin: str, folder: Path) -> Bench:
    bench = Bench(find_plugin(plugin), folder)
    bench.admit()
    return bench


def recipe(bench: Bench, name: str, asked: dict[str, Any], output: Path) -> dict[str, Any]:
    family = next(each for each in bench.records("backbone") if each.name == name)
    assert isinstance(family, Backbone)
    task = bench.catalog.task(TASKS.get(name) or f"{family.modality}-classification")
    made = recipe_of(bench, task, family, output, training={"epochs": 1})
    return {**made, "backbone": {**made["backbone"], **asked}}


@pytest.mark.parametrize(
    ("plugin", "name", "asked", "exports"),
    [
        *(pytest.param(*case, False, id=case[1]) for case in LIGHT),
        *(
            pytest.param(*case, True, id=f"{case[1]}-exported", marks=pytest.mark.slow)
            for case in (*LIGHT, *HEAVY)
        ),
    ],
)
def test_a_run_with_options_of_its_backbone_opens_again(
    plugin: str, name: str, asked: dict[str, Any], exports: bool, tmp_path: Path
) -> None:
    bench = bench_of(plugin, tmp_path / "bench")
    run = engine_of(bench).start(recipe(bench, name, asked, tmp_path / "run"), "finetune")
    again = engine_of(bench).open(tmp_path / "run")
    ours, theirs = again.evaluate().metrics, run.evaluate().metrics
    assert ours["loss"].value == pytest.approx(theirs["loss"].value, abs=1e-5)
    if exports:
        assert (Path(again.export().files["bundle"]) / "bundle.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("plugin", "name", "asked"), LIGHT)
def test_weights_that_a_user_names_still_refuse_a_shape(
    plugin: str, name: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    bench = bench_of(plugin, tmp_path / "bench")
    first = recipe(bench, name, asked, tmp_path / "run")
    engine_of(bench).start(first, "finetune")
    backbone = {**first["backbone"], "weights": str(tmp_path / "run")}
    with pytest.raises(MultigraftError, match="applies to a network without weights"):
        engine_of(bench).start(
            {**first, "backbone": backbone, "output": str(tmp_path / "other")}, "finetune"
        )


@pytest.mark.parametrize("plugin", ["text", "vision", "speech"])
def test_every_option_of_a_backbone_is_tried(plugin: str, tmp_path: Path) -> None:
    tried = {
        (name, option) for of, name, asked in (*LIGHT, *HEAVY) if of == plugin for option in asked
    }
    assert tried == {
        (family.name, option)
        for family in bench_of(plugin, tmp_path).records("backbone")
        if isinstance(family, Backbone)
        for option in family.options.keys() - OF_PUBLISHED_WEIGHTS
    }
