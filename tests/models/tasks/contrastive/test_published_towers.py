"""Published dual encoders: CLIP and SigLIP folders give what transformers gives, in torch and in
the bundle, learn on, and open there again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoTokenizer,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    SiglipTextModel,
    SiglipVisionModel,
)

import multigraft as mg
from helpers.clip_folders import TEXTS, clip_folder, pairs, pictures, siglip_folder
from multigraft.errors import MultigraftError

TOWERS = {
    "clip": (CLIPTextModelWithProjection, CLIPVisionModelWithProjection),
    "siglip": (SiglipTextModel, SiglipVisionModel),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP, a SigLIP, pairs to learn from and pictures to ask about."""
    made = tmp_path_factory.mktemp("dual")
    clip_folder(made / "clip")
    siglip_folder(made / "siglip")
    pairs(made / "data")
    pictures(made / "asked")
    return made


def recipe(folder: Path, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    weights = folder / kind
    return {
        "task": "contrastive",
        "backbone": {"text": f"clip-text/{weights}", "image": f"clip-image/{weights}"},
        "data": {
            "train": str(folder / "data" / "pairs.jsonl"),
            "split": {"validation": 0.25, "test": 0.25},
            "leakage": {"near": False},
        },
        "training": {"epochs": 0, "workers": 0, **fields.pop("training", {})},
        "evaluation": {"bootstrap": 20},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / name),
        **fields,
    }


def theirs(weights: Path, folder: Path) -> Any:
    """What transformers makes of our texts and pictures, by the folder's own processors."""
    texts = AutoTokenizer.from_pretrained(weights)
    filled = "max_length" if weights.name == "siglip" else True
    tokens = texts(list(TEXTS), padding=filled, return_tensors="pt")
    images = AutoImageProcessor.from_pretrained(weights, backend="pil")
    opened = [Image.open(path) for path in asked(folder)]
    model = AutoModel.from_pretrained(weights).eval()
    with torch.no_grad():
        return model(**tokens, **images(opened, return_tensors="pt"))


def asked(folder: Path) -> list[str]:
    return sorted(map(str, (folder / "asked").iterdir()))


@pytest.fixture(scope="module", params=["clip", pytest.param("siglip", marks=pytest.mark.slow)])
def kept(request: pytest.FixtureRequest, folder: Path) -> tuple[str, mg.Run]:
    """A run whose weights are as they were published."""
    return request.param, mg.finetune(recipe(folder, request.param, f"kept-{request.param}"))


def test_bundle_and_torch_embed_as_transformers(kept: tuple[str, mg.Run], folder: Path) -> None:
    kind, run = kept
    wanted = theirs(folder / kind, folder)
    found = mg.load(run.export().files["bundle"], precision="fp32")
    texts, images = (
        found.embed(list(TEXTS), branch="text"),
        found.embed(asked(folder), branch="image"),
    )
    assert np.abs(texts - wanted.text_embeds.numpy()).max() < 1e-4
    assert np.abs(images - wanted.image_embeds.numpy()).max() < 1e-4
    given = found.outputs([{"text": TEXTS[0], "image": asked(folder)[0]}])[0]
    logits = float(given["scale"]) * images @ texts.T + float(given.get("bias", 0))
    assert np.abs(logits - wanted.logits_per_image.numpy()).max() < 1e-4
    assert ("bias" in given) == (kind == "siglip")
    answer = found.classify({"image": asked(folder)[1]}, TEXTS, templates=["{}"])
    own = wanted.logits_per_image[1]
    shares = own.sigmoid() if kind == "siglip" else own.softmax(0)
    assert [answer["scores"][text] for text in TEXTS] == pytest.approx(shares.tolist(), abs=1e-4)
    outputs = in_torch(run, folder)
    assert torch.allclose(outputs["text_embedding"], wanted.text_embeds, atol=1e-4)
    assert torch.allclose(outputs["image_embedding"], wanted.image_embeds, atol=1e-4)


