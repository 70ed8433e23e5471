"""Spoken transcripts, a small wav2vec2 with their letters, and both sides of its training by CTC.

``BENCH_VOICES`` names a table of JSON lines with ``audio`` (a WAV file at 16 kHz) and ``text``
(letters and spaces) to learn and be judged by; without it an utterance is made: a word of five
letters or so, each a pitch of a fifth of a second.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks import sounds
from benchmarks.harness import Turn
from benchmarks.letters import share
from benchmarks.training import Settings, Trained, theirs
from benchmarks.training import ours as run_ours

LETTERS = "abcdefgh"
LOWEST = 300.0
"""Hertz of the first letter; each next one is three semitones higher."""
HELD = 0.2
SHARE = 8
"""Of given rows, every so many is held out."""
WARM_ROWS = 8


@dataclass(frozen=True)
class Utterances:
    """Tables of rows ``audio, text`` and a folder of random weights with a vocabulary."""

    train: Path
    warm: Path
    test: Path
    weights: Path
    rows: int
    seconds: float
    """Of sound in the training rows."""

    def source(self, turn: Turn) -> tuple[Path, int]:
        """The table a turn trains on, and how many rows it holds."""
        return (self.warm, min(WARM_ROWS, self.rows)) if turn.warm else (self.train, self.rows)


def utterances(desk: Path, *, rows: int, test: int) -> Utterances:
    """Write tables and the weights of a wav2vec2 (4 layers of 256) into ``desk``."""
    desk.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("BENCH_VOICES")
    known = _given(Path(given)) if given else _made(desk / "sounds", rows + test)
    held = known[::SHARE] if given else known[:test]
    learned = [row for row in known if row not in held][:rows]
    parts = {"train": learned, "warm": learned[:WARM_ROWS], "test": held[:test]}
    files = {name: _written(desk / f"{name}.jsonl", part) for name, part in parts.items()}
    weights = sounds.write_wav2vec2(desk / "wav2vec2")
    _write_vocabulary(weights, known)
    seconds = sum(soundfile.info(row["audio"]).duration for row in learned)
    return Utterances(files["train"], files["warm"], files["test"], weights, len(learned), seconds)


def ours(found: Utterances, turn: Turn, settings: Settings) -> tuple[Trained, float | None]:
    """Train; with the share of characters that are right on the test rows."""
    settings = settings.of(turn)
    source, rows = found.source(turn)
    recipe = {
        "task": {
            "name": "automatic-speech-recognition",
            "vocabulary": str(found.weights),
            "dropout": 0.1,
        },
        "backbone": {"name": "wav2vec2-base", "weights": str(found.weights)},
        "data": {
            "train": str(source),
            "test": str(found.test),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }
    done = run_ours(recipe, rows=rows)
    return done, None if turn.warm else share(done.model.evaluate().metrics["cer"].value)


def trainers(found: Utterances, turn: Turn, settings: Settings) -> tuple[Trained, float | None]:
    """Train with transformers' Trainer, as its script for CTC; with the same share.

    Sounds are decoded and normalised once and lie in memory; the processor pads each batch to its
    longest.
    """
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC
    from transformers import Wav2Vec2Processor as Processor

    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(found.weights)
    processor = Processor(Wav2Vec2FeatureExtractor.from_pretrained(found.weights), tokenizer)
    settings = settings.of(turn)
    done = theirs(
        lambda: Wav2Vec2ForCTC.from_pretrained(
            found.weights,
            ctc_loss_reduction="mean",
            pad_token_id=tokenizer.pad_token_id,
            vocab_size=len(tokenizer),
        ),
        lambda: _dataset(found.source(turn)[0], processor),
        settings=settings,
        folder=turn.folder,
        seed=turn.number,
        collator=lambda rows: _batch(rows, processor),
        flags={"remove_unused_columns": False},
        processor=processor,
    )
    return done, None if turn.warm else _right(done.model.model, processor, found.test, settings)


def _right(model: Any, processor: Any, file: Path, settings: Settings) -> float:
    """1 less the error rate of the characters that greedy decoding writes."""
    import torch

    from multigraft.runtime.answers.text_scores.error_rate import edit_counts, error_rate

    rows, counts = _dataset(file, processor), []
    model.eval()
    for start in range(0, len(rows), settings.batch_size):
        part = rows[start : start + settings.batch_size]
        batch = _batch(part, processor)
        batch.pop("labels")
        with torch.inference_mode():
            best = model(**batch).logits.argmax(-1)
        said = processor.batch_decode(best)
        pairs = zip(said, part, strict=True)
        counts += [edit_counts(list(text), list(row["text"])) for text, row in pairs]
    return share(error_rate(np.sum(counts, axis=0)))


def _dataset(file: Path, processor: Any) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{**row, **_read(row, processor)} for row in rows]


def _read(row: dict[str, str], processor: Any) -> dict[str, Any]:
    values, rate = soundfile.read(row["audio"], dtype="float32")
    read = processor(values, sampling_rate=rate, return_tensors="np")
    return {
        "input_values": read["input_values"][0],
        "labels": processor.tokenizer(row["text"])["input_ids"],
    }


def _batch(rows: Sequence[dict[str, Any]], processor: Any) -> Any:
    """Padded as `DataCollatorCTCWithPadding` of transformers' script pads."""
    given = [{"input_values": row["input_values"]} for row in rows]
    batch = processor.feature_extractor.pad(given, return_tensors="pt")
    wanted = processor.tokenizer.pad(
        [{"input_ids": row["labels"]} for row in rows], return_tensors="pt"
    )
    batch["labels"] = wanted["input_ids"].masked_fill(wanted["attention_mask"].ne(1), -100)
    return batch


def _given(table: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]


def _made(folder: Path, count: int) -> list[dict[str, str]]:
    folder.mkdir(parents=True, exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        text = "".join(rng.choice(list(LETTERS), size=int(rng.integers(3, 8))))
        path = folder / f"{number:05d}.wav"
        soundfile.write(path, _sound(text, rng), sounds.RATE)
        rows.append({"audio": str(path), "text": text})
    return rows


def _sound(text: str, rng: np.random.Generator) -> np.ndarray:
    """A pitch for each letter, with a pause behind it, under noise."""
    time = np.arange(int(sounds.RATE * HELD)) / sounds.RATE
    gap = np.zeros(len(time) // 4)
    pitches = [LOWEST * 2 ** (LETTERS.index(letter) / 4) for letter in text]
    said = np.concatenate([np.append(np.sin(2 * np.pi * p * time), gap) for p in pitches])
    return (0.3 * said + rng.normal(0, 0.02, len(said))).astype(np.float32)


def _written(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _write_vocabulary(folder: Path, rows: Sequence[dict[str, str]]) -> None:
    """Every character of the rows, as a tokenizer of CTC models."""
    from transformers import Wav2Vec2CTCTokenizer

    letters = sorted({letter for row in rows for letter in row["text"]} - {" "})
    ids = {token: number for number, token in enumerate(["<pad>", "<unk>", "|", *letters])}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    Wav2Vec2CTCTokenizer(
        str(folder / "vocab.json"), bos_token=None, eos_token=None
    ).save_pretrained(folder)
