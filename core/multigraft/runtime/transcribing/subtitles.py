"""Segments as files of subtitles: SubRip (SRT), WebVTT, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from multigraft.contracts.types import Answer


def srt(segments: Iterable[Answer]) -> Iterator[str]:
    """Blocks of a SubRip file, each with its blank line.

    >>> list(srt([{"start": 0.5, "end": 61.25, "text": "Hello."}]))
    ['1\\n00:00:00,500 --> 00:01:01,250\\nHello.\\n\\n']
    """
    for number, each in enumerate(segments, 1):
        yield f"{number}\n{_times(each, ',')}\n{_one_line(each['text'])}\n\n"


def vtt(segments: Iterable[Answer]) -> Iterator[str]:
    """Blocks of a WebVTT file, the header first."""
    yield "WEBVTT\n\n"
    for each in segments:
        text = _one_line(each["text"]).replace("&", "&amp;").replace("<", "&lt;")
        yield f"{_times(each, '.')}\n{text.replace('-->', '--&gt;')}\n\n"


def json_lines(segments: Iterable[Answer]) -> Iterator[str]:
    """A JSON list, a segment a line."""
    before = "["
    for each in segments:
        yield f"{before}\n{json.dumps(each, ensure_ascii=False)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


FORMATS: Mapping[str, Callable[[Iterable[Answer]], Iterator[str]]] = {
    "srt": srt,
    "vtt": vtt,
    "json": json_lines,
}


def _times(segment: Answer, point: str) -> str:
    return f"{_time(segment['start'], point)} --> {_time(segment['end'], point)}"


def _time(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
