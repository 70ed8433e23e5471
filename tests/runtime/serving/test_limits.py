"""What a server refuses, and that it goes on afterwards."""

from __future__ import annotations

import base64
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import pytest

from helpers.toy_server import SECRET, Served, model, serving, wait_until
from multigraft.errors import ServeError
from multigraft.runtime.serving.access import Token, listen
from multigraft.runtime.serving.limits import COUNTS, Limits

TIGHT = {
    "queue": 4,
    "max_items": 4,
    "max_body": 4000,
    "timeout": 1.5,
    "read_timeout": 0.5,
    "wait_ms": 0,
}


@pytest.fixture(scope="module")
def tight() -> Iterator[Served]:
    with serving(model("numbers"), **TIGHT) as served:
        yield served


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    with serving(model("picture"), token=SECRET) as served:
        yield served


def fine(served: Served) -> bool:
    return served.predict("1 2").status_code == 200


def test_a_full_queue_is_said_with_a_time_to_come_back() -> None:
    with serving(model("numbers"), queue=4, max_items=4) as served, ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(served.predict, "slow slow slow 1") for _ in range(4)]
        wait_until(lambda: served.metric("multigraft_queue_rows") == 4)
        refused = served.predict("1 2")
        assert [each.result().status_code for each in slow] == [200] * 4
        assert fine(served)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "rows are waiting" in refused.json()["error"]


def test_too_many_items(tight: Served) -> None:
    said = tight.predict(["1"] * 5)
    assert (said.status_code, "5 items; allowed are 4" in said.json()["error"]) == (413, True)
    files = [("file", (f"{place}.txt", b"1")) for place in range(5)]
    assert tight.client.post("/predict", files=files).status_code == 413


def test_a_body_that_is_too_large_is_refused_announced_or_not(tight: Served) -> None:
    assert tight.predict("1 " * 4000).status_code == 413

    def parts() -> Iterator[bytes]:
        yield from [b"x" * 1000] * 10

    said = tight.client.post(
        "/predict", content=parts(), headers={"content-type": "application/json"}
    )
    assert said.status_code == 413
    assert fine(tight)


def test_an_answer_that_takes_too_long() -> None:
    with serving(model("numbers"), timeout=0.2) as hasty:
        late = hasty.predict("slow 1")
        assert (late.status_code, late.json()["item"]) == (504, None)
        wait_until(lambda: hasty.metric("multigraft_queue_rows") == 0)
        wait_until(lambda: fine(hasty))


def test_who_comes_before_the_server_runs_waits_instead_of_being_refused() -> None:
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname(), timeout=10),
    ):
        pass


def test_a_port_that_is_taken_is_said() -> None:
    with (
        listen("127.0.0.1", 0) as first,
        pytest.raises(
            ServeError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*--port names another"
        ),
    ):
        listen("127.0.0.1", first.getsockname()[1])


def connection(served: Served, *sent: bytes) -> socket.socket:
    host, _, port = served.url.removeprefix("http://").partition(":")
    opened = socket.create_connection((host, int(port)), timeout=10)
    for part in sent:
        opened.sendall(part)
    return opened


HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("sent", [b"", b"POST /pre", HEAD, HEAD + b"\r\n{}GET /x"])
def test_a_client_that_stops_in_a_head_is_let_go(tight: Served, sent: bytes) -> None:
    with connection(tight, sent) as stuck:
        assert_closed(stuck)
    assert fine(tight)


def assert_closed(opened: socket.socket) -> None:
    try:
        while opened.recv(65536):
            pass
    except ConnectionResetError:
        pass  # as good as closed; a time-out would raise


def test_a_client_that_stops_in_a_body_is_told(tight: Served) -> None:
    with connection(tight, HEAD + b"Content-Length: 100\r\n\r\n", b'{"inp') as stuck:
        assert b" 408 " in stuck.recv(4096)
        assert_closed(stuck)
    assert fine(tight)


def test_a_body_that_drips_ends_at_the_limit(tight: Served) -> None:
    began = time.monotonic()
    with connection(tight, HEAD + b"Content-Length: 1000\r\n\r\n") as slow:
        slow.settimeout(0.1)
        said = b""
        while not said:
            assert time.monotonic() - began < 10
            slow.sendall(b" ")
            try:
                said = slow.recv(4096)
            except TimeoutError:
                continue
    assert b" 408 " in said


def test_a_client_that_leaves_takes_its_rows_along(tight: Served) -> None:
    body = b'{"inputs": ["slow 1", "slow 1", "slow 1", "slow 1"]}'
    connection(tight, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body).close()
    wait_until(lambda: tight.metric("multigraft_requests_total", status="499") >= 1)
    wait_until(lambda: tight.metric("multigraft_queue_rows") == 0)
    assert fine(tight)


def test_large_bodies_together_are_bounded() -> None:
    with serving(model("numbers"), max_body=1000, bodies=1) as served:
        head = HEAD + b"Content-Length: 900\r\n\r\n"
        with connection(served, head, b" " * 890), connection(served, head, b" " * 890) as second:
            assert b" 429 " in second.recv(4096)
        wait_until(lambda: fine(served))


