from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from multigraft.contracts.records import Origin
from multigraft.errors import MultigraftError, WeightsError
from multigraft.plugins.catalog import Catalog

LABELS = ("apple", "pear", "plum")
# Each kind of classifier: linear, inside a head module, a 1 x 1 convolution, two of a distilled
# network.
NAMES = [
    ("resnet-tiny", 32),
    ("inception-v3", 96),
    ("timm/test_vit", 96),
    ("timm/test_convnext", 64),
    ("timm/resnetv2_18", 64),
    ("timm/deit_tiny_distilled_patch16_224", 64),
]


@pytest.fixture(scope="module")
def catalog():
    return Catalog(strict=True)


def origin_of(catalog, name, **where):
    _, size_name, size = catalog.backbone(name)
    return Origin(backbone=name, size=size_name, config=dict(size.config), **where)


def grow(catalog, name, side=None, **where):
    family, _, _ = catalog.backbone(name)
    origin = origin_of(catalog, name, **where)
    torch.manual_seed(0)
    return family.build(origin, family.reader(origin, {} if side is None else {"size": side}))


def settled(module):
    """Batch normalisation with statistics of real size; untrained ones let deep networks
    explode."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        module.train()(images(module, 4))
    return module.eval()


def images(module, count):
    height, width = module.spec["size"]
    values = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return {"image": torch.from_numpy(values)}


def same_weights(one, other):
    first, second = one.model.state_dict(), other.model.state_dict()
    assert list(first) == list(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(("name", "side"), NAMES)
def test_a_saved_classifier_opens_in_stock_timm_and_answers_alike(catalog, name, side, tmp_path):
    module = settled(grow(catalog, name, side))
    head = nn.Linear(module.width, len(LABELS))
    nn.init.normal_(head.bias)
    module.save(tmp_path, head=head, labels=LABELS)

    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    cfg = theirs.pretrained_cfg
    mean, std = (torch.tensor(cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    batch = images(module, 2)
    with torch.inference_mode():
        ours = head(module(batch).pooled)
        image = batch["image"].permute(0, 3, 1, 2).float()
        given = image * module.scale + module.shift
        torch.testing.assert_close(given, (image / 255 - mean) / std, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(theirs(given), ours, rtol=1e-4, atol=1e-4)
    assert tuple(cfg["label_names"]) == LABELS
    assert cfg["num_classes"] == 3
    assert tuple(cfg["input_size"]) == (3, side, side)
    same_weights(module, grow(catalog, name, path=tmp_path))


def test_the_weights_file_opens_as_a_checkpoint_of_its_architecture(catalog, tmp_path):
    module = settled(grow(catalog, "resnet-18", 64))
    head = nn.Linear(module.width, len(LABELS))
    module.save(tmp_path, head=head, labels=LABELS)
    file = str(tmp_path / "model.safetensors")
    theirs = timm.create_model("resnet18", num_classes=3, checkpoint_path=file).eval()
    assert torch.equal(theirs.fc.weight, head.weight)
    assert torch.equal(theirs.layer4[1].bn2.running_var, module.model.layer4[1].bn2.running_var)


def test_timms_evaluation_transform_reads_as_the_reader_did(catalog, tmp_path):
    from PIL import Image

    from multigraft_vision.reader import image_reader

    module = grow(catalog, "resnet-tiny", 48)
    module.spec = {**module.spec, "crop": 0.9, "interpolation": "bilinear"}
    module.save(tmp_path, head=None, labels=())
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    config = timm.data.resolve_model_data_config(theirs)
    transform = timm.data.create_transform(**config, normalize=False)
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    )
    ours = image_reader(module.spec).read(picture)["image"]
    np.testing.assert_array_equal(transform(picture).permute(1, 2, 0).numpy(), ours)


def test_a_headless_folder_is_headless_in_timm_too(catalog, tmp_path):
    module = grow(catalog, "resnet-tiny").eval()
    module.save(tmp_path, head=None, labels=())
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    assert theirs.num_classes == 0
    assert not any(name.startswith("fc.") for name in load_file(tmp_path / "model.safetensors"))
    same_weights(module, grow(catalog, "resnet-tiny", path=tmp_path))


def test_a_saved_folder_keeps_its_reader(catalog, tmp_path):
    family, _, _ = catalog.backbone("resnet-tiny")
    origin = origin_of(catalog, "resnet-tiny")
    spec = family.reader(
        origin, {"size": 40, "crop": 0.8, "interpolation": "bilinear", "fit": "squash"}
    )
    family.build(origin, spec).save(tmp_path, head=None, labels=())
    again = origin_of(catalog, "resnet-tiny", path=tmp_path)
    assert family.reader(again, {}) == spec
    assert family.reader(again, {"size": 32, "max_pixels": 100}) == {
        **spec,
        "size": [32, 32],
        "max_pixels": 100,
    }


def test_a_padded_picture_is_kept_whole_and_a_saved_folder_pads_too(catalog, tmp_path):
    family, _, _ = catalog.backbone("timm/resnet18")
    origin = origin_of(catalog, "timm/resnet18")
    assert family.reader(origin, {})["crop"] < 1
    spec = family.reader(origin, {"size": [40, 56], "fit": "pad"})
    assert (spec["size"], spec["crop"], spec["fit"]) == ([40, 56], 1.0, "pad")
    assert spec["fill"] == [124, 116, 104]
    family.build(origin, spec).save(tmp_path, head=None, labels=())
    config = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    assert config["crop_mode"] == "border"
    assert family.reader(origin_of(catalog, "timm/resnet18", path=tmp_path), {}) == spec
    with pytest.raises(MultigraftError, match=r"reader.size: found \[40\]; give one number, or"):
        family.reader(origin, {"size": [40]})


def test_nothing_of_the_machine_or_of_the_source_is_in_the_configuration(catalog, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    grow(catalog, "resnet-18", 64).save(first, head=None, labels=())
    grow(catalog, "resnet-18", path=first).save(second, head=None, labels=())
    text = (second / "config.json").read_text()
    assert text == (first / "config.json").read_text()
    assert str(tmp_path) not in text
    assert '"url"' not in text
    assert "hf_hub" not in text


def test_a_position_table_is_resized_to_larger_images(catalog, tmp_path):
    small = grow(catalog, "timm/test_vit", 64)
    small.save(tmp_path, head=None, labels=())
    large = grow(catalog, "timm/test_vit", 96, path=tmp_path)
    assert large.model.pos_embed.shape[1] == 37
    assert torch.equal(large.model.blocks[0].attn.qkv.weight, small.model.blocks[0].attn.qkv.weight)


@pytest.mark.parametrize("kind", ["safetensors", "pth", "wrapped", "ema"])
@pytest.mark.parametrize("classes", [0, 7])
def test_plain_weights_files_are_accepted_with_and_without_a_classifier(
    catalog, kind, classes, tmp_path
):
    args = catalog.backbone("resnet-tiny")[2].config["model_args"]
    source = timm.create_model("resnet18", num_classes=classes, **args)
    state = source.state_dict()
    file = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(state, file)
    else:
        wrapped = {
            "wrapped": {"state_dict": state},
            "ema": {"state_dict": {}, "state_dict_ema": state},
        }
        torch.save(wrapped.get(kind, state), file)
    module = grow(catalog, "resnet-tiny", path=file)
    for name, value in module.model.state_dict().items():
        assert torch.equal(value, state[name])


def test_weights_with_an_auxiliary_classifier_load_without_it(catalog, tmp_path):
    source = timm.create_model("inception_v3", aux_logits=True)
    file = tmp_path / "inception.safetensors"
    save_file(source.state_dict(), file)
    module = grow(catalog, "inception-v3", 96, path=file)
    assert torch.equal(
        module.model.Mixed_7c.branch1x1.conv.weight, source.Mixed_7c.branch1x1.conv.weight
    )
    assert not any("Aux" in name for name in module.model.state_dict())


class Payload:
    def __reduce__(self):
        return (print, ("opened",))


def test_a_pickle_with_code_is_not_opened(catalog, tmp_path, capsys):
    file = tmp_path / "evil.pth"
    torch.save({"state_dict": Payload()}, file)
    with pytest.raises(WeightsError, match="cannot be opened safely"):
        grow(catalog, "resnet-tiny", path=file)
    assert "opened" not in capsys.readouterr().out


def refusal(catalog, path, name="resnet-tiny"):
    with pytest.raises(WeightsError) as caught:
        grow(catalog, name, path=path)
    return str(caught.value)


def test_files_that_are_no_weights_of_this_network_are_refused(catalog, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"layer": torch.zeros(2)}, other)
    assert "unknown" in refusal(catalog, other)

    wide = tmp_path / "wide.safetensors"
    save_file(timm.create_model("resnet18", layers=[1, 1, 1, 1]).state_dict(), wide)
    assert "shape" in refusal(catalog, wide)

    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"garbage")
    assert "cannot be opened" in refusal(catalog, garbage)

    unknown = tmp_path / "weights.npz"
    unknown.write_bytes(b"")
    assert ".safetensors" in refusal(catalog, unknown)


def test_folders_of_another_network_are_refused(catalog, tmp_path):
    assert "config.json" in refusal(catalog, tmp_path)
    grow(catalog, "resnet-tiny").save(tmp_path, head=None, labels=())
    assert "timm/resnet18" in refusal(catalog, tmp_path, "inception-v3")
    assert "channels" in refusal(catalog, tmp_path, "resnet-18")
    (tmp_path / "model.safetensors").unlink()
    assert "no weights" in refusal(catalog, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps([]))
    assert "config.json" in refusal(catalog, tmp_path)


def test_hub_weights_that_are_not_here_say_how_to_bring_them(catalog, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        grow(catalog, "resnet-18", hub="timm/resnet18.a1_in1k")
    for part in (
        "'timm/resnet18.a1_in1k'",
        "hf download timm/resnet18.a1_in1k",
        "backbone.weights",
    ):
        assert part in str(caught.value)
    with pytest.raises(WeightsError, match="someone/photos"):
        grow(catalog, "resnet-18", hub="someone/photos")


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_an_address_elsewhere_than_the_hub_is_not_asked_offline(
    catalog, monkeypatch, tmp_path, variable
):
    asked = []

    def download(url, *rest, **more):
        asked.append(url)
        raise OSError("no network here")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    monkeypatch.setattr("timm.models._hub.download_url_to_file", download, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    hub = catalog.backbone("timm/legacy_seresnet18")[2].hub
    with pytest.raises(WeightsError, match="cannot be fetched"):
        grow(catalog, "timm/legacy_seresnet18", hub=hub)
    assert asked
    asked.clear()
    monkeypatch.setenv(variable, "1")
    with pytest.raises(
        WeightsError, match=f"{variable} is set; put that file at .*checkpoints/seresnet18"
    ):
        grow(catalog, "timm/legacy_seresnet18", hub=hub)
    assert not asked


def test_hub_weights_of_another_architecture_are_refused(catalog):
    with pytest.raises(WeightsError, match="timm/resnet50"):
        grow(catalog, "resnet-18", hub="timm/resnet50.a1_in1k")
