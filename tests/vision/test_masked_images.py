from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from transformers.models.vit_mae.modeling_vit_mae import build_2d_sinusoidal_position_embedding

from multigraft import Brief, MultigraftError, Patches
from multigraft.contracts.records import Origin
from multigraft.models.graft import Graft
from multigraft.plugins.catalog import Catalog
from multigraft_vision.masked.autoencoder import (
    Decoder,
    MaskedAutoencoder,
    normalized,
    patchified,
)
from multigraft_vision.masked.drawing import drawn, enlarged, numbers, painted
from multigraft_vision.masked.simmim import SimMIM, _square
from multigraft_vision.patches import patches_of, taken
from multigraft_vision.reader import image_reader

SMALL = {
    "architecture": "vit_tiny_patch16_224",
    "model_args": {"patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 2},
    "data": {"input_size": [3, 32, 32], "crop_pct": 1.0},
}


@pytest.fixture(scope="module")
def catalog():
    return Catalog(strict=True)


@pytest.fixture(scope="module")
def networks(catalog):
    """A ViT with patches of 8 in pictures of 32, and a ResNet."""
    found = {}
    for name in ("vit-tiny", "resnet-tiny"):
        family, size_name, size = catalog.backbone(name)
        config = SMALL if name == "vit-tiny" else dict(size.config)
        origin = Origin(backbone=name, size=size_name, config=config)
        spec = family.reader(origin, {})
        torch.manual_seed(0)
        found[name] = family.build(origin, spec), image_reader(spec)
    return found


def bound(catalog, networks, name="vit-tiny", **options):
    backbone, reader = networks[name]
    task = catalog.task("masked-image-modeling")
    defaults = {key: option.default for key, option in task.options.items()}
    brief = Brief(
        backbone=backbone,
        reader=reader,
        targets={},
        options={**defaults, **options},
        modality="image",
    )
    objective = task.objective(brief)
    torch.manual_seed(0)
    return objective, Graft(backbone, objective.head()).eval()


def pictures(count=4, seed=0):
    """Smooth pictures, each of a colour and a direction of its own."""
    rng = np.random.default_rng(seed)
    x, y, colour = rng.normal(size=(3, count, 1, 1, 3))
    ramp = np.linspace(0, 1, 32)
    values = 128 + 60 * colour + 60 * (ramp[:, None, None] * x + ramp[None, :, None] * y)
    return {"image": np.clip(values, 0, 255).astype(np.uint8)}


def prepared(objective, arrays=None, seed=0):
    batch = objective.prepare(arrays or pictures(), np.random.default_rng(seed))
    return {name: torch.from_numpy(value) for name, value in batch.items()}


def test_as_many_squares_are_hidden_in_every_row_and_each_equally_often():
    hidden = drawn(2000, 16, 0.75, np.random.default_rng(0))
    assert set(hidden.sum(1)) == {12}
    assert np.abs(hidden.mean(0) - 0.75).max() < 4 * np.sqrt(0.75 * 0.25 / 2000)
    for share, count in ((0.01, 1), (0.999, 15)):
        assert set(drawn(50, 16, share, np.random.default_rng(0)).sum(1)) == {count}
    np.testing.assert_array_equal(np.take_along_axis(hidden, numbers(hidden), 1), True)


def test_hidden_squares_get_the_mean_colour_of_the_others():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :2], image[0, 2:] = (10, 20, 30), (200, 100, 0)
    hidden = enlarged(np.array([[[True, False], [False, False]]]), 2, (4, 4))
    found = painted(image, hidden)
    # 4 pixels of the upper colour and 8 of the lower are seen
    assert found[0, 0, 0].tolist() == [round(1640 / 12), round(880 / 12), 10]
    np.testing.assert_array_equal(found[~hidden], image[~hidden])
    assert image[0, 0, 0].tolist() == [10, 20, 30]


def test_squares_at_the_far_sides_are_cut_off():
    hidden = enlarged(np.array([[[True, False], [False, True]]]), 3, (5, 4))
    assert hidden.shape == (1, 5, 4)
    assert hidden[0].astype(int).tolist() == [[1, 1, 1, 0]] * 3 + [[0, 0, 0, 1]] * 2


