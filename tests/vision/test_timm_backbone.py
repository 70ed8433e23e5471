from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import nn

from multigraft import BackboneModule, MultigraftError
from multigraft.contracts.records import Origin
from multigraft.plugins.catalog import Catalog

# (name, side): scratch networks that a test can afford, one for each layout of features.
NAMES = [
    ("resnet-tiny", 32),
    ("inception-v3", 96),
    ("timm/test_vit", 160),
    ("timm/test_vit2", 64),
    ("timm/test_convnext", 64),
    ("timm/test_efficientnet", 64),
    ("timm/mobilenetv3_small_050", 64),
    ("timm/test_mambaout", 64),
    ("timm/test_byobnet", 64),
    ("timm/swin_tiny_patch4_window7_224", 56),
]


@pytest.fixture(scope="module")
def catalog():
    return Catalog(strict=True)


def grow(catalog, name, side=None, path=None, seed=0):
    family, size_name, size = catalog.backbone(name)
    origin = Origin(backbone=name, size=size_name, config=dict(size.config), path=path)
    torch.manual_seed(seed)
    return family.build(origin, family.reader(origin, {} if side is None else {"size": side}))


@pytest.fixture(scope="module", params=NAMES, ids=lambda param: param[0])
def backbone(request, catalog):
    name, side = request.param
    module = grow(catalog, name, side)
    settle(module, side)
    return module.eval()