def in_torch(run: mg.Run, folder: Path) -> Any:
    """What the run's own model gives for our texts and pictures."""
    reader: Any = run.reader
    rows = [
        reader.read({"text": text, "image": image})
        for text, image in zip(TEXTS, asked(folder), strict=True)
    ]
    longest = max(len(row["text.input_ids"]) for row in rows)
    batch = {
        name: torch.stack([_padded(row[name], longest, reader.fills.get(name)) for row in rows])
        for name in rows[0]
    }
    with torch.no_grad():
        return run.graft.eval()(batch)


def _padded(values: np.ndarray, length: int, fill: Any) -> torch.Tensor:
    if fill is None:
        return torch.from_numpy(values.copy())
    return torch.from_numpy(
        np.pad(values, (0, length - len(values)), constant_values=int(fill.value))
    )


def test_the_saved_folders_open_in_transformers(kept: tuple[str, mg.Run], folder: Path) -> None:
    kind, run = kept
    model = run.folder / "model"
    wanted, again = theirs(folder / kind, folder), _renamed(model, folder, kind)
    assert torch.equal(again.logits_per_image, wanted.logits_per_image)
    for made, branch in zip(TOWERS[kind], ("text", "image"), strict=True):
        _, loaded = made.from_pretrained(model / branch, output_loading_info=True)
        assert not loaded["missing_keys"] and not loaded["unexpected_keys"]


def _renamed(model: Path, folder: Path, kind: str) -> Any:
    """What the saved model gives, under the name by which it is known how texts are padded."""
    link = folder / "again" / kind
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(model)
    return theirs(link, folder)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize(
    "strategy",
    ["full", {"image": "linear-probe", "text": "full"}, {"image": "lora", "text": "linear-probe"}],
    ids=["full", "locked-image", "lora"],
)
def test_what_learned_opens_in_transformers(
    kind: str, strategy: Any, folder: Path, tmp_path: Path
) -> None:
    training = {"epochs": 1, "batch_size": 3, "learning_rate": 1e-3}
    told = {**recipe(folder, kind, "none", training=training), "strategy": strategy}
    run = mg.finetune({**told, "output": str(tmp_path / "run")})
    model = run.folder / "model"
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / kind).symlink_to(model)
    found, before = theirs(tmp_path / "again" / kind, folder), theirs(folder / kind, folder)
    assert not torch.equal(found.logits_per_text, before.logits_per_text)
    locked = isinstance(strategy, dict) and strategy["image"] == "linear-probe"
    if locked and kind == "siglip":  # whose image tower has no projection
        assert torch.equal(found.image_embeds, before.image_embeds)
    outputs = in_torch(mg.open_run(run.folder), folder)
    assert torch.allclose(outputs["text_embedding"], found.text_embeds, atol=1e-5)
    assert torch.allclose(outputs["image_embedding"], found.image_embeds, atol=1e-5)
    logits = outputs["scale"][0] * outputs["image_embedding"] @ outputs["text_embedding"].T
    assert torch.allclose(
        logits + outputs.get("bias", torch.zeros(1))[0], found.logits_per_image, atol=1e-4
    )


class Interrupts:
    """Stops a training once, as Ctrl-C does."""

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt


