"""Dictation: what Whisper learns of a transcript, and which way of recognition a recipe gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.whisper_toys import Grown, grow, origin, several_languages, sounds
from multigraft import RowError
from multigraft.contracts.readers import collate
from multigraft.errors import RecipeError
from multigraft.runtime.answers.transcription import Transcription
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.dictation import Dictation
from multigraft_speech.recognition.objective import recognition


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(origin())


def test_the_loss_is_that_of_the_models_own_forward_pass(grown: Grown) -> None:
    made = recognition(grown.brief())
    assert isinstance(made, Dictation)
    rows = []
    for sound, text in zip(sounds(), ["One.", "Twenty-two!", "a"], strict=True):
        arrays = grown.reader.read(sound)
        rows.append({**arrays, **made.encode({"text": "-", "written": text}, arrays)})
    arrays = collate(rows, {**grown.reader.fills, **made.fills})
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    outputs = made.head()(grown.module(batch), batch)
    found = made.loss(outputs, batch)
    whole = grown.module._whole(
        batch["input_features"], batch["attention_mask"], batch["silence"]
    ).transpose(1, 2)
    start, labels = grown.module.writing.start, batch["labels"]
    # transformers begins with one token; the second is a label to it, and left out of the loss
    fed = torch.cat([torch.tensor(start).expand(3, -1), labels[:, :-1].clamp(min=0)], dim=1)
    logits = grown.module.model(input_features=whole, decoder_input_ids=fed).logits
    wanted = torch.nn.functional.cross_entropy(
        logits[:, len(start) - 1 :].transpose(1, 2), labels, ignore_index=-100
    )
    assert float(found.mean().detach()) == pytest.approx(float(wanted.detach()), 1e-5)


@pytest.mark.parametrize(
    ("options", "kind"), [({}, Dictation), ({"head": "ctc"}, SpeechRecognition)]
)
def test_its_encoder_can_be_a_ctc_model(grown: Grown, options: Any, kind: type) -> None:
    made = recognition(grown.brief(**options))
    assert isinstance(made, kind)


def test_frames_of_ctc_lie_where_the_sound_is(grown: Grown) -> None:
    made = recognition(grown.brief(head="ctc"))
    batch = grown.batch(sounds())
    times = made.head()(grown.module(batch), batch)["times"]
    assert times[0, :3].tolist() == pytest.approx([0.01, 0.03, 0.05])
    assert (times[2] >= 0).sum() == 11


def test_options_of_ctc_are_refused(grown: Grown) -> None:
    with pytest.raises(RecipeError, match=r"task\.language_model: is for CTC"):
        recognition(grown.brief(language_model="words.arpa"))


def test_the_language_of_transcripts_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"backbone\.language: these weights write 3 languages"):
        recognition(grow(origin(path=several_languages(tmp_path))).brief())


def test_a_transcript_that_is_too_long_is_a_bad_row(grown: Grown) -> None:
    made = recognition(grown.brief(max_target_length=5))
    arrays = grown.reader.read(sounds()[0])
    assert made.encode({"written": "abc"}, arrays)["labels"].shape == (5,)
    with pytest.raises(RowError, match="has 6 tokens, the end counted, and at most 5"):
        made.encode({"written": "abcd"}, arrays)
    with pytest.raises(RecipeError, match="the decoder holds 446"):
        recognition(grown.brief(max_target_length=447))


def test_what_is_written_is_counted_by_the_transcripts_rules() -> None:
    rules = {"normalization": {"case": "lower", "punctuation": "drop"}}
    answers = Transcription({"vocabulary": ["", "a"], "blank": 0, **rules})
    counts = answers.score({"text": "It’s  ME."}, {"text": "it's me"})
    assert answers.summarise({name: np.stack([each]) for name, each in counts.items()})["wer"] == 0
    plain = Transcription({"vocabulary": ["", "a"], "blank": 0})
    counts = plain.score({"text": "It’s ME."}, {"text": "it's me"})
    assert plain.summarise({name: np.stack([each]) for name, each in counts.items()})["wer"] == 1
