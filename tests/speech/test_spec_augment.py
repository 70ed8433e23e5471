"""SpecAugment: the share that is hidden, and when."""

from __future__ import annotations

import pytest
import torch

import multigraft_speech as speech
from helpers.speech_toys import grow, origin, sounds
from multigraft_speech.spec_augment import hide_spectrogram, random_spans


def test_spec_augment_hides_its_share() -> None:
    torch.manual_seed(0)
    mask = random_spans(torch.zeros(200, 100, 1), 0.3, 10)
    assert mask.shape == (200, 100)
    assert mask.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert mask[:, 0].float().mean().item() == pytest.approx(0.3, abs=0.1)


def test_frames_and_bands_are_hidden_whole() -> None:
    torch.manual_seed(0)
    hidden = hide_spectrogram(torch.ones(300, 64, 200), 0.2) == 0
    frames, bands = hidden.all(1), hidden.all(2)
    assert torch.equal(hidden, frames.unsqueeze(1) | bands.unsqueeze(2))
    assert frames.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert bands.float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_log_mel_encoder_hides_in_training_alone() -> None:
    plain, hiding = (
        grow(origin(speech.LOGMEL, dropout=0.0, **options))
        for options in ({}, {"spec_augment": 0.4})
    )
    torch.nn.init.normal_(plain.module.stages[0].mix.weight)
    hiding.module.load_state_dict(plain.module.state_dict())
    batch = plain.batch(sounds())
    torch.testing.assert_close(hiding.module(batch).sequence, plain.module(batch).sequence)
    torch.manual_seed(0)
    plain.module.train()
    hiding.module.train()
    found = hiding.module(batch)
    assert not torch.allclose(found.sequence, plain.module(batch).sequence)
    assert torch.equal(found.maps[0], plain.module(batch).maps[0]), "the map is what it was"
    masked = {**batch, "mask_frames": torch.zeros(found.maps[0][:, 0].shape, dtype=torch.bool)}
    assert torch.equal(hiding.module(masked).sequence, plain.module(masked).sequence)
