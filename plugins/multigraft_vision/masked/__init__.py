"""Masked image modeling: most of a picture is hidden, and its pixels are guessed from the rest."""

from __future__ import annotations

from multigraft import Lazy, Option, Task

MASKED = Task(
    name="masked-image-modeling",
    stage="pretrain",
    modalities=("image",),
    objective=Lazy("multigraft_vision.masked.methods:masked_image_modeling"),
    options={
        "method": Option(
            default="auto",
            choices=("auto", "mae", "simmim"),
            help="mae computes visible patches only; simmim paints over what is hidden and takes "
            "any backbone with maps; auto: mae where the backbone is a plain vision transformer",
        ),
        "mask_share": Option(
            default=None,
            types=(float,),
            low=0.05,
            high=0.95,
            help="the share of squares that is hidden; unset: 0.75 of mae, 0.6 of simmim",
        ),
        "square": Option(
            default=None,
            types=(int,),
            low=1,
            high=512,
            help="pixels a side of what simmim hides; unset: the last map's stride, or finer, so "
            "that six lie on a side",
        ),
        "normalize": Option(
            default=True, help="mae's targets are normalised by their patch's mean and deviation"
        ),
        "decoder_width": Option(
            default=None,
            types=(int,),
            low=32,
            high=4096,
            help="of mae, a multiple of 32; unset: the backbone's, 512 at most",
        ),
        "decoder_depth": Option(default=4, low=1, high=48, help="blocks of mae's decoder"),
    },
)
