from __future__ import annotations

import pytest

import multigraft_speech as speech
from helpers.speech_toys import Grown, grow, origin

KINDS = {
    "wav2vec2": origin(speech.WAV2VEC2),
    "wav2vec2-group": origin(
        speech.WAV2VEC2, feat_extract_norm="group", do_stable_layer_norm=False
    ),
    "hubert": origin(speech.HUBERT),
    "logmel": origin(speech.LOGMEL),
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(params=list(KINDS))
def grown(request: pytest.FixtureRequest) -> Grown:
    return grow(KINDS[request.param])


@pytest.fixture(params=["wav2vec2", "wav2vec2-group", "hubert"])
def transformer(request: pytest.FixtureRequest) -> Grown:
    return grow(KINDS[request.param])


@pytest.fixture
def wav2vec2() -> Grown:
    return grow(KINDS["wav2vec2"])


@pytest.fixture
def hubert() -> Grown:
    return grow(KINDS["hubert"])


@pytest.fixture
def logmel() -> Grown:
    return grow(KINDS["logmel"])
