"""Multipart forms, parsed whole: one that ends early is refused, so that no item goes missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from multigraft.runtime.serving.faults import Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PLAIN = ("", "7bit", "8bit", "binary")
"""Of Content-Transfer-Encoding: what leaves the bytes as they are."""
UTF_8 = ("", "utf-8", "utf8", "us-ascii")
FEW = 8
"""Headers of a part."""


@dataclass
class Part:
    """One part of a form."""

    headers: dict[str, str] = field(default_factory=dict)
    """By their names in small letters."""
    content: bytearray = field(default_factory=bytearray)
    name: str = ""
    is_file: bool = False


def parse_form(body: bytes, content_type: str, *, most: int) -> list[Part]:
    """Parse the parts in order, at most ``most`` and one. Raises Refusal for a broken form."""
    kind, options = _header(content_type)
    boundary = options.get("boundary", "").encode("latin-1")
    if not boundary:
        raise _broken(f"{kind} has no boundary")
    _check_charset(options)
    parsing = _Parsing(most)
    try:
        parser = MultipartParser(boundary, parsing.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _broken("a boundary or a part's head is not where it should be") from error
    closing = b"--" + boundary + b"--"
    if not parsing.ended:
        raise _broken(
            f"the closing boundary {closing.decode('latin-1')} is missing: it was cut off"
        )
    end = 0 if body.startswith(closing) else body.find(b"\r\n" + closing) + 2
    if body[end + len(closing) :].strip():
        raise _broken("more follows after the closing boundary")
    return parsing.parts


class _Parsing:
    """What a parser has told so far."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most
        self._name = self._value = b""

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._head_end,
            "on_part_data": self._content,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) > self._most:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the form holds more than {self._most} parts"
            )
        self.parts.append(Part())

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        headers = self.parts[-1].headers
        name = self._name.decode("latin-1").strip().lower()
        if name in headers or len(headers) == FEW:
            raise _broken(f"a part has the header {name[:40]} twice, or more than {FEW} headers")
        headers[name] = self._value.decode("utf-8", "replace").strip()
        self._name = self._value = b""

    def _head_end(self) -> None:
        part = self.parts[-1]
        kind, options = _header(part.headers.get("content-disposition", ""))
        if kind != "form-data" or "name" not in options:
            raise _broken("a part has no name: Content-Disposition: form-data; name=...")
        if part.headers.get("content-transfer-encoding", "").lower() not in PLAIN:
            raise _broken("a part has a Content-Transfer-Encoding; send its bytes as they are")
        part.name, part.is_file = options["name"], "filename" in options
        if not part.is_file:
            _check_charset(_header(part.headers.get("content-type", ""))[1])

    def _content(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += data[start:end]

    def _end(self) -> None:
        self.ended = True


def _header(value: str) -> tuple[str, Mapping[str, str]]:
    """A header's value and its options."""
    kind, options = parse_options_header(value.encode("utf-8", "replace"))
    return (
        kind.decode("utf-8", "replace").lower(),
        {key.decode("latin-1"): said.decode("utf-8", "replace") for key, said in options.items()},
    )


def _check_charset(options: Mapping[str, str]) -> None:
    if options.get("charset", "").lower() not in UTF_8:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the charset {options['charset']}; send UTF-8"
        )


def _broken(error: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, f"the form is broken: {error}")
