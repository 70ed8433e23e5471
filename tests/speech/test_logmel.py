from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchaudio.transforms import MelSpectrogram

import multigraft_speech as speech
from helpers.speech_toys import Grown, grow, origin, sounds
from multigraft.errors import WeightsError
from multigraft_speech.frontend import LogMel
from multigraft_speech.layout import Layout


@pytest.mark.parametrize(("rate", "mels"), [(16_000, 64), (16_000, 80), (8000, 40)])
def test_its_spectrogram_is_torchaudios(rate: int, mels: int) -> None:
    layout = Layout(mels=mels, width=8, depth=1, sample_rate=rate)
    want = MelSpectrogram(
        rate,
        n_fft=layout.window,
        hop_length=layout.hop,
        n_mels=mels,
        center=False,
        norm="slaney",
        mel_scale="slaney",
    )
    values = torch.from_numpy(np.stack(sounds([16_000, 16_000])))
    found = LogMel(layout).power(values)
    torch.testing.assert_close(found, want(values), atol=1e-5, rtol=1e-4)


def test_each_sound_has_mean_zero_and_variance_one(logmel: Grown) -> None:
    batch = logmel.batch(sounds())
    spectrogram, mask = logmel.module.frontend(
        batch["input_values"], batch["attention_mask"].sum(1)
    )
    for row, real in zip(spectrogram, mask, strict=True):
        assert row[:, real].mean().item() == pytest.approx(0, abs=1e-5)
        assert row[:, real].var(correction=0).item() == pytest.approx(1, abs=1e-4)
        assert not row[:, ~real].any()


def test_loudness_does_not_matter(logmel: Grown) -> None:
    loud = sounds()[0]
    with torch.no_grad():
        found = logmel.module(logmel.batch([loud, loud / 30])).pooled
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_the_spectrogram_keeps_its_precision_under_autocast(logmel: Grown) -> None:
    batch = logmel.batch(sounds())
    want = logmel.module(batch).maps[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(logmel.module(batch).maps[0], want)


def test_hides_frames_from_the_encoder_but_not_from_the_map(logmel: Grown) -> None:
    batch = logmel.batch(sounds())
    plain = logmel.module(batch)
    mask = torch.zeros(plain.maps[0].shape[0], plain.maps[0].shape[2], dtype=torch.bool)
    assert torch.equal(logmel.module({**batch, "mask_frames": mask}).sequence, plain.sequence)
    mask[:, 4:9] = True
    hidden = logmel.module({**batch, "mask_frames": mask})
    assert not torch.allclose(hidden.sequence, plain.sequence)
    assert torch.equal(hidden.maps[0], plain.maps[0])


def test_its_folder_is_plain_json_and_safetensors(logmel: Grown, tmp_path: Path) -> None:
    head = nn.Linear(logmel.module.width, 2)
    logmel.module.save(tmp_path, head=head, labels=("no", "yes"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["labels"]) == ("multigraft-logmel", ["no", "yes"])
    assert torch.equal(load_file(tmp_path / "model.safetensors")["head.weight"], head.weight)


def test_weights_decide_the_size(logmel: Grown, tmp_path: Path) -> None:
    logmel.module.save(tmp_path, head=None, labels=())
    small = origin(speech.LOGMEL, path=tmp_path, **speech.LOGMEL.sizes["small"].config)
    assert grow(small).module.width == logmel.module.width
    assert grow(origin(speech.LOGMEL, path=tmp_path, dropout=0.4)).module.layout.dropout == 0.4


def test_there_is_no_hub_for_it() -> None:
    with pytest.raises(WeightsError, match="no log-mel encoder is published"):
        grow(origin(speech.LOGMEL, hub="owner/name"))


def test_refuses_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="multigraft-logmel"):
        grow(origin(speech.LOGMEL, path=tmp_path))
