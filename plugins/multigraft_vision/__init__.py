"""Vision for multigraft: images, timm's networks, two ways to pretrain, and classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multigraft import (
    Backbone,
    Filter,
    Format,
    Lazy,
    Likeness,
    Modality,
    Option,
    Samples,
    Size,
    Task,
    Trial,
    WebReader,
    hookimpl,
)
from multigraft.models.tasks import classification_task, multilabel_task, regression_task
from multigraft_vision.clip.record import CLIP_IMAGE
from multigraft_vision.detection.task import OBJECT_DETECTION
from multigraft_vision.filters import FILTERS
from multigraft_vision.masked import MASKED
from multigraft_vision.options import DROP_PATH, MOST_PIXELS
from multigraft_vision.segmentation.task import SEMANTIC_SEGMENTATION

_IMAGE = Modality(
    name="image",
    reader=Lazy("multigraft_vision.reader:image_reader"),
    fit=Lazy("multigraft_vision.channels.settings:learn"),
    columns=("image",),
    samples=Samples(
        good=Lazy("multigraft_vision.samples:good"), bad=Lazy("multigraft_vision.samples:bad")
    ),
    preview=Lazy("multigraft_vision.preview:preview"),
    likeness=Likeness(
        sketch=Lazy("multigraft_vision.likeness:sketch"),
        near=0.88,
        flaws=(
            "of one colour",
            "nearly black (no value above 16 of 255, as where 12 bits are saved in 16, or class "
            "numbers)",
        ),
    ),
    augment=Lazy("multigraft_vision.augment:policy"),
    augment_options={
        "flip": Option(default=True, help="mirror at random; wrong for digits, letters and signs"),
        "auto_augment": Option(
            default=None,
            types=(str,),
            help="RandAugment by timm's words, as rand-m9-n2-mstd0.5-inc1, or trivial: in place of "
            "the strength's colours and operations; for RGB",
        ),
        "mosaic": Option(
            default=0.0,
            low=0,
            high=1,
            help="the share of pictures that are put together of four; for tasks whose targets are "
            "boxes or masks",
        ),
        "random_erasing": Option(
            default=0.0, low=0, high=1, help="share of pictures in which a rectangle becomes noise"
        ),
        "mixup": Option(
            default=0.0,
            low=0,
            high=100,
            help="alpha of MixUp: pictures and their labels are blended in pairs; for tasks with "
            "labels",
        ),
        "cutmix": Option(
            default=0.0,
            low=0,
            high=100,
            help="alpha of CutMix: a rectangle is another picture's; with mixup, half of the "
            "batches each",
        ),
    },
    suffixes=(
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif"),
        *(".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy"),
    ),
    web=WebReader(folder="multigraft_vision:web", kinds=("image",)),
    options={
        "size": Option(
            default=None,
            types=(int, list),
            low=1,
            high=8192,
            help="pixels a side, or [height, width]; unset: what the weights expect",
        ),
        "crop": Option(
            default=None,
            types=(float, int),
            low=0.1,
            high=1,
            help="the share of the resized picture that the centre crop keeps; unset: as the "
            "weights expect, or with fit: pad all of it",
        ),
        "interpolation": Option(
            default=None,
            types=(str,),
            choices=("nearest", "bilinear", "bicubic", "lanczos"),
            help="how pictures are resized; unset: as the weights expect",
        ),
        "fit": Option(
            default=None,
            types=(str,),
            choices=("center", "squash", "pad"),
            help="crop the longer side, squash it, or keep all of the picture between bars of the "
            "mean colour (letterbox); unset: as the weights expect",
        ),
        "channels": Option(
            default=None,
            types=(int,),
            low=1,
            high=512,
            help="how many channels each picture has, which are then read as they are, also with "
            "16 bits or floats; unset: as the weights expect, mostly RGB of 8 bits",
        ),
        "depth": Option(
            default=None,
            types=(int, str),
            choices=(8, 16, "float"),
            help="with channels: the bits of a value; unset: as the training pictures have",
        ),
        "places": Option(
            default=False,
            help="give with each row where its pixels lie in the picture; tasks whose targets are "
            "places set it",
        ),
        "max_pixels": Option(
            default=50_000_000,
            low=1,
            high=MOST_PIXELS,
            help="larger pictures are refused before they are decoded",
        ),
    },
)


def _size(architecture: str, tag: str) -> Size:
    return Size(config={"architecture": architecture}, hub=f"timm/{architecture}.{tag}")


_TINY_RESNET = Size(
    config={
        "architecture": "resnet18",
        "model_args": {"layers": [1, 1, 1, 1], "channels": [16, 32, 64, 128]},
        "data": {"input_size": [3, 32, 32], "crop_pct": 1.0},
    }
)

_TINY_VIT = Size(
    config={
        "architecture": "vit_tiny_patch16_224",
        "model_args": {"patch_size": 4, "embed_dim": 128, "depth": 6, "num_heads": 4},
        "data": {"input_size": [3, 32, 32], "crop_pct": 1.0},
    }
)


def _backbone(
    name: str,
    sizes: Mapping[str, Size],
    options: Mapping[str, Option],
    trial: Trial,
    find: Any = None,
) -> Backbone:
    return Backbone(
        name=name,
        modality="image",
        sizes=sizes,
        build=Lazy("multigraft_vision.weights:build"),
        reader=Lazy("multigraft_vision.plan:reader_spec"),
        find=find,
        options=options,
        quantization="static",
        trial=trial,
    )


_DETR = Backbone(
    name="detr",
    modality="image",
    sizes={},
    build=Lazy("multigraft_vision.detr.build:build"),
    reader=Lazy("multigraft_vision.detr.preprocessing:reader_spec"),
    find=Lazy("multigraft_vision.detr.configuration:find"),
    options={
        "config": Option(
            default=None,
            types=(dict,),
            help="settings of a network without weights, by transformers' names for its type",
        ),
    },
    quantization="static",
    trial=Trial(size="rt_detr-tiny", reader={"size": 64}),
)


@hookimpl
def register_filters() -> Sequence[Filter]:
    """What corpora of pictures are judged by."""
    return FILTERS


@hookimpl
def register_modalities() -> Sequence[Modality]:
    """Images."""
    return [_IMAGE]


@hookimpl
def register_backbones() -> Sequence[Backbone]:
    """ResNets, ViTs, Inceptions, every other network of timm as ``timm/<name>``; image towers of
    CLIP and SigLIP as ``clip-image/<name>``, and detectors as ``detr/<type>``."""
    resnets = {
        "tiny": _TINY_RESNET,
        "18": _size("resnet18", "a1_in1k"),
        "34": _size("resnet34", "a1_in1k"),
        "50": _size("resnet50", "a1_in1k"),
        "101": _size("resnet101", "a1h_in1k"),
    }
    transformers = {
        "tiny": _TINY_VIT,
        "small": _size("vit_small_patch16_224", "augreg_in21k_ft_in1k"),
        "base": _size("vit_base_patch16_224", "augreg2_in21k_ft_in1k"),
        "large": _size("vit_large_patch16_224", "augreg_in21k_ft_in1k"),
    }
    inceptions = {
        "v3": _size("inception_v3", "tv_in1k"),
        "v4": _size("inception_v4", "tf_in1k"),
        "resnet-v2": _size("inception_resnet_v2", "tf_in1k"),
    }
    return [
        _backbone("resnet", resnets, {"drop_path": DROP_PATH}, Trial(size="tiny")),
        _backbone("vit", transformers, {"drop_path": DROP_PATH}, Trial(size="tiny")),
        _backbone("inception", inceptions, {}, Trial(size="v3", reader={"size": 75})),
        _backbone(
            "timm",
            {},
            {"drop_path": DROP_PATH},
            Trial(size="test_vit", reader={"size": 48}),
            Lazy("multigraft_vision.plan:find"),
        ),
        CLIP_IMAGE,
        _DETR,
    ]


@hookimpl
def register_tasks() -> Sequence[Task]:
    """SimCLR and masked pretraining; labels and numbers of an image; objects in it, and the class
    of each pixel."""
    return [
        Task(
            name="image-contrastive",
            stage="pretrain",
            modalities=("image",),
            objective=Lazy("multigraft_vision.contrastive:ImageContrastive"),
            options={
                "temperature": Option(default=0.1, low=0.01, high=10, help="of NT-Xent"),
                "projection": Option(
                    default=128, low=1, high=16_384, help="width of the space views are compared in"
                ),
                "crop": Option(
                    default=0.2, low=0.01, high=1, help="the least share of the area a view keeps"
                ),
                "flip": Option(
                    default=True, help="mirror half of the views; false for letters and digits"
                ),
                "rotate": Option(default=0.0, low=0, high=180, help="degrees to either side"),
                "color": Option(default=0.5, low=0, high=1, help="strength of the colour jitter"),
                "gray": Option(default=0.2, low=0, high=1, help="share of views without colour"),
                "blur": Option(
                    default=0.5, low=0, high=1, help="share of views blurred, from 64 pixels a side"
                ),
            },
        ),
        MASKED,
        OBJECT_DETECTION,
        classification_task("image-classification", "image"),
        multilabel_task("image-multilabel", "image"),
        regression_task("image-regression", "image"),
        SEMANTIC_SEGMENTATION,
    ]


@hookimpl
def register_formats() -> Sequence[Format]:
    """Objects in pictures, as COCO, Pascal VOC and YOLO write them."""
    return [
        Format(
            name=name,
            endings=(),
            read=Lazy(f"multigraft_vision.annotations.{name}:read_{name}"),
            folders=True,
        )
        for name in ("coco", "voc", "yolo")
    ]