@pytest.mark.parametrize(
    ("stride", "side", "square"), [(32, 192, 32), (32, 224, 32), (32, 160, 16), (32, 32, 4)]
)
def test_six_squares_lie_on_a_side(stride, side, square):
    assert _square(stride, side) == square


@pytest.mark.parametrize(
    ("name", "method", "kind"),
    [
        ("vit-tiny", "auto", MaskedAutoencoder),
        ("resnet-tiny", "auto", SimMIM),
        ("vit-tiny", "simmim", SimMIM),
    ],
)
def test_the_method_follows_from_the_backbone(catalog, networks, name, method, kind):
    assert type(bound(catalog, networks, name, method=method)[0]) is kind


def test_mae_needs_patches(catalog, networks):
    with pytest.raises(MultigraftError, match="plain vision transformer"):
        bound(catalog, networks, "resnet-tiny", method="mae")
    with pytest.raises(MultigraftError, match="multiples of 32"):
        bound(catalog, networks, decoder_width=40)


def test_a_convolutional_stem_has_no_patches_that_can_be_hidden():
    plain = VisionTransformer(img_size=16, patch_size=8, embed_dim=8, depth=1, num_heads=1)
    assert patches_of(plain, (16, 16)).grid == (2, 2)
    assert patches_of(plain, (24, 16)) is None

    class Stem(type(plain.patch_embed)):
        pass

    plain.patch_embed = Stem(img_size=16, patch_size=8, embed_dim=8)
    assert patches_of(plain, (16, 16)) is None


