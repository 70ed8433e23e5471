"""Transcripts on the command line: subtitles as they come, and what may be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import multigraft.runtime as runtime
from multigraft.cli.app import build

SEGMENTS = [
    {"start": 0.0, "end": 1.5, "text": "Hello."},
    {"start": 2.0, "end": 3.25, "text": "Goodbye."},
]


class Predictor:
    asked: dict[str, Any]

    def transcribe(self, file: Path, *, stream: bool, **asked: Any) -> Iterator[dict[str, Any]]:
        assert stream and file == Path("talk.wav")
        type(self).asked = asked
        return iter(SEGMENTS)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "load", lambda folder, *, precision: Predictor())


def told(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["transcribe", "bundle", "talk.wav", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_subtitles_are_the_default() -> None:
    assert told() == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n00:00:02,000 --> 00:00:03,250\nGoodbye.\n\n"
    )


def test_other_formats() -> None:
    assert json.loads(told("--format", "json")) == SEGMENTS
    assert told("--format", "vtt").startswith("WEBVTT\n\n00:00:00.000 --> ")


def test_what_is_asked_is_handed_on() -> None:
    told("--ask", "no_speech=0.8", "--ask", "previous_text=false", "--language", "pt")
    assert Predictor.asked == {"no_speech": 0.8, "previous_text": False, "language": "pt"}
