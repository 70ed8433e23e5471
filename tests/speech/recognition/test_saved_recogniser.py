"""A recogniser's folder opens in transformers, which hears the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCTC, pipeline

from helpers.speech_toys import Grown, sounds
from multigraft import Brief
from multigraft.contracts.answers import Window
from multigraft.contracts.options import defaults
from multigraft.runtime.answers.transcription import Transcription
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.vocabulary import read_vocabulary

VOCABULARIES = (["", " ", *"abcdefg'"], ["", "", *"ABCD", " "])


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=["ours", "with <unk>, then the blank"])
def test_transformers_hears_the_same(
    transformer: Grown, tmp_path: Path, vocabulary: list[str]
) -> None:
    blank = vocabulary.count("") - 1
    targets = {"vocabulary": vocabulary, "blank": blank}
    objective = SpeechRecognition(
        Brief(
            backbone=transformer.module,
            reader=transformer.reader,
            targets=targets,
            options={"dropout": 0.0},
            modality="audio",
        )
    )
    head = objective.head().eval()
    torch.nn.init.normal_(head.linear.weight, std=2.0)  # so that it says something
    linear, names = objective.sequence_head(head)  # type: ignore[misc]
    transformer.module.save_sequence(tmp_path, head=linear, labels=names)
    assert read_vocabulary(tmp_path) == targets
    stock = AutoModelForCTC.from_pretrained(tmp_path).eval()
    assert stock.config.pad_token_id == blank
    other = pipeline("automatic-speech-recognition", str(tmp_path), device="cpu")
    answers, said = Transcription(targets), []
    for sound in sounds():
        batch = transformer.batch([sound])
        with torch.no_grad():
            outputs = head(transformer.module(batch), batch)
        row = {name: value[0].numpy() for name, value in outputs.items()}
        said.append(answers.answer(sound, [Window({}, row)], defaults(Transcription.asks))["text"])
        theirs = other(np.array(sound))["text"].replace("<unk>", "")  # which writes nothing here
        assert said[-1] == " ".join(theirs.split())
    assert any(len(text) > 3 for text in said)
