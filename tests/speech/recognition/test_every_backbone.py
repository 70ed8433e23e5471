"""Speech is recognised by CTC on every backbone of sounds that says where its frames lie."""

from __future__ import annotations

import pytest
import torch

import multigraft_speech as speech
from helpers.speech_toys import grow, origin, sounds, tensors
from multigraft import Brief
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Backbone
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.objective import recognition

TARGETS = {"vocabulary": ["", "a", "b"], "blank": 0}


@pytest.mark.parametrize("family", speech.register_backbones(), ids=lambda each: each.name)
def test_it_learns_and_tells_times(family: Backbone) -> None:
    grown = grow(origin(family))
    options = {name: option.default for name, option in speech.RECOGNITION.options.items()}
    brief = Brief(
        backbone=grown.module,
        reader=grown.reader,
        targets=TARGETS,
        options={**options, "head": "ctc", "dropout": 0.0},
        modality="audio",
    )
    objective = recognition(brief)
    assert isinstance(objective, SpeechRecognition)
    rows = []
    for sound, text in zip(sounds(), ("ab", "ba", "a"), strict=True):
        arrays = grown.reader.read(sound)
        rows.append({**arrays, **objective.encode({"text": text}, arrays)})
    batch = tensors(collate(rows, {**grown.reader.fills, **objective.fills}))
    features = grown.module(batch)
    outputs = objective.head()(features, batch)
    loss = objective.loss(outputs, batch).mean()
    loss.backward()
    assert torch.isfinite(loss)
    moved = [each.grad for each in grown.module.blocks[0].parameters() if each.grad is not None]
    assert any(bool(each.any()) for each in moved)
    real = outputs["times"] >= 0
    assert real.sum(1).tolist() == features.mask.sum(1).tolist()
    assert float(outputs["times"].max()) <= (len(sounds()[0]) + objective.hop) / 16_000
