"""Reader specs of Whisper: its weights' tokenizer, or one of bytes from scratch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from multigraft.contracts.readers import SPEC_BYTES
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, WeightsError, refused_as
from multigraft.system.files import check_plain
from multigraft_speech.specs import audio_spec
from multigraft_speech.weights import load_config, source
from multigraft_speech.whisper.log_mel import HOP, RATE, WINDOW
from multigraft_speech.whisper.module import STRIDE
from multigraft_speech.whisper.reader import KIND

KINDS = ("whisper",)
END = "<|endoftext|>"
SPECIAL = (END, "<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
"""The special tokens from scratch, behind the 256 bytes; times follow."""
BYTES = 256
OPTIONS = ("model_type", "spec_augment", "language", "task")
"""What of an origin's configuration is no shape."""


def whisper_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """Sounds at 16 kHz, as long as the encoder reads at most. Raises MultigraftError."""
    config = load_config(origin, KINDS, options=OPTIONS)
    frames = STRIDE * config.max_source_positions
    longest = frames * HOP / RATE
    if (rate := options.get("sample_rate")) not in (None, RATE):
        raise MultigraftError(
            f"reader.sample_rate: found {rate}; Whisper's features expect {RATE}: leave it unset"
        )
    asked = options.get("max_seconds", longest)
    sound = audio_spec({**options, "max_seconds": min(asked, longest)}, RATE, WINDOW)
    own = {"kind": KIND, "mels": config.num_mel_bins, "frames": frames, "end": END}
    tokenizer = byte_tokenizer() if origin.scratch else _tokenizer(origin)
    return {**sound, **own, "tokenizer.json": tokenizer}


def _tokenizer(origin: Origin) -> Any:
    file = source(origin) / "tokenizer.json"
    with refused_as(WeightsError, f"{file}: cannot be read; save the folder with its tokenizer"):
        check_plain(file, limit=SPEC_BYTES)
        return json.loads(file.read_text(encoding="utf-8"))


def byte_tokenizer() -> Any:
    """A tokenizer with a token for every byte, and the special ones."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    return json.loads(made.to_str())
