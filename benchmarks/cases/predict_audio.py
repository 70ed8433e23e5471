"""Answering sounds with a bundle, against `transformers.pipeline` in fp32 on the same finetuned
wav2vec2.

The wav2vec2 of 4 x 256 of `benchmarks.sounds`, random weights, WAV files of 1 to 8 seconds
(``--quick``: to 4). Ours: ``mg.load(bundle, precision=...).predict(paths)`` at its defaults. The
pipeline: with ``batch_size=8`` (not when quick), and at its defaults, which answer sound by sound;
both sides read the files with soundfile (its own way calls ffmpeg). Loading is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import sounds
from benchmarks.answering import PRECISIONS, Ask, all_at_once, bundle_opener, exported
from benchmarks.harness import Case, Mode, Turn, at_least
from benchmarks.training import Settings

ROWS = {"full": 64, "quick": 16, "smoke": 16}
SECONDS = {"full": (1.0, 8.0), "quick": (1.0, 4.0), "smoke": (1.0, 4.0)}
ROUNDS = {"full": 3, "quick": 1, "smoke": 1}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Both precisions against the pipeline in batches and sound by sound."""
    train = sounds.write_sounds(desk / "train", 32, seed=0)
    seconds = SECONDS[mode]
    test = sounds.write_sounds(desk / "test", ROWS[mode], seed=1, seconds=seconds)
    weights = sounds.write_wav2vec2(desk / "weights")
    turn = Turn(0, warm=False, folder=desk)
    model, bundle = exported(sounds.recipe(train, test, weights, turn, Settings(batch_size=8)))
    asked = sorted(str(path) for path in test.rglob("*.wav"))
    others: list[tuple[str, str, dict[str, int]]] = [
        ("default", "pipeline, defaults", {}),
        ("batched", "pipeline, batch_size=8", {"batch_size": 8}),
    ]
    return [
        Case(
            name=f"predict_audio_{precision}_{name}",
            work=f"wav2vec2 of 4 x 256 answers {len(asked)} sounds of 1 to {seconds[1]:g} s, "
            f"{precision}",
            other=other,
            unit="rows/s",
            ours=all_at_once(asked, bundle_opener(bundle, precision), _pipeline_opener(model)()),
            theirs=all_at_once(asked, _pipeline_opener(model, **options)),
            rounds=ROUNDS[mode],
            bar=at_least(2.5) if precision == "int8" else None,
            settings={"rows": len(asked), "options": options},
        )
        for precision in PRECISIONS
        for name, other, options in others
        if not (options and mode == "quick")
    ]


def _pipeline_opener(model: Path, **options: Any) -> Callable[[], Ask]:
    def open_pipeline() -> Ask:
        import soundfile
        from transformers import pipeline

        ask = pipeline("audio-classification", model=str(model), feature_extractor=str(model))

        def answer(paths: list[str]) -> list[str]:
            sounded = [soundfile.read(path, dtype="float32")[0] for path in paths]
            read = [{"raw": samples, "sampling_rate": sounds.RATE} for samples in sounded]
            return [ranked[0]["label"] for ranked in ask(read, **options)]

        return answer

    return open_pipeline
