"""Writing what is said in short sounds with a bundle of Whisper, against `transformers.pipeline` in
fp32 on the same weights.

Whisper tiny: 4 + 4 layers of width 384 (``--quick``: micro, which hears two seconds, unless weights
are given). ``BENCH_WHISPER`` names a folder of published weights and
``BENCH_CLIPS`` one of WAV files with speech, of which 40 are taken, and then the notes hold the
share of a few on which both sides write the same text. Without them the weights are random, the
sounds tones, and each text is as long as it may be, 12 tokens on both sides. Ours:
``mg.load(bundle, precision=...).predict(paths)`` at its defaults, raw audio to text. The pipeline:
``batch_size=8``, greedy (by itself it keeps five beams), the files read with soundfile (by itself
it calls ffmpeg). Loading is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import sounds
from benchmarks.answering import PRECISIONS, UNGATED, Ask, all_at_once, learned
from benchmarks.harness import Case, Mode, at_least

CLIPS = {"full": 40, "quick": 8, "smoke": 4}
ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
BATCH = 8
WRITTEN = 12
"""Tokens of a text by random weights."""
LONGEST = 12.0
"""Seconds of a clip."""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions against the pipeline in batches."""
    weights = os.environ.get("BENCH_WHISPER")
    size = "tiny.en" if mode == "full" or weights else "micro"
    asked = _clips(desk, CLIPS[mode], longest=LONGEST if size == "tiny.en" else 1.9)
    most = {} if weights else {"max_new_tokens": WRITTEN}
    model, bundle = learned(_recipe(desk, asked, weights, size))
    kind = "published" if weights else "random"
    expected = _pipeline(model, most)() if weights else None
    return [
        Case(
            name=f"transcribe_{precision}",
            work=f"Whisper {size}, {kind} weights, writes {len(asked)} sounds, {precision}",
            other=f"pipeline, batch_size={BATCH}",
            unit="rows/s",
            ours=all_at_once(asked, _bundle_opener(bundle, precision), expected),
            theirs=all_at_once(asked, _pipeline(model, most)),
            rounds=ROUNDS[mode],
            bar=at_least(3.0) if precision == "int8" and weights else None,
            settings={"rows": len(asked), "weights": kind},
        )
        for precision in PRECISIONS
    ]


def _clips(desk: Path, count: int, *, longest: float) -> list[str]:
    """Sounds of speech where they are given, spread over the folder; else tones."""
    import soundfile

    folder = os.environ.get("BENCH_CLIPS")
    if folder is None:
        made = sounds.write_sounds(desk / "clips", count, seed=1, seconds=(1.0, min(longest, 8.0)))
        return sorted(map(str, made.rglob("*.wav")))
    found = [
        str(path)
        for path in sorted(Path(folder).rglob("*.wav"))
        if 1.0 <= soundfile.info(path).duration <= longest
    ]
    return found[:: max(1, len(found) // count)][:count]


def _recipe(desk: Path, clips: list[str], weights: str | None, size: str) -> dict[str, Any]:
    """A step that changes nothing, and an export whatever int8 loses."""
    table = desk / "clips.jsonl"
    table.write_text("".join(json.dumps({"audio": c, "text": "a"}) + "\n" for c in clips))
    longest = {} if weights else {"max_target_length": WRITTEN}
    return {
        "task": {"name": "automatic-speech-recognition", **longest},
        "backbone": {"name": f"whisper-{size}", "weights": weights or "scratch"},
        "data": {
            "train": str(table),
            "test": str(table),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1, "near": False},
        },
        "training": {"steps": 1, "batch_size": 2, "learning_rate": 1e-12},
        "evaluation": {"bootstrap": 0},
        "export": UNGATED,
        "output": str(desk / "run"),
    }


def _bundle_opener(bundle: Path, precision: str) -> Callable[[], Ask]:
    def open_bundle() -> Ask:
        import multigraft as mg

        predictor = mg.load(bundle, precision=precision)
        return lambda paths: [answer["text"].strip() for answer in predictor.predict(paths)]

    return open_bundle


def _pipeline(model: Path, most: dict[str, int]) -> Callable[[], Ask]:
    def open_pipeline() -> Ask:
        import soundfile
        import torch
        from transformers import pipeline

        ask = pipeline("automatic-speech-recognition", model=str(model), dtype=torch.float32)

        def answer(paths: list[str]) -> list[str]:
            read = [soundfile.read(path, dtype="float32") for path in paths]
            given = [{"raw": samples, "sampling_rate": rate} for samples, rate in read]
            found = ask(given, batch_size=BATCH, generate_kwargs={"num_beams": 1, **most})
            return [each["text"].strip() for each in found]

        return answer

    return open_pipeline
