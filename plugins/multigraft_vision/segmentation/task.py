"""The task of semantic segmentation as it is registered."""

from __future__ import annotations

from multigraft import Lazy, Option, Task

SEMANTIC_SEGMENTATION = Task(
    name="semantic-segmentation",
    stage="finetune",
    modalities=("image",),
    columns=("mask",),
    files=("mask",),
    reader={"places": True},
    levels=True,
    rows=Lazy("multigraft_vision.segmentation.rows:mask_rows"),
    targets=Lazy("multigraft_vision.segmentation.rows:class_spec"),
    samples=Lazy("multigraft_vision.segmentation.samples:mask_samples"),
    objective=Lazy("multigraft_vision.segmentation.objective:SemanticSegmentation"),
    row_objective=Lazy("multigraft_vision.segmentation.mask_rows:MaskRows"),
    answers="segmentation",
    learning_rate=1e-3,
    epochs=12,
    options={
        "classes": Option(
            default=None,
            types=(list,),
            help="names of the classes, of which the first has the value 0 in a mask; unset: "
            "learned from the training rows",
        ),
        "colors": Option(
            default=None,
            types=(list,),
            help="of masks in colours: each class's, as '#ff0000'",
        ),
        "ignore": Option(
            default=255,
            types=(int, str),
            help="the value, or colour, of pixels that are neither learned nor judged",
        ),
        "background": Option(
            default="background",
            help="where masks are objects: the class of all other pixels; empty: they are ignored",
        ),
        "head": Option(
            default="fpn",
            choices=("fpn", "mlp"),
            help="a feature pyramid of convolutions, or SegFormer's linear layers",
        ),
        "width": Option(default=128, choices=(32, 64, 96, 128, 192, 256), help="of the head"),
        "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the classifier"),
        "loss": Option(
            default="cross_entropy",
            choices=("cross_entropy", "focal", "dice", "cross_entropy+dice", "focal+dice"),
            help="what each picture costs",
        ),
        "gamma": Option(default=2.0, low=0, high=10, help="of the focal loss"),
        "class_weights": Option(
            default="none",
            choices=("none", "balanced"),
            help="balanced: weigh each class by the inverse root of its share of the pixels",
        ),
    },
)
