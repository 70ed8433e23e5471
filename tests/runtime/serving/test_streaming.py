"""Texts are told while they are written, and nobody writes for a client that has left."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from helpers.toy_server import SECRET, Served, serving, wait_until
from helpers.toy_writer import Alphabet, speller

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(speller("speller")[0], wait_ms=0) as running:
        yield running


def events_of(response: httpx2.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream as they come."""
    assert response.headers["content-type"].startswith("text/event-stream")
    for name, data in pairwise(line for line in response.iter_lines() if line):
        if name.startswith("event: "):
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def asked(served: Served, inputs: Any, **more: Any) -> httpx2.Response:
    return served.client.post("/predict", json={"inputs": inputs, **more}, headers=EVENTS)


def streamed(served: Served, prompt: str, **more: Any) -> Any:
    """A stream that is open."""
    body = {"inputs": prompt, **more}
    return served.client.stream("POST", "/predict", json=body, headers=EVENTS)


@pytest.mark.parametrize("more", [{}, {"method": "sample", "seed": 3, "top_k": 4}])
def test_pieces_are_the_answer_and_the_answer_comes_last(
    served: Served, more: dict[str, Any]
) -> None:
    more = {"max_new_tokens": 7, **more}
    *pieces, (last, whole) = events_of(asked(served, "a", **more))
    assert {name for name, _ in pieces} == {"piece"} and len(pieces) == 7
    assert last == "answer"
    wanted = served.predict("a", **more).json()
    assert whole["answers"] == wanted["answers"]
    assert whole.keys() == wanted.keys()
    assert "".join(content["text"] for _, content in pieces) == whole["answers"][0]["text"]


def test_a_search_tells_its_text_at_the_end(served: Served) -> None:
    more = {"method": "beam", "beams": 2, "max_new_tokens": 3}
    ((name, whole),) = events_of(asked(served, "a", **more))
    assert name == "answer" and whole["answers"] == served.predict("a", **more).json()["answers"]


@pytest.mark.parametrize(
    ("inputs", "more", "says"),
    [
        (["a", "b"], {}, "one text is streamed at a time, and the request holds 2"),
        ([], {}, "the request holds 0"),
        ("1", {}, "letters are needed"),
        (3, {}, "a text is needed"),
        ("a" * 2000, {}, "shorten the prompt"),
        ("a", {"beams": 2}, "belongs to method='beam'"),
        ("a", {"max_new_tokens": 2000}, "writes 1024 at most"),
    ],
)
def test_what_is_wrong_from_the_beginning_has_its_status(
    served: Served, inputs: Any, more: dict[str, Any], says: str
) -> None:
    refused = asked(served, inputs, **more)
    assert refused.status_code == 422 and says in refused.json()["error"]


def test_a_graph_that_breaks_ends_its_text_alone(served: Served) -> None:
    broken = asked(served, "z")
    assert broken.status_code == 500 and "secret" not in broken.text
    assert list(events_of(asked(served, "a", max_new_tokens=1)))[-1][0] == "answer"


def test_others_are_answered_while_a_text_is_written() -> None:
    slow, _ = speller("slow", pause=0.01)
    with serving(slow, wait_ms=0) as served, streamed(served, "a", max_new_tokens=100) as text:
        told = events_of(text)
        next(told)
        assert served.predict("a", max_new_tokens=2).json()["answers"][0]["text"] == "bc"
        assert len(list(told)) > 20, "the stream went on after the other's answer"


def stands_still(graph: Alphabet) -> bool:
    before = graph.steps
    time.sleep(0.1)
    return graph.steps == before


@pytest.mark.parametrize("streams", [True, False])
def test_nothing_is_written_for_a_client_that_has_left(streams: bool) -> None:
    slow, graph = speller("slow", pause=0.01)
    body = {"inputs": "a", "max_new_tokens": 1000}
    with serving(slow, wait_ms=0) as served:
        if streams:
            with streamed(served, "a", max_new_tokens=1000) as text:
                next(events_of(text))
        else:
            with pytest.raises(httpx2.ReadTimeout):
                served.client.post("/predict", json=body, timeout=0.3)
        wait_until(lambda: served.metric("multigraft_queue_rows") == 0)
        wait_until(lambda: stands_still(graph))
        assert 0 < graph.steps < 500
        assert served.predict("a", max_new_tokens=2).status_code == 200


def test_a_text_that_takes_too_long_ends_with_an_error() -> None:
    slow, graph = speller("slow", pause=0.01)
    with serving(slow, wait_ms=0, timeout=0.4) as served:
        *pieces, (name, content) = events_of(asked(served, "a", max_new_tokens=1000))
        assert pieces and name == "error"
        assert content == {"error": "no answer within 0.4 seconds", "item": None}
        wait_until(lambda: stands_still(graph))


def test_streams_are_bounded_and_need_the_token() -> None:
    slow, _ = speller("slow", pause=0.005)
    limits = {"streams": 1, "queue": 2, "max_items": 2}
    with serving(slow, token=SECRET, wait_ms=0, **limits) as served, ThreadPoolExecutor(3) as pool:
        assert asked(served, "a").status_code == 401
        served.client.headers["Authorization"] = f"Bearer {SECRET}"
        both = [pool.submit(asked, served, "a", max_new_tokens=60) for _ in range(2)]
        wait_until(lambda: served.metric("multigraft_queue_rows") == 2)
        assert asked(served, "a").status_code == 429
        times = [list(events_of(each.result()))[-1][1]["milliseconds"] for each in both]
        assert max(times) > 1.7 * min(times), "the second waited until the first was written"


ODD = [
    *(None, True, -1, 0, 1, 3, 65, 1e9, 1e-9, 0.5, float("nan"), 2**70, "", "a", "x" * 300),
    *("greedy", "beam", "sample", [], ["a", 3], [1.5], ["a"] * 20, {"a": 1}),
]


def test_200_odd_settings_harm_nobody(served: Served) -> None:
    rng, seen = random.Random(0), set()
    names = list(served.client.get("/models/speller").json()["asks"])
    for _ in range(200):
        chosen = {name: rng.choice(ODD) for name in rng.sample(names, rng.randint(0, 3))}
        body = json.dumps({"inputs": "a", "max_new_tokens": 5, **chosen})
        headers = {"Content-Type": "application/json", **rng.choice([EVENTS, {}])}
        said = served.client.post("/predict", content=body, headers=headers)
        seen.add(said.status_code)
        assert said.status_code in (200, 422), (body, said.text)
        assert said.status_code == 200 or said.json()["error"]
    assert seen == {200, 422}
    assert served.metric("multigraft_queue_rows") == 0


def test_the_most_that_may_be_written_is_told_as_the_server_limits_it(served: Served) -> None:
    for running, most in ((served, 1024), (None, 7)):
        with (
            serving(speller("speller")[0], max_new_tokens=7)
            if running is None
            else (nullcontext(running)) as found
        ):
            (model,) = found.client.get("/models").json()["models"]
            body = found.client.get("/openapi.json").json()["paths"]["/predict"]["post"]
            schema = body["requestBody"]["content"]["application/json"]["schema"]
            assert model["asks"]["max_new_tokens"]["high"] == most
            assert schema["properties"]["max_new_tokens"]["maximum"] == most
            refused = found.predict("a", max_new_tokens=most + 1)
            assert refused.status_code == 422 and f"writes {most} at most" in refused.text