def test_a_training_that_was_interrupted_ends_with_the_same_bits(
    folder: Path, tmp_path: Path
) -> None:
    training = {"epochs": 2, "batch_size": 3, "learning_rate": 1e-3}
    told = recipe(folder, "siglip", "none", training=training)
    whole = mg.finetune({**told, "output": str(tmp_path / "whole")})
    with pytest.raises(KeyboardInterrupt):
        mg.finetune({**told, "output": str(tmp_path / "cut")}, plugins=[Interrupts()])
    resumed = mg.resume(tmp_path / "cut")
    ours, theirs = (run.graft.state_dict() for run in (resumed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_another_run_goes_on_from_it(
    kept: tuple[str, mg.Run], folder: Path, tmp_path: Path
) -> None:
    kind, run = kept
    told = recipe(folder, kind, "none")
    told["backbone"] = {"text": f"clip-text/{run.folder}", "image": f"clip-image/{run.folder}"}
    again = mg.finetune({**told, "output": str(tmp_path / "run")})
    ours, before = in_torch(again, folder), in_torch(run, folder)
    assert ours.keys() == before.keys()
    assert all(torch.equal(ours[name], before[name]) for name in ours)


def test_one_tower_alone_starts_a_new_head_for_the_other(folder: Path, tmp_path: Path) -> None:
    told = recipe(folder, "clip", "half")
    told["backbone"]["text"] = "bert-tiny"
    head: Any = mg.finetune({**told, "output": str(tmp_path / "run")}).graft.head
    published = AutoModel.from_pretrained(folder / "clip")
    assert torch.equal(head.projections[1].weight, published.visual_projection.weight)
    assert head.projections[0].weight.shape == (20, 64)
    assert float(head.log_scale.detach()) == pytest.approx(-np.log(0.07)), (
        "no scale of another pair"
    )
    assert not (tmp_path / "run" / "model" / "config.json").exists()


def test_two_text_towers_are_no_whole_model(folder: Path, tmp_path: Path) -> None:
    told = recipe(folder, "clip", "none")
    told["backbone"] = dict.fromkeys(("text", "other"), f"clip-text/{folder / 'clip'}")
    told["data"]["columns"] = {"other": "image"}
    run = mg.finetune({**told, "output": str(tmp_path / "run")})
    assert sorted(path.name for path in (run.folder / "model").iterdir()) == [
        *("head.safetensors", "other", "text")
    ]


def test_what_the_recipe_says_goes_before_the_weights(folder: Path, tmp_path: Path) -> None:
    told = recipe(folder, "siglip", "asked")
    task = {"name": "contrastive", "temperature": 0.5, "loss": "infonce"}
    head: Any = mg.finetune({**told, "task": task, "output": str(tmp_path / "run")}).graft.head
    assert float(head.log_scale.detach()) == pytest.approx(np.log(2)) and head.bias is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"text": "clip-text/{wide}"},
            "embed in different spaces, those of 'text' as clip, 28 wide",
        ),
        ({"text": "clip-text/{siglip}"}, "'text' as siglip, 32 wide and those of 'image' as clip"),
        (
            {"image": "clip-image/{text}"},
            "the text tower alone, which the family 'clip-text' opens",
        ),
        (
            {"text": "clip-text/{image}"},
            "the image tower alone, which the family 'clip-image' opens",
        ),
        ({"width": 64}, "task.width: found 64; the weights of 'text' embed 20 wide: leave it out"),
    ],
    ids=["widths", "kinds", "text-for-image", "image-for-text", "width"],
)
def test_what_does_not_fit_is_refused(
    changed: dict[str, Any], says: str, folder: Path, tmp_path: Path, kept_clip: Path
) -> None:
    places = {
        "clip": folder / "clip",
        "siglip": folder / "siglip",
        "wide": clip_folder(tmp_path / "wide", width=28),
        "text": kept_clip / "text",
        "image": kept_clip / "image",
    }
    told = recipe(folder, "clip", "none")
    for branch in changed.keys() & {"text", "image"}:
        told["backbone"][branch] = changed[branch].format(**places)
    if "width" in changed:
        told["task"] = {"name": "contrastive", "width": changed["width"]}
    with pytest.raises(MultigraftError, match=re.escape(says)):
        mg.finetune({**told, "output": str(tmp_path / "run")})


@pytest.fixture(scope="module")
def kept_clip(folder: Path) -> Path:
    """The saved towers of a CLIP."""
    run = folder / "towers"
    if not run.exists():
        mg.finetune(recipe(folder, "clip", "towers"))
    return run / "model"
