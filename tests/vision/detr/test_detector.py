"""Detectors of transformers as backbones: their features, head, loss and folder are those of
transformers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from transformers import AutoModelForObjectDetection, RTDetrImageProcessorPil

from helpers.detectors import (
    KINDS,
    LABELS,
    grafted,
    objects,
    origin_of,
    pictures,
    pixels,
    spec_of,
    surest_first,
)
from multigraft import MultigraftError
from multigraft.contracts.answers import Window
from multigraft.errors import UnknownName, WeightsError
from multigraft.runtime.answers.detection import Detection
from multigraft_vision.detr.build import build
from multigraft_vision.detr.configuration import find
from multigraft_vision.detr.losses import targets_of
from multigraft_vision.detr.preprocessing import reader_spec
from multigraft_vision.reader import image_reader

ALL = [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that transformers itself wrote, of random weights."""
    graft, _ = grafted()
    first = tmp_path_factory.mktemp("first")
    graft.backbone.save(first, head=None, labels=())
    folder = tmp_path_factory.mktemp("published")
    AutoModelForObjectDetection.from_pretrained(first).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ALL)
def test_its_folder_opens_in_transformers_and_gives_the_same(kind: str, tmp_path: Path) -> None:
    graft, _ = grafted(kind)
    graft.backbone.save(tmp_path, head=None, labels=())
    model = AutoModelForObjectDetection.from_pretrained(tmp_path).eval()
    images = pictures(4)
    with torch.no_grad():
        theirs, ours = model(pixel_values=pixels(images)), graft({"image": images})
    wanted = surest_first(theirs.logits, theirs.pred_boxes)
    found = surest_first(ours["logits"], ours["boxes"])
    assert list(model.config.id2label.values()) == LABELS
    assert len(set(theirs.logits.max(-1).values[0].tolist())) == 20, "no two queries are equal"
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_its_loss_is_the_one_transformers_trains_with(kind: str, tmp_path: Path) -> None:
    graft, objective = grafted(kind)
    graft.backbone.save(tmp_path, head=None, labels=())
    model = AutoModelForObjectDetection.from_pretrained(tmp_path).train()
    batch = {"image": pictures(4), **objects()}
    graft.train()
    # what D-FINE distils from its last layer is weighed by a root of the batch's objects, no sum
    for each in (model, graft.backbone.model):
        each.config.weight_loss_ddf = 0.0
    torch.manual_seed(5)
    outputs = graft(batch)
    loss = objective.loss(outputs, batch)
    torch.manual_seed(5)
    labels = list(targets_of(batch, (64, 96)))
    theirs = model(pixel_values=pixels(batch["image"]), labels=labels)
    assert outputs["noised.logits"].shape[1:3] == (2 + (kind == "d_fine"), 24)
    assert loss.weight.tolist() == [2, 1, 2, 2]
    assert loss.mean().item() == pytest.approx(theirs.loss.item(), rel=1e-5)


def test_every_weight_learns() -> None:
    graft, objective = grafted()
    batch = {"image": pictures(4), **objects()}
    graft.train()
    objective.loss(graft(batch), batch).mean().backward()
    assert not [name for name, each in graft.named_parameters() if each.grad is None]


def test_rows_without_objects_have_a_loss() -> None:
    graft, objective = grafted()
    batch = {
        "image": pictures(2),
        "boxes": torch.zeros(2, 0, 4),
        "classes": torch.zeros(2, 0, dtype=torch.int64),
    }
    graft.train()
    loss = objective.loss(graft(batch), batch)
    assert loss.weight.tolist() == [1, 1] and (loss.total > 0).all()


def test_a_graph_s_outputs_have_the_loss_of_the_head_s() -> None:
    graft, objective = grafted()
    batch = {"image": pictures(4), **objects()}
    with torch.no_grad():
        features = graft.backbone(batch)
        outputs = graft.head(features, batch)
        served = objective.serve(features, outputs)
        wanted, found = (objective.loss(each, batch).total for each in (outputs, served))
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)


