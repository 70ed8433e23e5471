"""Long sounds by Whisper: windows stitched as transformers stitches them, and what guards them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

import multigraft as mg
from helpers.whisper_toys import HOLDS, Grown, grow, origin, several_languages, sounds
from multigraft.errors import PredictError, RowError
from multigraft.evaluation.generation.torch_writer import torch_writer
from multigraft.models.graft import Graft
from multigraft.runtime.asking import check_asked
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing.asks import ASKS
from multigraft.runtime.transcribing.sequential import Spoken, transcribe
from multigraft_speech.recognition.dictation import Dictation

UNGUARDED = {"fallbacks": 0, "quiet": -1000.0, "no_speech": 1.0, "logprob": -1000.0}


def writer_of(grown: Grown) -> Generator:
    made = Dictation(grown.brief())
    return torch_writer(
        Graft(grown.module, made.head()), made.generating(made.head()), grown.reader
    )


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(origin(max_target_positions=HOLDS))


@pytest.fixture(scope="module")
def saved(grown: Grown, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    grown.module.save(folder, head=None, labels=())
    return folder


def heard(grown: Grown, sound: Any, **asked: Any) -> list[Spoken]:
    checked = check_asked(ASKS, {**UNGUARDED, **asked}, task="a task")
    return list(transcribe(writer_of(grown), grown.reader, sound, checked))


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.parametrize("length", [20_000, 100_000])
def test_the_segments_are_those_of_transformers(
    grown: Grown, saved: Path, length: int, previous: bool
) -> None:
    (sound,) = sounds([length])
    model = WhisperForConditionalGeneration.from_pretrained(saved, dtype=torch.float32).eval()
    extractor = WhisperProcessor.from_pretrained(saved).feature_extractor
    long = {"truncation": False, "padding": "longest"} if length > 32_000 else {}
    features = extractor(sound, sampling_rate=16_000, return_tensors="pt", **long).input_features
    theirs = model.generate(
        features,
        return_timestamps=True,
        return_segments=True,
        condition_on_prev_tokens=previous,
        temperature=0.0,
    )["segments"][0]
    wanted = [
        (round(float(each["start"]), 2), round(float(each["end"]), 2), each["tokens"].tolist())
        for each in theirs
        if grown.reader.text(each["tokens"].tolist()).strip()
    ]
    found = heard(grown, sound, previous_text=previous)
    assert [(round(s.start, 2), round(s.end, 2), [*s.tokens]) for s in found] == wanted
    assert len(wanted) > (length > 32_000)


def test_a_file_at_another_rate_is_read_in_blocks_as_whole(grown: Grown, tmp_path: Path) -> None:
    (sound,) = sounds([60_000])
    soundfile.write(tmp_path / "half.wav", np.stack([sound, sound], 1), 8_000, "FLOAT")
    whole = heard(grown, (sound, 8_000))
    assert heard(grown, str(tmp_path / "half.wav")) == whole and whole
    assert heard(grown, (tmp_path / "half.wav").read_bytes()) == whole


def test_silence_is_never_asked_about(grown: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Generator, "begin", lambda *_: pytest.fail("the encoder was asked about silence")
    )
    assert heard(grown, np.zeros(100_000, np.float32), quiet=-70.0) == []


def test_a_click_says_nothing(grown: Grown) -> None:
    assert heard(grown, sounds([160])[0]) == []


def test_an_unlikely_text_about_nothing_is_left_out(grown: Grown) -> None:
    found = heard(grown, sounds([20_000])[0])
    sure = max(each.written.no_speech for each in found)
    assert heard(grown, sounds([20_000])[0], logprob=0.0, no_speech=0.0) == []
    assert heard(grown, sounds([20_000])[0], logprob=0.0, no_speech=min(1.0, sure + 0.1))


def test_what_seems_wrong_is_written_again_and_the_last_attempt_stands(grown: Grown) -> None:
    asked = {"compression_ratio": 0.0, "fallbacks": 2, "seed": 3}
    found = heard(grown, sounds([20_000])[0], **asked)
    assert {each.written.temperature for each in found} == {0.4}
    assert heard(grown, sounds([20_000])[0], **asked) == found
    assert heard(grown, sounds([20_000])[0], **{**asked, "seed": 4}) != found


def test_languages_are_told_or_detected(tmp_path: Path) -> None:
    grown = grow(origin(path=several_languages(tmp_path, times=True), language="pt"))
    (sound,) = sounds([20_000])
    assert {each.language for each in heard(grown, sound)} == {"pt"}
    assert {each.language for each in heard(grown, sound, language="de")} == {"de"}
    (detected,) = {each.language for each in heard(grown, sound, language="detect")}
    model = WhisperForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    extractor = WhisperProcessor.from_pretrained(tmp_path).feature_extractor
    features = extractor(sound, sampling_rate=16_000, return_tensors="pt").input_features
    token = int(model.detect_language(features, num_segment_frames=200)[0])
    languages = grown.module.writing.speech.languages
    assert languages[detected] == token
    with pytest.raises(PredictError, match="language is 'dee'; did you mean 'de'"):
        heard(grown, sound, language="dee")


def test_one_language_cannot_be_chosen(grown: Grown) -> None:
    with pytest.raises(PredictError, match="writes one language"):
        heard(grown, sounds()[0], language="en")


@pytest.mark.parametrize("sound", [3, "missing.wav", np.zeros(0, np.float32)])
def test_what_is_no_sound(grown: Grown, sound: Any) -> None:
    with pytest.raises(RowError):
        heard(grown, sound)


def test_a_bundle_transcribes_whole_or_as_a_stream(bundle: Path, tmp_path: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    writer = predictor.writer
    assert writer is not None
    # the bundle's weights are told to write no times, for `predict`
    ports = writer.ports.model_copy(update={"suppress": ()})
    predictor.writer = replace(writer, ports=ports)
    soundfile.write(tmp_path / "long.wav", sounds([90_000])[0], 16_000)
    whole = predictor.transcribe(str(tmp_path / "long.wav"))
    json.dumps(whole, allow_nan=False)
    assert [*predictor.transcribe(str(tmp_path / "long.wav"), stream=True)] == whole["segments"]
    assert whole["text"] == " ".join(each["text"] for each in whole["segments"])
    with pytest.raises(PredictError, match="take no 'beams'"):
        predictor.transcribe(str(tmp_path / "long.wav"), beams=2)


def test_a_bundle_of_another_task_says_so() -> None:
    from multigraft.runtime.answers.embedding import Embedding
    from multigraft.runtime.transcribing.transcriber import transcriber_of

    reader = grow(origin()).reader
    assert transcriber_of(reader, Embedding({}), None, lambda arrays: arrays, "tagging") is None
