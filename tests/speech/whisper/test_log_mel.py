"""Whisper's spectrogram, held to transformers' own feature extractor."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from helpers.whisper_toys import sounds
from multigraft_speech.whisper.log_mel import (
    frame_count,
    log_powers,
    mel_filters,
    normalised,
)

FRAMES = 3000


@pytest.fixture(scope="module")
def theirs() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor()


@pytest.mark.parametrize("mels", [80, 128])
def test_the_filters_are_slaneys(mels: int) -> None:
    wanted = mel_filter_bank(201, mels, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filters(mels), wanted, atol=1e-12)


@pytest.mark.parametrize("length", [1, 160, 5_000, 52_004, 479_900, 480_000, 500_000])
def test_a_sound_is_read_as_transformers_reads_it(
    theirs: WhisperFeatureExtractor, length: int
) -> None:
    (sound,) = sounds([length])
    padded = np.pad(sound, (0, max(0, 480_000 - length)))[:480_000]
    (wanted,) = theirs._np_extract_fbank_features(padded[None], "cpu")
    count = min(frame_count(length), FRAMES)
    powers = log_powers(sound, count, 80)
    features, silence = normalised(powers, powers.max())
    np.testing.assert_allclose(features, wanted.T[:count], atol=1e-5)
    np.testing.assert_allclose(wanted.T[count:], silence, atol=1e-6)
    called = theirs(sound, sampling_rate=16_000, return_tensors="np").input_features[0]  # by torch
    np.testing.assert_allclose(features, called.T[:count], atol=1e-4)


def test_silence_is_all_one_number() -> None:
    powers = log_powers(np.zeros(3_000), 20, 16)
    features, silence = normalised(powers, powers.max())
    assert set(features.ravel().tolist()) == {float(silence)} == {-1.5}
