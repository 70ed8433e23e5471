"""The reader of Whisper's spectrogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers.whisper_toys import Grown, grow, origin, sounds
from multigraft import RowError
from multigraft.errors import BundleError, MultigraftError
from multigraft_speech import WHISPER
from multigraft_speech.augment import augmentation
from multigraft_speech.readers import reader_of
from multigraft_speech.whisper.reader import log_mel_reader


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(origin())


def test_a_row_has_a_frame_each_10_ms_and_says_what_silence_is(grown: Grown) -> None:
    row = grown.reader.read(sounds([16_000])[0])
    assert row["input_features"].shape == (102, 16) and row["attention_mask"].sum() == 102
    assert row["silence"].shape == () and grown.reader.length(row) == 102 * 160
    assert row["input_features"].min() >= row["silence"]


def test_a_longer_sound_is_cut_and_its_windows_hold_all_of_it(grown: Grown) -> None:
    long = sounds([80_000])[0]
    assert len(grown.reader.read(long)["input_features"]) == 200
    windows = grown.reader.windows(long)
    np.testing.assert_array_equal(
        windows[0]["input_features"], grown.reader.read(long)["input_features"]
    )
    assert len(windows) == 3


def test_the_spec_builds_it_again(grown: Grown) -> None:
    again = reader_of(grown.reader.spec())
    assert again == grown.reader
    assert grown.reader.spec() == grown.spec


def test_texts_are_read_and_told_without_special_tokens(grown: Grown) -> None:
    tokens = grown.reader.tokens.read(" Zoë said: no. ")
    assert tokens[-1] == grown.reader.tokens.end
    begun = grown.reader.tokens.end + 1
    assert grown.reader.text([begun, *tokens, begun + 7]) == "Zoë said: no."
    with pytest.raises(RowError, match="special token"):
        grown.reader.tokens.read("a <|endoftext|> b")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tokenizer.json": {"model": 3}}, "cannot be used"),
        ({"end": "<|nothing|>"}, "no token '<|nothing|>'"),
        ({"mels": 0}, "mels"),
        ({"sample_rate": 8000}, "sample_rate"),
    ],
)
def test_a_broken_spec_is_refused(grown: Grown, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BundleError) as caught:
        log_mel_reader({**grown.spec, **changed})
    assert told in str(caught.value)


def test_options_that_cannot_be(grown: Grown) -> None:
    with pytest.raises(
        MultigraftError, match="sample_rate: found 8000; Whisper's features expect 16000"
    ):
        WHISPER.reader(origin(), {"sample_rate": 8000})
    assert WHISPER.reader(origin(), {"max_seconds": 30.0})["max_seconds"] == 2.0
    assert WHISPER.reader(origin(), {"max_seconds": 1.5})["max_seconds"] == 1.5


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_augmented_rows_are_rows(grown: Grown, strength: Any) -> None:
    change = augmentation(strength, grown.reader, {})
    for seed, length in enumerate((3_456, 32_000, 32_000)):
        row = grown.reader.read(sounds([length])[0])
        before = {name: array.copy() for name, array in row.items()}
        found = change(row, np.random.default_rng(seed))
        again = change(row, np.random.default_rng(seed))
        frames = len(found["attention_mask"])
        assert found["input_features"].shape == (frames, 16) and frames <= grown.reader.frames
        assert found["input_features"].dtype == np.float32
        assert np.isfinite(found["input_features"]).all()
        assert not np.array_equal(found["input_features"][:10], row["input_features"][:10])
        for name, array in row.items():
            np.testing.assert_array_equal(array, before[name])
            np.testing.assert_array_equal(found[name], again[name])