def test_known_labels_keep_what_the_weights_know_of_them(folder: Path) -> None:
    same, _ = grafted(path=folder)
    other, _ = grafted(path=folder, labels=["b", "new"])
    before, after = (each.head.predictors.class_embed[0] for each in (same, other))
    assert torch.equal(after.weight[0], before.weight[1])
    assert after.weight.shape[0] == 2 and not (after.weight[1] == before.weight).all(1).any()
    noised = other.head.predictors.denoising_class_embed.weight
    assert torch.equal(noised[2], same.head.predictors.denoising_class_embed.weight[3])
    boxes = [each.head.predictors.bbox_embed.state_dict() for each in (same, other)]
    assert all(torch.equal(boxes[0][name], boxes[1][name]) for name in boxes[0])


def test_labels_are_known_by_their_numbers(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(12)]
    first, _ = grafted(labels=labels)
    first.backbone.save(tmp_path, head=None, labels=())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config, sort_keys=True))  # "10" before "2"
    again, _ = grafted(path=tmp_path, labels=labels)
    one, other = (each.head.state_dict() for each in (first, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_labels_keep_the_whole_head(folder: Path) -> None:
    graft, _ = grafted(path=folder)
    model = AutoModelForObjectDetection.from_pretrained(folder).eval()
    images = pictures(2)
    with torch.no_grad():
        theirs, ours = model(pixel_values=pixels(images)), graft({"image": images})
    torch.testing.assert_close(
        surest_first(ours["logits"], ours["boxes"]),
        surest_first(theirs.logits, theirs.pred_boxes),
        atol=1e-5,
        rtol=1e-4,
    )


def test_answers_are_those_of_transformers_on_pictures_of_any_size(
    folder: Path, tmp_path: Path
) -> None:
    graft, objective = grafted(path=folder)
    model = AutoModelForObjectDetection.from_pretrained(folder).eval()
    processor = RTDetrImageProcessorPil(size={"height": 64, "width": 96})
    answers = Detection({"labels": LABELS})
    reader = image_reader(spec_of(origin_of(path=folder)))
    rng, compared = np.random.default_rng(3), 0
    for number in range(50):
        sides = rng.integers(20, 200, 2)
        path = tmp_path / f"{number}.png"
        picture = Image.fromarray(rng.integers(0, 256, (*sides, 3)).astype(np.uint8))
        picture.save(path)
        row = reader.read(str(path))
        batch = {"image": torch.from_numpy(row["image"][None].copy())}
        with torch.no_grad():
            features = graft.backbone(batch)
            served = objective.serve(features, graft.head(features, batch))
            theirs = model(**processor(picture, return_tensors="pt"))
        outputs = {name: each[0].numpy() for name, each in served.items()}
        asked = {"threshold": 0.05, "iou": None, "top_k": 20}
        ours = answers.answer(None, [Window(row, outputs)], asked)["objects"]
        (wanted,) = processor.post_process_object_detection(
            theirs, threshold=0.05, target_sizes=[picture.size[::-1]]
        )
        limits = torch.tensor([*picture.size, *picture.size])
        boxes = wanted["boxes"].clamp(min=0).minimum(limits)
        assert [each["label"] for each in ours] == [LABELS[n] for n in wanted["labels"].tolist()]
        np.testing.assert_allclose([each["score"] for each in ours], wanted["scores"], atol=1e-5)
        np.testing.assert_allclose([each["box"] for each in ours], boxes, atol=0.01)
        compared += len(ours)
    assert compared > 500


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yolos", "'yolos' are not supported: its encoder gives one sequence"),
        ("owlvit", "it looks for what a text names"),
        ("rt-detr", "did you mean 'rt_detr'"),
    ],
)
def test_other_types_are_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        find(name)


