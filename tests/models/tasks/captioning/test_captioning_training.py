"""Training a captioner: strategies of each branch, resuming, rows and recipes that cannot be."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
from helpers import captions
from multigraft.errors import DataError, RecipeError
from multigraft.models.modes import evaluating
from multigraft.recipe.resolve import read_recipe
from multigraft.testing import Examination
from multigraft.testing.check_learning import batch_of

WRITERS = ("gpt-tiny", "t5-tiny")
KIT = ("record", "losses", "chance", "trains", "resumes", "writes")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return captions.rows(tmp_path_factory.mktemp("pictures"), 48, 1)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_resumed_run_ends_with_the_bits_of_an_undisturbed_one(
    writer: str, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    asked = {"training": {"epochs": 2, "checkpoint_every": 2}}
    whole = mg.finetune(**captions.recipe(tmp_path / "whole", writer, made, **asked))
    broken = captions.recipe(tmp_path / "broken", writer, made, **asked)
    with pytest.raises(KeyboardInterrupt):
        mg.finetune(**broken, plugins=[captions.Interrupts(3)])
    resumed = mg.resume(broken["output"])
    ours, theirs = resumed.graft.state_dict(), whole.graft.state_dict()
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []
    assert resumed.metrics_file.read_bytes() == whole.metrics_file.read_bytes()


@pytest.mark.parametrize("writer", WRITERS)
def test_frozen_branches_stay_and_are_replayed(
    writer: str, made: list[dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bridge alone learns, from weights of an earlier run."""
    first = mg.finetune(**captions.recipe(tmp_path / "first", writer, made))
    weights = {
        "image": {"name": "resnet-tiny", "weights": str(first.folder)},
        "text": {"name": writer, "weights": str(first.folder)},
    }
    with caplog.at_level(logging.INFO, logger="multigraft"):
        second = mg.finetune(
            **captions.recipe(
                tmp_path / "second",
                writer,
                made,
                backbone=weights,
                reader={"image": {"size": captions.SIZE}},
                strategy="linear-probe",
                training={"epochs": 2},
            )
        )
    before, after = first.graft.state_dict(), second.graft.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("head.bridge.")}
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "of 'image' of 48 rows" in told and "of 'text'" not in told
    assert second.facts["head_inherited"]


def test_an_encoder_that_reads_nothing_never_learns(
    made: list[dict[str, Any]], tmp_path: Path
) -> None:
    run = mg.finetune(**captions.recipe(tmp_path, "bart-tiny", made))
    learns = {name for name, rule in run.plan.rules.items() if rule.learns}
    assert not [name for name in learns if "encoder.layers." in name]
    assert [name for name in learns if "decoder.layers." in name]
    (strategy,) = (plan for branch, plan in run.plan.by_branch().items() if branch == "text")
    assert strategy.depth == 2, "the decoder's blocks alone"


def test_strategies_of_each_branch(made: list[dict[str, Any]], tmp_path: Path) -> None:
    asked = {"image": "linear-probe", "text": {"name": "partial", "blocks": 1}}
    run = mg.finetune(**captions.recipe(tmp_path, "gpt-tiny", made, strategy=asked))
    learns = {name for name, rule in run.plan.rules.items() if rule.learns}
    text = {name for name in learns if ".towers.1." in name}
    assert not [name for name in learns if ".towers.0." in name]
    assert text and all(".h.1." in name or "ln_f" in name for name in text)
    assert {name for name in learns if name.startswith("head.")} == {
        f"head.{name}" for name, _ in run.graft.head.named_parameters()
    }


def test_lora_on_the_writer(made: list[dict[str, Any]], tmp_path: Path) -> None:
    asked = {"image": "linear-probe", "text": {"name": "lora", "rank": 2}}
    run = mg.finetune(**captions.recipe(tmp_path, "gpt-tiny", made, strategy=asked))
    found = mg.load(run.export().files["bundle"], precision="fp32")
    assert found.predict(made[0]["image"])["ended"] in ("stop", "length")


