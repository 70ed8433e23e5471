"""What the demo's sets hold: sizes, balance, whole voices and names held out, the same speech each
time."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from multigraft.cli.demo import sets_audio, sets_image, sets_text
from multigraft.cli.demo.sets import DemoSet
from multigraft.cli.demo.speak import RATE, Utterance, speak
from multigraft.errors import MultigraftError


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> DemoSet:
    return sets_text.build(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> DemoSet:
    return sets_image.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> DemoSet:
    return sets_audio.build(tmp_path_factory.mktemp("audio"))


@pytest.mark.parametrize("name", ["text", "image", "audio"])
def test_counts_are_those_of_the_files_and_labelled_parts_are_balanced(
    name: str, request: pytest.FixtureRequest
) -> None:
    data: DemoSet = request.getfixturevalue(name)
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    for split, path in splits.items():
        labels = Counter(_labels(path))
        assert sum(labels.values()) == data.rows[split]
        assert len(labels) == 10
        assert len(set(labels.values())) == 1, labels
    assert data.rows["unlabelled"] > 10 * data.rows["train"]
    assert set(data.facts) == {"what", "from", "cut", "licence"}


def test_nothing_named_in_a_held_out_row_is_named_in_another_language_elsewhere() -> None:
    concepts = sets_text._distinct(sets_text._names("de"))
    held = sets_text._held_out(sorted(concepts), np.random.default_rng(0))
    assert 0.1 < len(held) / len(concepts) < 0.2
    assert sets_text._names("de")["germany"] == "Deutschland"
    # written as in English, it says nothing of the language
    assert "japan" not in sets_text._names("de")


def test_pictures_are_8_by_8_and_the_unlabelled_ones_tell_no_class(image: DemoSet) -> None:
    files = sorted(image.unlabelled.parent.rglob("*.png"))
    assert len(files) == sum(image.rows.values())
    first = Image.open(files[0])
    assert (first.size, first.mode) == ((8, 8), "L")
    assert not [file for file in image.unlabelled.iterdir() if file.is_dir()]


def test_no_voice_is_in_two_parts(audio: DemoSet) -> None:
    splits = (audio.unlabelled, audio.train, audio.validation, audio.test)
    voices = [{row["speaker"] for row in _rows(path)} for path in splits]
    assert sum(len(each) for each in voices) == len(set().union(*voices)) == len(sets_audio.VOICES)
    assert "label" not in _rows(audio.unlabelled)[0]


def test_clips_are_short_words_at_the_synthesisers_rate(audio: DemoSet) -> None:
    for row in _rows(audio.test)[::20]:
        sound, rate = soundfile.read(audio.test.parent / row["audio"])
        assert rate == RATE
        assert sound.ndim == 1
        assert 0.15 < len(sound) / rate < 1.5
        assert 0.2 < np.abs(sound).max() <= 1


def test_a_list_is_spoken_with_the_same_samples_each_time(tmp_path: Path) -> None:
    words = [
        Utterance(text, f"en-us+{voice}")
        for text in ("one", "two")
        for voice in ("f3", "klatt", "whisper")
    ]
    first, second = speak(words, tmp_path), speak(words, tmp_path)
    assert all(np.array_equal(one, two) for one, two in zip(first, second, strict=True))
    assert all(len(sound) > 0.1 * RATE and np.abs(sound).max() > 1000 for sound in first)
    assert not list(tmp_path.iterdir())


def test_pitch_pace_and_words_change_what_is_heard(tmp_path: Path) -> None:
    slow, quick = speak(
        [Utterance("seven", "en-us", 90), Utterance("seven", "en-us", 250)], tmp_path
    )
    assert len(slow) > 1.5 * len(quick)


def test_an_unknown_voice_is_named(tmp_path: Path) -> None:
    with pytest.raises(MultigraftError, match="no voice 'xx-nowhere'"):
        speak([Utterance("one", "xx-nowhere")], tmp_path)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _labels(path: Path) -> list[str]:
    if path.is_dir():
        return [file.parent.name for file in path.rglob("*.png")]
    return [row["label"] for row in _rows(path)]