def test_a_token_is_needed_but_for_the_page_and_the_probes(guarded: Served) -> None:
    for path in ("/", "/healthz", "/readyz"):
        assert guarded.client.get(path).status_code == 200
    for path in ("/models", "/metrics", "/openapi.json", "/nowhere", "/page", "/healthz/"):
        said = guarded.client.get(path)
        assert (said.status_code, said.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "header", ["", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer", "Bearer é"]
)
def test_a_wrong_token_opens_nothing(guarded: Served, header: str) -> None:
    said = guarded.client.get("/models", headers={"authorization": header.encode()})
    assert said.status_code == 401
    assert SECRET not in said.text


def test_the_right_token_opens(guarded: Served) -> None:
    assert (
        guarded.client.get("/models", headers={"authorization": f"Bearer {SECRET}"}).status_code
        == 200
    )
    named = {"authorization": f"bearer {SECRET}", "host": "models.example"}
    assert guarded.client.get("/models", headers=named).status_code == 200


def test_a_token_is_not_shown() -> None:
    assert SECRET not in f"{Token(SECRET)!r} {Token(SECRET)}"
    for weak in ("short", "with space in its middle", "é" * 20):
        with pytest.raises(ServeError, match="at least 16") as caught:
            Token(weak)
        assert weak not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:80"}, {"sec-fetch-site": "cross-site"}],
)
def test_pages_of_other_sites_cannot_ask(tight: Served, headers: dict[str, str]) -> None:
    assert tight.client.post("/predict", json={"inputs": "1"}, headers=headers).status_code == 403


def test_every_answer_is_guarded_by_its_headers(tight: Served) -> None:
    for said in (
        tight.client.get("/"),
        tight.client.get("/nowhere"),
        tight.predict("1"),
        tight.predict("x"),
    ):
        policy = said.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert said.headers["x-content-type-options"] == "nosniff"
        assert "server" not in said.headers


def test_limits_that_contradict_each_other_are_said() -> None:
    with pytest.raises(ServeError, match="could never be taken"):
        Limits(queue=8, max_items=9)
    with pytest.raises(ServeError, match="timeout, drain: must be above 0"):
        Limits(timeout=0, drain=-1)
    with pytest.raises(ServeError, match="timeout, read_timeout: must be above 0"):
        Limits(timeout=float("nan"), read_timeout=float("nan"))
    with pytest.raises(ServeError, match="max_batch, queue, max_body: must be whole numbers"):
        Limits(max_batch=1.5, queue=True, max_body=2e6)  # type: ignore[arg-type]
    assert Limits(wait_ms=0, timeout=0.5).max_batch == 32


def test_every_limit_that_is_a_whole_number_is_held_to_it() -> None:
    assert set(COUNTS) == {field.name for field in fields(Limits) if field.type == "int"}


DEEP = b'{"inputs": ' + b"[" * 1900 + b"]" * 1900 + b"}"
BROKEN: list[tuple[str, bytes]] = [
    ("application/json", each)
    for each in (
        *(
            b"",
            b"{",
            b"null",
            b"[]",
            b"3",
            b'"1 2"',
            b"{}",
            b'{"inputs"}',
            b"\xff\xfe",
            b"\x00",
            DEEP,
        ),
        *(
            b'{"inputs": "1", "topk": 1}',
            b'{"inputs": "1", "top_k": 0}',
            b'{"inputs": "1", "top_k": true}',
        ),
        *(
            b'{"inputs": "1", "top_k": "x"}',
            b'{"inputs": {}}',
            b'{"inputs": [[]]}',
            b'{"inputs": "\\ud800"}',
        ),
        *(b'{"inputs": NaN}', b'{"inputs": 1' + b"0" * 3900 + b"}"),
    )
] + [
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=b", b""),
    ("multipart/form-data; boundary=b", b"--b\r\nnonsense\r\n\r\nx"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--',
    ),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="top_k"\r\n\r\nx\r\n--b--',
    ),
    ("multipart/form-data; boundary=" + "b" * 300, b"--"),
    ("", b"{}"),
    ("application/x-www-form-urlencoded", b"inputs=1"),
]


@pytest.mark.parametrize(("kind", "body"), BROKEN)
def test_a_malformed_request_is_refused_in_words(tight: Served, kind: str, body: bytes) -> None:
    said = tight.client.post("/predict", content=body, headers={"content-type": kind})
    if said.status_code != 200:  # an empty form asks for nothing
        assert 400 <= said.status_code < 500, said.text
        assert said.json()["error"]
        assert "Traceback" not in said.text
    else:
        assert said.json()["answers"] == []


def damaged(count: int) -> Iterator[tuple[str, bytes]]:
    """Well-formed requests with bytes changed, cut out or doubled."""
    rng = random.Random(0)
    picture = base64.b64encode(bytes(192)).decode()
    sound = [
        ("application/json", f'{{"inputs": ["{picture}", "{picture}"], "top_k": 2}}'.encode()),
        (
            "multipart/form-data; boundary=edge",
            b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.toy"\r\n\r\n'
            + bytes(192)
            + b"\r\n--edge--\r\n",
        ),
    ]
    for _ in range(count):
        kind, body = rng.choice(sound)
        broken = bytearray(body)
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(broken))
            change = rng.choice(("set", "cut", "double"))
            if change == "set":
                broken[place] = rng.randrange(256)
            elif change == "cut":
                del broken[place : place + rng.randint(1, 40)]
            else:
                broken[place:place] = broken[place : place + rng.randint(1, 40)]
        yield kind, bytes(broken)


def test_200_damaged_requests_harm_nobody() -> None:
    good = base64.b64encode(bytes(192)).decode()
    with serving(model("picture")) as served:
        wanted = served.predict(good).json()["answers"]
        for kind, body in damaged(200):
            said = served.client.post("/predict", content=body, headers={"content-type": kind})
            assert said.status_code < 500, (kind, body, said.text)
            assert isinstance(said.json(), dict)
        after: Any = served.predict(good).json()["answers"]
        assert after == wanted
        assert served.metric("multigraft_queue_rows") == 0