@pytest.mark.parametrize("writer", ("gpt-tiny", "transformers/gpt_neox-tiny", "marian-tiny"))
def test_a_prefix_is_in_front_of_every_token(
    writer: str, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Another picture changes the scores of every token; one's own padding changes none."""
    run = mg.finetune(**captions.recipe(tmp_path, writer, made, training={"epochs": 1}))
    batch = batch_of(run)
    with evaluating(run.graft), torch.inference_mode():
        whole = run.graft(batch)["logits"]
        one = {name: tensor[:1] for name, tensor in batch.items()}
        one["labels"] = one["labels"][:, : int((one["labels"] != -100).sum())]
        alone = run.graft(one)["logits"]
        other = {**one, "image.image": 255 - one["image.image"]}
        changed = run.graft(other)["logits"]
    assert torch.allclose(whole[:1, : alone.shape[1]], alone, atol=1e-5)
    assert ((changed - alone).abs().amax(-1) > 1e-6).all()


def test_bad_rows_are_named(made: list[dict[str, Any]], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    bad = [
        {"image": made[0]["image"], "caption": " "},
        {
            "image": made[1]["image"],
            "caption": "a red circle on a ground of quite another colour, blue",
        },
        {"image": str(broken), "caption": "a red bar"},
        {"image": str(tmp_path / "gone.png"), "caption": "a red bar"},
        {"caption": "a red bar"},
        {"image": made[2]["image"]},
    ]
    whole = {"split": {"validation": 0, "test": 0}}
    with pytest.raises(DataError) as told:
        mg.finetune(**captions.recipe(tmp_path, "gpt-tiny", [*made, *bad], data=whole))
    lines = str(told.value).splitlines()
    for place, reason in (
        ("row 49", "is empty"),
        ("row 50", "at most 12 are written: raise task.max_target_length"),
        ("row 51", "image"),
        ("row 52", "cannot be read"),
        ("row 53", "empty"),
        ("row 54", "None"),
    ):
        (line,) = (line for line in lines if place in line)
        assert reason in line


@pytest.mark.parametrize(
    ("backbone", "task", "said"),
    [
        ("gpt-tiny", {}, "takes one branch that writes"),
        ({"one": "resnet-tiny", "other": "resnet-tiny"}, {}, "found one (image), other (image)"),
        ({"image": "resnet-tiny", "one": "gpt-tiny", "text": "gpt-tiny"}, {}, "takes one branch"),
        ({"image": "resnet-tiny", "caption": "gpt-tiny"}, {}, "the column of the task's targets"),
    ],
)
def test_recipes_that_cannot_be(backbone: Any, task: dict[str, Any], said: str) -> None:
    asked = {"task": {"name": "captioning", **task}, "backbone": backbone, "data": "rows.jsonl"}
    with pytest.raises(RecipeError) as told:
        read_recipe(asked, mg.Catalog())
    assert said in str(told.value)


def test_rows_may_lack_nothing() -> None:
    asked = {
        "task": "captioning",
        "backbone": {"image": "resnet-tiny", "text": "gpt-tiny"},
        "data": {"train": "rows.jsonl", "missing": "allow"},
    }
    with pytest.raises(RecipeError, match="needs what it describes"):
        read_recipe(asked, mg.Catalog())


@pytest.mark.parametrize(
    ("writer", "task", "said"),
    [
        ("bert-tiny", {}, "backbone.text: a TextBackbone that does not write"),
        ("bart-tiny", {"prefix_length": 4}, "task.prefix_length: is for language models"),
        ("gpt-tiny", {"prefix_length": 127}, "task.prefix_length: found 127"),
        ("gpt-tiny", {"max_target_length": 118}, "the decoder holds 117"),
    ],
)
def test_writers_that_cannot_be(
    writer: str, task: dict[str, Any], said: str, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(mg.MultigraftError) as told:
        mg.finetune(**captions.recipe(tmp_path, writer, made, task=task))
    assert said in str(told.value)


def test_pictures_and_sounds_are_described_together(tmp_path: Path) -> None:
    """Any number of branches is read; a value of several is a mapping."""
    import numpy as np
    import soundfile

    made = captions.rows(tmp_path / "pictures", 24, 3)
    rng = np.random.default_rng(0)
    for number, row in enumerate(made):
        row["audio"] = str(tmp_path / f"{number}.wav")
        soundfile.write(row["audio"], 0.1 * rng.standard_normal(8000), 16_000)
    backbone = {"image": "resnet-tiny", "audio": "logmel-tiny", "text": "bart-tiny"}
    asked = captions.recipe(tmp_path, "bart-tiny", made, backbone=backbone)
    run = mg.finetune(**asked)
    found = mg.load(run.export().files["bundle"], precision="fp32")
    both = {"image": made[0]["image"], "audio": made[0]["audio"]}
    assert set(found.predict(both)) == {"text", "tokens", "ended"}
    with pytest.raises(mg.RowError, match="there is no 'audio'"):
        found.predict({"image": made[0]["image"]})
    with pytest.raises(mg.RowError, match="a mapping with 'image', 'audio' is needed"):
        found.predict(made[0]["image"])


def test_the_kit_tries_it() -> None:
    with Examination(captions.Describing(), checks=KIT) as examination:
        outcomes = [
            examination.run(case) for case in examination.cases if case.subject == "task describing"
        ]
    assert {outcome.state for outcome in outcomes} == {"passed"}, outcomes
    assert len(outcomes) == len(KIT)


@pytest.mark.slow
def test_the_kit_tries_all_of_it() -> None:
    with Examination(captions.Describing()) as examination:
        outcomes = [
            examination.run(case) for case in examination.cases if case.subject == "task describing"
        ]
    assert [outcome for outcome in outcomes if outcome.state == "failed"] == []
