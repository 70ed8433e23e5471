"""Transcripts are told a segment at a time, as long as a sound is; nobody hears for a client that
has left."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from helpers.toy_server import Served, serving, wait_until
from helpers.toy_transcriber import Listener, listener
from helpers.toy_writer import speller

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(listener("ear")[0], wait_ms=0) as running:
        yield running


def sent(served: Served, sound: bytes, path: str = "/transcribe", **fields: Any) -> httpx2.Response:
    return served.client.post(path, files={"file": sound}, data=fields, headers=EVENTS)


def events_of(response: httpx2.Response) -> Iterator[tuple[str, Any]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    for name, data in pairwise(line for line in response.iter_lines() if line):
        if name.startswith("event: "):
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_segments_come_as_they_are_heard_and_the_whole_comes_last(served: Served) -> None:
    *told, (last, whole) = events_of(sent(served, b"a b"))
    assert told == [
        ("segment", {"start": 0, "end": 1, "text": "a"}),
        ("heard", {"seconds": 1}),
        ("heard", {"seconds": 2}),
        ("segment", {"start": 2, "end": 3, "text": "b"}),
        ("heard", {"seconds": 3}),
    ]
    assert last == "answer"
    (answer,) = whole["answers"]
    assert answer == {"text": "a b", "segments": [told[0][1], told[3][1]]}
    body = {"inputs": base64.b64encode(b"a b").decode()}
    at_once = served.client.post("/models/ear/transcribe", json=body).json()
    assert at_once["answers"] == whole["answers"] and at_once.keys() == whole.keys()


def test_what_is_asked_is_checked_and_listed(served: Served) -> None:
    assert next(events_of(sent(served, b"a", loud="true")))[1]["text"] == "A"
    refused = sent(served, b"a", loud="perhaps")
    assert refused.status_code == 422 and "loud is 'perhaps'" in refused.json()["error"]
    (model,) = served.client.get("/models").json()["models"]
    assert model["transcribes"]["path"] == "/models/ear/transcribe"
    assert model["transcribes"]["asks"].keys() == {"loud"}
    schema = served.client.get("/openapi.json").json()["paths"]["/transcribe"]["post"]
    assert "loud" in json.dumps(schema["requestBody"])


@pytest.mark.parametrize(
    ("sound", "status", "says"), [(b"!a", 422, "holds no sound"), (b"?", 500, "could not answer")]
)
def test_what_is_wrong_from_the_beginning_has_its_status(
    served: Served, sound: bytes, status: int, says: str
) -> None:
    refused = sent(served, sound)
    assert refused.status_code == status and says in refused.json()["error"]
    assert "secret" not in refused.text


def test_what_goes_wrong_later_ends_the_events(served: Served) -> None:
    told = [*events_of(sent(served, b"ab?c"))]
    assert [name for name, _ in told] == ["segment", "heard", "segment", "heard", "error"]
    assert told[-1][1] == {"error": "the model could not answer it", "item": 0}
    assert [*events_of(sent(served, b"a"))][-1][0] == "answer"


def test_one_sound_at_a_time(served: Served) -> None:
    files = [("file", b"a"), ("file", b"b")]
    both = served.client.post("/transcribe", files=files, headers=EVENTS)
    assert both.status_code == 422 and "request holds 2" in both.json()["error"]
    assert sent(served, b"a", "/models/eye/transcribe").status_code == 404


def test_a_model_that_writes_texts_transcribes_nothing() -> None:
    with serving(speller("speller")[0]) as served:
        body = {"inputs": "a"}
        refused = served.client.post("/transcribe", json=body)
        assert refused.status_code == 422 and "does not transcribe" in refused.json()["error"]


def test_a_long_sound_takes_as_long_as_it_does() -> None:
    slow, _ = listener("ear", pause=0.1)
    with serving(slow, wait_ms=0, timeout=0.5) as served:
        assert [*events_of(sent(served, b"abcdefghij"))][-1][0] == "answer"
        body = {"inputs": base64.b64encode(b"abcdefghij").decode()}
        at_once = served.client.post("/transcribe", json=body)
        assert at_once.status_code == 504


def test_a_window_that_takes_too_long_ends_with_an_error() -> None:
    slow, ear = listener("ear", pause=0.3)
    with serving(slow, wait_ms=0, timeout=0.4) as served:
        ear.pause = 0.0
        with served.client.stream(
            "POST", "/transcribe", files={"file": b"a" * 50}, headers=EVENTS
        ) as told:
            events = events_of(told)
            next(events)
            ear.pause = 0.9
            assert [*events][-1] == (
                "error",
                {"error": "no answer within 0.4 seconds", "item": None},
            )
        wait_until(lambda: ear.closed == 1)


def stands_still(ear: Listener) -> bool:
    before = ear.windows_heard
    time.sleep(0.1)
    return ear.windows_heard == before


def test_nothing_is_heard_for_a_client_that_has_left() -> None:
    slow, ear = listener("ear", pause=0.02)
    with serving(slow, wait_ms=0) as served:
        with served.client.stream(
            "POST", "/transcribe", files={"file": b"a" * 900}, headers=EVENTS
        ) as told:
            next(events_of(told))
        wait_until(lambda: served.metric("multigraft_queue_rows") == 0)
        wait_until(lambda: stands_still(ear))
        assert 0 < ear.windows_heard < 500 and ear.closed == 1
        assert [*events_of(sent(served, b"a"))][-1][0] == "answer"
