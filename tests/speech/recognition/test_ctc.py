"""The CTC objective: its loss is torch's mean, its frames are the backbone's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers.speech_toys import Grown, sounds, tensors
from multigraft import Brief
from multigraft.contracts.readers import collate
from multigraft.errors import MultigraftError, RowError
from multigraft_speech.reader import AudioReader
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.transcribed_rows import FASTEST

TARGETS = {"vocabulary": ["", " ", "a", "b"], "blank": 0}
TEXTS = ("ab b", "a", "aa")


def bound(grown: Grown) -> SpeechRecognition:
    return SpeechRecognition(
        Brief(
            backbone=grown.module,
            reader=grown.reader,
            targets=TARGETS,
            options={"dropout": 0.0},
            modality="audio",
        )
    )


def batch_of(grown: Grown, objective: SpeechRecognition) -> dict[str, torch.Tensor]:
    rows = []
    for sound, text in zip(sounds(), TEXTS, strict=True):
        arrays = grown.reader.read(sound)
        rows.append({**arrays, **objective.encode({"text": text}, arrays)})
    return tensors(collate(rows, {**grown.reader.fills, **objective.fills}))


def test_the_loss_is_torchs_mean_and_reaches_the_backbone(grown: Grown) -> None:
    objective = bound(grown)
    batch, head = batch_of(grown, objective), objective.head()
    outputs = head(grown.module(batch), batch)
    frames = grown.module(batch).mask.sum(1)
    wanted = F.ctc_loss(
        outputs["log_probabilities"].transpose(0, 1),
        torch.tensor([2, 3, 1, 3, 2, 2, 2]),
        frames,
        torch.tensor([4, 1, 2]),
    )
    loss = objective.loss(outputs, batch).mean()
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_frames_are_as_many_as_hop_and_field_say_and_lie_in_time(grown: Grown) -> None:
    objective = bound(grown)
    head = objective.head()
    for samples in (3_456, 3_457, 8_000, 9_919, 16_000):
        batch = tensors(collate([grown.reader.read(sounds([samples])[0])], grown.reader.fills))
        times = head(grown.module(batch), batch)["times"][0].numpy()
        assert len(times) == (samples - objective.field) // objective.hop + 1
        np.testing.assert_allclose(times[0], objective.field / 2 / 16_000, rtol=1e-5)
        np.testing.assert_allclose(np.diff(times), objective.hop / 16_000, rtol=1e-3)


def test_padding_has_no_time(grown: Grown) -> None:
    objective = bound(grown)
    batch = batch_of(grown, objective)
    times = objective.head()(grown.module(batch), batch)["times"]
    assert ((times >= 0).sum(1) == grown.module(batch).mask.sum(1)).all()


def test_a_transcript_that_its_frames_have_no_room_for_is_a_bad_row(grown: Grown) -> None:
    """Those of one letter need a frame between each two; sounds that were sped up still have
    room."""
    objective = bound(grown)
    arrays = grown.reader.read(sounds([16_000])[0])
    frames = (int(16_000 / FASTEST) - objective.field) // objective.hop + 1
    fits = ("ab" * frames)[:frames]
    assert len(objective.encode({"text": fits}, arrays)["tokens"]) == frames
    assert len(objective.encode({"text": "a" * ((frames + 1) // 2)}, arrays)["tokens"])
    for text in (fits + ("b" if fits[-1] == "a" else "a"), "a" * (frames // 2 + 2)):
        with pytest.raises(RowError, match=f"the sound has room for {frames}") as caught:
            objective.encode({"text": text}, arrays)
        assert caught.value.column == "text"


def test_characters_without_a_token_are_named(logmel: Grown) -> None:
    objective = bound(logmel)
    with pytest.raises(RowError, match="the vocabulary lacks: 'x', 'é'"):
        objective.encode({"text": "axéa"}, logmel.reader.read(sounds()[0]))


def test_a_backbone_that_says_nothing_of_its_frames_is_refused(logmel: Grown) -> None:
    plain: Any = torch.nn.Linear(1, 1)
    brief = Brief(
        backbone=plain, reader=logmel.reader, targets=TARGETS, options={}, modality="audio"
    )
    with pytest.raises(MultigraftError, match="hop and field"):
        SpeechRecognition(brief)


def test_windows_say_when_they_begin() -> None:
    reader = AudioReader(max_seconds=1.0, places=True)
    windows = reader.windows(sounds([40_000])[0])
    assert [float(row["start"]) for row in windows] == [0.0, 0.75, 1.5]
    assert float(reader.read(sounds()[0])["start"]) == 0
    assert reader.spec()["places"] is True and "places" not in AudioReader().spec()
