"""Reader specs: what each backbone asks of the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError
from multigraft_speech.layout import load_layout
from multigraft_speech.reader import AudioReader

DEFAULTS = AudioReader()


def wav2vec2_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The rate the weights were trained at, and sounds no shorter than one frame."""
    from multigraft_speech.weights import load_config, load_extractor

    config = load_config(origin)
    rate = _rate(origin, options, load_extractor(origin).sampling_rate)
    return audio_spec(options, rate, receptive_field(config.conv_kernel, config.conv_stride))


def logmel_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The rate the weights were trained at, and sounds no shorter than one window."""
    layout = load_layout(origin)
    rate = _rate(origin, options, layout.sample_rate)
    return audio_spec(options, rate, replace(layout, sample_rate=rate).window)


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """The samples that one frame of a stack of convolutions sees.

    >>> receptive_field([10, 3], [5, 2])
    20
    """
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, step = field + (kernel - 1) * step, step * stride
    return field


def frame_count(lengths: Any, config: Any) -> Any:
    """Samples -> frames of wav2vec2's convolutions, for an int, a numpy array or a tensor."""
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        lengths = (lengths - kernel) // stride + 1
    return lengths


def _rate(origin: Origin, options: Mapping[str, Any], expected: int) -> int:
    asked = options.get("sample_rate")
    if asked is not None and asked != expected and not origin.scratch:
        raise MultigraftError(
            f"reader.sample_rate: found {asked}; the weights of {origin.backbone!r} expect "
            f"{expected}: leave it unset"
        )
    return int(expected if asked is None else asked)


def audio_spec(options: Mapping[str, Any], rate: int, shortest: int) -> Spec:
    """The spec of a reader; ``shortest`` is in samples."""
    asked = options.get("min_seconds", DEFAULTS.min_seconds)
    reader = AudioReader(
        sample_rate=rate,
        max_seconds=options.get("max_seconds", DEFAULTS.max_seconds),
        min_seconds=max(asked, shortest / rate),
        places=options.get("places", False),
    )
    if reader.min_seconds > reader.max_seconds:
        raise MultigraftError(
            f"reader.max_seconds: found {reader.max_seconds:g}; at least {reader.min_seconds:g} is "
            "needed"
        )
    return reader.spec()
