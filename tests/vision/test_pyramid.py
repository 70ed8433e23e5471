"""Feature pyramids of timm's networks: channels and strides are known before a pass, cells lie
where they say, and other tasks notice nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch

from multigraft import Level, MultigraftError, Origin
from multigraft.plugins.catalog import Catalog
from multigraft_vision.pyramid import surveyed

NETWORKS = [
    ("resnet-tiny", (33, 45), (16, 32, 64, 128), (4, 8, 16, 32)),
    ("inception-v3", (75, 101), (192, 288, 768, 2048), (4, 8, 16, 32)),
    ("timm/test_efficientnet", (65, 97), (24, 32, 48, 64), (4, 8, 16, 32)),
    ("timm/test_convnext", (65, 97), (24, 32, 48, 64), (4, 8, 16, 32)),
    ("timm/mobilenetv3_small_050", (65, 64), (8, 16, 24, 288), (4, 8, 16, 32)),
    ("timm/swin_tiny_patch4_window7_224", (56, 60), (96, 192, 384, 768), (4, 8, 16, 32)),
    ("timm/test_vit", (48, 80), (64, 64, 64), (8, 16, 32)),
]


def grown(name: str, size: tuple[int, int]) -> Any:
    family, size_name, found = Catalog(strict=True).backbone(name)
    origin = Origin(backbone=name, size=size_name, config=dict(found.config))
    torch.manual_seed(0)
    return family.build(origin, {**family.reader(origin, {}), "size": list(size)}).eval()


def images(size: tuple[int, int]) -> dict[str, torch.Tensor]:
    values = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    return {"image": torch.from_numpy(values)}


@pytest.mark.parametrize(
    ("name", "size", "channels", "strides"), NETWORKS, ids=[each[0] for each in NETWORKS]
)
@torch.inference_mode()
def test_maps_are_those_that_levels_promise(
    name: str, size: tuple[int, int], channels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    module = grown(name, size)
    assert module.levels == tuple(map(Level, channels, strides))
    before = module(images(size))
    module.pyramid = True
    found = module(images(size))
    assert torch.equal(found.pooled, before.pooled)
    for level, given in zip(module.levels, found.maps, strict=True):
        cells = [-(-side // level.stride) for side in size]
        assert list(given.shape) == [2, level.channels, *cells]


@torch.inference_mode()
def test_a_cell_sees_the_pixels_that_it_stands_for() -> None:
    """A bright square moves each level's largest change to the cell of that place, also where
    convolutions without padding cut the edge off."""
    for name, size in (("inception-v3", (171, 171)), ("resnet-tiny", (160, 160))):
        module = grown(name, size)
        module.pyramid = True
        grey = torch.full((1, *size, 3), 128, dtype=torch.uint8)
        for place in (40, 88, 120):
            bright = grey.clone()
            bright[:, place - 4 : place + 4, place - 4 : place + 4] = 255
            pairs = zip(module({"image": grey}).maps, module({"image": bright}).maps, strict=True)
            for level, (one, other) in zip(module.levels[:2], pairs, strict=False):
                change = (other - one).abs().sum((0, 1))
                centre = (change.sum(0) * (torch.arange(change.shape[1]) + 0.5)).sum()
                seen = float(centre / change.sum()) * level.stride
                assert abs(seen - place) < max(level.stride, 6), (name, level, place, seen)


def test_timms_own_extractor_gives_the_same_maps() -> None:
    module = grown("resnet-tiny", (64, 64))
    module.pyramid = True
    theirs = timm.create_model("resnet18", features_only=True, **module.plan.args).eval()
    theirs.load_state_dict(module.model.state_dict(), strict=False)
    batch = images((64, 64))
    with torch.inference_mode():
        pixels = batch["image"].permute(0, 3, 1, 2).float() * module.scale + module.shift
        for ours, wanted in zip(module(batch).maps, theirs(pixels)[1:], strict=True):
            torch.testing.assert_close(ours, wanted)


def test_a_plain_transformers_levels_are_its_last_map_enlarged_and_averaged() -> None:
    module = grown("timm/test_vit", (64, 64))
    whole = module(images((64, 64))).maps[0]
    module.pyramid = True
    fine, same, coarse = module(images((64, 64))).maps
    assert torch.equal(same, whole)
    torch.testing.assert_close(coarse, torch.nn.functional.avg_pool2d(whole, 2))
    assert fine.shape[-1] == 2 * whole.shape[-1]


def test_patches_of_another_size_have_strides_of_their_own() -> None:
    cfg = timm.get_pretrained_cfg("vit_small_patch14_dinov2")
    assert cfg is not None
    found = surveyed("vit_small_patch14_dinov2", cfg.to_dict(), {"img_size": [98, 98]}, (98, 98))
    assert [level.stride for level in found.levels] == [7, 14, 28]


def test_a_size_that_is_too_small_is_not_taken_for_a_network_without_levels() -> None:
    cfg = timm.get_pretrained_cfg("inception_v3")
    assert cfg is not None
    with pytest.raises(MultigraftError, match=r"cannot read images of 64 x 64.*takes 96 x 96"):
        surveyed("inception_v3", cfg.to_dict(), {}, (64, 64))
    assert surveyed("inception_v3", cfg.to_dict(), {}, (96, 96)).levels


def test_maps_that_only_another_size_has_are_told_and_none_at_all_are_no_levels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cfg = timm.get_pretrained_cfg("test_resnet")
    assert cfg is not None
    args = {"layers": (1, 1, 1, 1), "channels": (8, 16, 24, 40)}  # met by no other test
    kind = type(timm.create_model("test_resnet"))
    whole = kind.forward_intermediates

    def from_100_on(self: Any, x: torch.Tensor, *rest: Any, **more: Any) -> Any:
        assert x.shape[2] >= 100, "a window does not fit"
        return whole(self, x, *rest, **more)

    monkeypatch.setattr(kind, "forward_intermediates", from_100_on)
    with pytest.raises(MultigraftError, match=r"of 64 x 64 \(a window(.|\n)*160"):
        surveyed("test_resnet", cfg.to_dict(), args, (64, 64))

    def never(self: Any, x: torch.Tensor, *rest: Any, **more: Any) -> Any:
        raise RuntimeError("no maps")

    monkeypatch.setattr(kind, "forward_intermediates", never)
    assert surveyed("test_resnet", cfg.to_dict(), args, (96, 96)).levels == ()
