"""Write what `WhisperProcessor` opens beside weights: tokenizer and feature extractor."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import WhisperFeatureExtractor

from multigraft.contracts.types import Spec
from multigraft_speech.whisper.log_mel import HOP, RATE


def save_processor(spec: Spec, folder: Path) -> None:
    """Write ``tokenizer.json``, its settings, and ``preprocessor_config.json``."""
    end = spec["end"]
    named = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), end)
    settings = {"tokenizer_class": "WhisperTokenizer", "clean_up_tokenization_spaces": False}
    _write(folder / "tokenizer.json", spec["tokenizer.json"])
    _write(folder / "tokenizer_config.json", {**settings, **named})
    seconds = spec["frames"] * HOP // RATE
    extractor = WhisperFeatureExtractor(feature_size=spec["mels"], chunk_length=seconds)
    _write(
        folder / "preprocessor_config.json",
        {**extractor.to_dict(), "processor_class": "WhisperProcessor"},
    )


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
