"""Options that several backbones share."""

from __future__ import annotations

from multigraft import Option

SPEC_AUGMENT = Option(
    default=0.0,
    low=0.0,
    high=0.8,
    help="share of frames hidden at random while finetuning (SpecAugment in time); 0: none",
)

SPECTROGRAM_AUGMENT = Option(
    default=0.0,
    low=0.0,
    high=0.8,
    help="share of frames, and of mel bands, hidden at random while finetuning (SpecAugment); 0: "
    "none",
)
