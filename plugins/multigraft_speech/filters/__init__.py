"""Filters of sounds: what `multigraft prepare` drops. Imports nothing heavy."""

from __future__ import annotations

from multigraft import Filter, Lazy, Option

TONE = Lazy("multigraft_speech.filters.examples:tone")


def _filter(
    name: str, opened: str, *, tells: str, source: str, drops: str, **options: Option
) -> Filter:
    return Filter(
        name=f"audio-{name}",
        modality="audio",
        help=tells,
        source=source,
        judge=Lazy(f"multigraft_speech.filters.judging:{name}"),
        opened=Lazy(f"multigraft_speech.filters.judging:{opened}"),
        options=options,
        groups=("audio-flaws",),
        keeps=TONE,
        drops=Lazy(f"multigraft_speech.filters.examples:{drops}"),
    )


FILTERS = (
    _filter(
        "broken",
        "sound",
        tells="Drop files that are no sound, are cut off, or whose first ten minutes hold what is "
        "no finite number.",
        source="libsndfile's decoders",
        drops="cut_off",
    ),
    _filter(
        "length",
        "seconds",
        tells="Drop sounds of less than 0.1 or more than 3,600 seconds.",
        source="own",
        drops="short",
        low=Option(default=0.1, low=0, high=1e6, help="seconds at the least"),
        high=Option(default=3600.0, low=0, high=1e6, help="seconds at the most"),
    ),
    _filter(
        "silent",
        "sound",
        tells="Drop sounds whose loudest 20 ms lie below -60 dB of full scale, or of which less "
        "than 1% is louder than that.",
        source="own",
        drops="silence",
        decibels=Option(default=-60.0, low=-200, high=0, help="of full scale, of frames of 20 ms"),
        share=Option(default=0.01, low=0, high=1, help="the share of frames that are louder"),
    ),
    _filter(
        "clipped",
        "sound",
        tells="Drop sounds of which more than 1% of samples stand at full scale.",
        source="own; as the flaw of the modality's likeness",
        drops="clipped",
        share=Option(default=0.01, low=0, high=1, help="the share of samples at the most"),
    ),
)
