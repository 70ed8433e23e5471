"""Filters of pictures: what `multigraft prepare` drops. Imports nothing heavy."""

from __future__ import annotations

from multigraft import Filter, Lazy, Option

OPENED = Lazy("multigraft_vision.filters.judging:opened")
SHARP = Lazy("multigraft_vision.filters.examples:sharp")


def _filter(name: str, tells: str, source: str, drops: str, **options: Option) -> Filter:
    return Filter(
        name=f"image-{name}",
        modality="image",
        help=tells,
        source=source,
        judge=Lazy(f"multigraft_vision.filters.judging:{name}"),
        opened=OPENED,
        options=options,
        keeps=SHARP,
        drops=Lazy(f"multigraft_vision.filters.examples:{drops}"),
        groups=("image-flaws",),
    )


FILTERS = (
    _filter(
        "broken",
        "Drop files that are no picture, are cut off, or claim too many pixels.",
        "Pillow's decoders; at most 50 million pixels",
        "cut_off",
    ),
    _filter(
        "tiny",
        "Drop pictures whose shorter side is below 32 pixels, or whose longer one is more than 10 "
        "times as long.",
        "own",
        "small",
        side=Option(default=32, low=1, help="pixels of the shorter side at the least"),
        ratio=Option(
            default=10.0, low=1, high=1e6, help="the longer side by the shorter one at the most"
        ),
    ),
    _filter(
        "blank",
        "Drop pictures that are nearly of one brightness: whose 1st and 99th percentile are less "
        "than 16 of 255 apart.",
        "own",
        "grey",
        spread=Option(default=16.0, low=0, high=255, help="between the percentiles, of 255"),
    ),
    _filter(
        "blurred",
        "Drop pictures without a sharp edge: the variance of their Laplacian, at most 512 pixels "
        "wide and high, is below 20.",
        "Pech-Pacheco et al. 2000 (variance of the Laplacian); the threshold is own",
        "blurred",
        sharpness=Option(
            default=20.0, low=0, high=1e6, help="the variance from which a picture is sharp"
        ),
    ),
)