@pytest.fixture(scope="module")
def theirs():
    """transformers' own, of pictures as those of the small ViT."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
    sizes |= {"intermediate_size": 32, "image_size": 32, "patch_size": 8}
    decoder = {f"decoder_{name}": size for name, size in sizes.items() if "_size" in name}
    decoder |= {"decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 1}
    torch.manual_seed(0)
    return ViTMAEForPreTraining(ViTMAEConfig(**sizes, **decoder, norm_pix_loss=True)).eval()


def test_the_loss_is_that_of_transformers(catalog, networks, theirs):
    objective, _ = bound(catalog, networks)
    image = torch.from_numpy(pictures()["image"])
    noise = torch.rand(4, 16, generator=torch.Generator().manual_seed(0))
    told = theirs(image.permute(0, 3, 1, 2).float() / 255, noise=noise)
    batch = {"image": image, "hidden": torch.from_numpy(numbers(told.mask.bool().numpy()))}
    outputs = {"pixels": taken(told.logits, batch["hidden"])}
    torch.testing.assert_close(objective.loss(outputs, batch).mean(), told.loss)


def test_the_decoders_positions_are_those_of_transformers():
    patches = Patches(grid=(4, 4), size=(2, 2), before=1)
    sines_down, sines_across, cosines_down, cosines_across = Decoder(
        8, patches, width=32, depth=1
    ).positions.chunk(4, dim=1)
    ours = torch.cat([sines_down, cosines_down, sines_across, cosines_across], dim=1)
    torch.testing.assert_close(ours, build_2d_sinusoidal_position_embedding(4, 4, 32))


def test_the_encoder_sees_nothing_of_hidden_patches(catalog, networks):
    objective, graft = bound(catalog, networks)
    batch = prepared(objective)
    hidden = torch.zeros(4, 16).scatter(1, batch["hidden"], 1.0).view(4, 4, 4)
    where = hidden.repeat_interleave(8, 1).repeat_interleave(8, 2).bool()
    other = {**batch, "image": batch["image"].masked_fill(where.unsqueeze(3), 77)}
    torch.testing.assert_close(graft(batch)["pixels"], graft(other)["pixels"])
    seen = {**batch, "image": batch["image"].masked_fill(~where.unsqueeze(3), 77)}
    assert (graft(batch)["pixels"] - graft(seen)["pixels"]).abs().max() > 1e-3


def test_the_encoder_computes_the_visible_patches_only(catalog, networks):
    objective, graft = bound(catalog, networks)
    given = []
    hook = graft.backbone.blocks[-2].register_forward_hook(lambda m, a, out: given.append(out))
    graft(prepared(objective))
    hook.remove()
    assert given[0].shape == (4, 1 + 4, 48)


def test_simmims_loss_is_the_absolute_error_at_hidden_pixels(catalog, networks):
    objective, graft = bound(catalog, networks, "resnet-tiny", mask_share=0.5)
    arrays = pictures()
    batch = prepared(objective, arrays)
    hidden = batch["hidden_pixels"]
    assert hidden.float().mean() == 0.5
    np.testing.assert_array_equal(batch["true_image"], arrays["image"])
    outputs = graft(batch)
    torch.testing.assert_close(outputs["image"], batch["image"] / 255)  # the plain answer, at first
    torch.nn.init.normal_(graft.head.linear.weight, std=0.01)
    outputs = graft(batch)
    loss = objective.loss(outputs, batch)
    error = (outputs["image"] - batch["true_image"] / 255).abs()
    torch.testing.assert_close(loss.mean(), error[hidden].mean())


def test_a_side_that_the_stride_does_not_divide(catalog, networks):
    backbone, _ = networks["resnet-tiny"]
    reader = SimpleNamespace(spec=lambda: {"size": [40, 36]})
    options = {"mask_share": None, "square": None}
    brief = Brief(backbone=backbone, reader=reader, targets={}, options=options, modality="image")
    objective = SimMIM(brief)
    images = {"image": np.zeros((2, 40, 36, 3), np.uint8)}
    batch = prepared(objective, images)
    outputs = Graft(backbone, objective.head())(batch)
    assert outputs["image"].shape == (2, 40, 36, 3)


@pytest.mark.parametrize(("name", "normalize"), [("vit-tiny", True), ("vit-tiny", False)])
def test_the_baseline_is_the_plain_answers_loss(catalog, networks, name, normalize):
    objective, graft = bound(catalog, networks, name, normalize=normalize)
    batch = prepared(objective)
    outputs = graft(batch)
    kept = measured(objective, outputs, batch)
    found = objective.baseline(kept)
    pixels = patchified(batch["image"], objective.patches)
    rows = torch.arange(4).unsqueeze(1)
    hidden, seen = pixels[rows, batch["hidden"]], pixels[rows, batch["visible"]]
    if normalize:
        expected = normalized(hidden).square().mean()
        assert 0.9 < found.value < 1
    else:
        colour = seen.reshape(4, -1, 3).mean(1)
        expected = (hidden.reshape(4, -1, 3) - colour.unsqueeze(1)).square().mean()
    assert found.value == pytest.approx(expected.item(), rel=1e-5)
    metrics = objective.summarise(kept)
    assert metrics["skill"] == pytest.approx(1 - metrics["loss"] / found.value)


def test_simmims_baseline_is_the_colour_that_it_paints(catalog, networks):
    objective, _ = bound(catalog, networks, "resnet-tiny")
    batch = prepared(objective)
    same = {"image": batch["image"] / 255}
    kept = measured(objective, same, batch)
    assert objective.summarise(kept)["skill"] == pytest.approx(0, abs=1e-6)
    assert objective.baseline(kept).value == pytest.approx(objective.summarise(kept)["loss"])


def measured(objective, outputs, batch):
    loss = objective.loss(outputs, batch)
    found = objective.measure(outputs, batch, loss)
    return {name: value.detach().numpy() for name, value in found.items()}


@pytest.mark.parametrize("name", ["vit-tiny", "resnet-tiny"])
def test_it_learns_to_fill_in(catalog, networks, name):
    objective, graft = bound(catalog, networks, name)
    graft = copy.deepcopy(graft)
    arrays = pictures(16)
    optimizer = torch.optim.AdamW(graft.parameters(), 3e-3)
    skills = []
    for seed in range(40):
        batch = prepared(objective, arrays, seed)
        outputs = graft.train()(batch)
        skills.append(objective.summarise(measured(objective, outputs, batch))["skill"])
        optimizer.zero_grad()
        objective.loss(outputs, batch).mean().backward()
        optimizer.step()
    assert np.mean(skills[-5:]) > 0.3
    assert skills[0] <= 0
