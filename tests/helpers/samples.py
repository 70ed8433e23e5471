"""Small, learnable, labelled rows on disk for each modality; generated, so that tests need no
network."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

LABELS = ("first", "second")


def write_texts(folder: Path, rows: int, seed: int = 0) -> Path:
    """A CSV ``text,label``: one telling word among others, two sentences a row."""
    rng = np.random.default_rng(seed)
    words = np.array(
        [
            "the",
            "a",
            "film",
            "day",
            "people",
            "music",
            "with",
            "and",
            "was",
            "some",
            "river",
            "house",
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(rows):
            label = index % 2
            telling = ("great", "awful")[label]
            start = " ".join(rng.choice(words, rng.integers(2, 9)))
            end = " ".join(rng.choice(words, rng.integers(2, 5)))
            writer.writerow([f"{start} {telling} day {index}. {end} then.", LABELS[label]])
    return path


def write_images(folder: Path, rows: int, seed: int = 0) -> Path:
    """PNG files in a folder per label: horizontal or vertical stripes under noise."""
    rng = np.random.default_rng(seed)
    for index in range(rows):
        label = index % 2
        stripes = np.sin(np.arange(32) / 2 + rng.uniform(0, 6)) * 80 + 128
        picture = np.tile(stripes, (32, 1)) if label else np.tile(stripes[:, None], (1, 32))
        noisy = picture[..., None] + rng.normal(0, 25, (32, 32, 3))
        path = folder / "images" / LABELS[label] / f"{index:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    return folder / "images"


def write_sounds(folder: Path, rows: int, seed: int = 0) -> Path:
    """WAV files in a folder per label: a low or a high tone of varying length under noise."""
    rng = np.random.default_rng(seed)
    for index in range(rows):
        label = index % 2
        time = np.arange(int(16000 * rng.uniform(0.2, 0.5))) / 16000
        tone = np.sin(2 * np.pi * (300 if label else 1500) * rng.uniform(0.9, 1.1) * time)
        path = folder / "sounds" / LABELS[label] / f"{index:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            path, (0.3 * tone + rng.normal(0, 0.05, len(time))).astype(np.float32), 16000
        )
    return folder / "sounds"


def write_both(folder: Path, rows: int, seed: int = 0) -> Path:
    """JSON lines ``text,image,label``: a row in three lacks its picture, one in five its text."""
    pictures = sorted(write_images(folder, rows, seed).rglob("*.png"), key=lambda path: path.stem)
    with write_texts(folder, rows, seed).open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    lines = []
    for index, (text, picture) in enumerate(zip(texts, pictures, strict=True)):
        image = None if index % 3 == 2 else str(picture.relative_to(folder))
        kept = None if index % 5 == 4 and image else text
        lines.append(json.dumps({"text": kept, "image": image, "label": LABELS[index % 2]}))
    path = folder / "both.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "text": write_texts,
    "image": write_images,
    "audio": write_sounds,
}
TINY = {"text": "bert-tiny", "image": "resnet-tiny", "audio": "logmel-tiny"}
