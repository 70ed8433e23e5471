"""Filters of sounds, and a table of them that is prepared."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import multigraft as mg
from helpers.corpora import rows_of
from multigraft.contracts.filters import Dropped
from multigraft.contracts.options import defaults
from multigraft.contracts.previews import LARGEST
from multigraft.plugins.catalog import Catalog
from multigraft_speech.preview import preview

CATALOG = Catalog()
RATE = 16_000


def tone(seconds: float, loud: float = 0.3, pitch: float = 440) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (loud * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def judged(name: str, samples: np.ndarray, **options: Any) -> Any:
    record = CATALOG.filter(name)
    assert record.judge is not None and record.opened is not None
    opened = record.opened((samples, RATE))
    return record.judge({**defaults(record.options), **options})(opened)


def verdict(name: str, samples: np.ndarray, **options: Any) -> str:
    found = judged(name, samples, **options)
    return found.why if isinstance(found, Dropped) else "kept"


NOT_FINITE = "it holds samples that are not finite, or beyond all measure"
HALF = np.concatenate([tone(1), np.zeros(RATE, np.float32)])


@pytest.mark.parametrize(
    ("name", "samples", "options", "said"),
    [
        ("audio-length", tone(0.1), {}, "kept"),
        ("audio-length", tone(0.09), {}, "less than 0.1 seconds"),
        ("audio-length", tone(3), {"high": 2.0}, "more than 2 seconds"),
        ("audio-silent", tone(1, 0.0009), {}, "silent"),
        ("audio-silent", tone(1, 0.01), {}, "kept"),
        ("audio-silent", HALF, {"share": 0.4}, "kept"),
        ("audio-silent", HALF, {"share": 0.6}, "silent"),
        ("audio-clipped", tone(1, 0.9), {}, "kept"),
        ("audio-clipped", np.clip(tone(1, 3), -1, 1), {}, "more than 1% of samples at full scale"),
        ("audio-broken", tone(1), {}, "kept"),
        *(
            ("audio-broken", np.append(tone(1), np.float32(bad)), {}, NOT_FINITE)
            for bad in (np.nan, np.inf, -np.inf, 1e30)
        ),
    ],
)
def test_verdicts(name: str, samples: np.ndarray, options: dict[str, Any], said: str) -> None:
    assert verdict(name, samples, **options) == said


@pytest.mark.parametrize(
    ("name", "samples", "options", "told"),
    [
        ("audio-length", tone(0.09), {}, "0.09 s, less than 0.1 seconds"),
        ("audio-length", tone(3), {"high": 2.0}, "3 s, more than 2 seconds"),
        ("audio-silent", tone(1, 0.0001), {}, "its loudest 20 ms lie at -83 dB, below -60 dB"),
        ("audio-silent", np.zeros(RATE, np.float32), {}, "silent: its samples are all 0"),
        (
            "audio-silent",
            HALF,
            {"share": 0.6},
            "50.00% of its frames are louder than -60 dB of full scale",
        ),
        (
            "audio-clipped",
            np.repeat([1.0, 0.5], [RATE // 8, RATE * 7 // 8]),
            {},
            "12.5% of samples at full scale, more than 1%",
        ),
    ],
)
def test_what_was_measured_is_told(
    name: str, samples: np.ndarray, options: dict[str, Any], told: str
) -> None:
    found = judged(name, samples, **options)
    assert isinstance(found, Dropped) and found.told == told


def test_a_table_of_sounds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["audio,label"]
    for number in range(5):
        notes = [tone(0.2, 0.3, pitch) for pitch in rng.uniform(200, 3000, 8)]
        soundfile.write(tmp_path / f"{number}.wav", np.concatenate(notes), RATE)
        lines.append(f"{number}.wav,{'ab'[number % 2]}")
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    samples, _ = soundfile.read(tmp_path / "1.wav")
    soundfile.write(tmp_path / "softer.flac", 0.5 * samples, RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    lines += [f"{name},a" for name in ("silent.wav", "copy.wav", "softer.flac", "broken.wav")]
    lines += ["missing.wav,a", "../x.wav,a"]
    (tmp_path / "sounds.csv").write_text("\n".join(lines) + "\n")
    found = mg.prepare(
        source=tmp_path / "sounds.csv",
        modality="audio",
        steps=["audio-flaws", "exact-duplicates", "near-duplicates"],
        output=tmp_path / "out",
        quiet=True,
    )
    dropped = {each["name"]: sum(each["dropped"].values()) for each in found.manifest["steps"]}
    assert dropped == {
        "audio-broken": 3,
        "audio-length": 0,
        "audio-silent": 1,
        "audio-clipped": 0,
        "exact-duplicates": 1,
        "near-duplicates": 1,
    }
    assert [row["audio"] for row in rows_of(found.folder / "train")] == [
        f"{number}.wav" for number in range(5)
    ]
    page = found.page.read_text()
    # five that are kept, two pairs of duplicates, and the silent one
    assert page.count('src="data:audio/flac;base64,') == 5 + 2 * 2 + 1
    shown = found.corpus.examples["0 audio-broken"]["dropped"]
    assert str(tmp_path / "missing.wav") in [each.get("file") for each in shown]


def test_a_preview_is_short_and_small() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 3 * 48_000 * 2).astype(np.float32)
    found = preview((noise, 48_000))
    assert len(found.content) < LARGEST and found.told == "the first 5 s"
    heard, rate = soundfile.read(io.BytesIO(found.content))
    assert rate == 16_000 and len(heard) == 5 * 16_000
    assert preview((tone(0.25), RATE)).told == "0.25 s"
