"""Reader specs of AST: sounds as long as its weights have positions for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, WeightsError
from multigraft_speech.ast.module import field_of, longest_of
from multigraft_speech.specs import audio_spec
from multigraft_speech.weights import load_config

KINDS = ("audio-spectrogram-transformer",)
RATE = 16_000


def load_ast_config(origin: Origin) -> Any:
    """The configuration of the weights, or of the size. Raises WeightsError."""
    config = load_config(origin, KINDS)
    if not isinstance(config.patch_size, int):
        raise WeightsError(
            f"{origin.path or origin.hub}: has patches of {config.patch_size}; square ones, one "
            "number, are read"
        )
    return config


def ast_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """Sounds at 16 kHz, no longer than the network reads, and no shorter than one patch. Raises
    MultigraftError."""
    config = load_ast_config(origin)
    if (rate := options.get("sample_rate")) not in (None, RATE):
        raise MultigraftError(
            f"reader.sample_rate: found {rate}; the filters of AST expect {RATE}: leave it unset"
        )
    longest = longest_of(config) / RATE
    most = min(options.get("max_seconds", longest), longest)
    return audio_spec({**options, "max_seconds": most}, RATE, field_of(config))
