"""A server of each modality: broken requests, broken values in sound requests, and bombs of
both."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from hypothesis import strategies as st

from fuzz import pictures, sounds, texts
from fuzz.breaking import JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from fuzz.standing import JSON, KINDS, LABELS, MAX_BODY, Asked, Server, end, server, sound_values
from multigraft.errors import MultigraftError

MEMORY = 2**30
"""The most bytes that a server may take beyond what it took when it stood ready."""
FORM = "multipart/form-data; boundary=cut"


class Refused(MultigraftError):
    """What a server said instead of an answer."""


def as_json(content: bytes, modality: str) -> Asked:
    """A value in JSON: a text, with what is no UTF-8 as lone surrogates; a file in base64."""
    text = (
        content.decode("utf-8", "surrogateescape")
        if modality == "text"
        else base64.b64encode(content).decode()
    )
    return Asked(json.dumps({"inputs": text}).encode())


def as_form(content: bytes, name: str = "file") -> Asked:
    """A value as an uploaded file."""
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    return Asked(head.encode("utf-8", "replace") + content + b"\r\n--cut--\r\n", FORM)


PATHS = st.sampled_from(
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "file:///etc/passwd",
        "/dev/zero",
        "http://127.0.0.1:1/x",
    ]
)
BOMBS = (
    Asked(b"[" * 10**6),
    Asked(b'{"inputs": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    Asked(json.dumps({"inputs": ["a"] * 10**5}).encode()),
    Asked(b'{"inputs": ' + b"9" * 10**6 + b"}"),
    Asked(b'{"inputs": "' + b"A" * (MAX_BODY - 100) + b'"}'),
    Asked(b'{"inputs": "' + b"A" * MAX_BODY + b'"}'),
    Asked(gzip.compress(bytes(10**8)), headers={"content-encoding": "gzip"}),
    Asked(b"--cut\r\n" * 10**5, FORM),
    Asked(
        b'--cut\r\nContent-Disposition: form-data; name="'
        + b"n" * 10**6
        + b'"\r\n\r\nx\r\n--cut--\r\n',
        FORM,
    ),
    Asked(b"", FORM),
    Asked(b"", "multipart/form-data"),
    Asked(b'{"inputs": "x"}', path="/models/" + "%2e%2e%2f" * 9 + "predict"),
)


def requests(modality: str, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[Asked]:
    """Sound requests with broken values, and broken requests."""
    whole = st.deferred(
        lambda: st.sampled_from([as_json(each, modality) for each in sound_values(modality)])
    )
    junk = broken_values({"inputs": ["x"], "top_k": 1}) | st.fixed_dictionaries({"inputs": JUNK})
    files = values if modality == "text" else values | PATHS.map(str.encode)
    return st.one_of(
        *[files.map(as_form)] * 3,
        *[files.map(lambda content: as_json(content, modality))] * 3,
        junk.map(lambda value: Asked(json.dumps(value).encode())),
        PATHS.map(lambda path: Asked(json.dumps({"inputs": path}).encode()))
        if modality != "text"
        else st.nothing(),
        whole.flatmap(lambda asked: broken_bytes(st.just(asked.body)).map(Asked)),
        values.flatmap(
            lambda content: broken_bytes(st.just(as_form(content).body)).map(
                lambda body: Asked(body, FORM)
            )
        ),
        st.tuples(values, TEXTS).map(
            lambda both: as_form(both[0], both[1].replace("\r", "").replace("\n", ""))
        ),
        st.tuples(
            whole,
            st.sampled_from(["", "text/plain", "application/xml", JSON + "; charset=utf-16", FORM]),
        ).map(lambda both: Asked(both[0].body, both[1])),
        st.sampled_from(BOMBS),
    )


def feed(folder: Path, asked: Asked, *, modality: str) -> None:
    """A request is answered, or refused in words; the next one is answered, whatever this one
    was."""
    asking = server(modality, folder)
    response = asking.ask(asked)
    _next_is_answered(asking, modality)
    if asking.peak() - asking.before > MEMORY:
        raise WrongAnswer(f"the server took {asking.peak() / 2**20:.0f} MB")
    if response.status_code != 200:
        raise Refused(_words(response))
    for answer in response.json()["answers"]:
        _check(answer)


def _next_is_answered(asking: Server, modality: str) -> None:
    answered = asking.ask(as_json(sound_values(modality)[0], modality))
    if answered.status_code != 200:
        raise WrongAnswer(
            f"the next request was told {answered.status_code}: {answered.text[:200]}"
        )
    _check(answered.json()["answers"][0])


def _words(response: httpx2.Response) -> str:
    """What a refusal says: a status of the client's fault, and an error in JSON that names no place
    here."""
    if not 400 <= response.status_code < 500:
        raise WrongAnswer(f"status {response.status_code}: {response.text[:200]}")
    error = response.json().get("error") or response.json().get("detail")
    if not isinstance(error, str) or "Traceback" in error:
        raise WrongAnswer(f"said {response.text[:200]}")
    return error


def _check(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        return
    scores = answer["scores"]
    if not set(scores) <= set(LABELS) or not np.isfinite(list(scores.values())).all():
        raise WrongAnswer(f"answered {answer}")


VALUES: dict[str, st.SearchStrategy[bytes]] = {
    "text": st.one_of(
        broken_bytes(texts.ENCODED),
        texts.ENCODED,
        TEXTS.map(lambda text: text.encode("utf-8", "replace")),
    ),
    "image": st.one_of(
        *[broken_bytes(st.deferred(lambda: st.sampled_from(pictures.sound_files())))] * 3,
        st.deferred(
            lambda: st.sampled_from([each for each in pictures.bombs() if len(each) < MAX_BODY])
        ),
        st.sampled_from(pictures.OTHERS),
    ),
    "audio": st.one_of(
        *[broken_bytes(st.deferred(lambda: st.sampled_from(sounds.sound_files())))] * 3,
        st.sampled_from(sounds.LIES),
        broken_bytes(st.sampled_from(sounds.LIES)),
    ),
}


def _border(modality: str) -> Border:
    return Border(
        f"http-{modality}",
        requests(modality, VALUES[modality]),
        functools.partial(feed, modality=modality),
        lambda: (
            [as_json(each, modality) for each in sound_values(modality)]
            + [as_form(each) for each in sound_values(modality)]
        ),
        prepare=lambda folder: server(modality, folder),
        peak=lambda folder: server(modality, folder).peak(),
        end=lambda folder: end(modality, folder),
    )


BORDERS = tuple(_border(modality) for modality in KINDS)