def edited(folder: Path, target: Path, **changes: Any) -> Path:
    """The folder with other words in its config.json."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return target


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "detr"}, "one sequence instead of maps"),
        ({"model_type": "evil"}, "remote code"),
        ({"backbone_config": {"model_type": "timm_backbone"}}, "of the type 'timm_backbone'"),
        ({"backbone_config": "there/where"}, "of the type None"),
        ({"decoder_layers": 3}, "lacks .* tensors of a rt_detr"),
        ({"decoder_layers": 1}, "tensors that a RTDetrForObjectDetection"),
        ({"encoder_ffn_dim": 2**26}, "a larger network is asked for"),
    ],
)
def test_a_folder_is_believed_no_more_than_it_may_say(
    folder: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    wrong = edited(folder, tmp_path / "wrong", **changes)
    origin = origin_of(path=wrong)
    with pytest.raises(WeightsError, match=said):
        build(origin, {"size": [64, 96]})


def test_words_in_a_configuration_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    words = {
        "auto_map": {"AutoModelForObjectDetection": "evil.Evil"},
        "backbone": "somewhere/else",
        "use_pretrained_backbone": True,
        "use_timm_backbone": True,
        "_attn_implementation": "owner/kernel",
    }
    wrong = edited(folder, tmp_path / "words", **words)
    model = build(origin_of(path=wrong), spec_of(origin_of(path=wrong))).model
    assert not {"auto_map", "backbone", "use_timm_backbone"} & vars(model.config).keys()
    assert model.config.backbone_config.model_type == "rt_detr_resnet"


@pytest.mark.parametrize(
    ("size", "queries", "said"),
    [([64, 80], 20, r"set reader.size to \[64, 96\]"), ([64, 64], 85, "has 84 cells, fewer than")],
)
def test_a_size_that_its_maps_do_not_fit_is_refused(
    size: list[int], queries: int, said: str
) -> None:
    config = {**origin_of().config, "config": {"num_queries": queries}}
    origin = replace(origin_of(), config=config)
    with pytest.raises(MultigraftError, match=said):
        build(origin, spec_of(origin, size))


def test_a_setting_that_its_type_lacks_is_refused() -> None:
    origin = replace(origin_of(), config={**origin_of().config, "config": {"num_querys": 4}})
    with pytest.raises(MultigraftError, match="did you mean 'num_queries'"):
        build(origin, spec_of(origin_of()))


def test_pictures_are_read_as_the_folder_says(folder: Path, tmp_path: Path) -> None:
    said = {
        "size": {"height": 96, "width": 128},
        "resample": 3,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.2, 0.1],
    }
    own = edited(folder, tmp_path / "own")
    (own / "preprocessor_config.json").write_text(json.dumps(said))
    spec = spec_of(origin_of(path=own), (96, 128))
    assert (spec["size"], spec["interpolation"], spec["fit"]) == ([96, 128], "bicubic", "squash")
    module = build(origin_of(path=own), spec)
    white = torch.full((3, 1, 1), 255.0)
    wanted = (1 - torch.tensor(said["image_mean"])) / torch.tensor(said["image_std"])
    torch.testing.assert_close((white * module.scale + module.shift).flatten(), wanted)
    module.save(tmp_path / "again", head=None, labels=())
    again = build(origin_of(path=tmp_path / "again"), spec)
    torch.testing.assert_close(again.scale, module.scale)


def test_a_folder_that_says_nothing_usable_of_pictures_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    own = edited(folder, tmp_path / "own")
    (own / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 800}}))
    with pytest.raises(WeightsError, match="does not say a height and width"):
        spec_of(origin_of(path=own))


def test_a_new_network_s_normalisations_let_something_through() -> None:
    module = build(origin_of(), spec_of(origin_of()))
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms and all(bool((each.weight == 1).all()) for each in norms)
    with torch.no_grad():
        found = module.eval()({"image": pictures(2)}).pooled
    assert float((found[0] - found[1]).abs().max()) > 1e-3


def test_other_channels_than_rgb_are_refused() -> None:
    with pytest.raises(MultigraftError, match=r"reader\.channels"):
        reader_spec(origin_of(KINDS[0]), {"channels": 4})


def test_a_folder_without_weights_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(WeightsError, match=r"has no weights; looked for model\.safetensors"):
        build(origin_of(KINDS[0], tmp_path), spec_of(origin_of(KINDS[0])))
