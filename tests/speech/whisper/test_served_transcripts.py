"""A server tells what a bundle of Whisper hears, a window at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

import multigraft as mg
import multigraft_speech as speech
from helpers.toy_server import serving
from helpers.whisper_toys import sounds
from multigraft.runtime.serving.model import Model


def test_it_tells_the_segments_of_the_bundle(bundle: Path) -> None:
    predictor = mg.load(bundle, precision="fp32")
    assert predictor.writer is not None
    # the bundle's weights are told to write no times, for `predict`
    ports = predictor.writer.ports.model_copy(update={"suppress": ()})
    predictor.writer = replace(predictor.writer, ports=ports)
    held = BytesIO()
    soundfile.write(held, np.concatenate(sounds([60_000, 30_000])), 16_000, format="FLAC")
    asked = {"fallbacks": 1, "quiet": -1000.0, "no_speech": 1.0, "words": True}
    wanted = predictor.transcribe(held.getvalue(), **asked)
    assert len(wanted["segments"]) > 2
    with serving(Model("speech", predictor, speech.AUDIO)) as served:
        fields = {name: json.dumps(value) for name, value in asked.items()}
        told = served.client.post(
            "/models/speech/transcribe",
            files={"file": held.getvalue()},
            data=fields,
            headers={"Accept": "text/event-stream"},
        )
        lines = [line for line in told.iter_lines() if line]
        (model,) = served.client.get("/models").json()["models"]
        refused = served.client.post(
            "/transcribe", files={"file": held.getvalue()}, data={"language": "pt"}
        )
        broken = served.client.post("/transcribe", files={"file": b"no sound"})
    events = [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in pairwise(lines)
        if name.startswith("event: ")
    ]
    assert [content for name, content in events if name == "segment"] == wanted["segments"]
    assert events[-1][1]["answers"] == [wanted]
    assert {"words", "language", "no_speech"} < model["transcribes"]["asks"].keys()
    assert refused.status_code == 422 and "writes one language" in refused.json()["error"]
    assert broken.status_code == 422 and "cannot be decoded" in broken.json()["error"]