def settle(module, side):
    """Give batch normalisation statistics of real size; untrained ones let deep networks
    explode."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        module.train()(images(module, 4, seed=9))


def images(module, count, seed=0):
    height, width = module.spec["size"]
    values = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return {"image": torch.from_numpy(values)}


def normalised(module, batch):
    """As timm's own ToTensor and Normalize do it."""
    cfg = module.model.pretrained_cfg
    mean, std = (torch.tensor(cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    return (batch["image"].permute(0, 3, 1, 2).float() / 255 - mean) / std


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_it_is_a_backbone(backbone):
    assert isinstance(backbone, BackboneModule)
    assert backbone.head_bias is True


@torch.inference_mode()
def test_features_are_timms_own(backbone):
    batch = images(backbone, 2)
    ours = backbone(batch)
    features = backbone.model.forward_features(normalised(backbone, batch))
    close(ours.pooled, backbone.model.forward_head(features, pre_logits=True))
    assert ours.pooled.shape == (2, backbone.width)
    assert ours.mask is None
    if features.ndim == 3:
        close(ours.sequence, features)
    else:
        channels_first = features if features.shape[1] == backbone.model.num_features else None
        theirs = features.permute(0, 3, 1, 2) if channels_first is None else channels_first
        close(ours.maps[0], theirs)
        if ours.sequence is not None:
            close(ours.sequence, theirs.flatten(2).transpose(1, 2))
    assert (ours.sequence is None) == (backbone.width != backbone.model.num_features)


@torch.inference_mode()
def test_the_map_of_a_transformer_holds_its_patches(catalog):
    module = grow(catalog, "timm/test_vit", 96).eval()
    ours = module(images(module, 2))
    assert ours.sequence.shape == (2, 37, 64)
    assert ours.maps[0].shape == (2, 64, 6, 6)
    assert torch.equal(ours.maps[0][:, :, 2, 3], ours.sequence[:, 1 + 2 * 6 + 3])


@torch.inference_mode()
def test_a_row_gives_what_it_gives_alone(backbone):
    batch = images(backbone, 5)
    together = backbone({**batch, "label": torch.zeros(5)})
    alone = torch.cat([backbone({"image": row[None]}).pooled for row in batch["image"]])
    close(together.pooled, alone)


def test_blocks_hold_all_parameters_but_position_tables(backbone):
    inside = [parameter for block in backbone.blocks for parameter in block.parameters()]
    assert len({id(parameter) for parameter in inside}) == len(inside), (
        "two blocks share a parameter"
    )
    held = {id(parameter) for parameter in inside}
    loose = {
        name for name, parameter in backbone.model.named_parameters() if id(parameter) not in held
    }
    assert loose <= {"cls_token", "pos_embed", "reg_token"}


@torch.inference_mode()
def test_blocks_run_in_their_order(backbone):
    ran = []
    hooks = [
        block.register_forward_pre_hook(lambda module, args, index=index: ran.append(index))
        for index, block in enumerate(backbone.blocks)
    ]
    backbone(images(backbone, 2))
    for hook in hooks:
        hook.remove()
    assert ran == list(range(len(backbone.blocks)))


def test_the_early_blocks_of_known_architectures(catalog):
    def names(name, side=None):
        return list(grow(catalog, name, side).survey.blocks)

    layers = [f"layer{stage}.{index}" for stage in range(1, 5) for index in range(2)]
    assert names("resnet-18") == ["conv1", "bn1", *layers]
    assert names("timm/test_vit") == [
        "patch_embed",
        *(f"blocks.{index}" for index in range(6)),
        "norm",
    ]
    inception = names("inception-v3", 96)
    assert (inception[0], inception[-1], len(inception)) == ("Conv2d_1a_3x3", "Mixed_7c", 16)
    convnext = names("timm/test_convnext", 64)
    assert (convnext[0], convnext[1], convnext[-1]) == ("stem", "stages.0.blocks.0", "head")
    assert names("timm/test_efficientnet", 64)[:3] == ["conv_stem", "bn1", "blocks.0.0"]


def test_blocks_registered_out_of_order_are_put_in_the_order_they_run(catalog):
    """Twins registers all patch embeddings first, and runs them between its stages."""
    order = grow(catalog, "timm/twins_svt_small").survey.blocks
    places = [
        order.index(name)
        for name in ("patch_embeds.0", "blocks.0.0", "patch_embeds.1", "blocks.1.0")
    ]
    assert places == sorted(places)


def test_blocks_follow_a_module_that_is_replaced(catalog):
    module = grow(catalog, "resnet-tiny")
    module.model.layer4[0] = nn.Identity()
    assert isinstance(module.blocks[-1], nn.Identity)


def test_normalising_is_no_parameter_and_is_not_saved(catalog):
    module = grow(catalog, "resnet-tiny")
    assert {name for name, _ in module.named_buffers()} >= {"scale", "shift"}
    assert all(name.startswith("model.") for name in module.state_dict())


def test_gradients_reach_the_first_block(catalog):
    module = grow(catalog, "resnet-tiny")
    module(images(module, 2)).pooled.sum().backward()
    assert module.model.conv1.weight.grad.abs().sum() > 0


def test_images_too_small_for_a_network_are_refused_before_it_is_built(catalog):
    with pytest.raises(
        MultigraftError,
        match=r"inception_v3 cannot read images of 32 x 32.*reader.size to \[96, 96\]",
    ):
        grow(catalog, "inception-v3", 32)


def test_networks_that_timm_could_not_open_again_are_refused(catalog):
    with pytest.raises(MultigraftError, match="does not end in one linear classifier"):
        grow(catalog, "timm/caformer_s18")


def test_a_built_backbone_depends_on_the_seed_alone(catalog):
    one, same, other = (grow(catalog, "resnet-tiny", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.model.conv1.weight, same.model.conv1.weight)
    assert not torch.equal(one.model.conv1.weight, other.model.conv1.weight)


def test_stochastic_depth_is_an_option(catalog):
    family, size_name, size = catalog.backbone("timm/test_vit")
    origin = Origin(
        backbone="timm/test_vit", size=size_name, config={**size.config, "drop_path": 0.3}
    )
    module = family.build(origin, family.reader(origin, {}))
    assert module.model.blocks[-1].drop_path1.drop_prob == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["resnet-tiny", "timm/test_vit"])
def test_the_onnx_graph_gives_the_same_at_another_batch_size(catalog, name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")

    class Pooled(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, image):
            return self.inner({"image": image}).pooled

    module = grow(catalog, name, 64).eval()
    graph = tmp_path / "model.onnx"
    torch.onnx.export(
        Pooled(module).eval(),
        (),
        str(graph),
        kwargs={"image": images(module, 2)["image"]},
        input_names=["image"],
        output_names=["pooled"],
        dynamic_shapes={"image": {0: "batch"}},
        dynamo=True,
        opset_version=20,
    )
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    batch = images(module, 5, seed=3)
    (ours,) = session.run(None, {"image": batch["image"].numpy()})
    with torch.inference_mode():
        close(torch.from_numpy(ours), module(batch).pooled)


def test_timm_names_are_found_with_and_without_a_tag(catalog):
    tagged = catalog.backbone("timm/resnet50.a1_in1k")[2]
    assert tagged.hub == "timm/resnet50.a1_in1k"
    assert tagged.config["architecture"] == "resnet50"
    assert (
        catalog.backbone("timm/resnet50")[2].hub
        == f"timm/resnet50.{timm.get_pretrained_cfg('resnet50').tag}"
    )
    for unknown in ("timm/resnet5000", "timm/resnet50.nowhere", "timm/"):
        with pytest.raises(MultigraftError, match="unknown backbone"):
            catalog.backbone(unknown)
